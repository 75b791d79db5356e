//! Everything that is offered to the model: the built-in tools, the user's files, the servers of other programs.

use std::{
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::{
    Db, Result, Settings, Tool,
    knowledge::{Background, Knowledge, knowledge_tool},
    mcp::{self, Client, McpServer},
    memory::{Embedder, Memory},
    tasks::{Tasks, task_tools},
    tools::{Group, Programs, SearchService, Toolkit, Web, built_in},
};

/// What the program knows of its surroundings.
#[derive(Debug)]
pub struct ToolboxOptions {
    /// The folder of notes.
    pub notes: PathBuf,
    /// Variables that other programs' servers find.
    pub environment: BTreeMap<String, String>,
    /// The program that confines others ([`psi_sandbox::MODE`]); none: programs are not offered.
    pub launcher: Option<PathBuf>,
}

/// The tools of an assistant. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Toolbox(Arc<Inner>);

struct Inner {
    db: Db,
    settings: Settings,
    kit: Toolkit,
    knowledge: Knowledge,
    index: Background,
    environment: BTreeMap<String, String>,
    servers: Mutex<BTreeMap<String, Connected>>,
}

/// A server that was connected, or why not.
struct Connected {
    server: McpServer,
    client: Result<Client, String>,
}

/// A server as the user sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServerState {
    /// Its name.
    pub name: String,
    /// Its whole command or address.
    pub runs: String,
    /// Whether its tools are offered.
    pub enabled: bool,
    /// The protocol's revision, once it is connected.
    pub version: Option<String>,
    /// Names of its tools.
    pub tools: Vec<String>,
    /// Why it is not connected.
    pub error: Option<String>,
}

impl fmt::Debug for Toolbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Toolbox").field("kit", &self.0.kit).finish_non_exhaustive()
    }
}

impl Toolbox {
    /// The tools of a database. The user's files begin to be indexed in the background; servers are connected by
    /// [`Self::connect`].
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn open(
        db: &Db,
        memory: &Memory,
        embedder: Arc<dyn Embedder>,
        options: ToolboxOptions,
    ) -> Result<Self> {
        let knowledge = Knowledge::new(db.clone(), Some(embedder));
        let index = Background::start(knowledge.clone())?;
        index.refresh();
        let kit = Toolkit {
            zone: TimeZone::system(),
            facts: Arc::new(memory.clone()),
            notes: options.notes,
            web: Web::default(),
            search: None,
            // Without a sandbox there are no programs; `psi doctor` says why.
            programs: options.launcher.and_then(|launcher| Programs::find(&launcher).ok()),
        };
        let inner = Inner {
            db: db.clone(),
            settings: Settings::new(db),
            kit,
            knowledge,
            index,
            environment: options.environment,
            servers: Mutex::default(),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// What the model is offered now: the groups that are on, search in the user's files once there are any, the tools of connected servers.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn tools(&self) -> Result<Vec<Arc<dyn Tool>>> {
        let mut tools = self.own_tools()?;
        for connected in self.servers_lock().values().filter(|c| c.server.enabled) {
            tools.extend(connected.client.iter().flat_map(Client::tools));
        }
        Ok(tools)
    }

    /// The same without those of other programs.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn own_tools(&self) -> Result<Vec<Arc<dyn Tool>>> {
        let mut groups = Group::default_set();
        if self.0.settings.flag("web.enabled")? {
            groups.push(Group::Web);
        }
        if self.0.settings.folders()?.is_empty() {
            groups.retain(|g| *g != Group::Files);
        }
        let mut kit = self.0.kit.clone();
        if self.0.settings.flag("web.search")? {
            // Settings refuse one that cannot be used; an empty one offers nothing.
            kit.search = SearchService::parse(&self.0.settings.text("web.search_service")?).ok();
            groups.push(Group::Search);
        }
        let mut tools = built_in(&kit, &groups);
        if self.0.settings.flag("tasks.tools")? {
            tools.extend(task_tools(&Tasks::new(&self.0.db)));
        }
        if !self.0.knowledge.sources()?.is_empty() {
            tools.push(knowledge_tool(self.0.knowledge.clone()));
        }
        Ok(tools)
    }

    /// The user's files.
    pub fn knowledge(&self) -> &Knowledge {
        &self.0.knowledge
    }

    /// What keeps their index up to date.
    pub fn index(&self) -> &Background {
        &self.0.index
    }

    /// Connects the servers that are on and not connected yet, and lets go of those that were removed or turned
    /// off. It waits for each of them: call it on a thread of its own.
    ///
    /// # Errors
    /// When the list cannot be read; a server's own trouble is in its [`ServerState`].
    pub fn connect(&self) -> Result<()> {
        let wanted: Vec<McpServer> = mcp::load_servers(&self.0.db)?;
        let wanted: Vec<McpServer> = wanted.into_iter().filter(|s| s.enabled).collect();
        self.servers_lock().retain(|_, c| wanted.contains(&c.server) && c.client.is_ok());
        for server in wanted {
            if self.servers_lock().contains_key(&server.name) {
                continue;
            }
            let client = Client::connect(&server, &self.0.environment, None);
            let client = client.map_err(|e| e.to_string());
            self.servers_lock().insert(server.name.clone(), Connected { server, client });
        }
        Ok(())
    }

    /// Every server of the list, and how it stands.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub fn servers(&self) -> Result<Vec<ServerState>> {
        let connected = self.servers_lock();
        let state = |server: McpServer| {
            let client = connected.get(&server.name).map(|c| c.client.as_ref());
            let tools = client.into_iter().flatten().flat_map(Client::tools);
            ServerState {
                runs: server.shown(),
                enabled: server.enabled,
                version: client.and_then(Result::ok).map(|c| c.version().to_owned()),
                tools: tools.map(|t| t.name().to_owned()).collect(),
                error: client.and_then(Result::err).cloned(),
                name: server.name,
            }
        };
        Ok(mcp::load_servers(&self.0.db)?.into_iter().map(state).collect())
    }

    fn servers_lock(&self) -> MutexGuard<'_, BTreeMap<String, Connected>> {
        self.0.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
