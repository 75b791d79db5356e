//! The model that comes with psi: inside the program, so that a copied binary is complete.

use std::path::PathBuf;

use psi_store::{ContentHash, Home, write_atomic};

use crate::error::{Failure, Outcome, unusable};

/// What the page calls it.
pub(crate) const NAME: &str = "psi-nano";

/// Its files.
const FILES: [(&str, &[u8]); 5] = [
    ("tokenizer.json", include_bytes!("../../../../../assets/psi-nano/tokenizer.json")),
    ("tokenizer_config.json", include_bytes!("../../../../../assets/psi-nano/tokenizer_config.json")),
    ("chat_template.jinja", include_bytes!("../../../../../assets/psi-nano/chat_template.jinja")),
    ("model.safetensors", include_bytes!("../../../../../assets/psi-nano/model.safetensors")),
    // Last: a folder without it is no model.
    ("config.json", include_bytes!("../../../../../assets/psi-nano/config.json")),
];

/// The model as a folder, which weights are mapped from: written out once per version of the program.
pub(crate) fn unpack(home: &Home) -> Outcome<PathBuf> {
    let hashes: Vec<u8> = FILES.iter().flat_map(|(_, b)| b.len().to_le_bytes()).collect();
    let weights = FILES[3].1;
    let tail = &weights[weights.len().saturating_sub(1 << 16)..];
    let version = ContentHash::of_bytes(&[&hashes, tail].concat()).to_string();
    let folder = home.root().join("bundled").join(&version[..16.min(version.len())]).join(NAME);
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

/// Bytes of its files.
pub(crate) fn n_bytes() -> u64 {
    FILES.iter().map(|(_, bytes)| bytes.len() as u64).sum()
}
