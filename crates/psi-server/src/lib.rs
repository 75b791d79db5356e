//! HTTP: pages that are rendered here, and small scripts that are served from here.
//!
//! Nothing is loaded from elsewhere, nothing is inline: the content security policy allows
//! this origin's own files only.

mod api;
mod assets;
mod guard;
#[cfg_attr(not(feature = "page"), expect(dead_code, reason = "only the page renders texts"))]
mod markdown;
mod runs;
mod serve;
mod serving;
#[cfg(feature = "page")]
mod ui;

pub use api::{
    AccessLog, Api, ApiOptions, ApiSetupError, KeysError, Limits, LoadModel, ModelSpec, Report,
};
pub use runs::{FindRuns, Run, RunsServer};
pub use serve::{Server, ServerOptions};
pub use serving::ServeError;
#[cfg(feature = "page")]
pub use ui::{Host, ListedModel, Machine, ModelState, PageOptions, PageServer, Pull, Suggestion};
