//! The dashboard of training runs: a list, and a page per run that keeps itself current.

mod chart;
mod metrics;
mod page;

use std::{
    fmt,
    future::IntoFuture,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
};

use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};

use crate::{assets, guard};

/// One run, as a list of runs shows it.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its name, unique in the list.
    pub name: String,
    /// Its folder, with `metrics.jsonl` and `samples.jsonl`.
    pub dir: PathBuf,
    /// `running`, `finished`, ...
    pub status: String,
    /// Steps in all.
    pub steps: u64,
}

/// Finds the runs, anew for each request.
pub type FindRuns = Arc<dyn Fn() -> Vec<Run> + Send + Sync>;

/// Why the pages cannot be served.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// The port is taken or may not be used.
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The system refuses a thread or an event queue.
    Start(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, source } => write!(f, "listening on {address}: {source}"),
            Self::Start(source) => write!(f, "starting the server: {source}"),
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { source, .. } | Self::Start(source) => Some(source),
        }
    }
}

impl ServeError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                Some("another program has this port; --port 0 takes a free one".to_owned())
            }
            _ => None,
        }
    }
}

/// Serves the dashboard on this machine's loopback address until it is dropped.
#[derive(Debug)]
pub struct RunsServer {
    address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl RunsServer {
    /// Starts serving in a thread of its own; port 0 takes a free one.
    pub fn start(port: u16, runs: FindRuns) -> Result<Self, ServeError> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let fail = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(fail)?;
        listener.set_nonblocking(true).map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(ServeError::Start)?;
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let serve = move || {
            runtime.block_on(async move {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                let served = axum::serve(listener, router(runs));
                tokio::select! {
                    _ = served.into_future() => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("psi-runs".to_owned()).spawn(serve);
        let thread = thread.map_err(ServeError::Start)?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the process ends.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic of the server thread has already been reported by itself.
            let _ = thread.join();
        }
    }
}

impl Drop for RunsServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn router(runs: FindRuns) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/runs", get(list))
        .route("/runs/live", get(live_list))
        .route("/runs/{name}", get(run))
        .route("/runs/{name}/live", get(live_run))
        .route("/assets/{name}", get(assets::asset))
        .fallback(|| async { (StatusCode::NOT_FOUND, "there is no such page\n") })
        .layer(middleware::from_fn(guard::guard))
        .with_state(runs)
}

/// The only run, or the list.
async fn index(State(runs): State<FindRuns>) -> Response {
    match runs().as_slice() {
        [run] => Redirect::temporary(&page::link(&run.name)).into_response(),
        _ => Redirect::temporary("/runs").into_response(),
    }
}

async fn list(State(runs): State<FindRuns>) -> Response {
    html(page::list(&runs()))
}

async fn live_list(State(runs): State<FindRuns>) -> Response {
    html(page::list_fragment(&runs()))
}

async fn run(State(runs): State<FindRuns>, Path(name): Path<String>) -> Response {
    find(&runs, &name).map_or_else(gone, |run| html(page::run(&run)))
}

async fn live_run(State(runs): State<FindRuns>, Path(name): Path<String>) -> Response {
    find(&runs, &name).map_or_else(gone, |run| html(page::run_fragment(&run)))
}

fn find(runs: &FindRuns, name: &str) -> Option<Run> {
    runs().into_iter().find(|run| run.name == name)
}

fn gone() -> Response {
    (StatusCode::NOT_FOUND, "there is no such run\n").into_response()
}

fn html(markup: maud::Markup) -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], markup.into_string()).into_response()
}
