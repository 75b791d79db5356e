//! The watching parent: starts the launcher, reads what the program writes, kills at a limit.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::{
        signal::{Signal, killpg},
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::Pid,
};

use crate::{Ending, Job, MODE, Outcome, SandboxError, cgroup::Groups, guard::Policy, guard_exit};

/// How often the end of the program and the limits are looked at.
const TICK: Duration = Duration::from_millis(5);
/// How often the work folder is measured.
const MEASURE: Duration = Duration::from_millis(100);
/// Most files and folders in a work folder.
const MOST_FILES: u64 = 10_000;

/// See [`crate::Sandbox::run`].
pub(crate) fn run(
    launcher: &Path,
    job: &Job,
    cancel: &AtomicBool,
) -> Result<Outcome, SandboxError> {
    let is_root = nix::unistd::geteuid().is_root() || nix::unistd::getuid().is_root();
    let groups = if is_root && job.limits.processes > 1 {
        Groups::create(&job.limits)?
    } else {
        Groups::default()
    };
    let mark = secret();
    let policy = policy(job, &mark, &groups)?;
    let started = Instant::now();
    let mut running = Running::start(launcher, job, &policy)?;
    let ending = running.watch(job, cancel, started);
    let (stdout, stderr) = running.finish();
    let ending = ending.map_err(SandboxError::Watch)?;
    if ending == Ending::Exited(i32::from(guard_exit::FAILED))
        && let Some(why) = String::from_utf8_lossy(&stderr).strip_prefix(&mark)
    {
        return Err(SandboxError::Guard(why.trim().to_owned()));
    }
    Ok(Outcome { ending, stdout, stderr, time: started.elapsed() })
}

fn policy(job: &Job, mark: &str, groups: &Groups) -> Result<String, SandboxError> {
    let policy = Policy {
        mark: mark.to_owned(),
        program: job.program.clone(),
        args: job.args.clone(),
        folder: job.folder.clone(),
        reads: job.reads.clone(),
        writes: job.writes.clone(),
        limits: job.limits,
        groups: groups.folders().to_vec(),
    };
    // Paths that are not UTF-8 have no JSON form.
    serde_json::to_string(&policy).map_err(|e| SandboxError::Job(e.to_string()))
}

/// A word that the program cannot guess: from the addresses and hash keys that the system drew for this run.
fn secret() -> String {
    use std::hash::{BuildHasher, RandomState};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("sandbox-{:016x}:", RandomState::new().hash_one(number))
}

/// A piece of output, and from which stream; `None` is its end.
type Piece = (usize, Option<Vec<u8>>);

struct Running {
    child: Child,
    group: Pid,
    pieces: Receiver<Piece>,
    output: [Vec<u8>; 2],
    n_output: usize,
    n_open: usize,
    limit: usize,
}

impl Running {
    fn start(launcher: &Path, job: &Job, policy: &str) -> Result<Self, SandboxError> {
        let mut command = Command::new(launcher);
        let home = job.folder.as_os_str();
        command
            .args([MODE, policy])
            .env_clear()
            .envs([("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LANG", "C.UTF-8")])
            .envs([("HOME", home), ("TMPDIR", home)])
            .envs(job.env.iter().map(|(name, value)| (name, value)))
            .stdin(if job.stdin.is_empty() { Stdio::null() } else { Stdio::piped() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let start = |source| SandboxError::Start { program: launcher.to_owned(), source };
        let mut child = command.spawn().map_err(start)?;
        let group = Pid::from_raw(child.id().cast_signed());
        let (send, pieces) = mpsc::channel();
        let streams = (child.stdout.take(), child.stderr.take(), child.stdin.take());
        let running = Self {
            child,
            group,
            pieces,
            output: [Vec::new(), Vec::new()],
            n_output: 0,
            n_open: 2,
            limit: job.limits.output,
        };
        let threads = match streams {
            (Some(stdout), Some(stderr), stdin) => reader(0, Box::new(stdout), send.clone())
                .and_then(|()| reader(1, Box::new(stderr), send))
                .and_then(|()| stdin.map_or(Ok(()), |stdin| writer(stdin, job.stdin.clone()))),
            _ => Err(io::Error::other("the program has no pipes")),
        };
        match threads {
            Ok(()) => Ok(running),
            Err(e) => {
                running.finish();
                Err(SandboxError::Watch(e))
            }
        }
    }

    /// Waits for the end, its own or the one that a limit makes.
    fn watch(&mut self, job: &Job, cancel: &AtomicBool, started: Instant) -> io::Result<Ending> {
        let mut measured = started;
        loop {
            self.collect(TICK);
            if self.n_output > self.limit {
                return Ok(Ending::OutputLimit);
            }
            // Not reaped yet, so that its process group cannot become another program's.
            let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
            match waitid(Id::Pid(self.group), flags)? {
                WaitStatus::Exited(_, code) => return self.last_words(Ending::Exited(code)),
                WaitStatus::Signaled(_, signal, _) => {
                    let ending = match signal {
                        Signal::SIGXCPU => Ending::TimeLimit,
                        Signal::SIGXFSZ => Ending::FileLimit,
                        other => Ending::Signalled(other as i32),
                    };
                    return self.last_words(ending);
                }
                _ => {}
            }
            if cancel.load(Ordering::Relaxed) {
                return Ok(Ending::Cancelled);
            }
            if started.elapsed() >= job.limits.time {
                return Ok(Ending::TimeLimit);
            }
            if measured.elapsed() >= MEASURE {
                let mut left = Left { bytes: job.limits.files, entries: MOST_FILES };
                if !left.holds(&job.folder) {
                    return Ok(Ending::FileLimit);
                }
                measured = Instant::now();
            }
        }
    }

    /// The program is over: kills what it left behind and reads what is still in the pipes.
    fn last_words(&mut self, ending: Ending) -> io::Result<Ending> {
        self.kill();
        while self.n_open > 0 && self.n_output <= self.limit {
            self.collect(TICK);
        }
        Ok(if self.n_output > self.limit { Ending::OutputLimit } else { ending })
    }

    /// Takes what was written, up to the limit, waiting at most this long for a piece.
    fn collect(&mut self, wait: Duration) {
        if self.n_open == 0 {
            thread::sleep(wait);
        }
        let mut next = self.pieces.recv_timeout(wait);
        while self.n_output <= self.limit {
            match next {
                Ok((stream, Some(piece))) => {
                    let room = self.limit.saturating_sub(self.n_output).min(piece.len());
                    self.output[stream].extend_from_slice(&piece[..room]);
                    self.n_output += piece.len();
                }
                Ok((_, None)) => self.n_open -= 1,
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => {
                    self.n_open = 0;
                    return;
                }
            }
            next = self.pieces.recv_timeout(Duration::ZERO);
        }
    }

    fn kill(&self) {
        // It fails only when nobody is left.
        let _ = killpg(self.group, Signal::SIGKILL);
    }

    /// Kills the group, reaps the program, returns its output.
    fn finish(mut self) -> (Vec<u8>, Vec<u8>) {
        self.kill();
        let reaped = self.child.wait();
        debug_assert!(reaped.is_ok_and(|s| s.code().is_some() || s.signal().is_some()));
        let [stdout, stderr] = self.output;
        (stdout, stderr)
    }
}

/// Pieces of output in flight: the pipes hold back a program that writes faster than it is read.
const PIECE: usize = 16 << 10;

fn reader(stream: usize, mut pipe: Box<dyn Read + Send>, send: Sender<Piece>) -> io::Result<()> {
    let body = move || {
        let mut buffer = vec![0; PIECE];
        loop {
            let piece = match pipe.read(&mut buffer) {
                Ok(0) | Err(_) => None,
                Ok(n) => Some(buffer[..n].to_vec()),
            };
            let is_end = piece.is_none();
            // Nobody listens any more once a limit was reached.
            if send.send((stream, piece)).is_err() || is_end {
                return;
            }
        }
    };
    thread::Builder::new().name("sandbox-reader".to_owned()).spawn(body).map(drop)
}

fn writer(mut pipe: impl Write + Send + 'static, input: Vec<u8>) -> io::Result<()> {
    // A program that ends without reading all of it closes the pipe.
    let body = move || drop(pipe.write_all(&input));
    thread::Builder::new().name("sandbox-writer".to_owned()).spawn(body).map(drop)
}

/// What a folder may still hold.
struct Left {
    bytes: u64,
    entries: u64,
}

impl Left {
    /// Whether the folder fits. What vanishes while this looks takes no room; links are not followed.
    fn holds(&mut self, folder: &Path) -> bool {
        let Ok(entries) = fs::read_dir(folder) else { return true };
        entries.flatten().all(|entry| {
            let Ok(found) = entry.metadata() else { return true };
            let room = (self.entries.checked_sub(1), self.bytes.checked_sub(found.len()));
            let (Some(entries), Some(bytes)) = room else { return false };
            (self.entries, self.bytes) = (entries, bytes);
            !found.is_dir() || self.holds(&entry.path())
        })
    }
}
