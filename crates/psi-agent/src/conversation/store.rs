//! Reading and writing conversations and their messages.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    Conversation, ConversationId, Conversations, Draft, Message, MessageId, NewConversation, Role,
    TitleOrigin,
    message::{details_column, enum_from, enum_name, to_json},
    title,
};
use crate::{
    error::{AgentError, Result},
    time::Timestamp,
};

/// The columns that [`conversation_from`] reads, in its order.
const COLUMNS: &str = "id, title, title_origin, system_prompt, model, temporary, pinned, leaf, \
    created_at, updated_at, project";

impl Conversations {
    /// Begins a conversation.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn create(&self, new: &NewConversation) -> Result<Conversation> {
        let now = self.db.now();
        let origin = if new.title.is_some() { TitleOrigin::User } else { TitleOrigin::None };
        self.db.write(|t| {
            t.execute(
                "INSERT INTO conversation (title, title_origin, system_prompt, model, temporary,
                   created_at, updated_at, project) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)",
                params![
                    new.title.as_deref().unwrap_or(""),
                    enum_name(origin),
                    new.system_prompt,
                    new.model,
                    new.temporary,
                    now.0,
                    new.project
                ],
            )?;
            get(t, ConversationId(t.last_insert_rowid()))
        })
    }

    /// One conversation.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn get(&self, id: ConversationId) -> Result<Conversation> {
        self.db.read(|c| get(c, id))
    }

    /// The conversations that are not temporary: pinned ones first, then by their last change.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn list(&self, limit: usize, offset: usize) -> Result<Vec<Conversation>> {
        self.db.read(|c| {
            let sql = format!(
                "SELECT {COLUMNS} FROM conversation WHERE temporary = 0
                 ORDER BY pinned DESC, updated_at DESC, id DESC LIMIT ?1 OFFSET ?2"
            );
            let mut statement = c.prepare_cached(&sql)?;
            let mut rows = statement.query((limit as i64, offset as i64))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(conversation_from(row)?);
            }
            Ok(found)
        })
    }

    /// How many [`Conversations::list`] has to offer.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn count(&self) -> Result<usize> {
        let sql = "SELECT count(*) FROM conversation WHERE temporary = 0";
        let n: i64 = self.db.read(|c| Ok(c.query_row(sql, [], |r| r.get(0))?))?;
        Ok(n as usize)
    }

    /// Writes a message as a child of `parent` (none: as a first message) and makes it the end of the
    /// branch that is shown. The first user message gives the conversation its title.
    ///
    /// # Errors
    /// When the conversation or the parent is not there, or the parent is in another conversation.
    pub fn append(
        &self,
        conversation: ConversationId,
        parent: Option<MessageId>,
        draft: &Draft,
    ) -> Result<Message> {
        let now = self.db.now();
        self.db.write(|t| append(t, conversation, parent, draft, now))
    }

    /// One message.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn message(&self, id: MessageId) -> Result<Message> {
        self.db.read(|c| message(c, id))
    }

    /// Every message of a conversation, in the order in which they were written.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn all(&self, id: ConversationId) -> Result<Vec<Message>> {
        self.db.read(|c| {
            let columns = Message::COLUMNS;
            let sql = format!("SELECT {columns} FROM message WHERE conversation = ?1 ORDER BY id");
            messages(c, &sql, id.0)
        })
    }

    /// The branch that is shown: from the first message to the conversation's leaf.
    ///
    /// # Errors
    /// When there is no such conversation.
    pub fn branch(&self, id: ConversationId) -> Result<Vec<Message>> {
        self.db.read(|c| match get(c, id)?.leaf {
            Some(leaf) => path(c, leaf),
            None => Ok(Vec::new()),
        })
    }

    /// The messages from the first to `leaf`.
    ///
    /// # Errors
    /// When there is no such message.
    pub fn path(&self, leaf: MessageId) -> Result<Vec<Message>> {
        self.db.read(|c| message(c, leaf).and_then(|m| path(c, m.id)))
    }

    /// A message and the others that answer the same one, oldest first: the versions to choose between.
    ///
    /// # Errors
    /// When there is no such message.
    pub fn siblings(&self, id: MessageId) -> Result<Vec<MessageId>> {
        self.db.read(|c| {
            let this = message(c, id)?;
            let sql = "SELECT id FROM message WHERE conversation = ?1 AND parent IS ?2 ORDER BY id";
            let mut statement = c.prepare_cached(sql)?;
            let ids = statement
                .query_map((this.conversation.0, this.parent.map(|p| p.0)), |r| r.get(0))?
                .map(|id| id.map(MessageId))
                .collect::<rusqlite::Result<_>>()?;
            Ok(ids)
        })
    }

    /// Shows the branch through a message: down from it, the newest answer each time. Returns the new
    /// leaf.
    ///
    /// # Errors
    /// When there is no such message.
    pub fn show(&self, id: MessageId) -> Result<MessageId> {
        self.db.write(|t| {
            let this = message(t, id)?;
            let newest = "SELECT max(id) FROM message WHERE conversation = ?1 AND parent = ?2";
            let mut statement = t.prepare_cached(newest)?;
            let mut leaf = id.0;
            while let Some(child) =
                statement.query_row((this.conversation.0, leaf), |r| r.get::<_, Option<i64>>(0))?
            {
                leaf = child;
            }
            set_leaf(t, this.conversation, Some(MessageId(leaf)))?;
            Ok(MessageId(leaf))
        })
    }

    /// Replaces what has been written of a message so far: text, reasoning, calls, state and details.
    ///
    /// # Errors
    /// When there is no such message.
    pub fn update(&self, id: MessageId, draft: &Draft) -> Result<()> {
        let now = self.db.now();
        self.db.write(|t| {
            let n = t
                .prepare_cached(
                    "UPDATE message SET content = ?2, reasoning = ?3, tool_calls = ?4, state = ?5,
                       details = ?6 WHERE id = ?1",
                )?
                .execute(params![
                    id.0,
                    draft.content,
                    draft.reasoning,
                    to_json(&draft.tool_calls),
                    enum_name(draft.state),
                    details_column(&draft.details)
                ])?;
            found(n, "message", id.0)?;
            let sql = "UPDATE conversation SET updated_at = ?2
                       WHERE id = (SELECT conversation FROM message WHERE id = ?1)";
            t.prepare_cached(sql)?.execute((id.0, now.0))?;
            Ok(())
        })
    }

    /// Names a conversation, unless it has a name of a better origin.
    ///
    /// # Errors
    /// When there is no such conversation.
    pub fn rename(&self, id: ConversationId, title: &str, origin: TitleOrigin) -> Result<()> {
        self.db.write(|t| {
            if get(t, id)?.title_origin > origin {
                return Ok(());
            }
            let sql = "UPDATE conversation SET title = ?2, title_origin = ?3 WHERE id = ?1";
            t.execute(sql, (id.0, title, enum_name(origin)))?;
            Ok(())
        })
    }

    /// Keeps a conversation at the top of the list, or no longer.
    ///
    /// # Errors
    /// When there is no such conversation.
    pub fn pin(&self, id: ConversationId, pinned: bool) -> Result<()> {
        let sql = "UPDATE conversation SET pinned = ?2 WHERE id = ?1";
        self.db.write(|t| found(t.execute(sql, (id.0, pinned))?, "conversation", id.0))
    }

    /// Sets what answers a conversation: the model, and the instructions before everything.
    ///
    /// # Errors
    /// When there is no such conversation.
    pub fn configure(
        &self,
        id: ConversationId,
        model: Option<&str>,
        system_prompt: Option<&str>,
    ) -> Result<()> {
        let sql = "UPDATE conversation SET model = ?2, system_prompt = ?3 WHERE id = ?1";
        let set = (id.0, model, system_prompt);
        self.db.write(|t| found(t.execute(sql, set)?, "conversation", id.0))
    }

    /// Deletes a conversation with all its messages, so that nothing of it is left in the file.
    ///
    /// # Errors
    /// When there is no such conversation.
    pub fn delete(&self, id: ConversationId) -> Result<()> {
        self.db.write(|t| delete(t, id))?;
        self.db.scrub()
    }

    /// Deletes the temporary conversations, as when psi starts.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn delete_temporary(&self) -> Result<()> {
        let gone = self.db.write(|t| {
            let ids: Vec<i64> = t
                .prepare("SELECT id FROM conversation WHERE temporary = 1")?
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            ids.iter().try_for_each(|&id| delete(t, ConversationId(id)))?;
            Ok(!ids.is_empty())
        })?;
        if gone { self.db.scrub() } else { Ok(()) }
    }

    /// Deletes a message and all that answers it. The branch shown ends where it was.
    ///
    /// # Errors
    /// When there is no such message.
    pub fn delete_message(&self, id: MessageId) -> Result<()> {
        self.db.write(|t| {
            let this = message(t, id)?;
            let below: Vec<i64> = t
                .prepare(
                    "WITH RECURSIVE below (id) AS (
                       VALUES (?1) UNION ALL
                       SELECT m.id FROM message m JOIN below b
                         ON m.conversation = ?2 AND m.parent = b.id)
                     SELECT id FROM below",
                )?
                .query_map((id.0, this.conversation.0), |r| r.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            let leaf = get(t, this.conversation)?.leaf;
            if leaf.is_some_and(|leaf| below.contains(&leaf.0)) {
                set_leaf(t, this.conversation, this.parent)?;
            }
            for id in &below {
                t.prepare_cached("DELETE FROM summary WHERE upto = ?1")?.execute([id])?;
                t.prepare_cached("DELETE FROM message WHERE id = ?1")?.execute([id])?;
            }
            Ok(())
        })?;
        self.db.scrub()
    }
}

fn append(
    t: &Connection,
    conversation: ConversationId,
    parent: Option<MessageId>,
    draft: &Draft,
    now: Timestamp,
) -> Result<Message> {
    let owner = get(t, conversation)?;
    if let Some(parent) = parent
        && message(t, parent)?.conversation != conversation
    {
        let why = format!("message {parent} is in another conversation than {conversation}");
        return Err(AgentError::invalid("parent", why));
    }
    let id = insert_message(t, conversation, parent, draft, now)?;
    let titled = owner.title_origin == TitleOrigin::None && draft.role == Role::User;
    let title = if titled { title::from_message(&draft.content) } else { String::new() };
    if title.is_empty() {
        t.prepare_cached("UPDATE conversation SET leaf = ?2, updated_at = ?3 WHERE id = ?1")?
            .execute((conversation.0, id.0, now.0))?;
    } else {
        let sql =
            "UPDATE conversation SET leaf = ?2, updated_at = ?3, title = ?4, title_origin = ?5
                   WHERE id = ?1";
        let origin = enum_name(TitleOrigin::Rule);
        t.execute(sql, (conversation.0, id.0, now.0, title, origin))?;
    }
    message(t, id)
}

pub(super) fn get(c: &Connection, id: ConversationId) -> Result<Conversation> {
    let sql = format!("SELECT {COLUMNS} FROM conversation WHERE id = ?1");
    let mut statement = c.prepare_cached(&sql)?;
    let found = statement.query_row([id.0], |row| Ok(conversation_from(row))).optional()?;
    found.unwrap_or(Err(AgentError::NotFound { what: "conversation", id: id.0 }))
}

fn conversation_from(row: &Row<'_>) -> Result<Conversation> {
    Ok(Conversation {
        id: ConversationId(row.get(0)?),
        title: row.get(1)?,
        title_origin: enum_from("conversation.title_origin", &row.get::<_, String>(2)?)?,
        system_prompt: row.get(3)?,
        model: row.get(4)?,
        temporary: row.get(5)?,
        pinned: row.get(6)?,
        leaf: row.get::<_, Option<i64>>(7)?.map(MessageId),
        created_at: Timestamp(row.get(8)?),
        updated_at: Timestamp(row.get(9)?),
        project: row.get(10)?,
    })
}

pub(super) fn message(c: &Connection, id: MessageId) -> Result<Message> {
    let sql = format!("SELECT {} FROM message WHERE id = ?1", Message::COLUMNS);
    let mut statement = c.prepare_cached(&sql)?;
    let found = statement.query_row([id.0], |row| Ok(Message::from_row(row))).optional()?;
    let mut found = found.unwrap_or(Err(AgentError::NotFound { what: "message", id: id.0 }))?;
    read_memories(c, &mut found)?;
    Ok(found)
}

/// Fills in what the memories say that a message's prompt held.
fn read_memories(c: &Connection, message: &mut Message) -> Result<()> {
    for memory in &mut message.details.memories {
        let mut statement = c.prepare_cached("SELECT text FROM fact WHERE id = ?1")?;
        let text = statement.query_row([memory.fact], |row| row.get(0)).optional()?;
        memory.text = text.unwrap_or_default();
    }
    Ok(())
}

/// The messages from the first to `leaf`.
fn path(c: &Connection, leaf: MessageId) -> Result<Vec<Message>> {
    let columns = Message::COLUMNS;
    let sql = format!(
        "WITH RECURSIVE up (at, depth) AS (
           VALUES (?1, 0) UNION ALL
           SELECT m.parent, up.depth + 1 FROM message m JOIN up ON m.id = up.at
             WHERE m.parent IS NOT NULL)
         SELECT {columns} FROM up JOIN message ON id = at ORDER BY depth DESC"
    );
    messages(c, &sql, leaf.0)
}

fn messages(c: &Connection, sql: &str, argument: i64) -> Result<Vec<Message>> {
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query([argument])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let mut message = Message::from_row(row)?;
        read_memories(c, &mut message)?;
        found.push(message);
    }
    Ok(found)
}

fn set_leaf(t: &Connection, id: ConversationId, leaf: Option<MessageId>) -> Result<()> {
    let sql = "UPDATE conversation SET leaf = ?2 WHERE id = ?1";
    t.prepare_cached(sql)?.execute((id.0, leaf.map(|l| l.0)))?;
    Ok(())
}

/// Writes a message's row and nothing else.
pub(super) fn insert_message(
    t: &Connection,
    conversation: ConversationId,
    parent: Option<MessageId>,
    draft: &Draft,
    at: Timestamp,
) -> Result<MessageId> {
    t.prepare_cached(
        "INSERT INTO message (conversation, parent, role, content, reasoning, tool_calls,
           tool_call_id, state, details, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        conversation.0,
        parent.map(|p| p.0),
        enum_name(draft.role),
        draft.content,
        draft.reasoning,
        to_json(&draft.tool_calls),
        draft.tool_call_id,
        enum_name(draft.state),
        details_column(&draft.details),
        at.0
    ])?;
    Ok(MessageId(t.last_insert_rowid()))
}

fn delete(t: &Connection, id: ConversationId) -> Result<()> {
    for table in ["summary", "message"] {
        t.execute(&format!("DELETE FROM {table} WHERE conversation = ?1"), [id.0])?;
    }
    found(t.execute("DELETE FROM conversation WHERE id = ?1", [id.0])?, "conversation", id.0)
}

/// An error when a statement that names one row changed none.
pub(crate) fn found(n: usize, what: &'static str, id: i64) -> Result<()> {
    if n == 0 { Err(AgentError::NotFound { what, id }) } else { Ok(()) }
}
