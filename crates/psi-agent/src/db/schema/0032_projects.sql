-- What conversations have in common: instructions and a model. Those of a conversation itself come first.
CREATE TABLE project (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  instructions TEXT NOT NULL,
  model TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);
ALTER TABLE conversation ADD COLUMN project INTEGER REFERENCES project (id);
CREATE INDEX conversation_of_project ON conversation (project, updated_at DESC) WHERE project IS NOT NULL;
