//! Reading what a run has written so far.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

use serde_json::{Map, Value};

/// The longest line that is read; the files are psi's own, but may have been damaged.
const MAX_LINE: usize = 1 << 20;

/// Lines of a file of JSON objects.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The objects, in order.
    pub(crate) objects: Vec<Map<String, Value>>,
    /// How many whole lines were no objects.
    pub(crate) unreadable: usize,
}

impl Lines {
    /// Reads the file; one that is not there has no lines.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(e),
        };
        let mut this = Self::default();
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        while read_line(&mut reader, &mut line)? {
            // The run may be in the middle of writing the last line.
            let Some(text) = line.strip_suffix(b"\n") else { break };
            match serde_json::from_slice(text) {
                Ok(Value::Object(object)) => this.objects.push(object),
                _ => this.unreadable += 1,
            }
        }
        Ok(this)
    }

    /// (step, value) of each line that has `key`.
    pub(crate) fn series(&self, key: &str) -> Vec<(f64, f64)> {
        let points = self.objects.iter().filter_map(|o| {
            let (step, value) = (o.get("step")?.as_f64()?, o.get(key)?.as_f64()?);
            value.is_finite().then_some((step, value))
        });
        points.collect()
    }

    /// The newest value of `key`.
    pub(crate) fn last(&self, key: &str) -> Option<&Value> {
        self.objects.iter().rev().find_map(|o| o.get(key))
    }

    pub(crate) fn last_number(&self, key: &str) -> Option<f64> {
        self.last(key)?.as_f64()
    }
}

/// The next line (cut at [`MAX_LINE`]) with its end; false at the end of the file.
fn read_line(reader: &mut BufReader<File>, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(!line.is_empty());
        }
        let end = buffer.iter().position(|&b| b == b'\n');
        let n = end.map_or(buffer.len(), |i| i + 1);
        if line.len() + n <= MAX_LINE {
            line.extend_from_slice(&buffer[..n]);
        } else if end.is_some() {
            // No JSON: counted as unreadable.
            line.clear();
            line.extend_from_slice(b"too long\n");
        }
        reader.consume(n);
        if end.is_some() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test's own file")]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Lines {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("metrics.jsonl");
        std::fs::write(&path, text).expect("written");
        Lines::read(&path).expect("read")
    }

    #[test]
    fn a_line_being_written_is_left_for_later_and_a_broken_one_is_counted() {
        let read =
            lines(b"{\"step\":1,\"loss\":2.5}\nnonsense\n\xff\n{\"step\":2,\"loss\":null}\n{\"st");
        assert_eq!(read.series("loss"), [(1.0, 2.5)]);
        assert_eq!((read.objects.len(), read.unreadable), (2, 2));
    }

    #[test]
    fn a_huge_line_costs_no_memory_and_hides_no_other() {
        let mut text = vec![b'x'; 3 * MAX_LINE];
        text.extend_from_slice(b"\n{\"step\":7,\"lr\":0.5}\n");
        let read = lines(&text);
        assert_eq!((read.last_number("lr"), read.unreadable), (Some(0.5), 1));
    }

    #[test]
    fn a_run_that_has_not_begun_has_no_lines() {
        let read = Lines::read(Path::new("no/such/file")).expect("nothing");
        assert!(read.objects.is_empty());
    }
}
