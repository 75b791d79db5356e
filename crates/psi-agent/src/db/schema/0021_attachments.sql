-- A file given in a conversation: its text, which goes with the conversation. Without one it has not been sent yet.
CREATE TABLE attachment (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  conversation INTEGER REFERENCES conversation (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  content TEXT NOT NULL,
  added_at INTEGER NOT NULL
);
CREATE INDEX attachment_of_conversation ON attachment (conversation);
