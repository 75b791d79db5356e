//! An open checkpoint of either format: its configuration and its tensors by name.

use std::path::{Path, PathBuf};

use psi_store::{Gguf, SafeTensors, StoreError, TensorView};

use crate::{
    Config, ModelError, Result, TensorInfo,
    config::{self, Read},
    names::{self, GGUF_ROPE_TENSORS, HF_PREFIXES, IGNORED_PREFIXES, IGNORED_SUFFIXES, Place},
};

/// A checkpoint that is open but not loaded.
#[derive(Debug)]
pub(crate) enum Source {
    /// A folder with `config.json` and safetensors.
    Hf(SafeTensors),
    /// A GGUF file.
    Gguf(Gguf),
}

impl Source {
    /// Opens a folder, a file in it, or a GGUF file, and reads the configuration.
    pub(crate) fn open(path: &Path) -> Result<(Self, Read)> {
        if let Some(folder) = hf_folder(path) {
            let read = read_config(&folder.join("config.json"))?;
            let weights = if path.is_dir() { &folder } else { path };
            return Ok((Self::Hf(SafeTensors::open(weights)?), read));
        }
        let gguf = Gguf::open(path)?;
        let read = config::read_gguf(&gguf)?;
        Ok((Self::Gguf(gguf), read))
    }

    /// What to name in messages.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Hf(t) => t.path(),
            Self::Gguf(g) => g.path(),
        }
    }

    pub(crate) fn tensor(&self, name: &str) -> Option<TensorView<'_>> {
        match self {
            Self::Hf(t) => t.tensor(name),
            Self::Gguf(g) => g.tensor(name),
        }
    }

    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::Hf(t) => Box::new(t.names()),
            Self::Gguf(g) => Box::new(g.names()),
        }
    }

    /// Where `info` lies in this checkpoint, by the name it has here.
    pub(crate) fn place(&self, config: &Config, info: &TensorInfo) -> Place {
        match self {
            Self::Gguf(_) => names::gguf_place(config, info),
            Self::Hf(tensors) => {
                let mut place = names::hf_place(config, info);
                if tensors.tensor(&place.name).is_none()
                    && let Some(name) = self.respelled(&place.name)
                {
                    place.name = name;
                }
                place
            }
        }
    }

    fn respelled(&self, name: &str) -> Option<String> {
        let spell = |(from, to): &(&str, &str)| {
            let rest = name.strip_prefix(from)?;
            Some(format!("{to}{rest}")).filter(|n| self.tensor(n).is_some())
        };
        HF_PREFIXES.iter().find_map(spell)
    }

    /// The stored tensor of `place`, of the shape that `info` needs.
    pub(crate) fn view(&self, info: &TensorInfo, place: &Place) -> Result<TensorView<'_>> {
        let view = match self {
            Self::Hf(t) => t.require(&place.name)?,
            Self::Gguf(g) => g.require(&place.name)?,
        };
        let expected = place.shape(info);
        // GGUF drops leading dimensions of 1.
        let same = view.shape == expected
            || without_ones(view.shape) == without_ones(&expected) && self.is_gguf();
        if !same {
            let why = format!("shape {:?}, but the configuration says {expected:?}", view.shape);
            let e = ModelError::tensor(self.path(), &place.name, why);
            return Err(e.with_hint("the configuration and the weights belong to different models"));
        }
        Ok(view)
    }

    fn is_gguf(&self) -> bool {
        matches!(self, Self::Gguf(_))
    }

    /// Refuses tensors that are not in `used` and not known to be without effect.
    pub(crate) fn check_all_used(&self, config: &Config, used: &[&str]) -> Result<()> {
        let mut used = used.to_vec();
        used.sort_unstable();
        let known = |name: &str| {
            used.binary_search(&name).is_ok()
                || IGNORED_SUFFIXES.iter().any(|s| name.ends_with(s))
                || IGNORED_PREFIXES.iter().any(|p| name.starts_with(p))
                || self.is_gguf() && GGUF_ROPE_TENSORS.contains(&name)
                // A tied head that the file stores nevertheless.
                || config.tied_embeddings && name.ends_with("lm_head.weight")
        };
        let left: Vec<&str> = self.names().filter(|name| !known(name)).collect();
        if left.is_empty() {
            return Ok(());
        }
        let names = left.iter().take(4).map(|&n| n.to_owned()).collect();
        Err(ModelError::Unexpected { path: self.path().to_owned(), names, count: left.len() })
    }
}

/// Reads a `config.json`.
pub(crate) fn read_config(path: &Path) -> Result<Read> {
    let text = std::fs::read_to_string(path).map_err(|source| StoreError::Io {
        path: path.to_owned(),
        doing: "reading",
        source,
    })?;
    config::read_hf(path, &text)
}

/// The folder, if `path` is a Hugging Face checkpoint or a file of one.
fn hf_folder(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        return Some(path.to_owned());
    }
    let name = path.file_name()?.to_str()?;
    let inside = name.ends_with(".safetensors") || name.ends_with(".json");
    inside.then(|| path.parent().map_or_else(PathBuf::new, Path::to_owned))
}

fn without_ones(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().skip_while(|&d| d == 1).collect()
}
