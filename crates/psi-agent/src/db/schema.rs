//! The tables, as changes that are applied once each, in order. A change is never edited after a release:
//! a new one is added.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::{
    error::{AgentError, Result},
    time::Timestamp,
};

/// Every change: its name and its statements.
const MIGRATIONS: &[(&str, &str)] = &[
    ("0001 conversations", include_str!("schema/0001_conversations.sql")),
    ("0002 settings", include_str!("schema/0002_settings.sql")),
    ("0003 memory", include_str!("schema/0003_memory.sql")),
    ("0004 feedback", include_str!("schema/0004_feedback.sql")),
    ("0020 knowledge", include_str!("schema/0020_knowledge.sql")),
    ("0021 attachments", include_str!("schema/0021_attachments.sql")),
    ("0030 prompts", include_str!("schema/0030_prompts.sql")),
    ("0031 tasks", include_str!("schema/0031_tasks.sql")),
    ("0032 projects", include_str!("schema/0032_projects.sql")),
];

/// Applies what is missing, all of it or nothing.
pub(super) fn migrate(connection: &mut Connection, path: &Path, now: Timestamp) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(
        "CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY, applied_at INTEGER NOT NULL)",
        [],
    )?;
    let applied: Vec<String> = transaction
        .prepare("SELECT name FROM migration")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let unknown = |name: &&String| !MIGRATIONS.iter().any(|m| m.0 == *name);
    if let Some(name) = applied.iter().find(unknown) {
        return Err(AgentError::Newer { path: path.to_owned(), migration: name.clone() });
    }
    for (name, statements) in MIGRATIONS.iter().filter(|m| !applied.iter().any(|a| a == m.0)) {
        transaction.execute_batch(statements)?;
        transaction.execute("INSERT INTO migration VALUES (?1, ?2)", (name, now.0))?;
    }
    transaction.commit()?;
    Ok(())
}
