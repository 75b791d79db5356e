//! Shell commands and Python programs, only inside the kernel's sandbox: no network, no files but the granted folders and
//! an empty one of their own, bounded time, memory, processes and output. Where the kernel has no sandbox there are no such tools.

use std::{fmt, path::Path, time::Instant};

use psi_sandbox::{Ending, Job, Limits, Outcome, Python, Sandbox};

use crate::{CallContext, ToolError, ToolOutput};

/// Processes of a shell command at a time.
const MAX_PROCESSES: u32 = 32;

/// Most bytes of output that the model reads.
const MAX_SHOWN: usize = 32 << 10;

/// What runs programs.
#[derive(Clone)]
pub struct Programs {
    sandbox: Sandbox,
    python: Option<Python>,
}

impl fmt::Debug for Programs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let python = self.python.as_ref().map(Python::version);
        f.debug_struct("Programs").field("python", &python).finish_non_exhaustive()
    }
}

impl Programs {
    /// Programs confined by `launcher` (psi itself), with Python where this machine has it.
    ///
    /// # Errors
    /// A sentence, when the kernel cannot confine programs.
    pub fn find(launcher: &Path) -> Result<Self, String> {
        let sandbox = Sandbox::new(launcher).map_err(|e| e.to_string())?;
        let python = Python::find(&sandbox, "python3").ok();
        Ok(Self { sandbox, python })
    }

    pub(super) fn has_python(&self) -> bool {
        self.python.is_some()
    }

    pub(super) fn shell(
        &self,
        command: &str,
        context: &CallContext,
    ) -> Result<ToolOutput, ToolError> {
        let scratch = tempfile::tempdir().map_err(|e| ToolError::Failed(e.to_string()))?;
        // The folder's own path: the system's may be a link, which the sandbox's rules do not follow.
        let folder = scratch.path().canonicalize().map_err(|e| ToolError::Failed(e.to_string()))?;
        let arguments = vec!["-c".to_owned(), command.to_owned()];
        let mut job = Job::new("/bin/sh".into(), arguments, folder);
        for granted in &context.folders {
            let list = if granted.write { &mut job.writes } else { &mut job.reads };
            list.push(granted.path.clone());
        }
        job.limits = Limits { processes: MAX_PROCESSES, ..limits(context) };
        let outcome = self.sandbox.run(&job, context.cancel.flag());
        report(&outcome.map_err(|e| ToolError::Failed(e.to_string()))?, context)
    }

    pub(super) fn python(
        &self,
        source: &str,
        context: &CallContext,
    ) -> Result<ToolOutput, ToolError> {
        let Some(python) = &self.python else {
            return Err(ToolError::Failed("there is no python3 on this machine".to_owned()));
        };
        let outcome = python.run(source, &[], limits(context), context.cancel.flag());
        report(&outcome.map_err(|e| ToolError::Failed(e.to_string()))?, context)
    }
}

fn limits(context: &CallContext) -> Limits {
    let mut limits = Limits::default();
    if let Some(deadline) = context.deadline {
        limits.time = limits.time.min(deadline.saturating_duration_since(Instant::now()));
    }
    limits
}

/// What the model reads: the output, then what was said on standard error, and how it ended unless that was well.
fn report(outcome: &Outcome, context: &CallContext) -> Result<ToolOutput, ToolError> {
    if context.cancel.is_cancelled() {
        return Err(ToolError::Cancelled);
    }
    let text =
        |bytes: &[u8]| crate::mcp::visible(&String::from_utf8_lossy(bytes)).trim_end().to_owned();
    let (out, err) = (text(&outcome.stdout), text(&outcome.stderr));
    let ending = match outcome.ending {
        Ending::Exited(0) => None,
        Ending::Exited(code) => Some(format!("[it ended with code {code}]")),
        other => Some(format!("[it was stopped: {}]", other.name())),
    };
    let parts = [Some(out), Some(err), ending].into_iter().flatten().filter(|p| !p.is_empty());
    let mut said = parts.collect::<Vec<_>>().join("\n");
    if said.len() > MAX_SHOWN {
        let n_bytes = said.len();
        said.truncate(said.floor_char_boundary(MAX_SHOWN));
        said.push_str(&format!("\n[the first {MAX_SHOWN} of {n_bytes} bytes]"));
    }
    Ok(ToolOutput::untrusted(if said.is_empty() {
        "it ended without output".to_owned()
    } else {
        said
    }))
}
