//! HTTP: pages that are rendered here, and small scripts that are served from here.
//!
//! Nothing is loaded from elsewhere, nothing is inline: the content security policy allows
//! this origin's own files only.

mod api;
mod assets;
mod guard;
#[expect(dead_code, reason = "the page that uses it waits for psi-agent's assistant")]
mod markdown;
mod runs;
mod serve;
mod serving;

pub use api::{
    AccessLog, Api, ApiOptions, ApiSetupError, KeysError, Limits, LoadModel, ModelSpec, Report,
};
pub use runs::{FindRuns, Run, RunsServer};
pub use serve::{Server, ServerOptions};
pub use serving::ServeError;
