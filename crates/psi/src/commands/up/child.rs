//! psi's own commands as programs beside the page: followed by what they say, stopped when asked to.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

/// A running command of psi.
#[derive(Clone)]
pub(super) struct Running(Arc<Mutex<Child>>);

/// How a command ended.
pub(super) struct Ended {
    /// Whether it said that all went well.
    pub(super) is_well: bool,
    /// What it wrote to its standard output.
    pub(super) output: String,
}

impl Running {
    /// Starts `psi ARGS` with `input` on its standard input; `said` gets every line of its standard error, `ended` its end.
    ///
    /// # Errors
    /// A sentence for the reader.
    pub(super) fn start(
        name: &str,
        args: &[&str],
        input: Vec<u8>,
        mut said: impl FnMut(&str) + Send + 'static,
        ended: impl FnOnce(Ended) + Send + 'static,
    ) -> Result<Self, String> {
        let program =
            std::env::current_exe().map_err(|e| format!("psi does not find itself: {e}"))?;
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("psi {name} cannot be started: {e}"))?;
        let (output, errors) = (child.stdout.take(), child.stderr.take());
        let given = child.stdin.take();
        let running = Self(Arc::new(Mutex::new(child)));
        let child = running.clone();
        let follow = move || {
            // A full pipe would hold it up, so each has a thread. A command that ends without reading is fine.
            let give = move || given.map_or(Ok(()), |mut g| g.write_all(&input));
            let given = std::thread::Builder::new().name("psi-input".to_owned()).spawn(give);
            let read = move || {
                let mut text = String::new();
                output.map_or(Ok(0), |mut o| o.read_to_string(&mut text)).map(|_| text)
            };
            let output = std::thread::Builder::new().name("psi-output".to_owned()).spawn(read);
            let errors = errors.into_iter().flat_map(|e| BufReader::new(e).lines());
            for line in errors.map_while(Result::ok) {
                said(line.strip_prefix("psi: ").unwrap_or(&line));
            }
            let _ = given.map(std::thread::JoinHandle::join);
            let output = output.ok().and_then(|o| o.join().ok()?.ok());
            let status = child.0.lock().unwrap_or_else(PoisonError::into_inner).wait();
            let is_well = status.is_ok_and(|s| s.success()) && output.is_some();
            ended(Ended { is_well, output: output.unwrap_or_default() });
        };
        let thread = std::thread::Builder::new().name(format!("psi-{name}")).spawn(follow);
        match thread {
            Ok(_) => Ok(running),
            Err(error) => {
                running.stop();
                Err(format!("psi {name} cannot be followed: {error}"))
            }
        }
    }

    /// Ends it now.
    pub(super) fn stop(&self) {
        // It may be over already.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }
}
