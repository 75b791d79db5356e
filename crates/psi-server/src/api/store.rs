//! What clients ask to be kept: completions and responses, in memory and, with a folder, on disk.

use std::{
    collections::VecDeque,
    fs, io,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most things kept; the oldest goes first.
const MAX_ITEMS: usize = 4096;
/// Longest id that is looked up.
const MAX_ID: usize = 128;

/// One kept thing.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Kept {
    pub(crate) id: String,
    /// The key that may see it.
    pub(crate) owner: String,
    /// What the client gets.
    pub(crate) object: Value,
    /// The conversation that it ended, in OpenAI's shape.
    pub(crate) messages: Vec<Value>,
    /// What a response was asked with.
    #[serde(default)]
    pub(crate) input: Vec<Value>,
}

/// Kept things, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Store {
    items: Mutex<VecDeque<Kept>>,
    folder: Option<PathBuf>,
}

impl Store {
    /// A store; what the folder already holds is in it.
    pub(crate) fn open(folder: Option<PathBuf>) -> Result<Self, (PathBuf, io::Error)> {
        let mut items: Vec<Kept> = Vec::new();
        if let Some(folder) = &folder {
            let fail = |e| (folder.clone(), e);
            fs::create_dir_all(folder).map_err(fail)?;
            for entry in fs::read_dir(folder).map_err(fail)? {
                let path = entry.map_err(fail)?.path();
                if path.extension().is_some_and(|e| e == "json") {
                    let bytes = fs::read(&path).map_err(|e| (path.clone(), e))?;
                    let kept = serde_json::from_slice(&bytes);
                    items.push(kept.map_err(|e| (path.clone(), io::Error::from(e)))?);
                }
            }
        }
        let created = |kept: &Kept| {
            let object = &kept.object;
            object["created"].as_u64().or(object["created_at"].as_u64()).unwrap_or(0)
        };
        items.sort_by(|a, b| created(a).cmp(&created(b)).then_with(|| a.id.cmp(&b.id)));
        Ok(Self { items: Mutex::new(items.into()), folder })
    }

    fn items(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a thing, or its new form.
    pub(crate) fn put(&self, kept: Kept) -> Result<(), String> {
        if let Some(path) = self.path(&kept.id) {
            let bytes = serde_json::to_vec(&kept).map_err(|e| e.to_string())?;
            psi_store::write_atomic(&path, &bytes).map_err(|e| e.to_string())?;
        }
        let mut items = self.items();
        match items.iter_mut().find(|k| k.id == kept.id) {
            Some(old) => *old = kept,
            None => items.push_back(kept),
        }
        let oldest = if items.len() > MAX_ITEMS { items.pop_front() } else { None };
        drop(items);
        if let Some(path) = oldest.and_then(|k| self.path(&k.id)) {
            // A file that is gone already is as good as removed.
            let _ = fs::remove_file(path);
        }
        Ok(())
    }

    /// A thing of this owner. What another process has put into the folder meanwhile is found too.
    pub(crate) fn get(&self, id: &str, owner: &str) -> Option<Kept> {
        let found = self.items().iter().find(|k| k.id == id).cloned();
        let found = found.or_else(|| {
            let bytes = fs::read(self.path(id)?).ok()?;
            let kept: Kept = serde_json::from_slice(&bytes).ok().filter(|k: &Kept| k.id == id)?;
            self.items().push_back(kept.clone());
            Some(kept)
        });
        found.filter(|k| k.owner == owner)
    }

    /// Looks at a thing of this owner that [`Self::get`] has found, without a copy.
    pub(crate) fn look<T>(
        &self,
        id: &str,
        owner: &str,
        look: impl FnOnce(&Kept) -> T,
    ) -> Option<T> {
        self.items().iter().find(|k| k.id == id && k.owner == owner).map(look)
    }

    /// Changes a thing of this owner that [`Self::get`] has found, if `change` says that it did; nobody else changes it
    /// meanwhile. Returns its new form.
    pub(crate) fn change(
        &self,
        id: &str,
        owner: &str,
        change: impl FnOnce(&mut Kept) -> bool,
    ) -> Result<Option<Kept>, String> {
        let mut items = self.items();
        let Some(old) = items.iter_mut().find(|k| k.id == id && k.owner == owner) else {
            return Ok(None);
        };
        let mut new = old.clone();
        if change(&mut new) {
            if let Some(path) = self.path(id) {
                let bytes = serde_json::to_vec(&new).map_err(|e| e.to_string())?;
                psi_store::write_atomic(&path, &bytes).map_err(|e| e.to_string())?;
            }
            *old = new;
        }
        Ok(Some(old.clone()))
    }

    /// Forgets a thing of this owner; whether there was one.
    pub(crate) fn remove(&self, id: &str, owner: &str) -> bool {
        let mut items = self.items();
        let before = items.len();
        items.retain(|k| k.id != id || k.owner != owner);
        let is_gone = items.len() < before;
        drop(items);
        if let Some(path) = self.path(id).filter(|_| is_gone) {
            let _ = fs::remove_file(path);
        }
        is_gone
    }

    /// Everything of this owner whose `object` is of this kind.
    pub(crate) fn all(&self, owner: &str, object: &str) -> Vec<Kept> {
        let is_wanted = |k: &&Kept| k.owner == owner && k.object["object"] == object;
        self.items().iter().filter(is_wanted).cloned().collect()
    }

    /// Of each of them whether it has ended, without a copy.
    pub(crate) fn ended(&self, owner: &str, object: &str) -> Vec<bool> {
        let is_wanted = |k: &&Kept| k.owner == owner && k.object["object"] == object;
        self.items().iter().filter(is_wanted).map(|k| !k.object["ended_at"].is_null()).collect()
    }

    /// Everything of this kind, whoever's it is.
    pub(crate) fn of_kind(&self, object: &str) -> Vec<Kept> {
        self.items().iter().filter(|k| k.object["object"] == object).cloned().collect()
    }

    /// Where a thing lies. Ids are made here, so others have no file.
    fn path(&self, id: &str) -> Option<PathBuf> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let is_good = !id.is_empty() && id.len() <= MAX_ID && id.chars().all(is_plain);
        self.folder.as_ref().filter(|_| is_good).map(|folder| folder.join(format!("{id}.json")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kept(id: &str, owner: &str) -> Kept {
        let object = json!({ "object": "response", "created_at": 5 });
        Kept {
            id: id.to_owned(),
            owner: owner.to_owned(),
            object,
            messages: Vec::new(),
            input: Vec::new(),
        }
    }

    #[test]
    fn what_is_kept_is_its_owners_and_survives_a_restart() {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::open(Some(dir.path().to_owned())).expect("opened");
        store.put(kept("resp_1", "alice")).expect("kept");
        store.put(kept("resp_2", "bob")).expect("kept");
        let store = Store::open(Some(dir.path().to_owned())).expect("opened again");
        assert!(store.get("resp_1", "alice").is_some());
        assert!(store.get("resp_1", "bob").is_none());
        assert_eq!(store.all("bob", "response").len(), 1);
        assert!(!store.remove("resp_1", "bob") && store.remove("resp_1", "alice"));
        let store = Store::open(Some(dir.path().to_owned())).expect("opened again");
        assert!(store.get("resp_1", "alice").is_none());
    }

    #[test]
    fn an_id_is_never_a_path() {
        let store = Store { folder: Some(PathBuf::from("kept")), ..Store::default() };
        for bad in ["", "../x", "a/b", "a.b", "\u{e9}", &"x".repeat(200)] {
            assert_eq!(store.path(bad), None, "{bad}");
        }
        assert!(store.path("resp_0-9aZ").is_some());
    }
}
