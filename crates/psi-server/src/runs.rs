//! The dashboard of training runs: a list, and a page per run that keeps itself current.

mod chart;
mod metrics;
pub(crate) mod page;

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};

use crate::{
    assets, guard,
    serve::{ServeError, Server, ServerOptions},
};

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

/// Serves the dashboard on this machine's loopback address until it is dropped.
#[derive(Debug)]
pub struct RunsServer(Server);

impl RunsServer {
    /// Starts serving in a thread of its own; port 0 takes a free one.
    pub fn start(port: u16, runs: FindRuns) -> Result<Self, ServeError> {
        let router = Router::new()
            .route("/", get(index))
            .route("/runs", get(list))
            .route("/runs/{name}", get(run))
            .route("/assets/{name}", get(assets::asset))
            .fallback(|| async { (StatusCode::NOT_FOUND, "there is no such page\n") })
            .with_state(Arc::clone(&runs))
            .merge(parts(runs))
            .layer(middleware::from_fn(guard::guard));
        let options = ServerOptions { port, ..ServerOptions::default() };
        Ok(Self(Server::of_router(router, None, &options)?))
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

/// The parts of the pages of runs that keep themselves current.
pub(crate) fn parts(runs: FindRuns) -> Router {
    Router::new()
        .route("/runs/live", get(live_list))
        .route("/runs/{name}/live", get(live_run))
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
