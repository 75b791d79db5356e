//! The model directory: what models there are, and which one a user means.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::atomic::write_atomic;
use crate::error::{At, Result, StoreError};
use crate::gguf::{is_later_shard, shard_of};
use crate::nearest::nearest;
use crate::safetensors::{INDEX, SINGLE};
use crate::sniff;

/// File in the model directory that maps aliases to models.
const ALIASES: &str = "aliases.json";
/// `ORG/NAME/FILE.gguf` is as deep as models lie.
const MAX_DEPTH: usize = 3;
/// Longest part of a name; the Hub allows 96 characters.
const MAX_PART: usize = 128;

/// `ORG/NAME` or `NAME`, with an optional `@REVISION`: what `psi pull` takes and where it puts it.
///
/// Every part consists of ASCII letters, digits, `.`, `_` and `-` and neither begins nor ends with
/// a dot, so that a name can never leave the model directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelName {
    /// The organisation or user.
    pub org: Option<String>,
    /// The model.
    pub name: String,
    /// Branch, tag or commit; `None` is the default branch.
    pub revision: Option<String>,
}

impl ModelName {
    /// Path relative to the model directory: `ORG/NAME` or `ORG/NAME@REVISION`.
    pub fn folder(&self) -> PathBuf {
        PathBuf::from(self.to_string())
    }

    /// `ORG/NAME` without the revision: the repository on the Hub.
    pub fn repository(&self) -> String {
        match &self.org {
            Some(org) => format!("{org}/{}", self.name),
            None => self.name.clone(),
        }
    }
}

impl FromStr for ModelName {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self> {
        let part = |p: &str| match part_error(p) {
            None => Ok(p.to_owned()),
            Some(why) => Err(StoreError::BadName { name: text.to_owned(), why }),
        };
        let (repository, revision) = match text.split_once('@') {
            Some((r, rev)) => (r, Some(part(rev)?)),
            None => (text, None),
        };
        let (org, name) = match repository.split_once('/') {
            Some((org, name)) => (Some(part(org)?), part(name)?),
            None => (None, part(repository)?),
        };
        Ok(Self { org, name, revision })
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository())?;
        self.revision.iter().try_for_each(|r| write!(f, "@{r}"))
    }
}

/// Why `part` cannot be part of a name.
fn part_error(part: &str) -> Option<&'static str> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if part.is_empty() {
        Some("a part of it is empty")
    } else if part.len() > MAX_PART {
        Some("a part of it is longer than 128 characters")
    } else if !part.bytes().all(allowed) {
        Some("only letters, digits, '.', '_' and '-' are allowed")
    } else if part.starts_with('.') || part.ends_with('.') {
        Some("a part of it begins or ends with '.'")
    } else {
        None
    }
}

/// What a model's weights are stored as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelForm {
    /// A Hugging Face folder.
    Folder,
    /// A GGUF file, or several that belong together.
    Gguf,
}

/// A model in the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelEntry {
    /// What to type: the path relative to the directory, with `/`.
    pub name: String,
    /// The folder or the (first) file.
    pub path: PathBuf,
    /// How it is stored.
    pub form: ModelForm,
    /// Bytes of all its files.
    pub n_bytes: u64,
}

/// A folder of models.
#[derive(Clone, Debug)]
pub struct ModelDir {
    root: PathBuf,
}

impl ModelDir {
    /// The directory at `root`; one that does not exist holds no models.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the model `name` belongs, whether or not it is there.
    pub fn path_of(&self, name: &ModelName) -> PathBuf {
        self.root.join(name.folder())
    }

    /// Every model, by name: folders with `config.json` and safetensors, and GGUF files (split ones
    /// once).
    pub fn list(&self) -> Result<Vec<ModelEntry>> {
        let mut found = Vec::new();
        collect(&self.root, "", 1, &mut found)?;
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// The path of the model that `text` means.
    ///
    /// In this order: an existing path; an alias; a model of the directory by its name, by its name
    /// without `.gguf`, by its name in other case, or by its last part if only one model has it; a
    /// folder of the directory that holds exactly one GGUF file.
    ///
    /// # Errors
    /// [`StoreError::NoSuchModel`] with similar names; for pickled weights
    /// [`StoreError::Unsupported`].
    pub fn resolve(&self, text: &str) -> Result<PathBuf> {
        if let Some(path) = existing_path(text)? {
            return Ok(path);
        }
        let aliases = self.aliases()?;
        let text = match aliases.get(text) {
            Some(target) => match existing_path(target)? {
                Some(path) => return Ok(path),
                None => target,
            },
            None => text,
        };
        let models = self.list()?;
        if let Some(model) = find(&models, text) {
            return Ok(model.path.clone());
        }
        let mut known =
            models.iter().map(|m| m.name.as_str()).chain(aliases.keys().map(String::as_str));
        let near = nearest(text, &mut known, 3);
        Err(StoreError::NoSuchModel {
            name: text.to_owned(),
            dir: self.root.clone(),
            nearest: near.into_iter().map(str::to_owned).collect(),
        })
    }

    /// All aliases and what they stand for.
    pub fn aliases(&self) -> Result<BTreeMap<String, String>> {
        let path = self.root.join(ALIASES);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(e) => return Err(StoreError::io(&path, "reading", e)),
        };
        serde_json::from_slice(&bytes).map_err(|e| {
            StoreError::malformed(&path, At::File, format!("not an object of strings: {e}"))
                .with_hint("correct or remove the file")
        })
    }

    /// Makes `alias` stand for `target` (a model's name or a path), or removes it if `target` is
    /// `None`.
    pub fn set_alias(&self, alias: &str, target: Option<&str>) -> Result<()> {
        if let Some(why) = part_error(alias) {
            return Err(StoreError::BadName { name: alias.to_owned(), why });
        }
        let mut aliases = self.aliases()?;
        match target {
            Some(t) => aliases.insert(alias.to_owned(), t.to_owned()),
            None => aliases.remove(alias),
        };
        fs::create_dir_all(&self.root).map_err(|e| StoreError::io(&self.root, "creating", e))?;
        let text = format!("{:#}\n", serde_json::json!(aliases));
        write_atomic(&self.root.join(ALIASES), text.as_bytes())
    }
}

/// `text` as a path, if there is something; pickles are refused here already.
fn existing_path(text: &str) -> Result<Option<PathBuf>> {
    let path = PathBuf::from(text);
    if !path.exists() {
        return Ok(None);
    }
    if path.is_file() {
        sniff::refuse_by_name(&path)?;
    }
    Ok(Some(path))
}

/// The one model that `text` means by the rules of [`ModelDir::resolve`].
fn find<'a>(models: &'a [ModelEntry], text: &str) -> Option<&'a ModelEntry> {
    let last = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
    let plain = |name: &str| name.strip_suffix(".gguf").unwrap_or(name).to_owned();
    let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    let within = |name: &str| {
        name.strip_prefix(text).is_some_and(|rest| rest.starts_with('/') && rest.ends_with(".gguf"))
    };
    let rules: [&dyn Fn(&str) -> bool; 6] = [
        &|n| n == text,
        &|n| plain(n) == text,
        &|n| same(n, text) || same(&plain(n), text),
        &|n| last(n) == text || plain(&last(n)) == text,
        &|n| same(&last(n), text) || same(&plain(&last(n)), text),
        &within,
    ];
    rules.iter().find_map(|rule| {
        let mut hits = models.iter().filter(|m| rule(&m.name));
        let first = hits.next()?;
        hits.next().is_none().then_some(first)
    })
}

/// Adds the models in `dir`, whose name relative to the root is `prefix`.
fn collect(dir: &Path, prefix: &str, depth: usize, found: &mut Vec<ModelEntry>) -> Result<()> {
    let fail = |e| StoreError::io(dir, "listing", e);
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound && depth == 1 => return Ok(()),
        entries => entries.map_err(fail)?,
    };
    for entry in entries {
        let path = entry.map_err(fail)?.path();
        let Some(file_name) = path.file_name().and_then(|n| n.to_str()) else { continue };
        if file_name.starts_with('.') {
            continue; // temporary files
        }
        let name =
            if prefix.is_empty() { file_name.to_owned() } else { format!("{prefix}/{file_name}") };
        if path.is_dir() {
            if is_model_folder(&path) {
                let n_bytes = folder_bytes(&path)?;
                found.push(ModelEntry {
                    name: name.clone(),
                    path: path.clone(),
                    form: ModelForm::Folder,
                    n_bytes,
                });
            }
            if depth < MAX_DEPTH {
                collect(&path, &name, depth + 1, found)?;
            }
        } else if file_name.ends_with(".gguf") && !is_later_shard(&path) {
            let n_bytes = gguf_bytes(&path)?;
            found.push(ModelEntry { name, path, form: ModelForm::Gguf, n_bytes });
        }
    }
    Ok(())
}

/// A folder with a configuration and weights beside it.
fn is_model_folder(dir: &Path) -> bool {
    dir.join("config.json").is_file() && (dir.join(SINGLE).is_file() || dir.join(INDEX).is_file())
}

fn file_bytes(path: &Path) -> Result<u64> {
    fs::metadata(path).map(|m| m.len()).map_err(|e| StoreError::io(path, "listing", e))
}

/// Bytes of the files directly in `dir`.
fn folder_bytes(dir: &Path) -> Result<u64> {
    let fail = |e| StoreError::io(dir, "listing", e);
    let mut sum = 0;
    for entry in fs::read_dir(dir).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.is_file() {
            sum += file_bytes(&path)?;
        }
    }
    Ok(sum)
}

/// Bytes of a GGUF file and, if it is the first of a split model, of the others that are there.
fn gguf_bytes(path: &Path) -> Result<u64> {
    let Some((prefix, _, count)) = shard_of(path) else { return file_bytes(path) };
    let mut sum = 0;
    for number in 1..=count {
        let shard = crate::gguf::shard_path(&prefix, number, count);
        if shard.is_file() {
            sum += file_bytes(&shard)?;
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with a bit of everything.
    fn dir() -> (tempfile::TempDir, ModelDir) {
        let tmp = tempfile::tempdir().unwrap();
        let root = tmp.path().join("models");
        for file in [
            "Qwen/Qwen3-0.6B/config.json",
            "Qwen/Qwen3-0.6B/model.safetensors",
            "Qwen/Qwen3-0.6B@abc123/config.json",
            "Qwen/Qwen3-0.6B@abc123/model.safetensors.index.json",
            "bart/Quants/m-Q4_K_M.gguf",
            "bart/Quants/m-Q8_0.gguf",
            "bart/Single/only.gguf",
            "mine/config.json",
            "mine/model.safetensors",
            "half/config.json",
            "tiny.gguf",
            "big-00001-of-00002.gguf",
            "big-00002-of-00002.gguf",
            ".psi-1-1.tmp",
            "notes.txt",
        ] {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            write_atomic(&path, b"12345").unwrap();
        }
        let models = ModelDir::at(&root);
        (tmp, models)
    }

    #[test]
    fn a_listing_has_every_model_once() {
        let (_tmp, models) = dir();
        let list = models.list().unwrap();
        let names: Vec<&str> = list.iter().map(|m| m.name.as_str()).collect();
        let want = [
            "Qwen/Qwen3-0.6B",
            "Qwen/Qwen3-0.6B@abc123",
            "bart/Quants/m-Q4_K_M.gguf",
            "bart/Quants/m-Q8_0.gguf",
            "bart/Single/only.gguf",
            "big-00001-of-00002.gguf",
            "mine",
            "tiny.gguf",
        ];
        assert_eq!(names, want);
        assert_eq!((list[0].form, list[0].n_bytes), (ModelForm::Folder, 10));
        assert_eq!((list[5].form, list[5].n_bytes), (ModelForm::Gguf, 10), "both files");
        assert!(ModelDir::at(Path::new("/no/such/folder")).list().unwrap().is_empty());
    }

    #[test]
    fn a_model_is_found_by_any_unambiguous_name() {
        let (_tmp, models) = dir();
        for (text, want) in [
            ("Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B"),
            ("qwen/qwen3-0.6b", "Qwen/Qwen3-0.6B"),
            ("Qwen3-0.6B", "Qwen/Qwen3-0.6B"),
            ("Qwen/Qwen3-0.6B@abc123", "Qwen/Qwen3-0.6B@abc123"),
            ("tiny", "tiny.gguf"),
            ("TINY.gguf", "tiny.gguf"),
            ("bart/Quants/m-Q8_0", "bart/Quants/m-Q8_0.gguf"),
            ("m-q4_k_m", "bart/Quants/m-Q4_K_M.gguf"),
            ("bart/Single", "bart/Single/only.gguf"),
        ] {
            assert_eq!(models.resolve(text).unwrap(), models.root().join(want), "{text}");
        }
        let path = models.root().join("half");
        assert_eq!(
            models.resolve(path.to_str().unwrap()).unwrap(),
            path,
            "an existing path is taken"
        );
    }

    #[test]
    fn an_unknown_or_ambiguous_name_gets_suggestions() {
        let (_tmp, models) = dir();
        let hint = |text: &str| models.resolve(text).unwrap_err().hint().unwrap();
        assert!(hint("Qwen/Qwen3-0.6").contains("Qwen/Qwen3-0.6B"));
        let both = hint("bart/Quants");
        assert!(both.contains("m-Q4_K_M") && both.contains("m-Q8_0"), "{both}");
        assert!(hint("something/entirely-different-from-all").contains("psi pull"));
        for text in ["", "..", "../..", "a/../b", "a//b", "~root", "\0"] {
            // Nothing to find, or an existing path outside: never a path made from the name.
            if let Ok(path) = models.resolve(text) {
                assert_eq!(path, Path::new(text));
            }
        }
    }

    #[test]
    fn aliases_stand_for_models_and_paths() {
        let (tmp, models) = dir();
        models.set_alias("best", Some("Qwen/Qwen3-0.6B")).unwrap();
        let tiny = models.root().join("tiny.gguf");
        models.set_alias("small", tiny.to_str()).unwrap();
        assert_eq!(models.resolve("best").unwrap(), models.root().join("Qwen/Qwen3-0.6B"));
        assert_eq!(models.resolve("small").unwrap(), tiny);
        assert!(models.resolve("smal").unwrap_err().hint().unwrap().contains("small"));
        models.set_alias("small", None).unwrap();
        assert!(models.resolve("small").is_err());
        assert!(models.set_alias("../x", Some("y")).is_err());
        write_atomic(&models.root().join(ALIASES), b"[1]").unwrap();
        let err = models.resolve("best").unwrap_err();
        assert!(err.path().unwrap().ends_with(ALIASES), "{err}");
        let fresh = ModelDir::at(&tmp.path().join("new"));
        fresh.set_alias("a", Some("b")).unwrap();
        assert_eq!(fresh.aliases().unwrap()["a"], "b");
    }

    #[test]
    fn pickles_are_refused_even_by_path() {
        let (tmp, models) = dir();
        let path = tmp.path().join("pytorch_model.bin");
        write_atomic(&path, b"x").unwrap();
        let err = models.resolve(path.to_str().unwrap()).unwrap_err();
        assert!(matches!(err, StoreError::Unsupported { .. }), "{err}");
    }

    #[test]
    fn names_stay_inside_the_directory() {
        let name: ModelName = "Qwen/Qwen3-0.6B@v1.0".parse().unwrap();
        assert_eq!(name.repository(), "Qwen/Qwen3-0.6B");
        assert_eq!(name.to_string().parse::<ModelName>().unwrap(), name);
        assert_eq!(name.folder(), Path::new("Qwen/Qwen3-0.6B@v1.0"));
        let models = ModelDir::at(Path::new("m"));
        assert_eq!(models.path_of(&name), Path::new("m/Qwen/Qwen3-0.6B@v1.0"));
        let long = "x".repeat(129);
        for bad in [
            "", "/", "a/", "/a", "..", "a/..", "../a", "a/b/c", "a/b@", "a/b@..", "a/b@r/s", "a b",
            "a/b@c@d", "C:\\x", "a\\b", "a\0", ".hidden", "a/.b", "b.", "é", "a%2e", &long,
        ] {
            let err = bad.parse::<ModelName>().unwrap_err();
            assert!(matches!(err, StoreError::BadName { .. }) && err.hint().is_some(), "{bad:?}");
        }
    }
}
