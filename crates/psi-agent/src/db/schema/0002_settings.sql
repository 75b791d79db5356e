CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);

-- A standing permission to run a tool: for one conversation, or (NULL) for all. `given` = 0 takes back
-- one that the tool has by default.
CREATE TABLE grant_ (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  tool TEXT NOT NULL,
  conversation INTEGER REFERENCES conversation (id) ON DELETE CASCADE,
  given INTEGER NOT NULL DEFAULT 1,
  created_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX grant_once ON grant_ (tool, coalesce(conversation, 0));

-- The password for use from other machines (one row, kind 'password') and access tokens, as hashes.
CREATE TABLE access (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  hash TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
