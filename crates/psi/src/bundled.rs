//! The model that comes with psi: inside the program, so that a copied binary is complete.

use std::path::PathBuf;

use psi_store::{ContentHash, Home, write_atomic};

use crate::error::{Failure, Outcome, unusable};

/// What the page calls it.
pub(crate) const NAME: &str = "psi-nano";

/// Its files; none in a program that was built without them.
#[cfg(bundled)]
const FILES: &[(&str, &[u8])] = &[
    ("model.safetensors", include_bytes!("../../../assets/psi-nano/model.safetensors")),
    ("tokenizer.json", include_bytes!("../../../assets/psi-nano/tokenizer.json")),
    ("tokenizer_config.json", include_bytes!("../../../assets/psi-nano/tokenizer_config.json")),
    ("chat_template.jinja", include_bytes!("../../../assets/psi-nano/chat_template.jinja")),
    // Last: a folder without it is no model.
    ("config.json", include_bytes!("../../../assets/psi-nano/config.json")),
];
#[cfg(not(bundled))]
const FILES: &[(&str, &[u8])] = &[];

/// Bytes at the end of the weights that tell one version of them from another.
const TAIL: usize = 1 << 16;

/// The model as a folder, from which weights are mapped: written once per version of it.
pub(crate) fn unpack(home: &Home) -> Outcome<PathBuf> {
    if FILES.is_empty() {
        return Err(Failure::input("this psi was built without a model of its own")
            .hint("get one: psi pull Qwen/Qwen3-0.6B"));
    }
    let folder = home.root().join("bundled").join(version()).join(NAME);
    for (name, bytes) in FILES {
        let path = folder.join(name);
        if path.metadata().is_ok_and(|m| m.len() == bytes.len() as u64) {
            continue;
        }
        std::fs::create_dir_all(&folder).map_err(|e| {
            Failure::failed(format!("{}: cannot be made", folder.display())).because(e)
        })?;
        write_atomic(&path, bytes).map_err(unusable)?;
    }
    Ok(folder)
}

/// A name for this version of the model: a hash of lengths and ends, which takes no time at start-up.
fn version() -> String {
    let mut told = Vec::new();
    for (_, bytes) in FILES {
        told.extend_from_slice(&bytes.len().to_le_bytes());
        told.extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL)..]);
    }
    let hash = ContentHash::of_bytes(&told).to_string();
    hash.rsplit(':').next().unwrap_or(&hash).chars().take(16).collect()
}

/// Bytes of its files; 0 where there are none.
pub(crate) fn n_bytes() -> u64 {
    FILES.iter().map(|(_, bytes)| bytes.len() as u64).sum()
}
