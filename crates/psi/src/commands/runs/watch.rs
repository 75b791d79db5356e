//! The dashboard: runs in the browser, while they go.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use psi_server::{FindRuns, Run, RunsServer};
use psi_train::run::{self, RunSummary};

use crate::{commands::serve::not_served, error::Outcome};

/// Shows every run in `root` until the program is ended.
pub(super) fn watch(root: PathBuf, port: u16) -> Outcome {
    serve(port, Arc::new(move || runs_in(&root)))?.wait();
    Ok(())
}

/// Every run in `root`, as pages show it.
pub(crate) fn runs_in(root: &Path) -> Vec<Run> {
    let runs = run::list(root).unwrap_or_default();
    runs.iter().map(|summary| shown(&summary.dir, Some(summary))).collect()
}

/// Shows the run in `dir`, which need not have begun, while the result lives.
pub(crate) fn watch_one(dir: &Path, port: u16) -> Outcome<RunsServer> {
    let dir = dir.to_owned();
    serve(port, Arc::new(move || vec![shown(&dir, run::summarize(&dir).ok().as_ref())]))
}

fn shown(dir: &Path, summary: Option<&RunSummary>) -> Run {
    Run {
        name: dir.file_name().unwrap_or(dir.as_os_str()).to_string_lossy().into_owned(),
        dir: dir.to_owned(),
        status: summary.map_or("preparing", |s| s.status.name()).to_owned(),
        steps: summary.map_or(0, |s| s.steps),
    }
}

fn serve(port: u16, find: FindRuns) -> Outcome<RunsServer> {
    let server = RunsServer::start(port, find)
        .map_err(|e| not_served("the dashboard cannot be shown", e))?;
    eprintln!("psi: watch at http://{}/", server.address());
    Ok(server)
}
