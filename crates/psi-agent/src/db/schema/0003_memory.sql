-- A fact never changes its text: an edited one closes the old one and adds a new one. `valid_*` is when it
-- holds in the world, `closed_at` when psi learned that it does not (any more).
CREATE TABLE fact (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  text TEXT NOT NULL,
  slot TEXT NOT NULL DEFAULT '',
  value TEXT NOT NULL DEFAULT '',
  kind TEXT NOT NULL,
  origin TEXT NOT NULL,
  said_at INTEGER NOT NULL,
  valid_from INTEGER,
  valid_to INTEGER,
  closed_at INTEGER,
  closed_by INTEGER REFERENCES fact (id) ON DELETE SET NULL,
  pinned INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX fact_slot ON fact (slot) WHERE slot <> '';
CREATE INDEX fact_closed_by ON fact (closed_by) WHERE closed_by IS NOT NULL;

-- Where a fact was said.
CREATE TABLE fact_source (
  fact INTEGER NOT NULL REFERENCES fact (id) ON DELETE CASCADE,
  message INTEGER NOT NULL,
  PRIMARY KEY (fact, message)
) WITHOUT ROWID;
CREATE INDEX fact_source_message ON fact_source (message);

CREATE TABLE fact_vector (
  fact INTEGER NOT NULL REFERENCES fact (id) ON DELETE CASCADE,
  embedder TEXT NOT NULL,
  vector BLOB NOT NULL,
  PRIMARY KEY (fact, embedder)
) WITHOUT ROWID;

CREATE VIRTUAL TABLE fact_text USING fts5 (
  text, content = 'fact', content_rowid = 'id', tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO fact_text (fact_text, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER fact_inserted AFTER INSERT ON fact BEGIN
  INSERT INTO fact_text (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER fact_deleted AFTER DELETE ON fact BEGIN
  INSERT INTO fact_text (fact_text, rowid, text) VALUES ('delete', old.id, old.text);
END;

-- A fact whose last source is deleted goes too, unless the user made it their own.
CREATE TRIGGER fact_source_of_message AFTER DELETE ON message BEGIN
  DELETE FROM fact WHERE pinned = 0 AND origin <> 'user'
    AND id IN (SELECT fact FROM fact_source WHERE message = old.id)
    AND NOT EXISTS (SELECT 1 FROM fact_source s WHERE s.fact = fact.id AND s.message <> old.id);
  DELETE FROM fact_source WHERE message = old.id;
END;

-- How many texts hold each word: a rare word says more.
CREATE VIRTUAL TABLE fact_words USING fts5vocab ('fact_text', 'row');
CREATE VIRTUAL TABLE message_words USING fts5vocab ('message_text', 'row');
