//! Standing permissions to run tools, as the database keeps them.

use serde::Serialize;

use crate::{
    agent::{Grants, Scope},
    conversation::{ConversationId, found},
    db::Db,
    error::Result,
    time::Timestamp,
};

/// A standing permission, or the lack of one that a tool has by default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Grant {
    /// Its number.
    pub id: i64,
    /// What it is for: [`crate::Tool::grant_key`].
    pub tool: String,
    /// The conversation it is for; none: all.
    pub conversation: Option<ConversationId>,
    /// Whether it was given, or a default one taken back.
    pub given: bool,
    /// When.
    pub created_at: Timestamp,
}

/// The permissions of a database.
#[derive(Clone, Debug)]
pub struct GrantBook {
    db: Db,
}

impl GrantBook {
    /// Those of `db`.
    pub fn new(db: &Db) -> Self {
        Self { db: db.clone() }
    }

    /// All of them, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn list(&self) -> Result<Vec<Grant>> {
        self.db.read(|c| {
            let sql = "SELECT id, tool, conversation, given, created_at FROM grant_ ORDER BY id";
            let mut statement = c.prepare_cached(sql)?;
            let grants = statement.query_map([], |row| {
                Ok(Grant {
                    id: row.get(0)?,
                    tool: row.get(1)?,
                    conversation: row.get::<_, Option<i64>>(2)?.map(ConversationId),
                    given: row.get(3)?,
                    created_at: Timestamp(row.get(4)?),
                })
            })?;
            Ok(grants.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Those that count in a conversation.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn of(&self, conversation: ConversationId) -> Result<Grants> {
        let mut grants = Grants::default();
        for grant in self.list()? {
            match (grant.conversation, grant.given) {
                (None, true) => grants.always.insert(grant.tool),
                (None, false) => grants.revoked.insert(grant.tool),
                (Some(id), _) if id == conversation => grants.chat.insert(grant.tool),
                (Some(_), _) => false,
            };
        }
        Ok(grants)
    }

    /// Keeps what the user approved for longer than one call.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn give(&self, tool: &str, scope: Scope, conversation: ConversationId) -> Result<()> {
        match scope {
            Scope::Once => Ok(()),
            Scope::Chat => self.put(tool, Some(conversation), true),
            Scope::Always => self.put(tool, None, true),
        }
    }

    /// Takes back the grant that a tool has by default.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn revoke_default(&self, tool: &str) -> Result<()> {
        self.put(tool, None, false)
    }

    /// Removes an entry.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn remove(&self, id: i64) -> Result<()> {
        let sql = "DELETE FROM grant_ WHERE id = ?1";
        self.db.write(|t| found(t.execute(sql, [id])?, "grant", id))
    }

    fn put(&self, tool: &str, conversation: Option<ConversationId>, given: bool) -> Result<()> {
        let now = self.db.now();
        self.db.write(|t| {
            let row = (tool, conversation.map(|c| c.0), given, now.0);
            let sql = "INSERT OR REPLACE INTO grant_ (tool, conversation, given, created_at)
                       VALUES (?1, ?2, ?3, ?4)";
            t.execute(sql, row)?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        conversation::{Conversations, NewConversation},
        time::Clock,
    };

    #[test]
    fn a_grant_counts_where_it_was_given_and_goes_with_its_conversation() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&dir.path().join("psi.db"), Clock::fixed(Timestamp(0))).unwrap();
        let (book, all) = (GrantBook::new(&db), Conversations::new(&db));
        let one = all.create(&NewConversation::default()).unwrap().id;
        let two = all.create(&NewConversation::default()).unwrap().id;
        book.give("write", Scope::Chat, one).unwrap();
        book.give("write", Scope::Chat, one).unwrap();
        book.give("fetch", Scope::Always, one).unwrap();
        book.give("shell", Scope::Once, one).unwrap();
        book.revoke_default("remember").unwrap();
        let of = |id| book.of(id).unwrap();
        assert!(of(one).chat.contains("write") && !of(two).chat.contains("write"));
        assert!(of(two).always.contains("fetch") && of(two).revoked.contains("remember"));
        assert_eq!(book.list().unwrap().len(), 3);
        all.delete(one).unwrap();
        assert_eq!(book.list().unwrap().len(), 2);
        book.remove(book.list().unwrap()[0].id).unwrap();
        assert!(book.remove(99).is_err());
    }
}
