//! Runs programs that nobody trusts: no network, no files but the granted ones, bounded time, memory,
//! processes and output.
//!
//! ```text
//! Sandbox::run ──spawns──> LAUNCHER sandbox-exec {policy}      ──exec──> the program
//!  reads its output          confines itself: Landlock,                  can never get out,
//!  until it ends or a        seccomp, resource limits                    nor can its children
//!  limit is reached,
//!  then kills the group
//! ```
//!
//! The launcher is a program that hands its arguments to [`confined`] when the first one is [`MODE`]: psi
//! runs itself. Confinement is inherited and cannot be undone; what the kernel cannot enforce is refused
//! with the reason, never run unconfined. It holds these lines:
//!
//! * Files: Landlock. Only the granted folders and the system's libraries can be opened, only the work folder
//!   and granted folders can be written. Modes, owners and times of files cannot be changed.
//! * Network, other processes, kernel features: seccomp with a list of the system calls that may be made.
//!   There are no sockets; signals reach the sandbox's own processes only.
//! * Time, memory, processes, file sizes, output: resource limits and the watching parent. All processes
//!   stay in one process group, because leaving it is not on the list, and so die together.

#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(target_os = "linux")]
mod filter;
#[cfg(target_os = "linux")]
mod guard;
mod job;
mod python;
#[cfg(target_os = "linux")]
mod supervisor;

use std::{
    error::Error,
    ffi::OsString,
    fmt, io,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

pub use job::{Ending, Job, Limits, Outcome};
pub use python::Python;

/// First argument of a launcher that is asked to confine itself.
pub const MODE: &str = "sandbox-exec";

/// Runs jobs; cheap to clone.
#[derive(Clone, Debug)]
pub struct Sandbox {
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "no sandbox is made there"))]
    launcher: PathBuf,
}

impl Sandbox {
    /// A sandbox that starts jobs through this program.
    ///
    /// # Errors
    /// [`SandboxError::Unsupported`] when the kernel cannot confine programs.
    pub fn new(launcher: &Path) -> Result<Self, SandboxError> {
        #[cfg(target_os = "linux")]
        guard::check_kernel()?;
        if cfg!(target_os = "linux") {
            return Ok(Self { launcher: launcher.to_owned() });
        }
        let why = "untrusted programs are confined by Linux's Landlock and seccomp";
        Err(SandboxError::Unsupported(why.to_owned()))
    }

    /// Runs a job to its end, or until `cancel` becomes true.
    ///
    /// # Errors
    /// When the job cannot be confined or started. A program that fails or is killed is an [`Outcome`].
    pub fn run(&self, job: &Job, cancel: &AtomicBool) -> Result<Outcome, SandboxError> {
        #[cfg(target_os = "linux")]
        return supervisor::run(&self.launcher, job, cancel);
        #[cfg(not(target_os = "linux"))]
        unreachable!("no sandbox is made on this system, for {job:?} {cancel:?}")
    }
}

/// Confines this process as its arguments (those after [`MODE`]) say and becomes the program that they name.
/// It returns only when that fails, with the process's exit code.
pub fn confined(arguments: &[OsString]) -> u8 {
    #[cfg(target_os = "linux")]
    return guard::run(arguments);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = arguments;
        guard_exit::FAILED
    }
}

/// How a launcher says that it could not confine itself.
mod guard_exit {
    /// Exit code; the reason is on standard error behind the job's secret mark.
    pub(crate) const FAILED: u8 = 125;
}

/// Why a job was not run.
#[derive(Debug)]
pub enum SandboxError {
    /// The kernel, or this process's rights, do not suffice to confine anything.
    Unsupported(String),
    /// The job itself makes no sense.
    Job(String),
    /// A program cannot be started.
    Start { program: PathBuf, source: io::Error },
    /// The launcher failed before it became the program.
    Guard(String),
    /// Watching the program failed; it was killed.
    Watch(io::Error),
}

impl SandboxError {
    /// A way out, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unsupported(_) => Some(
                "untrusted programs run on Linux 5.13 or later with Landlock and seccomp enabled"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

impl fmt::Display for SandboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported(why) => write!(f, "no sandbox: {why}"),
            Self::Job(what) => f.write_str(what),
            Self::Start { program, source } => write!(f, "{}: {source}", program.display()),
            Self::Guard(why) => write!(f, "the sandbox could not be closed: {why}"),
            Self::Watch(source) => write!(f, "the sandbox could not be watched: {source}"),
        }
    }
}

impl Error for SandboxError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Start { source, .. } | Self::Watch(source) => Some(source),
            _ => None,
        }
    }
}
