//! The library of tasks, with the folders and the Python of the command line.

use psi_eval::tasks::Library;
use psi_sandbox::{Python, Sandbox, SandboxError};

use crate::{cli::EvalData, env};

/// Looks in the given folders, then in `PSI_HOME/datasets`.
pub(crate) fn open(args: &EvalData) -> Library {
    let mut folders = args.data.clone();
    folders.extend(env::home().map(|home| home.join("datasets")));
    Library::new(folders).with_python(python(&args.python))
}

/// The interpreter in a sandbox that this program launches.
fn python(name: &str) -> Result<Python, SandboxError> {
    let program = std::env::current_exe()
        .map_err(|source| SandboxError::Start { program: "psi".into(), source })?;
    Python::find(&Sandbox::new(&program)?, name)
}
