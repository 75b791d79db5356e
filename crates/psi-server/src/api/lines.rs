//! Files of JSON lines written by a thread of their own: the usage ledger and the access log.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::mpsc,
    thread::JoinHandle,
};

use serde_json::Value;

/// Where lines go.
pub(crate) enum Sink {
    /// A file that is appended to; with `sync`, each batch is on the disk before the next is taken.
    File { file: File, path: PathBuf, sync: bool },
    /// Standard error, or a test's buffer.
    Stream(Box<dyn Write + Send>),
}

impl Sink {
    /// Opens a file for appending.
    pub(crate) fn append(path: &Path, sync: bool) -> io::Result<Self> {
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        drop_torn_line(&mut file)?;
        Ok(Self::File { file, path: path.to_owned(), sync })
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stream(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Self::File { file, sync, .. } => {
                file.write_all(bytes)?;
                if *sync { file.sync_data() } else { Ok(()) }
            }
        }
    }
}

/// Cuts off a last line that a crash left without its end.
fn drop_torn_line(file: &mut File) -> io::Result<()> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut byte = [b'\n'];
    while end > 0 {
        file.seek(SeekFrom::Start(end - 1))?;
        file.read_exact(&mut byte)?;
        if byte == *b"\n" {
            break;
        }
        end -= 1;
    }
    file.set_len(end)
}

/// Takes lines from any thread without waiting and writes them in order.
pub(crate) struct LineWriter {
    sender: Option<mpsc::Sender<String>>,
    thread: Option<JoinHandle<()>>,
}

impl LineWriter {
    /// Starts the thread; `on_error` is told once about each run of failures.
    pub(crate) fn start(mut sink: Sink, on_error: Box<dyn Fn(String) + Send>) -> io::Result<Self> {
        let (sender, lines) = mpsc::channel::<String>();
        let write = move || {
            let mut failing = false;
            while let Ok(first) = lines.recv() {
                let mut batch = first;
                // Whatever waits is one write and one sync.
                while let Ok(line) = lines.try_recv() {
                    batch.push_str(&line);
                }
                let result = sink.put(batch.as_bytes());
                if let (Err(error), false) = (&result, failing) {
                    let place = match &sink {
                        Sink::File { path, .. } => path.display().to_string(),
                        Sink::Stream(_) => "log".to_owned(),
                    };
                    on_error(format!("{place}: cannot be written: {error}"));
                }
                failing = result.is_err();
            }
        };
        let thread = std::thread::Builder::new().name("psi-lines".to_owned()).spawn(write)?;
        Ok(Self { sender: Some(sender), thread: Some(thread) })
    }

    /// Hands over one line.
    pub(crate) fn put(&self, line: &Value) {
        if let Some(sender) = &self.sender {
            // The thread ends only after this sender is dropped.
            let _ = sender.send(format!("{line}\n"));
        }
    }
}

impl Drop for LineWriter {
    /// Waits until everything handed over is written.
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Reads a file of JSON lines, if it is there. A last line without its end (a crash while it was
/// written) is left out; any other line that is not JSON is an error that names it.
pub(crate) fn read_lines(
    path: &Path,
    each: &mut dyn FnMut(&Value),
) -> Result<(), (usize, io::Error)> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err((0, e)),
    };
    let mut reader = BufReader::new(file);
    let mut line = String::new();
    for number in 1.. {
        line.clear();
        let n = reader.read_line(&mut line).map_err(|e| (number, e))?;
        if n == 0 || !line.ends_with('\n') {
            break;
        }
        let value = serde_json::from_str(&line).map_err(|e| (number, io::Error::from(e)))?;
        each(&value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_are_all_there_after_the_writer_is_dropped_and_a_torn_one_is_left_out() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("ledger.jsonl");
        let sink = Sink::append(&path, true).expect("opened");
        let writer = LineWriter::start(sink, Box::new(|why| panic!("{why}"))).expect("started");
        for i in 0..100 {
            writer.put(&json!({ "i": i }));
        }
        drop(writer);
        let mut file = OpenOptions::new().append(true).open(&path).expect("there");
        file.write_all(b"{\"i\": 10").expect("written");
        let mut seen = Vec::new();
        read_lines(&path, &mut |line| seen.push(line["i"].as_u64().expect("a number")))
            .expect("read");
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
        let mut sink = Sink::append(&path, true).expect("opened");
        sink.put(b"{\"i\": 100}\n").expect("written");
        let mut n = 0;
        read_lines(&path, &mut |_| n += 1).expect("the torn line is gone");
        assert_eq!(n, 101);
        file.write_all(b"x}\n").expect("written");
        let error = read_lines(&path, &mut |_| {}).expect_err("line 102 is broken");
        assert_eq!(error.0, 102);
    }
}
