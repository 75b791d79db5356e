//! One file: what is already there is hashed, the rest is asked for, and only what matches its checksum counts.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use ureq::{
    Body,
    http::{Response, header},
};

use super::{
    hub::Hub,
    listing::{Checksum, Digester, RemoteFile},
    trouble::{Patience, Trouble},
};
use crate::{
    error::{Failure, Outcome},
    progress::Progress,
};

/// Bytes moved at a time.
const CHUNK: usize = 256 << 10;

/// A file with everything that must be known to fetch it.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) path: String,
    pub(super) size: u64,
    pub(super) checksum: Option<Checksum>,
    /// Where it will be.
    pub(super) target: PathBuf,
    /// Where it is until all files of the model are complete. The name has the checksum in it, so that the
    /// part of an older version is never continued.
    pub(super) part: PathBuf,
}

impl Wanted {
    /// # Errors
    /// When the size is not known.
    pub(super) fn new(file: &RemoteFile, dir: &Path) -> Outcome<Self> {
        let RemoteFile { path, size, checksum } = file.clone();
        let size = size.ok_or_else(|| {
            Failure::failed(format!("{path}: the server does not say how long it is"))
        })?;
        let target = dir.join(&path);
        let name = path.rsplit('/').next().unwrap_or(&path);
        let tag = checksum.map_or_else(
            || format!("{size}"),
            |c| c.to_string().split(':').next_back().unwrap_or("").chars().take(16).collect(),
        );
        let part = target.with_file_name(format!(".{name}.{tag}.part"));
        Ok(Self { path, size, checksum, target, part })
    }

    /// Bytes that are still to come, by the lengths of what is there.
    pub(super) fn missing(&self) -> u64 {
        let len = |p: &Path| p.metadata().map_or(0, |m| m.len());
        if len(&self.target) == self.size { 0 } else { self.size.saturating_sub(len(&self.part)) }
    }
}

/// Fetches files and moves the bar.
pub(super) struct Fetcher<'a> {
    pub(super) hub: &'a Hub,
    pub(super) commit: &'a str,
    pub(super) retries: u32,
    pub(super) bar: &'a Progress,
    /// Bytes of the files before this one.
    pub(super) before: u64,
}

impl Fetcher<'_> {
    /// Makes `file` complete and verified, at its target or as its part; true if it is the part, to be renamed.
    pub(super) fn complete(&mut self, file: &Wanted) -> Outcome<bool> {
        let there = self.is_there(file).map_err(|e| storage(&file.target, e))?;
        if !there {
            self.download(file)?;
        }
        self.before = self.before.saturating_add(file.size);
        self.bar.set(self.before);
        Ok(!there)
    }

    /// Whether the target exists with the right content.
    fn is_there(&self, file: &Wanted) -> io::Result<bool> {
        if !file.target.metadata().is_ok_and(|m| m.is_file() && m.len() == file.size) {
            return Ok(false);
        }
        let mut digester = Digester::new(file.checksum, file.size);
        let mut source = File::open(&file.target)?;
        self.digest(&mut source, &mut digester)?;
        Ok(digester.finish() == file.checksum)
    }

    /// Feeds a file from its start to its end; the number of bytes.
    fn digest(&self, source: &mut File, digester: &mut Digester) -> io::Result<u64> {
        let mut buffer = vec![0; CHUNK];
        let mut len = 0;
        source.seek(SeekFrom::Start(0))?;
        loop {
            match source.read(&mut buffer) {
                Ok(0) => return Ok(len),
                Ok(n) => {
                    digester.update(&buffer[..n]);
                    len += n as u64;
                    self.bar.set(self.before + len);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    fn download(&self, file: &Wanted) -> Outcome {
        let mut part = self.open(file).map_err(|e| storage(&file.part, e))?;
        let resumed = part.len > 0;
        self.finish(file, &mut part)?;
        if part.matches(file) {
            return part.file.sync_all().map_err(|e| storage(&file.part, e));
        }
        if resumed {
            // What lay there may have been damaged since: once more, from the start.
            part.restart(file).map_err(|e| storage(&file.part, e))?;
            self.finish(file, &mut part)?;
            if part.matches(file) {
                return part.file.sync_all().map_err(|e| storage(&file.part, e));
            }
        }
        part.restart(file).map_err(|e| storage(&file.part, e))?;
        let expected = file.checksum.map_or_else(String::new, |c| c.to_string());
        Err(Failure::failed(format!("{}: what was received is not {expected}", file.path)).hint(
            "run the same command again; if it fails again, the file on the server is damaged",
        ))
    }

    /// The part, with what it already holds hashed.
    fn open(&self, file: &Wanted) -> io::Result<Part> {
        let mut options = OpenOptions::new();
        let mut source = options.read(true).append(true).create(true).open(&file.part)?;
        let mut digester = Digester::new(file.checksum, file.size);
        let len = self.digest(&mut source, &mut digester)?;
        let mut part = Part { file: source, len, digester };
        if len > file.size {
            part.restart(file)?;
        }
        Ok(part)
    }

    /// Asks until the part has all bytes, or for too long in vain.
    fn finish(&self, file: &Wanted, part: &mut Part) -> Outcome {
        let mut patience = Patience::new(self.retries);
        while part.len < file.size {
            let before = part.len;
            if let Err(trouble) = self.attempt(file, part) {
                if part.len > before {
                    patience.renew();
                }
                patience.wait(trouble)?;
            }
        }
        Ok(())
    }

    /// One request, from where the part ends.
    fn attempt(&self, file: &Wanted, part: &mut Part) -> Result<(), Trouble> {
        let response = self.hub.download(self.commit, &file.path, part.len)?;
        if part.len > 0 && !continues(&response, part.len, file.size) {
            part.restart(file).map_err(|e| Trouble::Final(storage(&file.part, e)))?;
            if response.status() != 200 {
                let text = format!("{}: the server does not continue where it stopped", file.path);
                return Err(Trouble::passing(Failure::failed(text)));
            }
        }
        if part.len == 0
            && let Some(length) = number(&response, header::CONTENT_LENGTH.as_str())
            && length != file.size
        {
            return Err(Trouble::Final(Failure::failed(format!(
                "{}: the server sends {length} bytes where its listing says {}",
                file.path, file.size
            ))));
        }
        self.receive(file, part, response)
    }

    /// Appends the body to the part.
    fn receive(
        &self,
        file: &Wanted,
        part: &mut Part,
        response: Response<Body>,
    ) -> Result<(), Trouble> {
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; CHUNK];
        loop {
            let n = match body.read(&mut buffer) {
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(Trouble::passing(cut(file, part.len).because(e))),
            };
            if n == 0 && part.len < file.size {
                return Err(Trouble::passing(cut(file, part.len)));
            }
            if n == 0 {
                return Ok(());
            }
            if part.len + n as u64 > file.size {
                let _ = part.restart(file);
                let text = format!("{}: the server sends more than {} bytes", file.path, file.size);
                return Err(Trouble::Final(Failure::failed(text)));
            }
            let written = part.file.write_all(&buffer[..n]);
            written.map_err(|e| Trouble::Final(storage(&file.part, e)))?;
            part.digester.update(&buffer[..n]);
            part.len += n as u64;
            self.bar.set(self.before + part.len);
        }
    }
}

/// A file on its way.
struct Part {
    file: File,
    len: u64,
    digester: Digester,
}

impl Part {
    /// Forgets everything received.
    fn restart(&mut self, file: &Wanted) -> io::Result<()> {
        self.file.set_len(0)?;
        self.len = 0;
        self.digester = Digester::new(file.checksum, file.size);
        Ok(())
    }

    fn matches(&mut self, file: &Wanted) -> bool {
        let fresh = Digester::new(file.checksum, file.size);
        std::mem::replace(&mut self.digester, fresh).finish() == file.checksum
    }
}

/// Whether the answer is the rest of the file from byte `from` on. RFC 9110, section 14.4.
fn continues(response: &Response<Body>, from: u64, size: u64) -> bool {
    let range = response.headers().get(header::CONTENT_RANGE).and_then(|v| v.to_str().ok());
    let parsed = range.and_then(|r| {
        let (span, total) = r.strip_prefix("bytes ")?.split_once('/')?;
        let (first, _) = span.split_once('-')?;
        Some((first.parse::<u64>().ok()?, total.parse::<u64>().ok()))
    });
    response.status() == 206
        && parsed.is_some_and(|(first, total)| first == from && total.is_none_or(|t| t == size))
}

fn number(response: &Response<Body>, name: &str) -> Option<u64> {
    response.headers().get(name)?.to_str().ok()?.parse().ok()
}

fn cut(file: &Wanted, len: u64) -> Failure {
    Failure::failed(format!(
        "{}: the connection broke off after {len} of {} bytes",
        file.path, file.size
    ))
    .hint("run the same command again: it continues where it stopped")
}

/// The error of the disk.
pub(super) fn storage(path: &Path, error: io::Error) -> Failure {
    let full = error.kind() == io::ErrorKind::StorageFull;
    let failure = Failure::failed(format!("{}: cannot be written", path.display())).because(error);
    if full {
        failure.hint("make room and run the same command again: it continues where it stopped")
    } else {
        failure
    }
}
