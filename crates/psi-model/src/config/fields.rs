//! Typed access to the keys of a `config.json`, which remembers what was read.

use std::{cell::RefCell, collections::BTreeSet, path::Path};

use serde_json::{Map, Value};

use crate::{ModelError, Result};

/// An object of the file, and its place in it.
pub(super) struct Fields<'a> {
    pub(super) path: &'a Path,
    /// `text_config.` and the like, in front of keys in messages.
    prefix: String,
    map: &'a Map<String, Value>,
    read: RefCell<BTreeSet<&'a str>>,
}

/// Larger counts than any model's: what exceeds it is a damaged file.
pub(super) const MAX_COUNT: u64 = 1 << 24;

impl<'a> Fields<'a> {
    pub(super) fn new(path: &'a Path, prefix: &str, map: &'a Map<String, Value>) -> Self {
        Self { path, prefix: prefix.to_owned(), map, read: RefCell::default() }
    }

    /// The value of `key`; `null` is absence.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        let (key, value) = self.map.get_key_value(key)?;
        self.read.borrow_mut().insert(key);
        (!value.is_null()).then_some(value)
    }

    /// Whether the key is there, `null` or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    pub(super) fn object(&self, key: &str) -> Result<Option<Self>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let map = value.as_object().ok_or_else(|| self.wrong(key, value, "an object"))?;
        Ok(Some(Self::new(self.path, &format!("{}{key}.", self.prefix), map)))
    }

    /// A count of at least 1.
    pub(super) fn count(&self, key: &str) -> Result<Option<usize>> {
        let n = self.number(key)?;
        match n {
            Some(0) => Err(self.error(key, "must be at least 1")),
            n => Ok(n),
        }
    }

    pub(super) fn need_count(&self, key: &str) -> Result<usize> {
        self.count(key)?.ok_or_else(|| self.missing(key))
    }

    /// An integer of at least 0.
    pub(super) fn number(&self, key: &str) -> Result<Option<usize>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.as_u64() {
            Some(n) if n <= MAX_COUNT => Ok(Some(n as usize)),
            Some(_) => Err(self.error(key, format!("larger than any model's ({MAX_COUNT})"))),
            None => Err(self.wrong(key, value, "an integer of at least 0")),
        }
    }

    /// A finite number.
    pub(super) fn float(&self, key: &str) -> Result<Option<f64>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let number = value.as_f64().filter(|x| x.is_finite());
        number.map(Some).ok_or_else(|| self.wrong(key, value, "a number"))
    }

    /// A number above 0.
    pub(super) fn positive(&self, key: &str) -> Result<Option<f64>> {
        match self.float(key)? {
            Some(x) if x <= 0.0 => Err(self.error(key, "must be above 0")),
            x => Ok(x),
        }
    }

    pub(super) fn need_positive(&self, key: &str) -> Result<f64> {
        self.positive(key)?.ok_or_else(|| self.missing(key))
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| self.wrong(key, value, "true or false"))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| self.wrong(key, value, "a string"))
    }

    pub(super) fn floats(&self, key: &str) -> Result<Option<Vec<f64>>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let list =
            value.as_array().map(|a| a.iter().map(Value::as_f64).collect::<Option<Vec<_>>>());
        list.flatten().map(Some).ok_or_else(|| self.wrong(key, value, "a list of numbers"))
    }

    pub(super) fn list(&self, key: &str) -> Result<Option<&'a [Value]>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let list = value.as_array().map(Vec::as_slice);
        list.map(Some).ok_or_else(|| self.wrong(key, value, "a list"))
    }

    /// One token id or a list of them.
    pub(super) fn tokens(&self, key: &str) -> Result<Vec<u32>> {
        let one = |v: &Value| v.as_u64().and_then(|n| u32::try_from(n).ok());
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let all = match value {
            Value::Array(list) => list.iter().map(one).collect(),
            // Some published files say -1 for "none".
            Value::Number(n) if n.as_i64() == Some(-1) => Some(Vec::new()),
            value => one(value).map(|t| vec![t]),
        };
        all.ok_or_else(|| self.wrong(key, value, "a token id or a list of them"))
    }

    /// A value that is not what psi computes.
    pub(super) fn error(&self, key: &str, why: impl Into<String>) -> ModelError {
        let value = self.map.get(key).map_or_else(|| "absent".into(), Value::to_string);
        ModelError::key(self.path, format!("{}{key}", self.prefix), value, why)
    }

    pub(super) fn missing(&self, key: &str) -> ModelError {
        ModelError::MissingKey { path: self.path.to_owned(), key: format!("{}{key}", self.prefix) }
    }

    /// Keys nobody asked for, with their place.
    pub(super) fn unread(&self) -> Vec<String> {
        let read = self.read.borrow();
        let left = self.map.keys().filter(|k| !read.contains(k.as_str()));
        left.map(|k| format!("{}{k}", self.prefix)).collect()
    }

    fn wrong(&self, key: &str, value: &Value, expected: &str) -> ModelError {
        let why = format!("should be {expected}");
        ModelError::key(self.path, format!("{}{key}", self.prefix), value, why)
    }
}
