//! A connection to another program's server, on a thread of its own.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use rmcp::{
    ClientHandler, ClientLifecycleMode, ClientServiceExt, ErrorData, RoleClient,
    model::{
        CallToolRequestParams, ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult,
        ElicitationAction, ElicitationCapability, FormElicitationCapability, Implementation,
        JsonObject, ProtocolVersion,
    },
    service::{ClientInitializeError, NotificationContext, Peer, RequestContext, RunningService},
    transport::{
        StreamableHttpClientTransport, TokioChildProcess,
        streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use serde_json::Value;
use tokio::{io::AsyncReadExt, sync::mpsc as queue};

use super::{
    McpError,
    config::{McpServer, McpTransport},
    remote_tool::{Pinned, RemoteTool, visible},
};
use crate::{CallContext, Tool, ToolError};

const CONNECT_TIME: Duration = Duration::from_secs(30);
const CALL_TIME: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(20);

/// Most tools of one server.
const MAX_TOOLS: usize = 200;

/// How much of a server's standard error is kept.
const MAX_STDERR: usize = 4 << 10;

/// A form that a server wants filled in: its message and the schema of its fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Elicitation {
    /// The server.
    pub server: String,
    /// What it says.
    pub message: String,
    /// JSON Schema of an object of plain fields.
    pub schema: Value,
}

/// What the user does with a form.
#[derive(Clone, Debug, PartialEq)]
pub enum ElicitationAnswer {
    /// Sends these values.
    Accept(Value),
    /// Says no.
    Decline,
}

/// Who fills forms in. Without one, every form is declined.
type Ask = Arc<dyn Fn(&Elicitation) -> ElicitationAnswer + Send + Sync>;

/// A server that is connected. Dropping it ends the connection, and the program where psi started it.
pub struct Client {
    connection: Arc<Connection>,
    version: String,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("server", &self.connection.server).finish_non_exhaustive()
    }
}

impl Client {
    /// Connects to a server. `environment` is all that a program finds beside its own variables: the caller chooses
    /// (`PATH`, `HOME`, `LANG`); nothing of psi's own environment goes along.
    ///
    /// # Errors
    /// [`McpError`].
    pub fn connect(
        server: &McpServer,
        environment: &BTreeMap<String, String>,
        ask: Option<Ask>,
    ) -> Result<Self, McpError> {
        server.check()?;
        let shared = Arc::new(Shared::default());
        let (commands, inbox) = queue::unbounded_channel();
        let (ready, wait) = mpsc::channel();
        let work = Work {
            server: server.clone(),
            environment: environment.clone(),
            ask,
            shared: Arc::clone(&shared),
        };
        let builder = thread::Builder::new().name(format!("psi-mcp-{}", server.name));
        let started = builder.spawn(move || work.run(inbox, &ready));
        let start_error = |source| McpError::Start {
            server: server.name.clone(),
            program: "a thread".to_owned(),
            source,
        };
        started.map_err(start_error)?;
        let late = |_| McpError::TimedOut { server: server.name.clone() };
        let version = wait.recv_timeout(2 * CONNECT_TIME).map_err(late)??;
        let connection = Connection { server: server.name.clone(), commands, shared };
        Ok(Self { connection: Arc::new(connection), version })
    }

    /// The revision of the protocol that both sides speak.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The server's tools as they are now, by name. Each is pinned to its definition: when the server changes it, calls
    /// of the old one are refused.
    pub fn tools(&self) -> Vec<Arc<dyn Tool>> {
        let mut tools: Vec<Pinned> = self.connection.shared.tools().values().cloned().collect();
        tools.sort_by(|a, b| a.name.cmp(&b.name));
        let tool = |pinned| {
            Arc::new(RemoteTool::new(pinned, Arc::clone(&self.connection))) as Arc<dyn Tool>
        };
        tools.into_iter().map(tool).collect()
    }

    /// Whether the server has changed its list of tools since the last call of this.
    pub fn take_changed(&self) -> bool {
        std::mem::take(&mut *lock(&self.connection.shared.changed))
    }
}

/// What tools hold on to.
pub(super) struct Connection {
    server: String,
    commands: queue::UnboundedSender<Command>,
    shared: Arc<Shared>,
}

/// What both threads see.
#[derive(Default)]
struct Shared {
    tools: Mutex<HashMap<String, Pinned>>,
    changed: Mutex<bool>,
    stderr: Mutex<String>,
}

impl Shared {
    fn tools(&self) -> MutexGuard<'_, HashMap<String, Pinned>> {
        lock(&self.tools)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A call for the connection's thread.
struct Command {
    name: String,
    arguments: JsonObject,
    reply: mpsc::Sender<Result<Value, String>>,
}

impl Connection {
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// The hash of a tool's definition as the server gives it now.
    pub(super) fn hash_of(&self, tool: &str) -> Option<String> {
        self.shared.tools().get(tool).map(|t| t.hash.clone())
    }

    pub(super) fn call(
        &self,
        tool: &str,
        arguments: JsonObject,
        context: &CallContext,
    ) -> Result<Value, ToolError> {
        let (reply, answer) = mpsc::channel();
        let gone = || ToolError::Failed(format!("MCP server {} is gone", self.server));
        let command = Command { name: tool.to_owned(), arguments, reply };
        self.commands.send(command).map_err(|_| gone())?;
        let end = Instant::now() + CALL_TIME;
        loop {
            context.check()?;
            match answer.recv_timeout(POLL) {
                Ok(result) => return result.map_err(ToolError::Failed),
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(gone()),
                Err(mpsc::RecvTimeoutError::Timeout) if Instant::now() >= end => {
                    return Err(ToolError::TimedOut);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

/// What the connection's thread works with.
struct Work {
    server: McpServer,
    environment: BTreeMap<String, String>,
    ask: Option<Ask>,
    shared: Arc<Shared>,
}

type Running = RunningService<RoleClient, Handler>;

impl Work {
    fn run(
        self,
        mut inbox: queue::UnboundedReceiver<Command>,
        ready: &mpsc::Sender<Result<String, McpError>>,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(source) => {
                let program = "a runtime".to_owned();
                // The receiver is gone when the caller has given up: then nobody is left to tell. So below.
                let _ =
                    ready.send(Err(McpError::Start { server: self.server.name, program, source }));
                return;
            }
        };
        runtime.block_on(async {
            let client = match self.connect().await {
                Ok(client) => client,
                Err(e) => {
                    let _ = ready.send(Err(e));
                    return;
                }
            };
            let version = client.peer_info().map(|info| info.protocol_version.to_string());
            let _ = ready.send(Ok(version.unwrap_or_default()));
            while let Some(command) = inbox.recv().await {
                let peer = client.peer().clone();
                tokio::spawn(async move {
                    let params =
                        CallToolRequestParams::new(command.name).with_arguments(command.arguments);
                    let result = peer.call_tool(params).await.map_err(|e| visible(&e.to_string()));
                    let value = result.map(|r| serde_json::to_value(r).expect("a result is JSON"));
                    let _ = command.reply.send(value);
                });
            }
            // The last tool is gone: end the connection, and with it the program.
            let _ = client.cancel().await;
        });
    }

    /// By the handshake of the older revisions, which every server of today knows; else by discovery.
    async fn connect(&self) -> Result<Running, McpError> {
        let first = match self.attempt(ClientLifecycleMode::Initialize).await {
            Err(e @ McpError::Protocol { .. }) => e,
            other => return other,
        };
        let newest = ClientLifecycleMode::Discover {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        };
        // The first error is the one that a server of today explains itself with.
        self.attempt(newest).await.map_err(|_| first)
    }

    async fn attempt(&self, lifecycle: ClientLifecycleMode) -> Result<Running, McpError> {
        let handler = Handler {
            server: self.server.name.clone(),
            ask: self.ask.clone(),
            shared: Arc::clone(&self.shared),
        };
        let late = |_| McpError::TimedOut { server: self.server.name.clone() };
        let client = match &self.server.transport {
            McpTransport::Stdio { command, env, folder } => {
                let child = self.spawn(command, env, folder.as_ref())?;
                let serving = handler.serve_with_lifecycle(child, lifecycle);
                tokio::time::timeout(CONNECT_TIME, serving).await.map_err(late)?
            }
            McpTransport::Http { url, token } => {
                // Refused only when one is there already, which will do.
                let _ = rustls::crypto::ring::default_provider().install_default();
                let mut config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
                if let Some(token) = token {
                    config = config.auth_header(token);
                }
                let transport = StreamableHttpClientTransport::from_config(config);
                let serving = handler.serve_with_lifecycle(transport, lifecycle);
                tokio::time::timeout(CONNECT_TIME, serving).await.map_err(late)?
            }
        };
        let client = client.map_err(|e| self.protocol_error(&e))?;
        let listed = tokio::time::timeout(CONNECT_TIME, list_tools(client.peer(), &self.shared));
        listed
            .await
            .map_err(late)?
            .map_err(|why| McpError::Protocol { server: self.server.name.clone(), why })?;
        Ok(client)
    }

    fn spawn(
        &self,
        command: &[String],
        env: &BTreeMap<String, String>,
        folder: Option<&PathBuf>,
    ) -> Result<TokioChildProcess, McpError> {
        let [program, arguments @ ..] = command else {
            unreachable!("checked: there is a command")
        };
        let mut child = tokio::process::Command::new(program);
        child.args(arguments).env_clear().envs(&self.environment).envs(env);
        if let Some(folder) = folder {
            child.current_dir(folder);
        }
        let started = TokioChildProcess::builder(child).stderr(Stdio::piped()).spawn();
        let fail = |source| McpError::Start {
            server: self.server.name.clone(),
            program: program.clone(),
            source,
        };
        let (child, stderr) = started.map_err(fail)?;
        if let Some(stderr) = stderr {
            tokio::spawn(keep_end(stderr, Arc::clone(&self.shared)));
        }
        Ok(child)
    }

    fn protocol_error(&self, error: &ClientInitializeError) -> McpError {
        let said = lock(&self.shared.stderr);
        let said = said.trim();
        let why =
            if said.is_empty() { error.to_string() } else { format!("{error}; it said: {said}") };
        McpError::Protocol { server: self.server.name.clone(), why: visible(&why) }
    }
}

/// Keeps the end of what a program writes to its standard error.
async fn keep_end(mut stderr: tokio::process::ChildStderr, shared: Arc<Shared>) {
    let mut buffer = vec![0; 1 << 10];
    while let Ok(n @ 1..) = stderr.read(&mut buffer).await {
        let mut kept = lock(&shared.stderr);
        kept.push_str(&visible(&String::from_utf8_lossy(&buffer[..n])));
        if kept.len() > MAX_STDERR {
            let cut = kept.ceil_char_boundary(kept.len() - MAX_STDERR);
            kept.drain(..cut);
        }
    }
}

/// Puts the server's tools in the place of those known. A name that stands twice, or a definition that cannot be used, is left out.
async fn list_tools(peer: &Peer<RoleClient>, shared: &Shared) -> Result<(), String> {
    let listed = if peer.peer_info().is_some_and(|info| info.capabilities.tools.is_some()) {
        peer.list_all_tools().await.map_err(|e| visible(&e.to_string()))?
    } else {
        Vec::new()
    };
    let mut tools = HashMap::new();
    for tool in listed.iter().take(MAX_TOOLS) {
        let definition = serde_json::to_value(tool).expect("a definition is JSON");
        if let Some(pinned) = Pinned::of(&definition) {
            tools.entry(pinned.name.clone()).or_insert(pinned);
        }
    }
    *shared.tools() = tools;
    Ok(())
}

/// The assistant's side of the conversation.
struct Handler {
    server: String,
    ask: Option<Ask>,
    shared: Arc<Shared>,
}

impl ClientHandler for Handler {
    fn get_info(&self) -> ClientConfig {
        let mut capabilities = ClientCapabilities::default();
        if self.ask.is_some() {
            let form = FormElicitationCapability::new().with_schema_validation(true);
            capabilities.elicitation = Some(ElicitationCapability::new().with_form(form));
        }
        ClientConfig::new(capabilities, Implementation::new("psi", env!("CARGO_PKG_VERSION")))
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let decline = Ok(ElicitResult::new(ElicitationAction::Decline));
        // A form at an address would be opened in a browser: never for a server of others.
        let (
            Some(ask),
            ElicitRequestParams::FormElicitationParams { message, requested_schema, .. },
        ) = (self.ask.clone(), request)
        else {
            return decline;
        };
        let schema = serde_json::to_value(requested_schema).expect("a schema is JSON");
        let form = Elicitation { server: self.server.clone(), message: visible(&message), schema };
        // The user takes their time: not on the thread that serves the connection.
        match tokio::task::spawn_blocking(move || ask(&form)).await {
            Ok(ElicitationAnswer::Accept(values)) => {
                Ok(ElicitResult::new(ElicitationAction::Accept).with_content(values))
            }
            _ => decline,
        }
    }

    async fn on_tool_list_changed(&self, context: NotificationContext<RoleClient>) {
        // Until the new list is here the old tools do not run: what they are now is not known.
        self.shared.tools().clear();
        *lock(&self.shared.changed) = true;
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            // When this fails the list stays empty, and calls say that the tool is withdrawn.
            let _ = list_tools(&context.peer, &shared).await;
        });
    }
}
