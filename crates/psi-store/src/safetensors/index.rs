//! Folders of weights and the index that says which shard holds which tensor.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::{INDEX, SINGLE, SafeTensors};
use crate::error::{At, Clipped, Result, StoreError};
use crate::sniff;

/// As for a header: the index lists the same names.
const MAX_INDEX: u64 = 100_000_000;

/// True for the index of a sharded checkpoint.
pub(super) fn is_index(path: &Path) -> bool {
    path.file_name()
        .and_then(|n| n.to_str())
        .is_some_and(|n| n.ends_with(".safetensors.index.json"))
}

/// The file to open in folder `dir`: the weights or their index.
pub(super) fn weights_in(dir: &Path) -> Result<PathBuf> {
    for name in [SINGLE, INDEX] {
        let path = dir.join(name);
        if path.exists() {
            return Ok(path);
        }
    }
    let fail = |e| StoreError::io(dir, "listing", e);
    let mut found = BTreeSet::new();
    let mut refused = None;
    for entry in fs::read_dir(dir).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        match path.extension().and_then(|e| e.to_str()) {
            Some("safetensors") => {
                found.insert(path);
            }
            Some("gguf") => {
                let hint = format!("open the file itself: {}", path.display());
                refused = Some(StoreError::unsupported(dir, "a folder of GGUF files", hint));
            }
            _ => refused = refused.or_else(|| sniff::refuse_by_name(&path).err()),
        }
    }
    match (found.len(), refused) {
        (1, _) => found.pop_first().ok_or_else(|| no_weights(dir)),
        (0, Some(err)) => Err(err),
        (0, None) => Err(no_weights(dir)),
        (n, _) => {
            let what =
                format!("{n} .safetensors files but no {INDEX} to say which belong together");
            Err(StoreError::malformed(dir, At::File, what)
                .with_hint(format!("fetch {INDEX} of the model, or open one of the files")))
        }
    }
}

fn no_weights(dir: &Path) -> StoreError {
    StoreError::malformed(dir, At::File, "the folder holds no weights")
        .with_hint(format!("a model folder holds {SINGLE}, or {INDEX} and its shards"))
}

/// Opens every shard that the index `file` names; `label` is what the user gave.
pub(super) fn open(label: &Path, file: &Path) -> Result<SafeTensors> {
    let weight_map = read(file)?;
    let dir = file.parent().unwrap_or(Path::new(""));
    let shards: BTreeSet<&str> = weight_map.values().map(String::as_str).collect();
    let paths = shards.iter().map(|name| dir.join(name)).collect();
    let opened = SafeTensors::open_files(label, paths)?;

    let in_shard = |name: &str| {
        let file = &opened.files[opened.info(name)?.file];
        file.path.file_name()?.to_str()
    };
    for (name, shard) in &weight_map {
        if in_shard(name) != Some(shard) {
            let what = format!("the index places it in {shard}, which does not hold it");
            return Err(StoreError::malformed(file, At::Tensor(name.clone()), what)
                .with_hint("index and shards may come from different versions of the model"));
        }
    }
    // Every mapped name was found, so if there are more tensors than names, one is not mapped.
    if let Some(extra) = opened.names().find(|n| !weight_map.contains_key(*n)) {
        let what = "a shard holds it, but the index does not list it";
        return Err(StoreError::malformed(file, At::Tensor(extra.into()), what));
    }
    Ok(opened)
}

/// The index's `weight_map`: tensor name to file name, checked to lie in the same folder.
fn read(file: &Path) -> Result<BTreeMap<String, String>> {
    let fail = |e| StoreError::io(file, "reading", e);
    let len = fs::metadata(file).map_err(fail)?.len();
    if len > MAX_INDEX {
        let what = format!("the index has {len} bytes; at most {MAX_INDEX} are allowed");
        return Err(StoreError::malformed(file, At::File, what));
    }
    let bytes = fs::read(file).map_err(fail)?;
    let index: Index = serde_json::from_slice(&bytes).map_err(|e| {
        let text: String = e.to_string().chars().take(200).collect();
        StoreError::malformed(file, At::File, format!("the index is not valid: {text}"))
    })?;
    for (name, shard) in &index.weight_map {
        if !is_plain_name(shard) {
            let what = format!(
                "'{}' is not the name of a .safetensors file in the folder",
                Clipped(shard)
            );
            return Err(StoreError::malformed(file, At::Tensor(name.clone()), what));
        }
    }
    Ok(index.weight_map)
}

/// One component, not hidden, of characters that mean nothing to any file system.
fn is_plain_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    !name.starts_with('.') && name.ends_with(".safetensors") && name.bytes().all(plain)
}

/// The parts of the index that psi uses. Other keys (`metadata`) are allowed.
#[derive(Default)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl<'de> Deserialize<'de> for Index {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        struct Top;
        impl<'de> Visitor<'de> for Top {
            type Value = Index;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a weight_map")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Index, A::Error> {
                let mut found = None;
                while let Some(key) = map.next_key::<String>()? {
                    if key != "weight_map" {
                        map.next_value::<IgnoredAny>()?;
                    } else if found.replace(map.next_value::<UniqueMap>()?).is_some() {
                        return Err(A::Error::custom("weight_map appears twice"));
                    }
                }
                let map = found.ok_or_else(|| A::Error::missing_field("weight_map"))?;
                Ok(Index { weight_map: map.0 })
            }
        }
        d.deserialize_map(Top)
    }
}

/// A map of strings in which no key appears twice.
struct UniqueMap(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for UniqueMap {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = UniqueMap;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of file names")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<UniqueMap, A::Error> {
                let mut out = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    if out.contains_key(&key) {
                        let text = format!("'{}' appears twice", Clipped(&key));
                        return Err(A::Error::custom(text));
                    }
                    out.insert(key, value);
                }
                Ok(UniqueMap(out))
            }
        }
        d.deserialize_map(Entries)
    }
}
