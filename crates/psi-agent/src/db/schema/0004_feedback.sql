-- What the user thinks of an answer. The prompt is not copied here: it is made again from the messages, the
-- instructions and the facts by their numbers, so that what is deleted or forgotten is gone here too.
CREATE TABLE feedback (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  message INTEGER NOT NULL UNIQUE,
  rating INTEGER,
  better TEXT,
  chosen_over INTEGER,
  is_tie INTEGER NOT NULL DEFAULT 0,
  tags TEXT NOT NULL DEFAULT '[]',
  consent INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);
CREATE INDEX feedback_chosen_over ON feedback (chosen_over) WHERE chosen_over IS NOT NULL;

-- Definitions of tools as they were, by the hash of their text.
CREATE TABLE toolset (hash TEXT PRIMARY KEY, definitions TEXT NOT NULL) WITHOUT ROWID;

-- Answers that the user has looked at in the review queue without a judgement.
CREATE TABLE review_skip (message INTEGER PRIMARY KEY);

CREATE TRIGGER feedback_of_message AFTER DELETE ON message BEGIN
  DELETE FROM feedback WHERE message = old.id;
  UPDATE feedback SET chosen_over = NULL, is_tie = 0 WHERE chosen_over = old.id;
  DELETE FROM review_skip WHERE message = old.id;
END;
