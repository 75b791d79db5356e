//! Where tensors go once a file's header is fixed: any order, one at a time, all files or none.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::atomic::{AtomicFile, write_atomic};
use crate::error::{At, Result, StoreError};
use crate::tensor::TensorSpec;

/// Receives the bytes of the tensors that a writer has announced.
///
/// Tensors may come in any order; each is written once. [`TensorSink::finish`] gives the files
/// their names if and only if every tensor is there; a sink dropped before that leaves no trace.
#[derive(Debug)]
pub struct TensorSink {
    files: Vec<Part>,
    slots: Vec<Slot>,
    by_name: HashMap<String, usize>,
    /// Written after the files: the index of a sharded checkpoint.
    index: Option<(PathBuf, Vec<u8>)>,
    /// Removed before the files take their names, so that no mixture is ever read as a whole.
    invalidates: Option<PathBuf>,
    /// Removed after everything: files the new ones supersede.
    supersedes: Vec<PathBuf>,
}

/// One file.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    header: Vec<u8>,
    data_len: u64,
    /// Tensors not yet written.
    left: usize,
    file: Option<AtomicFile>,
}

/// One tensor's place.
#[derive(Debug)]
pub(crate) struct Slot {
    name: String,
    file: usize,
    offset: u64,
    n_bytes: usize,
    written: bool,
}

impl Slot {
    /// A tensor at `offset` after the header of file number `file`.
    pub(crate) fn new(name: String, file: usize, offset: u64, n_bytes: usize) -> Self {
        Self { name, file, offset, n_bytes, written: false }
    }
}

impl TensorSink {
    /// A sink for files given as path, header and length of the data after it.
    pub(crate) fn new(files: Vec<(PathBuf, Vec<u8>, u64)>, slots: Vec<Slot>) -> Result<Self> {
        let mut by_name = HashMap::with_capacity(slots.len());
        let mut left = vec![0; files.len()];
        for (i, slot) in slots.iter().enumerate() {
            left[slot.file] += 1;
            if by_name.insert(slot.name.clone(), i).is_some() {
                let at = At::Tensor(slot.name.clone());
                return Err(StoreError::unwritable(
                    &files[slot.file].0,
                    at,
                    "two tensors of this name",
                ));
            }
        }
        let files = files
            .into_iter()
            .zip(left)
            .map(|((path, header, data_len), left)| Part {
                path,
                header,
                data_len,
                left,
                file: None,
            })
            .collect();
        Ok(Self { files, slots, by_name, index: None, invalidates: None, supersedes: Vec::new() })
    }

    /// Has `path` written with `bytes` after all files.
    pub(crate) fn set_index(&mut self, path: PathBuf, bytes: Vec<u8>) {
        self.index = Some((path, bytes));
    }

    /// Has `before` removed before the files take their names, and `after` once all is written.
    pub(crate) fn set_removals(&mut self, before: Option<PathBuf>, after: Vec<PathBuf>) {
        self.invalidates = before;
        self.supersedes = after;
    }

    /// Bytes of all tensors.
    pub fn total_bytes(&self) -> u64 {
        self.slots.iter().map(|s| s.n_bytes as u64).sum()
    }

    /// Writes a whole tensor.
    ///
    /// # Errors
    /// A name that was not announced or was written before, a wrong number of bytes, a failing
    /// disk.
    pub fn write(&mut self, name: &str, data: &[u8]) -> Result<()> {
        let (i, n_bytes) = self.slot(name)?;
        if data.len() != n_bytes {
            let what = format!("{} bytes given, {n_bytes} announced", data.len());
            return Err(self.refuse(i, what));
        }
        let file = self.seek_to(i)?;
        file.write_all(data).map_err(|e| StoreError::io(file.path(), "writing", e))?;
        self.close_slot(i)
    }

    /// Writes a tensor piece by piece: `produce` is given a buffered writer and must write exactly
    /// the announced number of bytes. After an error the sink refuses to finish.
    pub fn write_with(
        &mut self,
        name: &str,
        produce: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> Result<()> {
        let (i, n_bytes) = self.slot(name)?;
        let file = self.seek_to(i)?;
        let mut out =
            Exactly { inner: io::BufWriter::with_capacity(1 << 20, &mut *file), left: n_bytes };
        let result = produce(&mut out).and_then(|()| out.inner.flush());
        let left = out.left;
        drop(out);
        result.map_err(|e| StoreError::io(file.path(), "writing", e))?;
        if left != 0 {
            let what = format!("{} bytes given, {n_bytes} announced", n_bytes - left);
            return Err(self.refuse(i, what));
        }
        self.close_slot(i)
    }

    /// Gives the files their names, durably, and returns their paths.
    ///
    /// # Errors
    /// [`StoreError::Unwritable`] names the first tensor that was announced but not written.
    pub fn finish(mut self) -> Result<Vec<PathBuf>> {
        if let Some(i) = self.slots.iter().position(|s| !s.written) {
            return Err(self.refuse(i, "announced but never written".into()));
        }
        let mut ready = Vec::with_capacity(self.files.len());
        for part in &mut self.files {
            part.open()?; // a file without tensors has not been started yet
            ready.extend(part.file.take());
        }
        for file in &mut ready {
            file.seal()?;
        }
        remove(self.invalidates.as_deref())?;
        for file in ready {
            file.commit()?;
        }
        let mut paths: Vec<PathBuf> = self.files.iter().map(|p| p.path.clone()).collect();
        if let Some((path, bytes)) = self.index.take() {
            write_atomic(&path, &bytes)?;
            paths.push(path);
        }
        self.supersedes.iter().try_for_each(|p| remove(Some(p)))?;
        Ok(paths)
    }

    /// Number and size of an announced tensor that is still to be written.
    fn slot(&self, name: &str) -> Result<(usize, usize)> {
        let Some(&i) = self.by_name.get(name) else {
            let path = self.files.first().map_or(Path::new(""), |p| &p.path);
            return Err(StoreError::unwritable(path, At::Tensor(name.into()), "not announced"));
        };
        if self.slots[i].written {
            return Err(self.refuse(i, "written twice".into()));
        }
        Ok((i, self.slots[i].n_bytes))
    }

    fn seek_to(&mut self, i: usize) -> Result<&mut AtomicFile> {
        let slot = &self.slots[i];
        let part = &mut self.files[slot.file];
        let start = part.header.len() as u64 + slot.offset;
        let file = part.open()?;
        match file.seek(SeekFrom::Start(start)) {
            Ok(_) => Ok(file),
            Err(e) => Err(StoreError::io(file.path(), "seeking", e)),
        }
    }

    fn close_slot(&mut self, i: usize) -> Result<()> {
        let slot = &mut self.slots[i];
        slot.written = true;
        let part = &mut self.files[slot.file];
        part.left -= 1;
        match &mut part.file {
            Some(file) if part.left == 0 => file.seal(),
            _ => Ok(()),
        }
    }

    fn refuse(&self, i: usize, what: String) -> StoreError {
        let slot = &self.slots[i];
        StoreError::unwritable(&self.files[slot.file].path, At::Tensor(slot.name.clone()), what)
    }
}

impl Part {
    /// The file, started with its header and full length if it is not open yet.
    fn open(&mut self) -> Result<&mut AtomicFile> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let mut file = AtomicFile::create(&self.path)?;
                file.set_len(self.header.len() as u64 + self.data_len)?;
                let written = file.write_all(&self.header);
                written.map_err(|e| StoreError::io(&self.path, "writing", e))?;
                file
            }
        };
        Ok(self.file.insert(file))
    }
}

/// Removes a file that may not exist.
fn remove(path: Option<&Path>) -> Result<()> {
    match path.map(|p| (p, fs::remove_file(p))) {
        Some((p, Err(e))) if e.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::io(p, "removing", e))
        }
        _ => Ok(()),
    }
}

/// A writer that takes at most `left` bytes.
struct Exactly<W> {
    inner: W,
    left: usize,
}

impl<W: Write> Write for Exactly<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if buf.len() > self.left {
            return Err(io::Error::other("more bytes than the tensor has"));
        }
        let n = self.inner.write(buf)?;
        self.left -= n;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Fails for specifications whose size cannot be computed.
pub(crate) fn spec_bytes(path: &Path, spec: &TensorSpec) -> Result<usize> {
    spec.n_bytes().ok_or_else(|| {
        let what = format!("shape {:?} is no whole number of {} blocks", spec.shape, spec.dtype);
        StoreError::unwritable(path, At::Tensor(spec.name.clone()), what)
    })
}
