//! Runs the built program with a home folder of its own.

use std::{
    ffi::OsStr,
    fmt,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

/// A home folder, deleted at the end of the test, and the program run in it.
pub(crate) struct Program {
    home: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Program {
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// Sets a variable for all runs.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// A path in the home folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home().join(name)
    }

    fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_psi"));
        command.env("PSI_HOME", self.home());
        for name in ["HF_TOKEN", "HF_ENDPOINT", "SSL_CERT_FILE"] {
            command.env_remove(name);
        }
        command.envs(self.variables.iter().map(|(n, v)| (n, v)));
        command.args(args).stdin(Stdio::null());
        command
    }

    /// Runs to the end.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Ran {
        Ran::new(self.command(args).output().unwrap())
    }

    /// Runs to the end with `input` on standard input.
    pub(crate) fn run_with<S: AsRef<OsStr>>(&self, args: &[S], input: &[u8]) -> Ran {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A program that ends without reading all of it closes the pipe.
        let _ = child.stdin.take().unwrap().write_all(input);
        Ran::new(child.wait_with_output().unwrap())
    }

    /// Runs to the end with standard output going elsewhere.
    pub(crate) fn run_into<S: AsRef<OsStr>>(&self, args: &[S], stdout: Stdio) -> Ran {
        Ran::new(self.command(args).stdout(stdout).output().unwrap())
    }

    /// Starts without waiting, with one more variable.
    pub(crate) fn start_with<S: AsRef<OsStr>>(&self, args: &[S], name: &str, value: &str) -> Child {
        let mut command = self.command(args);
        command.env(name, value).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Starts without waiting.
    pub(crate) fn start<S: AsRef<OsStr>>(&self, args: &[S]) -> Child {
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

/// Writes a file of a test.
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    #[expect(clippy::disallowed_methods, reason = "a file of a test may be torn")]
    std::fs::write(path, bytes).unwrap();
}

/// What a run left.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn new(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The run, which must have succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }

    /// Standard output, which must be one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("no JSON: {e}: {self}"))
    }

    /// The run, which must have ended with `code`, nothing on stdout, and each of `words` on stderr.
    #[track_caller]
    pub(crate) fn failed(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        assert_eq!(self.stdout, "", "{self}");
        assert!(self.stderr.starts_with("psi: ") || self.stderr.contains("\npsi: "), "{self}");
        for word in words {
            assert!(self.stderr.contains(word), "no '{word}' in: {self}");
        }
        self
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {:?}\nstdout: {}\nstderr: {}", self.code, self.stdout, self.stderr)
    }
}
