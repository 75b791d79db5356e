//! What is to be run within which limits, and how it ended.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

/// A program to run.
#[derive(Clone, Debug)]
pub struct Job {
    /// The program, by its path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment, beside `PATH`, `HOME`, `TMPDIR` and `LANG`, which the sandbox sets.
    pub env: Vec<(String, String)>,
    /// What it reads from standard input.
    pub stdin: Vec<u8>,
    /// Where it runs; it may read and write here. `HOME` and `TMPDIR` are this folder too.
    pub folder: PathBuf,
    /// More files and folders that it may read, beside the system's libraries and programs.
    pub reads: Vec<PathBuf>,
    /// More folders that it may write.
    pub writes: Vec<PathBuf>,
    /// How far it may go.
    pub limits: Limits,
}

impl Job {
    /// A job with the default limits.
    pub fn new(program: PathBuf, args: Vec<String>, folder: PathBuf) -> Self {
        Self {
            program,
            args,
            env: Vec::new(),
            stdin: Vec::new(),
            folder,
            reads: Vec::new(),
            writes: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// How far a program may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Wall-clock time; each process may use as much processor time.
    pub time: Duration,
    /// Address space of each process, in bytes.
    pub memory: u64,
    /// Bytes of standard output and error together.
    pub output: usize,
    /// Processes at a time, the program included; with 1 it cannot start any (threads are free).
    pub processes: u32,
    /// Size of a file, and of all files in the work folder together, in bytes.
    pub files: u64,
}

impl Default for Limits {
    /// 10 seconds, 1 GiB, 1 MiB of output, one process, 64 MiB of files.
    fn default() -> Self {
        Self {
            time: Duration::from_secs(10),
            memory: 1 << 30,
            output: 1 << 20,
            processes: 1,
            files: 64 << 20,
        }
    }
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// By itself, with this code.
    Exited(i32),
    /// By a signal that it brought upon itself.
    Signalled(i32),
    /// It was killed when its time was up.
    TimeLimit,
    /// It was killed for writing too much to standard output or error.
    OutputLimit,
    /// It was killed for filling its folder.
    FileLimit,
    /// It was killed because the caller wanted so.
    Cancelled,
}

impl Ending {
    /// The verdict in one or two words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exited(0) => "ok",
            Self::Exited(_) => "failed",
            Self::Signalled(_) => "crashed",
            Self::TimeLimit => "time limit",
            Self::OutputLimit => "output limit",
            Self::FileLimit => "file limit",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What came of a job. When it returns, no process of the job is left.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// What it wrote, up to the limit.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error, up to the limit.
    pub stderr: Vec<u8>,
    /// How long it ran.
    pub time: Duration,
}

impl Outcome {
    /// Whether it ended by itself with code 0.
    pub fn is_ok(&self) -> bool {
        self.ending == Ending::Exited(0)
    }
}
