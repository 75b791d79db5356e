//! Folders that the user granted: whatever name a model writes, nothing outside them is opened.
//!
//! A path is resolved component by component from an open handle of the folder (`cap-std`; on Linux the kernel does it,
//! `openat2` with `RESOLVE_BENEATH`), so that `..`, a link that leads out and a link swapped in at the last moment
//! end in an error and not in somebody's keys.

use std::{
    fmt,
    io::{self, Read, Write},
    path::{Component, Path, PathBuf},
};

use cap_std::{
    ambient_authority,
    fs::{Dir, File, OpenOptions},
};

use crate::GrantedFolder;

/// Largest file that is read.
pub const MAX_FILE_BYTES: u64 = 16 << 20;

/// Folders of the system that nobody means to hand over.
const NEVER_GRANTED: &[&str] = &["/", "/proc", "/sys", "/dev", "/run", "/etc", "/boot"];

/// Why a file could not be used.
#[derive(Debug)]
pub enum FolderError {
    /// The path is not of a granted folder.
    NotGranted {
        /// As it was written.
        path: String,
        /// Names of the folders that are granted.
        granted: Vec<String>,
    },
    /// The folder may not be granted at all.
    Forbidden {
        /// The folder.
        path: PathBuf,
    },
    /// The folder is granted for reading only.
    ReadOnly {
        /// The folder's name.
        folder: String,
    },
    /// The path cannot be a path, or leads out of the folder.
    Outside {
        /// As it was written.
        path: String,
    },
    /// Not a plain file: a device, a pipe, a socket, a folder.
    NotAFile {
        /// As it was written.
        path: String,
    },
    /// More than [`MAX_FILE_BYTES`].
    TooLarge {
        /// As it was written.
        path: String,
        /// Its size.
        n_bytes: u64,
    },
    /// Not text in UTF-8.
    NotText {
        /// As it was written.
        path: String,
    },
    /// The system refused.
    Io {
        /// As it was written.
        path: String,
        /// What the system says.
        source: io::Error,
    },
}

impl fmt::Display for FolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGranted { path, granted } if granted.is_empty() => {
                write!(f, "{path}: no folder is granted")
            }
            Self::NotGranted { path, granted } => {
                write!(f, "{path} is in no granted folder; granted: {}", granted.join(", "))
            }
            Self::Forbidden { path } => write!(f, "{} may not be granted", path.display()),
            Self::ReadOnly { folder } => write!(f, "{folder} is granted for reading only"),
            Self::Outside { path } => write!(f, "{path:?} is no path inside the granted folder"),
            Self::NotAFile { path } => write!(f, "{path} is not a plain file"),
            Self::TooLarge { path, n_bytes } => {
                write!(f, "{path} has {n_bytes} bytes; at most {MAX_FILE_BYTES} are read")
            }
            Self::NotText { path } => write!(f, "{path} is not a text file"),
            Self::Io { path, source } if source.kind() == io::ErrorKind::NotFound => {
                write!(f, "there is no {path}")
            }
            Self::Io { path, source } => write!(f, "{path}: {source}"),
        }
    }
}

impl std::error::Error for FolderError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// An open folder: the name that paths start with, and the only way to its files.
#[derive(Debug)]
pub struct Folder {
    name: String,
    root: PathBuf,
    dir: Dir,
    writable: bool,
}

/// What stands in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderEntry {
    /// Path from the granted folder, with `/`.
    pub path: String,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Size of a file.
    pub n_bytes: u64,
    /// Time of the last change in milliseconds since 1970.
    pub modified_ms: i64,
}

/// Whether a folder may be granted: it exists, is a folder, and neither belongs to the system nor is or holds one of `kept`
/// (psi's own data: a tool that writes there could grant itself anything). Returns its true path.
///
/// # Errors
/// [`FolderError::Forbidden`], [`FolderError::Io`].
pub fn check_grant(path: &Path, kept: &[PathBuf]) -> Result<PathBuf, FolderError> {
    let shown = path.display().to_string();
    let root = path.canonicalize().map_err(|source| FolderError::Io { path: shown, source })?;
    let system =
        NEVER_GRANTED.iter().skip(1).any(|n| root.starts_with(n)) || root.parent().is_none();
    let touches = |kept: &PathBuf| {
        let kept = kept.canonicalize().unwrap_or_else(|_| kept.clone());
        kept.starts_with(&root) || root.starts_with(&kept)
    };
    if system || kept.iter().any(touches) || !root.is_dir() {
        return Err(FolderError::Forbidden { path: root });
    }
    Ok(root)
}

impl Folder {
    /// Opens a folder that [`check_grant`] has passed.
    ///
    /// # Errors
    /// [`FolderError::Io`].
    pub fn open(name: &str, root: &Path, writable: bool) -> Result<Self, FolderError> {
        let fail = |source| FolderError::Io { path: root.display().to_string(), source };
        let dir = Dir::open_ambient_dir(root, ambient_authority()).map_err(fail)?;
        Ok(Self { name: name.to_owned(), root: root.to_owned(), dir, writable })
    }

    /// The name that paths start with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text of a file.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn read_text(&self, path: &str) -> Result<String, FolderError> {
        let not_text = |_| FolderError::NotText { path: path.to_owned() };
        let text = String::from_utf8(self.read(path)?).map_err(not_text)?;
        if text.contains('\0') {
            return Err(FolderError::NotText { path: path.to_owned() });
        }
        Ok(text)
    }

    /// The bytes of a plain file of at most [`MAX_FILE_BYTES`].
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn read(&self, path: &str) -> Result<Vec<u8>, FolderError> {
        let fail = |source| io_error(path, source);
        let mut options = OpenOptions::new();
        options.read(true);
        no_waiting(&mut options);
        let file = self.dir.open_with(relative(path)?, &options).map_err(fail)?;
        let metadata = file.metadata().map_err(fail)?;
        if !metadata.is_file() {
            return Err(FolderError::NotAFile { path: path.to_owned() });
        }
        let mut bytes = Vec::new();
        // The size that the system names may be a lie (a file that grows): the limit is on what is read.
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(fail)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            let n_bytes = metadata.len().max(bytes.len() as u64);
            return Err(FolderError::TooLarge { path: path.to_owned(), n_bytes });
        }
        Ok(bytes)
    }

    /// Writes a file whole or not at all, making the folders on the way. A link of that name is replaced, never followed.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn write(&self, path: &str, text: &str) -> Result<(), FolderError> {
        if !self.writable {
            return Err(FolderError::ReadOnly { folder: self.name.clone() });
        }
        let target = relative(path)?;
        let fail = |source| io_error(path, source);
        let name = target.file_name().ok_or_else(|| FolderError::NotAFile { path: path.into() })?;
        let parent = target.parent().filter(|p| !p.as_os_str().is_empty());
        if let Some(parent) = parent {
            self.dir.create_dir_all(parent).map_err(fail)?;
        }
        let parent = self.dir.open_dir(parent.unwrap_or(Path::new("."))).map_err(fail)?;
        if parent.symlink_metadata(name).is_ok_and(|m| m.is_dir()) {
            return Err(FolderError::NotAFile { path: path.to_owned() });
        }
        let temporary = format!(".{}.psi-part", name.to_string_lossy());
        let written = write_new(&parent, &temporary, text.as_bytes())
            .and_then(|()| parent.rename(&temporary, &parent, name));
        if written.is_err() {
            // Best effort: the first error is the one to report.
            let _ = parent.remove_file(&temporary);
        }
        written.map_err(fail)
    }

    /// What stands in a folder (`""`: the granted folder itself), by name. Hidden entries and links are left out.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn list(&self, path: &str) -> Result<Vec<FolderEntry>, FolderError> {
        let fail = |source| io_error(path, source);
        let inner = relative(path)?;
        let dir = self.dir.open_dir(&inner).map_err(fail)?;
        let mut entries = Vec::new();
        for entry in dir.entries().map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let metadata = entry.metadata().map_err(fail)?;
            let plain = metadata.is_file() || metadata.is_dir();
            if name.starts_with('.') || !plain || metadata.is_symlink() {
                continue;
            }
            let modified = metadata.modified().ok().map(cap_std::time::SystemTime::into_std);
            let since = modified.and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
            let path = if path.is_empty() { name } else { format!("{path}/{name}") };
            let modified_ms = since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX));
            let is_folder = metadata.is_dir();
            entries.push(FolderEntry { path, is_folder, n_bytes: metadata.len(), modified_ms });
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    /// Every file of the folder and its folders, at most `limit` of them, by path; whether there are more.
    ///
    /// # Errors
    /// [`FolderError`] of the granted folder itself; what cannot be read inside it is left out.
    pub fn walk(&self, path: &str, limit: usize) -> Result<(Vec<FolderEntry>, bool), FolderError> {
        let mut files = Vec::new();
        let level = |depth: usize, entries: Vec<FolderEntry>| {
            entries.into_iter().rev().map(move |entry| (depth, entry))
        };
        let mut waiting: Vec<(usize, FolderEntry)> = level(0, self.list(path)?).collect();
        while let Some((depth, entry)) = waiting.pop() {
            if !entry.is_folder {
                if files.len() == limit {
                    return Ok((files, true));
                }
                files.push(entry);
            } else if depth < MAX_DEPTH && !is_skipped(&entry.path) {
                let inside = self.list(&entry.path).unwrap_or_default();
                waiting.extend(level(depth + 1, inside));
            }
        }
        Ok((files, false))
    }

    /// The path below the folder of a path as a model writes it: `NAME/inside`, or the full path.
    fn inside(&self, path: &str) -> Option<String> {
        let slashed = Path::new(path);
        let full = slashed.is_absolute().then(|| slashed.strip_prefix(&self.root).ok()).flatten();
        let named = || path.strip_prefix(&self.name).filter(|r| r.is_empty() || r.starts_with('/'));
        let rest = match full {
            Some(rest) => rest.to_str()?,
            None => named()?,
        };
        Some(rest.trim_matches('/').to_owned())
    }
}

/// Deepest folder that is walked.
const MAX_DEPTH: usize = 32;

/// Folders that hold what a machine made, not what a person wrote.
const SKIPPED_FOLDERS: &[&str] = &["node_modules", "target", "__pycache__", "venv"];

fn is_skipped(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| SKIPPED_FOLDERS.contains(&name))
}

/// Opens the folders of a call, each under the last part of its path; a second one of that name gets a number.
///
/// # Errors
/// [`FolderError::Io`] when one is no longer there.
pub fn open_all(granted: &[GrantedFolder]) -> Result<Vec<Folder>, FolderError> {
    let mut folders: Vec<Folder> = Vec::new();
    for grant in granted {
        let last = grant.path.file_name().map_or("folder".into(), |n| n.to_string_lossy());
        let taken = |name: &str| folders.iter().any(|f| f.name == name);
        let numbered = (2..).map(|n| format!("{last}-{n}"));
        let mut names = std::iter::once(last.to_string()).chain(numbered);
        let name = names.find(|n| !taken(n)).expect("the numbers do not end");
        folders.push(Folder::open(&name, &grant.path, grant.write)?);
    }
    Ok(folders)
}

/// The folder that a path is in, and the path below it.
///
/// # Errors
/// [`FolderError::NotGranted`].
pub fn locate<'a>(folders: &'a [Folder], path: &str) -> Result<(&'a Folder, String), FolderError> {
    let mut found = folders.iter().filter_map(|f| Some((f, f.inside(path)?)));
    let sole = || match folders {
        // With one folder its name may be left out.
        [only] if !Path::new(path).is_absolute() => Some((only, path.trim_matches('/').to_owned())),
        _ => None,
    };
    found.next().or_else(sole).ok_or_else(|| FolderError::NotGranted {
        path: path.to_owned(),
        granted: folders.iter().map(|f| f.name.clone()).collect(),
    })
}

/// A path of plain names only; `.` for the folder itself.
fn relative(path: &str) -> Result<PathBuf, FolderError> {
    let outside = || FolderError::Outside { path: path.to_owned() };
    if path.contains(['\0', '\\']) || path.len() > 4096 {
        return Err(outside());
    }
    let mut out = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(outside());
            }
        }
    }
    Ok(if out.as_os_str().is_empty() { ".".into() } else { out })
}

fn io_error(path: &str, source: io::Error) -> FolderError {
    // What leads out of the folder comes back as "permission denied" (a link) or, from the kernel, as EXDEV.
    if source.kind() == io::ErrorKind::CrossesDevices || source.to_string().contains("outside") {
        return FolderError::Outside { path: path.to_owned() };
    }
    let path = if path.is_empty() { "." } else { path };
    FolderError::Io { path: path.to_owned(), source }
}

fn write_new(parent: &Dir, name: &str, bytes: &[u8]) -> io::Result<()> {
    if parent.symlink_metadata(name).is_ok() {
        parent.remove_file(name)?;
    }
    let mut file: File = parent.open_with(name, OpenOptions::new().write(true).create_new(true))?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Opening a pipe or a device must not wait for its other end.
#[cfg(unix)]
fn no_waiting(options: &mut OpenOptions) {
    use cap_std::fs::OpenOptionsExt;
    options.custom_flags((rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY).bits() as i32);
}

#[cfg(not(unix))]
fn no_waiting(_: &mut OpenOptions) {}
