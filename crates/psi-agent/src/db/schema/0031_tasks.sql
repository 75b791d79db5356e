-- What psi is to do at a time, and what came of it. `next_at` is NULL when nothing is left to do.
CREATE TABLE task (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  content TEXT NOT NULL,
  schedule TEXT NOT NULL,
  zone TEXT NOT NULL,
  paused INTEGER NOT NULL DEFAULT 0,
  next_at INTEGER,
  created_at INTEGER NOT NULL
);
CREATE INDEX task_due ON task (next_at) WHERE paused = 0 AND next_at IS NOT NULL;

CREATE TABLE task_run (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  task INTEGER NOT NULL REFERENCES task (id) ON DELETE CASCADE,
  conversation INTEGER REFERENCES conversation (id) ON DELETE SET NULL,
  due_at INTEGER,
  began_at INTEGER NOT NULL,
  missed INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL,
  told TEXT NOT NULL DEFAULT '',
  seen INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX task_run_of_task ON task_run (task, id);
CREATE INDEX task_run_unseen ON task_run (seen) WHERE seen = 0;
CREATE INDEX task_run_of_conversation ON task_run (conversation);
