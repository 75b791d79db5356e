//! psi's own tools and memory for other programs, over standard input and output or HTTP on loopback.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, mpsc},
    thread,
    time::Instant,
};

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use rmcp::{
    ErrorData, RoleServer, ServerHandler, ServiceExt,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
        ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
        Tool as Definition,
    },
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde_json::Value;
use tokio::sync::oneshot;

use super::McpError;
use crate::{CallContext, Cancel, Clock, ConversationId, Tool};

const MAX_BODY_BYTES: usize = 1 << 20;
const MAX_TIME: std::time::Duration = std::time::Duration::from_secs(120);

/// Where calls of other programs belong: no row has this number.
const NO_CONVERSATION: ConversationId = ConversationId(0);

/// Whether a token is one that was given out.
pub type Admit = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// The tools that other programs may call. Nobody approves their calls here, so there are fewer: those that read, and
/// those of psi's own whose effect the user can see and undo.
#[derive(Clone)]
pub struct Server {
    tools: Vec<Arc<dyn Tool>>,
    clock: Clock,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.tools.iter().map(|t| t.name()).collect();
        f.debug_struct("Server").field("tools", &names).finish_non_exhaustive()
    }
}

impl Server {
    /// A server of those tools that need no approval.
    pub fn new(tools: &[Arc<dyn Tool>], clock: Clock) -> Self {
        let free = |t: &&Arc<dyn Tool>| {
            t.is_granted_by_default() || !t.effect(&Value::Null).needs_approval()
        };
        Self { tools: tools.iter().filter(free).cloned().collect(), clock }
    }

    /// Serves one program over standard input and output until it hangs up.
    ///
    /// # Errors
    /// [`McpError::Protocol`].
    pub fn serve_stdio(self) -> Result<(), McpError> {
        let fail = |why: String| McpError::Protocol { server: "psi".to_owned(), why };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|e| fail(e.to_string()))?.block_on(async {
            let serving =
                self.serve(rmcp::transport::stdio()).await.map_err(|e| fail(e.to_string()))?;
            serving.waiting().await.map(|_| ()).map_err(|e| fail(e.to_string()))
        })
    }

    /// Serves HTTP at `/mcp` on a listener of loopback, to those whose token `admit` accepts.
    ///
    /// # Errors
    /// [`McpError::Listen`].
    pub fn serve_http(self, listener: TcpListener, admit: Admit) -> Result<HttpServer, McpError> {
        HttpServer::start(move || Ok(self.clone()), listener, Some(admit))
    }

    fn call(&self, name: &str, arguments: &Value, cancel: Cancel) -> Option<CallToolResult> {
        let tool = self.tools.iter().find(|t| t.name() == name)?;
        let context = CallContext {
            cancel,
            deadline: Some(Instant::now() + MAX_TIME),
            folders: Vec::new(),
            conversation: NO_CONVERSATION,
            source: None,
            now: self.clock.now(),
        };
        let result = tool.call(arguments, &context);
        Some(match result {
            Ok(output) => CallToolResult::success(vec![ContentBlock::text(output.text)]),
            Err(error) => CallToolResult::error(vec![ContentBlock::text(error.to_string())]),
        })
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let mut info = ServerConfig::new(ServerCapabilities::builder().enable_tools().build());
        info.server_info = Implementation::new("psi", env!("CARGO_PKG_VERSION"));
        info
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let definition = |tool: &Arc<dyn Tool>| {
            let definition = tool.definition();
            let at = |path: &str| definition.pointer(path).cloned().unwrap_or_default();
            let schema = at("/function/parameters").as_object().cloned().unwrap_or_default();
            let description = at("/function/description").as_str().unwrap_or("").to_owned();
            Definition::new(tool.name().to_owned(), description, schema)
        };
        Ok(ListToolsResult::with_all_items(self.tools.iter().map(definition).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let cancel = Cancel::default();
        let (server, theirs) = (self.clone(), cancel.clone());
        let name = request.name.to_string();
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let mut work = tokio::task::spawn_blocking({
            let name = name.clone();
            move || server.call(&name, &arguments, theirs)
        });
        let result = tokio::select! {
            result = &mut work => result,
            () = context.ct.cancelled() => {
                cancel.cancel();
                work.await
            }
        };
        let result = result.map_err(|_| ErrorData::internal_error("the tool failed", None))?;
        let unknown = || ErrorData::invalid_params(format!("there is no tool called {name}"), None);
        result.map(CallToolResponse::from).ok_or_else(unknown)
    }
}

/// An HTTP server that runs until it is dropped.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl HttpServer {
    /// Serves what `handler` makes for each program, at `/mcp`. Host and Origin must be this machine's own names; with
    /// `admit`, every request must carry a token that it accepts.
    ///
    /// # Errors
    /// [`McpError::Listen`].
    pub fn start<H: ServerHandler + Send + 'static>(
        handler: impl Fn() -> std::io::Result<H> + Send + Sync + 'static,
        listener: TcpListener,
        admit: Option<Admit>,
    ) -> Result<Self, McpError> {
        let fail = |source| McpError::Listen { address: "the MCP server".to_owned(), source };
        let address = listener.local_addr().map_err(fail)?;
        let fail = |source| McpError::Listen { address: address.to_string(), source };
        listener.set_nonblocking(true).map_err(fail)?;
        let (stop, stopped) = oneshot::channel();
        let (ready, wait) = mpsc::channel();
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let served = runtime.and_then(|runtime| {
                runtime.block_on(async {
                    let listener = tokio::net::TcpListener::from_std(listener)?;
                    // The receiver waits below.
                    let _ = ready.send(Ok(()));
                    let app = router(handler, address, admit);
                    let ended = async {
                        let _ = stopped.await;
                    };
                    // What is open when psi ends is cut off: a stream of events may be open for ever.
                    tokio::select! {
                        served = async { axum::serve(listener, app).await } => served,
                        () = ended => Ok(()),
                    }
                })
            });
            if let Err(e) = served {
                let _ = ready.send(Err(e));
            }
        };
        let thread =
            thread::Builder::new().name("psi-mcp-http".to_owned()).spawn(serve).map_err(fail)?;
        let lost = |_| fail(std::io::Error::other("the server's thread ended"));
        wait.recv().map_err(lost)?.map_err(fail)?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the process ends.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has been printed.
            let _ = thread.join();
        }
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn router<H: ServerHandler + Send + 'static>(
    handler: impl Fn() -> std::io::Result<H> + Send + Sync + 'static,
    address: SocketAddr,
    admit: Option<Admit>,
) -> Router {
    let port = address.port();
    let hosts = ["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{host}:{port}"));
    let origins = hosts.clone().map(|host| format!("http://{host}"));
    let config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(hosts)
        .with_allowed_origins(origins)
        .with_max_request_body_bytes(MAX_BODY_BYTES);
    let service =
        StreamableHttpService::new(handler, Arc::new(LocalSessionManager::default()), config);
    Router::new()
        .nest_service("/mcp", service)
        .layer(middleware::from_fn_with_state(admit, require_token))
}

/// 401 unless the request carries a token that is accepted.
async fn require_token(
    State(admit): State<Option<Admit>>,
    request: Request,
    next: Next,
) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let given = given.and_then(|v| v.strip_prefix("Bearer ")).unwrap_or("");
    match admit {
        Some(admit) if !admit(given) => {
            let ask = [(header::WWW_AUTHENTICATE, "Bearer")];
            (StatusCode::UNAUTHORIZED, ask, "the token is missing or wrong").into_response()
        }
        _ => next.run(request).await,
    }
}
