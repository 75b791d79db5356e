-- A folder or file whose text may be searched.
CREATE TABLE knowledge_source (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  path TEXT NOT NULL UNIQUE,
  added_at INTEGER NOT NULL
);

-- A file of a source; `state` is 'indexed', 'no_text' (a scan) or 'failed', with `why`.
CREATE TABLE document (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  source INTEGER NOT NULL REFERENCES knowledge_source (id) ON DELETE CASCADE,
  path TEXT NOT NULL,
  kind TEXT NOT NULL,
  n_bytes INTEGER NOT NULL,
  modified_ms INTEGER NOT NULL,
  hash TEXT NOT NULL,
  state TEXT NOT NULL,
  why TEXT,
  indexed_at INTEGER NOT NULL,
  UNIQUE (source, path)
);

-- The passages of a document, in order, are its whole text: nothing of it lies between two of them.
CREATE TABLE passage (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  document INTEGER NOT NULL REFERENCES document (id) ON DELETE CASCADE,
  page INTEGER,
  first_line INTEGER NOT NULL,
  last_line INTEGER NOT NULL,
  first_byte INTEGER NOT NULL,
  end_byte INTEGER NOT NULL,
  content TEXT NOT NULL
);
CREATE INDEX passage_of_document ON passage (document, first_byte);

CREATE VIRTUAL TABLE passage_text USING fts5 (
  content, content = 'passage', content_rowid = 'id', tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO passage_text (passage_text, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER passage_inserted AFTER INSERT ON passage BEGIN
  INSERT INTO passage_text (rowid, content) VALUES (new.id, new.content);
END;
CREATE TRIGGER passage_deleted AFTER DELETE ON passage BEGIN
  INSERT INTO passage_text (passage_text, rowid, content) VALUES ('delete', old.id, old.content);
END;

-- What a passage means to a model: numbers of 32 bits, little-endian, of length 1 together.
CREATE TABLE passage_vector (
  passage INTEGER PRIMARY KEY REFERENCES passage (id) ON DELETE CASCADE,
  model TEXT NOT NULL,
  vector BLOB NOT NULL
);
