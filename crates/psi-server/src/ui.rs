//! The assistant's page: what `psi up` opens.
//!
//! Pages are rendered here, whole; one small script sends what was asked for and puts back the parts that
//! change. Answers are written by the server whether anybody looks or not ([`live`]), and everything that
//! lasts lies in psi-agent's database. What the program around it can do (models, downloads, training runs)
//! comes through [`Host`].

mod accounts;
mod actions;
mod attached;
mod card;
mod chat;
mod citation;
mod compare;
mod composer;
mod exchange;
mod files;
mod gate;
mod hello;
mod host;
mod i18n;
mod icon;
mod keys;
mod learning;
mod live;
mod locked;
mod memory;
mod models;
mod projects;
mod prompts;
mod reply;
mod review;
mod routes;
mod settings;
mod shell;
mod slash;
mod tasks;
mod thread;
mod training;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
    time::{SystemTime, UNIX_EPOCH},
};

pub use accounts::{Accounts, Furnished};
use axum::http::HeaderMap;
pub use host::{
    Fate, Host, Learning, LearningNow, LearningRound, LearningState, Lesson, LessonPlace,
    ListedModel, Machine, ModelState, Pull, Suggestion, SuiteChange,
};
use i18n::{Lang, tf};
use keys::Keys;
use live::Rooms;
pub use locked::{LockedPage, Unlock};
use psi_agent::{
    Access, Assistant, Feedback, Projects, Prompts, Tasks, assistant::Run, tasks::Runner,
    toolbox::Toolbox,
};
use reply::Failure;

use crate::{
    api::Api,
    serve::{ServeError, Server, ServerOptions},
};

/// How the page is served.
pub struct PageOptions {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// Names beside loopback ones by which the page may be asked for.
    pub names: Vec<String>,
    /// Conversations, memory, feedback, settings, and who answers.
    pub assistant: Assistant,
    /// The assistant's tools, and the files that answers may come from.
    pub toolbox: Toolbox,
    /// The API at the same address, for other programs of this machine.
    pub api: Option<Api>,
    /// What the program around the page can do.
    pub host: Arc<dyn Host>,
    /// Who may use it beside its owner.
    pub accounts: Option<Arc<dyn Accounts>>,
}

impl std::fmt::Debug for PageOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PageOptions").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Serves the page until it is dropped.
#[derive(Debug)]
pub struct PageServer(Server);

impl PageServer {
    /// Starts serving in a thread of its own.
    ///
    /// # Errors
    /// When the address is taken, and when others can reach it and there is no password.
    pub fn start(options: PageOptions) -> Result<Self, ServeError> {
        let address = options.address;
        let server =
            ServerOptions { host: address.ip(), port: address.port(), ..ServerOptions::default() };
        let (api, accounts) = (options.api.clone(), options.accounts.clone());
        let ui = Arc::new(Ui::new(options)?);
        if !address.ip().is_loopback() && !ui.gate.has_password().unwrap_or_default() {
            return Err(ServeError::NoPassword(address));
        }
        ui.begin_tasks()?;
        let mut router = routes::router(&ui, api.as_ref());
        if let Some(accounts) = accounts {
            router = accounts::router(&ui, router, accounts, address);
        }
        Ok(Self(Server::of_router(router, api, &server)?))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Serves until the process ends.
    pub fn wait(self) {
        self.0.wait();
    }
}

/// What every request can reach.
pub(crate) struct Ui {
    pub(crate) assistant: Assistant,
    pub(crate) feedback: Feedback,
    pub(crate) projects: Projects,
    pub(crate) prompts: Prompts,
    pub(crate) tasks: Tasks,
    /// What carries out tasks; there as long as the page is served.
    runner: OnceLock<Runner>,
    pub(crate) toolbox: Toolbox,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) rooms: Rooms,
    pub(crate) gate: gate::Gate,
    /// Whose page it is: not the owner's.
    pub(crate) is_guest: bool,
    keys: RwLock<Arc<Keys>>,
    /// The language that the user has chosen, if any.
    language: Mutex<Option<Lang>>,
}

impl Ui {
    fn new(options: PageOptions) -> Result<Self, ServeError> {
        let access = Access::new(options.assistant.db());
        let gate = gate::Gate::new(options.address, options.names, access);
        let gate = gate.map_err(ServeError::Start)?.with(options.accounts);
        Ok(Self::over(options.assistant, options.toolbox, options.host, gate))
    }

    /// The page of a user who is not the owner.
    fn of_guest(
        furnished: Furnished,
        host: Arc<dyn Host>,
        address: SocketAddr,
        names: Vec<String>,
    ) -> Result<Self, ServeError> {
        let access = Access::new(furnished.assistant.db());
        let gate = gate::Gate::new(address, names, access).map_err(ServeError::Start)?;
        let ui = Self::over(furnished.assistant, furnished.toolbox, host, gate.of_guest());
        Ok(Self { is_guest: true, ..ui })
    }

    fn over(assistant: Assistant, toolbox: Toolbox, host: Arc<dyn Host>, gate: gate::Gate) -> Self {
        // A number that no earlier server had: the moment at which this one began.
        #[expect(clippy::disallowed_methods, reason = "tells this server from earlier ones")]
        let now = SystemTime::now();
        let epoch = now.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
        let keys = settings::stored_keys(assistant.settings());
        let language = settings::stored_language(assistant.settings());
        Self {
            feedback: Feedback::new(assistant.db()),
            projects: Projects::new(assistant.db()),
            prompts: Prompts::new(assistant.db()),
            tasks: Tasks::new(assistant.db()),
            runner: OnceLock::new(),
            assistant,
            toolbox,
            host,
            rooms: Rooms::new(epoch),
            gate,
            is_guest: false,
            keys: RwLock::new(Arc::new(keys)),
            language: Mutex::new(language),
        }
    }

    /// Begins to carry out tasks; their answers are shown as they grow, like all others.
    fn begin_tasks(self: &Arc<Self>) -> Result<(), ServeError> {
        let rooms = Arc::downgrade(self);
        let follow = move |run: &Run| {
            if let Some(ui) = rooms.upgrade() {
                ui.rooms.of(run.conversation()).follow(run);
            }
        };
        let runner = Runner::start(&self.assistant, Box::new(follow));
        let runner = runner.map_err(|e| ServeError::Start(std::io::Error::other(e)))?;
        // It is begun once.
        let _ = self.runner.set(runner);
        Ok(())
    }

    /// What carries out tasks.
    pub(crate) fn runner(&self) -> Result<&Runner, Failure> {
        self.runner.get().ok_or_else(Failure::broken)
    }

    /// The keys as the user has set them.
    pub(crate) fn keys(&self) -> Arc<Keys> {
        self.keys.read().map_or_else(|e| Arc::clone(&e.into_inner()), |keys| Arc::clone(&keys))
    }

    /// The model of that name; an empty one is the model that answers everywhere.
    pub(crate) fn known_model<'a>(&self, name: &'a str) -> Result<Option<&'a str>, Failure> {
        match name.trim() {
            "" => Ok(None),
            name if self.host.models().iter().any(|m| m.name == name) => Ok(Some(name)),
            name => Err(Failure::bad(tf!("there is no model {name} on this machine", name = name))),
        }
    }

    /// The language of whoever sends these headers.
    pub(crate) fn language(&self, headers: &HeaderMap) -> Lang {
        let chosen = *self.language.lock().unwrap_or_else(PoisonError::into_inner);
        chosen.unwrap_or_else(|| Lang::of(headers))
    }

    /// Another language from now on; none: what the browser asks for.
    pub(crate) fn set_language(&self, language: Option<Lang>) {
        *self.language.lock().unwrap_or_else(PoisonError::into_inner) = language;
    }

    /// Other keys from now on.
    pub(crate) fn set_keys(&self, keys: Keys) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }
}

/// Runs work that waits for the disk on a thread where it may.
pub(crate) async fn blocking<T: Send + 'static>(
    ui: &Arc<Ui>,
    work: impl FnOnce(&Arc<Ui>) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (ui, lang) = (Arc::clone(ui), Lang::now());
    let work = move || lang.within(|| work(&ui));
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(Failure::broken()))
}
