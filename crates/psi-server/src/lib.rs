//! HTTP: pages that are rendered here, and small scripts that are served from here.
//!
//! Nothing is loaded from elsewhere, nothing is inline: the content security policy allows
//! this origin's own files only.

mod api;
mod assets;
mod guard;
mod markdown;
mod runs;
mod serve;
mod serving;
mod ui;

pub use api::{
    AccessLog, Api, ApiOptions, ApiSetupError, KeysError, Limits, LoadModel, ModelSpec, Report,
};
pub use runs::{FindRuns, Run, RunsServer};
pub use serve::{Server, ServerOptions};
pub use serving::ServeError;
pub use ui::{Host, ListedModel, Machine, ModelState, PageOptions, PageServer, Pull, Suggestion};
