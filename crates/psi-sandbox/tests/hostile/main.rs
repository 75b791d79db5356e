//! Hostile programs, each contained, with the verdict printed. This program is its own launcher.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops with the cause")]
#![expect(clippy::print_stdout, reason = "the verdicts are the result")]

#[cfg(target_os = "linux")]
mod programs;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|mode| mode == psi_sandbox::MODE) {
        return ExitCode::from(psi_sandbox::confined(&arguments.collect::<Vec<_>>()));
    }
    #[cfg(target_os = "linux")]
    linux::run();
    #[cfg(not(target_os = "linux"))]
    println!("skipped: {}", psi_sandbox::Sandbox::new("x".as_ref()).unwrap_err());
    ExitCode::SUCCESS
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        fs,
        net::TcpListener,
        path::{Path, PathBuf},
        sync::atomic::AtomicBool,
        thread,
        time::Duration,
    };

    use psi_sandbox::{Ending, Limits, Python, Sandbox};

    use super::programs::{HELPER, PROGRAMS, Program, Want};

    /// What must stay as it is.
    struct Victim {
        folder: tempfile::TempDir,
        listener: TcpListener,
    }

    const SECRET: &str = "the secret that nobody may read";

    impl Victim {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            write(&folder.path().join("secret.txt"), SECRET);
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            Self { folder, listener }
        }

        fn secret(&self) -> PathBuf {
            self.folder.path().join("secret.txt")
        }

        /// What is wrong with it, if anything.
        fn harm(&self) -> Option<String> {
            let names: Vec<_> = fs::read_dir(self.folder.path())
                .unwrap()
                .map(|e| e.unwrap().file_name().into_string().unwrap())
                .collect();
            let mode = {
                use std::os::unix::fs::PermissionsExt;
                fs::metadata(self.secret()).map(|m| m.permissions().mode() & 0o777)
            };
            let is_whole = fs::read_to_string(self.secret()).is_ok_and(|text| text == SECRET);
            if names != ["secret.txt"] || !is_whole || mode.ok() != Some(0o644) {
                return Some(format!("the outside was changed: {names:?}"));
            }
            self.listener.accept().is_ok().then(|| "a connection came in".to_owned())
        }
    }

    fn write(path: &Path, text: &str) {
        #[expect(clippy::disallowed_methods, reason = "a file of a test may be torn")]
        fs::write(path, text).unwrap();
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    }

    pub(super) fn run() {
        let Some(python) = psi_testkit::python(&["sys"]) else { return };
        let sandbox = match Sandbox::new(&std::env::current_exe().unwrap()) {
            Ok(sandbox) => sandbox,
            Err(error) => {
                println!("skipped: {error}");
                return;
            }
        };
        let python = Python::find(&sandbox, python).unwrap();
        works(&python);
        let mut failures = Vec::new();
        for program in PROGRAMS {
            if let Err(why) = contained(&python, program) {
                println!("  {:<34} NOT CONTAINED: {why}", program.name);
                failures.push(format!("{}: {why}", program.name));
            }
        }
        println!("{} hostile programs with Python {}", PROGRAMS.len(), python.version());
        assert!(PROGRAMS.len() >= 25);
        assert!(failures.is_empty(), "{failures:#?}");
    }

    /// Honest programs run: files in their folder, threads, standard input, exit codes.
    fn works(python: &Python) {
        let run = |source: &str, stdin: &str, processes| {
            let limits = Limits { processes, ..Limits::default() };
            python.run(source, stdin.as_bytes(), limits, &AtomicBool::new(false)).unwrap()
        };
        let source = "import json, math, re, random, threading, tempfile, os\n\
             open('a.txt', 'w').write('x'); os.rename('a.txt', 'b.txt'); os.mkdir('d')\n\
             t = threading.Thread(target=lambda: print('thread')); t.start(); t.join()\n\
             tempfile.NamedTemporaryFile().write(b'y')\n\
             print(input(), open('b.txt').read(), os.getcwd() == os.environ['HOME'])";
        let outcome = run(source, "hello\n", 1);
        let errors = String::from_utf8_lossy(&outcome.stderr);
        assert_eq!(String::from_utf8_lossy(&outcome.stdout), "thread\nhello x True\n", "{errors}");
        assert!(outcome.is_ok());
        assert_eq!(run("raise SystemExit(7)", "", 1).ending, Ending::Exited(7));
        assert_eq!(run("import os; os.abort()", "", 1).ending, Ending::Signalled(6));
        let source = "import subprocess\n\
             print(subprocess.run('echo child | cat', shell=True, capture_output=True, text=True).stdout)";
        let outcome = run(source, "", 8);
        let errors = String::from_utf8_lossy(&outcome.stderr);
        assert_eq!(String::from_utf8_lossy(&outcome.stdout), "child\n\n", "{errors}");
        let cancelled =
            python.run("while True: pass", b"", Limits::default(), &AtomicBool::new(true)).unwrap();
        assert_eq!(cancelled.ending, Ending::Cancelled);
    }

    fn contained(python: &Python, program: &Program) -> Result<(), String> {
        let victim = Victim::new();
        let work = tempfile::tempdir().unwrap();
        let folder = fs::canonicalize(work.path()).unwrap();
        let port = victim.listener.local_addr().unwrap().port();
        let source = format!(
            "SECRET = {:?}\nVICTIM = {:?}\nPORT = {port}\nWATCHER = {}\n{HELPER}\n{}",
            victim.secret().to_str().unwrap(),
            victim.folder.path().to_str().unwrap(),
            std::process::id(),
            program.source
        );
        write(&folder.join("program.py"), &source);
        let limits = Limits {
            time: Duration::from_millis(1500),
            memory: 256 << 20,
            output: 64 << 10,
            processes: program.processes,
            files: 16 << 20,
        };
        let args = vec!["program.py".to_owned()];
        let outcome = python
            .run_in(&folder, args, b"", limits, &AtomicBool::new(false))
            .map_err(|e| e.to_string())?;
        let stdout = String::from_utf8_lossy(&outcome.stdout);
        let stderr = String::from_utf8_lossy(&outcome.stderr);
        println!(
            "  {:<34} {:<12} {:>5} ms",
            program.name,
            outcome.ending.name(),
            outcome.time.as_millis()
        );
        if let Some(harm) = victim.harm() {
            return Err(harm);
        }
        if stdout.contains("GOT") || stdout.contains(SECRET) || stderr.contains(SECRET) {
            return Err(format!("it got what it wanted: {stdout}"));
        }
        if outcome.stdout.len() + outcome.stderr.len() > limits.output {
            return Err("more output than the limit".to_owned());
        }
        let is_wanted = match program.want {
            Want::Denied => outcome.is_ok() && stdout.contains("denied"),
            Want::Ends(endings) => endings.contains(&outcome.ending.name()),
        };
        if !is_wanted {
            return Err(format!("{:?}\n{stdout}\n{stderr}", outcome.ending));
        }
        // Nothing goes on writing behind the outcome's back.
        let size = || fs::metadata(folder.join("heartbeat")).map_or(0, |m| m.len());
        let before = size();
        if before > 0 {
            thread::sleep(Duration::from_millis(200));
        }
        if size() == before { Ok(()) } else { Err("a process outlived the job".to_owned()) }
    }
}
