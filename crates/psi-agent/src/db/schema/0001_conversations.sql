-- A conversation is a tree of messages; `leaf` is the end of the branch that is shown.
CREATE TABLE conversation (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  title TEXT NOT NULL,
  title_origin TEXT NOT NULL,
  system_prompt TEXT,
  model TEXT,
  temporary INTEGER NOT NULL DEFAULT 0,
  pinned INTEGER NOT NULL DEFAULT 0,
  leaf INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);
CREATE INDEX conversation_by_time ON conversation (temporary, pinned DESC, updated_at DESC);

CREATE TABLE message (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  conversation INTEGER NOT NULL REFERENCES conversation (id),
  parent INTEGER,
  role TEXT NOT NULL,
  content TEXT NOT NULL,
  reasoning TEXT NOT NULL DEFAULT '',
  tool_calls TEXT NOT NULL DEFAULT '[]',
  tool_call_id TEXT,
  state TEXT NOT NULL,
  details TEXT NOT NULL DEFAULT '{}',
  created_at INTEGER NOT NULL
);
CREATE INDEX message_of_conversation ON message (conversation, parent);
CREATE INDEX message_streaming ON message (state) WHERE state = 'streaming';

-- The full-text index reads its text from the table. A message is in it once it is written to its end.
CREATE VIRTUAL TABLE message_text USING fts5 (
  content, content = 'message', content_rowid = 'id', tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO message_text (message_text, rank) VALUES ('secure-delete', 1);

CREATE TRIGGER message_inserted AFTER INSERT ON message
WHEN new.state <> 'streaming' AND new.role IN ('user', 'assistant') BEGIN
  INSERT INTO message_text (rowid, content) VALUES (new.id, new.content);
END;
CREATE TRIGGER message_deleted AFTER DELETE ON message
WHEN old.state <> 'streaming' AND old.role IN ('user', 'assistant') BEGIN
  INSERT INTO message_text (message_text, rowid, content) VALUES ('delete', old.id, old.content);
END;
CREATE TRIGGER message_updated AFTER UPDATE OF content, state ON message
WHEN new.role IN ('user', 'assistant') BEGIN
  INSERT INTO message_text (message_text, rowid, content)
    SELECT 'delete', old.id, old.content WHERE old.state <> 'streaming';
  INSERT INTO message_text (rowid, content)
    SELECT new.id, new.content WHERE new.state <> 'streaming';
END;

-- What stands in the prompt for the messages of a branch up to one of them.
CREATE TABLE summary (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  conversation INTEGER NOT NULL REFERENCES conversation (id),
  upto INTEGER NOT NULL,
  content TEXT NOT NULL,
  n_messages INTEGER NOT NULL,
  model TEXT,
  created_at INTEGER NOT NULL
);
CREATE INDEX summary_of_conversation ON summary (conversation, upto);
