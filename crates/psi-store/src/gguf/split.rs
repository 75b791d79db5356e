//! Models split over several files: `NAME-00001-of-00003.gguf` and the `split.*` keys.
//!
//! The names and keys are those of llama.cpp's gguf-split.

use std::path::{Path, PathBuf};

use super::parse::Header;
use super::{File, Gguf};
use crate::error::{At, Result, StoreError};

/// More files than any real model has; bounds what `split.count` (a u16) can ask for.
const MAX_FILES: u64 = 9_999;

/// The prefix, number (from 1) and count of a split file's name: `a/M-00002-of-00005.gguf` gives
/// `("a/M", 2, 5)`; `None` for other names.
pub fn shard_of(path: &Path) -> Option<(PathBuf, u32, u32)> {
    let name = path.file_name()?.to_str()?;
    let stem = name.strip_suffix(".gguf")?;
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (prefix, number) = rest.rsplit_once('-')?;
    let five = |s: &str| {
        (s.len() == 5 && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse().ok()).flatten()
    };
    let (number, count) = (five(number)?, five(count)?);
    (number >= 1 && number <= count).then(|| (path.with_file_name(prefix), number, count))
}

/// True for the second and later files of a split model, which a listing should not show as models.
pub fn is_later_shard(path: &Path) -> bool {
    shard_of(path).is_some_and(|(_, number, _)| number > 1)
}

/// All files of a split model of which `path` is one; just `path` for any other.
pub(crate) fn all_shards(path: &Path) -> Vec<PathBuf> {
    match shard_of(path) {
        Some((prefix, _, count)) => (1..=count).map(|i| shard_path(&prefix, i, count)).collect(),
        None => vec![path.to_owned()],
    }
}

/// The name of file `number` (from 1) of `count`.
pub(crate) fn shard_path(prefix: &Path, number: u32, count: u32) -> PathBuf {
    let mut name = prefix.as_os_str().to_owned();
    name.push(format!("-{number:05}-of-{count:05}.gguf"));
    name.into()
}

/// The paths of the second and later files, empty for a model in one file.
pub(super) fn other_files(model: &Gguf) -> Result<Vec<PathBuf>> {
    let path = model.path();
    let count = match model.opt_u64("split.count")? {
        None | Some(0 | 1) => return Ok(Vec::new()),
        Some(n) => n,
    };
    let refuse =
        |key: &str, what: String| Err(StoreError::malformed(path, At::Key(key.into()), what));
    if count > MAX_FILES {
        return refuse("split.count", format!("{count} files; at most {MAX_FILES} are allowed"));
    }
    let count = count as u32;
    let Some((prefix, number, named)) = shard_of(path) else {
        let what =
            format!("one of {count} files, but its name does not end in -00001-of-{count:05}.gguf");
        return refuse("split.count", what);
    };
    if named != count {
        return refuse("split.count", format!("{count} files, but the file's name says {named}"));
    }
    let stored = model.get_u64("split.no")?;
    if stored.checked_add(1) != Some(number.into()) {
        return refuse(
            "split.no",
            format!("file {stored} (from 0), but the name says {number} (from 1)"),
        );
    }
    if number != 1 {
        let first = shard_path(&prefix, 1, count);
        return Err(StoreError::unsupported(
            path,
            format!("file {number} of {count} of a split model"),
            format!("open the first file: {}", first.display()),
        ));
    }
    Ok((2..=count).map(|i| shard_path(&prefix, i, count)).collect())
}

/// Checks that `file` is number `no` (from 0) of the same split as the first file.
pub(super) fn check_part(model: &Gguf, file: &File, header: &Header, no: usize) -> Result<()> {
    let number = |key: &str| header.get(&file.bytes, key).and_then(|v| v.as_u64());
    let count = model.get_u64("split.count")?;
    for (key, want) in [("split.no", no as u64), ("split.count", count)] {
        let found = number(key);
        if found != Some(want) {
            let found = found.map_or("missing".into(), |n| n.to_string());
            let what = format!("should be {want} in this file of a split model but is {found}");
            return Err(StoreError::malformed(&file.path, At::Key(key.into()), what)
                .with_hint("the files may come from different versions of the model"));
        }
    }
    Ok(())
}

/// Checks the number of tensors in all files against the first file's claim, if it makes one.
pub(super) fn check_total(model: &Gguf) -> Result<()> {
    if model.files.len() == 1 {
        return Ok(());
    }
    let key = "split.tensors.count";
    match model.opt_u64(key)? {
        Some(n) if n != model.n_tensors() as u64 => {
            let what = format!("{n} tensors, but the files hold {}", model.n_tensors());
            Err(StoreError::malformed(model.path(), At::Key(key.into()), what))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_split_names_are_split_names() {
        let (prefix, number, count) = shard_of(Path::new("d/M-00002-of-00005.gguf")).unwrap();
        assert_eq!((prefix.to_str(), number, count), (Some("d/M"), 2, 5));
        assert_eq!(shard_path(&prefix, 3, 5), Path::new("d/M-00003-of-00005.gguf"));
        assert!(is_later_shard(Path::new("M-00002-of-00005.gguf")));
        for other in [
            "M.gguf",
            "M-00000-of-00005.gguf",
            "M-00006-of-00005.gguf",
            "M-1-of-2.gguf",
            "M-00001-of-00002.safetensors",
            "M-+0001-of-00002.gguf",
        ] {
            assert_eq!(shard_of(Path::new(other)), None, "{other}");
        }
    }
}
