//! The assistant at work: takes a message, runs the loop on a thread of its own, keeps what comes of it.
//!
//! A run belongs to the assistant, not to who asked: a page may go away and come back, several may
//! watch, and the answer is in the database either way.

mod driver;
mod prompt;
mod run;
mod summary;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

pub(crate) use prompt::{prompt_of, text_of_fact};
pub use run::{EventSink, Run};

use crate::{
    agent::{Agent, Limits},
    conversation::{
        Attachment, ConversationId, Conversations, Details, Draft, Message, MessageId, Role,
    },
    db::Db,
    error::{AgentError, Result},
    grants::GrantBook,
    memory::Memory,
    model::ChatSource,
    settings::Settings,
    tool::Tool,
};

/// What finds models by name.
pub trait Models: Send + Sync {
    /// The model of a name, or the one to use when none is named. May take as long as loading takes.
    ///
    /// # Errors
    /// A sentence that says why it cannot be used.
    fn find(&self, name: Option<&str>) -> Result<Arc<dyn ChatSource>, String>;
}

/// One model, whatever is asked for.
pub struct OneModel(pub Arc<dyn ChatSource>);

impl fmt::Debug for OneModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OneModel({})", self.0.name())
    }
}

impl Models for OneModel {
    fn find(&self, _name: Option<&str>) -> Result<Arc<dyn ChatSource>, String> {
        Ok(Arc::clone(&self.0))
    }
}

/// What gives the tools that are offered.
pub type ToolSource = Arc<dyn Fn() -> Vec<Arc<dyn Tool>> + Send + Sync>;

/// The assistant. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Assistant(Arc<Inner>);

struct Inner {
    db: Db,
    conversations: Conversations,
    memory: Memory,
    settings: Settings,
    grants: GrantBook,
    models: Box<dyn Models>,
    tools: Mutex<ToolSource>,
    runs: Mutex<HashMap<ConversationId, Run>>,
}

/// A message to answer.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// What the user says.
    pub text: String,
    /// The message it answers; none: the end of the branch that is shown.
    pub parent: Option<MessageId>,
    /// Files given with it.
    pub attachments: Vec<Attachment>,
    /// Whether a schedule says it, with nobody at the keyboard: then no permission given before counts, and nothing in
    /// it is taken for a fact about the user.
    pub unattended: bool,
}

impl Assistant {
    /// An assistant over a database. Temporary conversations of earlier days are gone.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn new(db: &Db, memory: Memory, models: Box<dyn Models>) -> Result<Self> {
        let conversations = Conversations::new(db);
        if db.was_alone() {
            conversations.delete_temporary()?;
        }
        Ok(Self(Arc::new(Inner {
            db: db.clone(),
            conversations,
            memory,
            settings: Settings::new(db),
            grants: GrantBook::new(db),
            models,
            tools: Mutex::new(Arc::new(Vec::new)),
            runs: Mutex::default(),
        })))
    }

    /// The database.
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// Its conversations.
    pub fn conversations(&self) -> &Conversations {
        &self.0.conversations
    }

    /// Its memory.
    pub fn memory(&self) -> &Memory {
        &self.0.memory
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Its standing grants.
    pub fn grants(&self) -> &GrantBook {
        &self.0.grants
    }

    /// The tools it offers from now on.
    pub fn set_tools(&self, tools: Vec<Arc<dyn Tool>>) {
        self.set_tool_source(Arc::new(move || tools.clone()));
    }

    /// Where the tools come from that it offers: asked anew for each answer.
    pub fn set_tool_source(&self, source: ToolSource) {
        *lock(&self.0.tools) = source;
    }

    /// The tools it offers.
    pub fn tools(&self) -> Vec<Arc<dyn Tool>> {
        let source = lock(&self.0.tools).clone();
        source()
    }

    /// Takes a message and begins to answer it.
    ///
    /// # Errors
    /// When the conversation or parent is not there, or an answer is being written in it.
    pub fn send(&self, conversation: ConversationId, ask: Ask) -> Result<Run> {
        self.check_idle(conversation)?;
        let shown = self.0.conversations.get(conversation)?.leaf;
        let Ask { attachments, unattended, .. } = ask;
        let details = Details { attachments, unattended, ..Details::default() };
        let draft = Draft { details, ..Draft::user(&ask.text) };
        self.say(conversation, ask.parent.or(shown), &draft)
    }

    /// Says something else in the place of a user's message, on a branch of its own.
    ///
    /// # Errors
    /// When there is no such message, or it is not the user's.
    pub fn edit(&self, message: MessageId, text: &str) -> Result<Run> {
        let old = self.0.conversations.message(message)?;
        if old.role != Role::User {
            return Err(AgentError::invalid("message", format!("{message} is not the user's")));
        }
        self.check_idle(old.conversation)?;
        let details = Details {
            edited_from: Some(old.id),
            attachments: old.details.attachments,
            ..Details::default()
        };
        let draft = Draft { details, ..Draft::user(text) };
        self.say(old.conversation, old.parent, &draft)
    }

    /// Answers a user's message once more, or the one that an answer belongs to; `model` names another one than
    /// the conversation's.
    ///
    /// # Errors
    /// When there is no such message.
    pub fn retry(&self, message: MessageId, model: Option<&str>) -> Result<Run> {
        let path = self.0.conversations.path(message)?;
        let asked = path.iter().rev().find(|m| m.role == Role::User);
        let asked = asked.ok_or_else(|| {
            AgentError::invalid("message", format!("{message} answers nothing the user said"))
        })?;
        self.check_idle(asked.conversation)?;
        self.start(asked.clone(), None, model)
    }

    /// The run of a conversation: the one that goes, or the last one since psi started.
    pub fn run(&self, conversation: ConversationId) -> Option<Run> {
        lock(&self.0.runs).get(&conversation).cloned()
    }

    /// Stops every run and waits until what they wrote is kept.
    pub fn shut_down(&self) {
        let runs: Vec<Run> = lock(&self.0.runs).values().cloned().collect();
        runs.iter().for_each(Run::cancel);
        runs.iter().for_each(Run::wait);
    }

    fn check_idle(&self, conversation: ConversationId) -> Result<()> {
        if self.run(conversation).is_some_and(|run| !run.is_over()) {
            let why = format!("an answer is being written in {conversation}; stop it first");
            return Err(AgentError::invalid("conversation", why));
        }
        Ok(())
    }

    fn say(
        &self,
        conversation: ConversationId,
        parent: Option<MessageId>,
        draft: &Draft,
    ) -> Result<Run> {
        if draft.content.trim().is_empty() {
            return Err(AgentError::invalid("message", "it is empty"));
        }
        let message = self.0.conversations.append(conversation, parent, draft)?;
        let added = message.clone();
        self.start(message, Some(added), None)
    }

    /// Starts the thread that answers `asked`, by another model than the conversation's if one is named. `added` is
    /// that message where it is new.
    fn start(&self, asked: Message, added: Option<Message>, model: Option<&str>) -> Result<Run> {
        let inner = &self.0;
        let mut grants = inner.grants.of(asked.conversation)?;
        // Asked again by its owner, the same message has the owner's rights.
        grants.is_unattended = asked.details.unattended && added.is_some();
        let path = inner.conversations.path(asked.id)?;
        // Text of others: what tools brought, and files, which may give orders too.
        let is_tainted = path.iter().any(|m| {
            !m.details.attachments.is_empty()
                || m.details.run.as_ref().is_some_and(|run| run.untrusted)
        });
        let limits = Limits {
            max_steps: inner.settings.number("answer.max_steps")?,
            max_tokens: inner.settings.number("answer.max_tokens")?,
            ..Limits::default()
        };
        let offers = inner.settings.flag("answer.tools")?;
        let tools = if offers { self.tools() } else { Vec::new() };
        let agent = Agent::new(&tools, grants, limits, is_tainted);
        let run = driver::spawn(self, agent, tools, (asked, model), added)?;
        lock(&inner.runs).insert(run.conversation(), run.clone());
        Ok(run)
    }
}

impl fmt::Debug for Assistant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assistant").field("db", &self.0.db).finish_non_exhaustive()
    }
}

/// What a panic left behind a lock of this module is whole: nothing is half-changed under one.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
