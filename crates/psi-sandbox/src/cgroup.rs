//! Control groups, for the one user whose processes the kernel does not count: root.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{Limits, SandboxError};

/// A group per controller, removed when dropped.
#[derive(Debug, Default)]
pub(crate) struct Groups(Vec<PathBuf>);

impl Groups {
    /// Groups that hold the number of processes, and their memory together where there is such a controller.
    pub(crate) fn create(limits: &Limits) -> Result<Self, SandboxError> {
        let refused = |why: String| {
            SandboxError::Unsupported(format!(
                "root's processes are counted by control groups only, and {why}"
            ))
        };
        let unified = Path::new("/sys/fs/cgroup/cgroup.controllers");
        let mut groups = Self::default();
        let mut make = |parent: &Path, settings: &[(&str, u64)]| -> io::Result<()> {
            groups.add(parent, settings)
        };
        let processes = ("pids.max", u64::from(limits.processes));
        let made = if unified.exists() {
            make(Path::new("/sys/fs/cgroup"), &[processes, ("memory.max", limits.memory)])
        } else {
            let memory = ("memory.limit_in_bytes", limits.memory);
            make(Path::new("/sys/fs/cgroup/pids"), &[processes])
                .and_then(|()| make(Path::new("/sys/fs/cgroup/memory"), &[memory]))
        };
        made.map_err(|e| refused(format!("none can be made: {e}")))?;
        Ok(groups)
    }

    /// The folders whose `cgroup.procs` the program has to enter.
    pub(crate) fn folders(&self) -> &[PathBuf] {
        &self.0
    }

    fn add(&mut self, parent: &Path, settings: &[(&str, u64)]) -> io::Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(format!("psi-sandbox-{}-{number}", std::process::id()));
        fs::create_dir(&folder)?;
        self.0.push(folder.clone());
        for (name, value) in settings {
            #[expect(clippy::disallowed_methods, reason = "a kernel interface, not a file")]
            fs::write(folder.join(name), value.to_string())?;
        }
        Ok(())
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for folder in &self.0 {
            // The last process has been reaped by now; if the kernel still counts it, the empty group stays.
            let _ = fs::remove_dir(folder);
        }
    }
}
