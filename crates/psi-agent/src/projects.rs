//! Projects: conversations that belong together, with instructions and a model that all of them begin with.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::Serialize;

use crate::{
    conversation::{ConversationId, found},
    db::Db,
    error::{AgentError, Result},
    time::Timestamp,
};

/// Most characters of a name.
pub const MAX_NAME: usize = 100;
/// Most bytes of instructions.
pub const MAX_INSTRUCTIONS: usize = 32 << 10;

/// A project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Project {
    /// Its number.
    pub id: i64,
    /// What it is called.
    pub name: String,
    /// What stands before its conversations, unless one has instructions of its own; empty: those of the settings.
    pub instructions: String,
    /// The model that answers in it, unless a conversation has chosen another.
    pub model: Option<String>,
    /// Conversations in it.
    pub n_conversations: usize,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What is said of a project.
#[derive(Clone, Debug, Default)]
pub struct NewProject {
    /// What it is called.
    pub name: String,
    /// What stands before its conversations.
    pub instructions: String,
    /// The model that answers in it.
    pub model: Option<String>,
}

/// The projects of a database.
#[derive(Clone, Debug)]
pub struct Projects {
    db: Db,
}

const SELECT: &str = "SELECT id, name, instructions, model, created_at, updated_at,
    (SELECT count(*) FROM conversation WHERE project = project.id AND temporary = 0) FROM project";

impl Projects {
    /// Those of `db`.
    pub fn new(db: &Db) -> Self {
        Self { db: db.clone() }
    }

    /// All of them, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn list(&self) -> Result<Vec<Project>> {
        self.db.read(|c| {
            let sql = format!("{SELECT} ORDER BY name COLLATE NOCASE");
            let mut statement = c.prepare_cached(&sql)?;
            let all = statement.query_map([], read)?;
            Ok(all.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// One of them.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn get(&self, id: i64) -> Result<Project> {
        self.db.read(|c| get(c, id))
    }

    /// Makes one.
    ///
    /// # Errors
    /// When the name is taken, empty or too long; when the instructions are too long.
    pub fn add(&self, new: &NewProject) -> Result<Project> {
        let new = checked(new)?;
        let now = self.db.now();
        let id = self.db.write(|t| {
            free(t, &new.name, None)?;
            let sql = "INSERT INTO project (name, instructions, model, created_at, updated_at)
                       VALUES (?1, ?2, ?3, ?4, ?4)";
            t.execute(sql, params![new.name, new.instructions, new.model, now.0])?;
            Ok(t.last_insert_rowid())
        })?;
        self.get(id)
    }

    /// Changes one.
    ///
    /// # Errors
    /// As [`Self::add`], and when there is none of that number.
    pub fn edit(&self, id: i64, new: &NewProject) -> Result<Project> {
        let new = checked(new)?;
        let now = self.db.now();
        self.db.write(|t| {
            free(t, &new.name, Some(id))?;
            let sql = "UPDATE project SET name = ?2, instructions = ?3, model = ?4, updated_at = ?5
                       WHERE id = ?1";
            let set = params![id, new.name, new.instructions, new.model, now.0];
            found(t.execute(sql, set)?, "project", id)
        })?;
        self.get(id)
    }

    /// Deletes one. Its conversations stay, in no project.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn delete(&self, id: i64) -> Result<()> {
        self.db.write(|t| {
            t.execute("UPDATE conversation SET project = NULL WHERE project = ?1", [id])?;
            found(t.execute("DELETE FROM project WHERE id = ?1", [id])?, "project", id)
        })?;
        self.db.scrub()
    }

    /// Its conversations, the last written in first: their numbers and titles.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn conversations(&self, id: i64, limit: usize) -> Result<Vec<(ConversationId, String)>> {
        self.db.read(|c| {
            let sql = "SELECT id, title FROM conversation WHERE project = ?1 AND temporary = 0
                       ORDER BY updated_at DESC, id DESC LIMIT ?2";
            let mut statement = c.prepare_cached(sql)?;
            let read = |row: &Row<'_>| Ok((ConversationId(row.get(0)?), row.get(1)?));
            let all = statement.query_map((id, limit as i64), read)?;
            Ok(all.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Puts a conversation into a project, or into none.
    ///
    /// # Errors
    /// When there is no such conversation or project.
    pub fn put(&self, conversation: ConversationId, project: Option<i64>) -> Result<()> {
        self.db.write(|t| {
            if let Some(id) = project {
                get(t, id)?;
            }
            let sql = "UPDATE conversation SET project = ?2 WHERE id = ?1";
            found(t.execute(sql, (conversation.0, project))?, "conversation", conversation.0)
        })
    }
}

fn get(c: &Connection, id: i64) -> Result<Project> {
    let sql = format!("{SELECT} WHERE id = ?1");
    let project = c.query_row(&sql, [id], read).optional()?;
    project.ok_or(AgentError::NotFound { what: "project", id })
}

fn read(row: &Row<'_>) -> rusqlite::Result<Project> {
    Ok(Project {
        id: row.get(0)?,
        name: row.get(1)?,
        instructions: row.get(2)?,
        model: row.get(3)?,
        created_at: Timestamp(row.get(4)?),
        updated_at: Timestamp(row.get(5)?),
        n_conversations: row.get::<_, i64>(6)? as usize,
    })
}

fn checked(new: &NewProject) -> Result<NewProject> {
    let name = new.name.trim().to_owned();
    let instructions = new.instructions.trim().to_owned();
    if name.is_empty() || name.chars().count() > MAX_NAME {
        return Err(AgentError::invalid("name", format!("has 1 to {MAX_NAME} characters")));
    }
    if instructions.len() > MAX_INSTRUCTIONS {
        return Err(AgentError::invalid(
            "instructions",
            format!("has at most {MAX_INSTRUCTIONS} bytes"),
        ));
    }
    let model = new.model.clone().filter(|model| !model.is_empty());
    Ok(NewProject { name, instructions, model })
}

fn free(t: &Transaction<'_>, name: &str, but: Option<i64>) -> Result<()> {
    let sql = "SELECT id FROM project WHERE name = ?1";
    let taken: Option<i64> = t.query_row(sql, [name], |row| row.get(0)).optional()?;
    match taken.filter(|id| Some(*id) != but) {
        Some(_) => Err(AgentError::invalid("name", format!("\u{201c}{name}\u{201d} is taken"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        conversation::{Conversations, NewConversation},
        time::Clock,
    };

    fn open() -> (tempfile::TempDir, Db) {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&dir.path().join("psi.db"), Clock::fixed(Timestamp(7))).unwrap();
        (dir, db)
    }

    fn new(name: &str) -> NewProject {
        NewProject { name: name.to_owned(), ..NewProject::default() }
    }

    #[test]
    fn conversations_are_put_in_and_stay_when_it_goes() {
        let (_dir, db) = open();
        let (projects, conversations) = (Projects::new(&db), Conversations::new(&db));
        let house = projects.add(&new(" The house ")).unwrap();
        assert_eq!((house.name.as_str(), house.n_conversations), ("The house", 0));
        let begun = NewConversation { project: Some(house.id), ..NewConversation::default() };
        let first = conversations.create(&begun).unwrap();
        let second = conversations.create(&NewConversation::default()).unwrap();
        projects.put(second.id, Some(house.id)).unwrap();
        assert_eq!(projects.get(house.id).unwrap().n_conversations, 2);
        let ids = |limit| {
            let all = projects.conversations(house.id, limit).unwrap();
            all.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
        };
        assert_eq!((ids(9), ids(1)), (vec![second.id, first.id], vec![second.id]));
        projects.put(second.id, None).unwrap();
        assert_eq!(ids(9), [first.id]);
        projects.delete(house.id).unwrap();
        assert_eq!(conversations.get(first.id).unwrap().project, None);
        assert!(projects.list().unwrap().is_empty() && projects.get(house.id).is_err());
    }

    #[test]
    fn names_are_there_and_taken_once() {
        let (_dir, db) = open();
        let projects = Projects::new(&db);
        let one = projects.add(&new("one")).unwrap();
        let two = projects.add(&new("two")).unwrap();
        for bad in ["", "  ", "one", &"x".repeat(MAX_NAME + 1)] {
            assert!(projects.add(&new(bad)).is_err(), "{bad}");
        }
        assert!(projects.edit(two.id, &new("one")).is_err());
        assert_eq!(projects.edit(one.id, &new("one")).unwrap().name, "one");
        let unknown = projects.put(ConversationId(1), None);
        assert!(matches!(unknown, Err(AgentError::NotFound { what: "conversation", .. })));
        let nowhere = NewConversation { project: Some(99), ..NewConversation::default() };
        assert!(Conversations::new(&db).create(&nowhere).is_err());
    }
}
