//! The launcher's side: this process confines itself and becomes the program.

use std::{
    error::Error,
    ffi::OsString,
    fs,
    io::{self, Write},
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};
use nix::sys::{
    prctl,
    resource::{Resource, setrlimit},
    signal::Signal,
};
use serde::{Deserialize, Serialize};

use crate::{Limits, SandboxError, filter, guard_exit};

/// What the supervisor asks of the launcher, as JSON in its one argument.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Policy {
    /// Marks the launcher's own complaints on standard error; the program never learns it.
    pub(crate) mark: String,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) folder: PathBuf,
    pub(crate) reads: Vec<PathBuf>,
    pub(crate) writes: Vec<PathBuf>,
    pub(crate) limits: Limits,
    /// Control groups to enter.
    pub(crate) groups: Vec<PathBuf>,
}

/// What every program may read: libraries, other programs, the clock's zone and a few devices.
const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix/store",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/zero",
];
/// The one device that every program may write.
const NULL: &str = "/dev/null";
/// Open files of a process.
const OPEN_FILES: u64 = 256;
/// The newest Landlock that this code knows; an older kernel's is used as far as it goes.
const NEWEST: ABI = ABI::V6;

/// Whether the kernel can confine at all.
pub(crate) fn check_kernel() -> Result<(), SandboxError> {
    if !landlock_has(AccessFs::from_all(ABI::V1), None) {
        return Err(SandboxError::Unsupported(
            "the kernel has no Landlock, or it is not enabled at boot (lsm=landlock,...)"
                .to_owned(),
        ));
    }
    let settings = Path::new("/proc/sys/kernel");
    if settings.exists() && !settings.join("seccomp").exists() {
        return Err(SandboxError::Unsupported("the kernel has no seccomp filters".to_owned()));
    }
    Ok(())
}

/// Whether the kernel enforces all of these.
fn landlock_has(access: BitFlags<AccessFs>, scope: Option<Scope>) -> bool {
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let ruleset = ruleset.handle_access(access).and_then(|ruleset| match scope {
        Some(scope) => ruleset.scope(scope),
        None => Ok(ruleset),
    });
    ruleset.and_then(Ruleset::create).is_ok()
}

/// See [`crate::confined`].
pub(crate) fn run(arguments: &[OsString]) -> u8 {
    let policy = match arguments {
        [policy] => policy.to_str().and_then(|text| serde_json::from_str::<Policy>(text).ok()),
        _ => None,
    };
    let Some(policy) = policy else {
        complain("", "the launcher is run by psi's sandbox, not by hand");
        return guard_exit::FAILED;
    };
    let error = match confine(&policy) {
        Ok(mut program) => program.exec().into(),
        Err(error) => error,
    };
    complain(&policy.mark, &format!("{}: {error}", policy.program.display()));
    guard_exit::FAILED
}

fn complain(mark: &str, what: &str) {
    // There is nobody else to tell when standard error is closed.
    let _ = writeln!(io::stderr(), "{mark} {what}");
}

/// Gives up everything but what the policy grants.
fn confine(policy: &Policy) -> Result<Command, Box<dyn Error>> {
    // Whoever watches is gone: nobody would enforce the limits.
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    for group in &policy.groups {
        #[expect(clippy::disallowed_methods, reason = "a kernel interface, not a file")]
        fs::write(group.join("cgroup.procs"), "0")?;
    }
    let mut program = Command::new(&policy.program);
    program.args(&policy.args).current_dir(&policy.folder);
    let allowed = filter::Allowed {
        processes: policy.limits.processes > 1,
        signals_are_scoped: landlock_has(AccessFs::Execute.into(), Some(Scope::Signal)),
        truncate_is_scoped: landlock_has(AccessFs::Truncate.into(), None),
    };
    let filters = filter::programs(allowed)?;
    let n_running = if policy.limits.processes > 1 { own_threads()? } else { 0 };
    close_inherited()?;
    restrict_files(policy)?;
    limit(&policy.limits, n_running)?;
    for filter in &filters {
        seccompiler::apply_filter(filter)?;
    }
    Ok(program)
}

/// Closes every file that was inherited open: what is open is beyond Landlock's reach.
fn close_inherited() -> io::Result<()> {
    let open: Vec<i32> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for fd in open.into_iter().filter(|&fd| fd > 2) {
        // The listing's own descriptor is among them and closed already.
        let _ = nix::unistd::close(fd);
    }
    Ok(())
}

fn restrict_files(policy: &Policy) -> Result<(), Box<dyn Error>> {
    let read = AccessFs::from_read(NEWEST);
    let write = read
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::Refer
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::MakeSym;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    let null = AccessFs::ReadFile | AccessFs::WriteFile;
    let system = SYSTEM.iter().map(|path| (Path::new(path), read, false));
    let granted = policy.reads.iter().map(|path| (path.as_path(), read, true));
    let own = [(policy.folder.as_path(), write, true), (Path::new(NULL), null, false)];
    let writes = policy.writes.iter().map(|path| (path.as_path(), write, true));
    for (path, access, required) in system.chain(granted).chain(own).chain(writes) {
        let is_file = match fs::metadata(path) {
            Ok(found) => !found.is_dir(),
            Err(error) if required => return Err(format!("{}: {error}", path.display()).into()),
            Err(_) => continue,
        };
        let access = if is_file { access & AccessFs::from_file(NEWEST) } else { access };
        ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(path)?, access))?;
    }
    let status = ruleset.restrict_self()?;
    if status.ruleset == RulesetStatus::NotEnforced || !status.no_new_privs {
        return Err("the kernel did not enforce the Landlock rules".into());
    }
    Ok(())
}

fn limit(limits: &Limits, n_running: u64) -> Result<(), Box<dyn Error>> {
    let seconds = limits.time.as_secs() + 1;
    let mut wanted = vec![
        (Resource::RLIMIT_CPU, seconds),
        (Resource::RLIMIT_FSIZE, limits.files),
        (Resource::RLIMIT_NOFILE, OPEN_FILES),
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_MEMLOCK, 0),
        (Resource::RLIMIT_MSGQUEUE, 0),
    ];
    if limits.processes > 1 {
        let n_processes = n_running + u64::from(limits.processes);
        wanted.push((Resource::RLIMIT_NPROC, n_processes));
    }
    // Last, because from here on this process itself may get no more memory.
    wanted.push((Resource::RLIMIT_AS, limits.memory));
    for (resource, most) in wanted {
        setrlimit(resource, most, most).map_err(|e| format!("{resource:?}: {e}"))?;
    }
    Ok(())
}

/// Threads of this user: the kernel's limit counts them all, wherever they run.
fn own_threads() -> io::Result<u64> {
    let own = nix::unistd::getuid().as_raw();
    let mut n = 0;
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        // Processes come and go while this counts; one that is gone has no threads.
        if fs::metadata(&path).is_ok_and(|found| found.uid() == own)
            && let Ok(threads) = fs::read_dir(path.join("task"))
        {
            n += threads.count() as u64;
        }
    }
    Ok(n)
}
