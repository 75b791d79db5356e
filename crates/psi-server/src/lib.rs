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
mod ui;

pub use api::{
    AccessLog, Api, ApiOptions, ApiSetupError, CurrentModel, KeysError, Limits, LoadError,
    LoadModel, ModelSpec, Report, ServedModels,
};
pub use runs::{FindRuns, Run, RunsServer};
pub use serve::{ServeError, Server, ServerOptions};
pub use ui::{
    Accounts, Fate, Furnished, Host, Learning, LearningNow, LearningRound, LearningState, Lesson,
    LessonPlace, ListedModel, LockedPage, Machine, ModelState, PageOptions, PageServer, Pull,
    Suggestion, SuiteChange, Unlock,
};
