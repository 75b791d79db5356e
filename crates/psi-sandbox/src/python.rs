//! The machine's Python, for programs that a model wrote.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::AtomicBool,
};

use serde::Deserialize;

use crate::{Job, Limits, Outcome, Sandbox, SandboxError};

/// A Python interpreter and what it has to read to run.
#[derive(Clone, Debug)]
pub struct Python {
    sandbox: Sandbox,
    program: PathBuf,
    version: String,
    reads: Vec<PathBuf>,
}

/// Asked of the interpreter itself, outside the sandbox: it is the user's own program.
const QUESTION: &str = "import json, os, sys; print(json.dumps({'program': os.path.realpath(sys.executable), \
     'version': sys.version.split()[0], 'reads': [sys.base_prefix, sys.prefix]}))";

#[derive(Deserialize)]
struct Answer {
    program: PathBuf,
    version: String,
    reads: Vec<PathBuf>,
}

impl Python {
    /// The interpreter behind this name or path (`python3`).
    ///
    /// # Errors
    /// When there is none, or it does not say what it is.
    pub fn find(sandbox: &Sandbox, name: &str) -> Result<Self, SandboxError> {
        let start = |source| SandboxError::Start { program: name.into(), source };
        let output = Command::new(name).args(["-I", "-c", QUESTION]).output().map_err(start)?;
        let answer: Answer = serde_json::from_slice(&output.stdout).map_err(|_| {
            start(io::Error::other("it does not run Python code, so it is no Python interpreter"))
        })?;
        let reads =
            answer.reads.into_iter().filter(|p| p.exists() && p != Path::new("/")).collect();
        let (program, version) = (answer.program, answer.version);
        Ok(Self { sandbox: sandbox.clone(), program, version, reads })
    }

    /// Its version, as in `3.11.7`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Runs a program's text in a folder of its own, which is gone afterwards.
    ///
    /// # Errors
    /// See [`Sandbox::run`].
    pub fn run(
        &self,
        source: &str,
        stdin: &[u8],
        limits: Limits,
        cancel: &AtomicBool,
    ) -> Result<Outcome, SandboxError> {
        let scratch = tempfile::tempdir().map_err(SandboxError::Watch)?;
        // The folder's own path: the system's may be a link, which rules do not follow.
        let folder = fs::canonicalize(scratch.path()).map_err(SandboxError::Watch)?;
        #[expect(clippy::disallowed_methods, reason = "a scratch file that only this run reads")]
        fs::write(folder.join("program.py"), source).map_err(SandboxError::Watch)?;
        self.run_in(&folder, vec!["program.py".to_owned()], stdin, limits, cancel)
    }

    /// Runs the interpreter with these arguments in a folder that it may write.
    ///
    /// # Errors
    /// See [`Sandbox::run`].
    pub fn run_in(
        &self,
        folder: &Path,
        args: Vec<String>,
        stdin: &[u8],
        limits: Limits,
        cancel: &AtomicBool,
    ) -> Result<Outcome, SandboxError> {
        // Isolated from the user's own packages and settings; no bytecode files; text is UTF-8.
        let mut all = ["-I", "-B", "-X", "utf8"].map(str::to_owned).to_vec();
        all.extend(args);
        let mut job = Job::new(self.program.clone(), all, folder.to_owned());
        job.stdin = stdin.to_vec();
        job.reads.clone_from(&self.reads);
        job.limits = limits;
        self.sandbox.run(&job, cancel)
    }
}
