//! Reading the small parts of a `tokenizer.json`: every key is known or the file is refused.

use serde_json::{Map, Value};

use crate::error::{TokenizerError, quoted};

/// A JSON object with its place in the file, whose keys are taken one by one.
pub(crate) struct Component<'j> {
    pub(crate) place: String,
    pub(crate) kind: &'j str,
    fields: &'j Map<String, Value>,
    taken: Vec<&'static str>,
}

type Result<T> = std::result::Result<T, TokenizerError>;

impl<'j> Component<'j> {
    /// An object with a `type`.
    pub(crate) fn new(value: &'j Value, place: &str) -> Result<Self> {
        let fields = value.as_object().ok_or_else(|| {
            TokenizerError::invalid(place, format!("expected an object, found {}", kind_of(value)))
        })?;
        let kind = fields
            .get("type")
            .and_then(Value::as_str)
            .ok_or_else(|| TokenizerError::invalid(place, "the object has no `type`"))?;
        Ok(Self { place: place.to_owned(), kind, fields, taken: vec!["type"] })
    }

    fn take(&mut self, key: &'static str) -> Option<&'j Value> {
        self.taken.push(key);
        self.fields.get(key).filter(|v| !v.is_null())
    }

    fn wrong(&self, key: &str, expected: &str, found: &Value) -> TokenizerError {
        let found = kind_of(found);
        TokenizerError::invalid(
            format!("{}.{key}", self.place),
            format!("expected {expected}, found {found}"),
        )
    }

    /// A string, or `default` where the key is absent or null.
    pub(crate) fn str_or(&mut self, key: &'static str, default: &'j str) -> Result<&'j str> {
        match self.take(key) {
            None => Ok(default),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(self.wrong(key, "a string", other)),
        }
    }

    /// A string that must be there.
    pub(crate) fn str(&mut self, key: &'static str) -> Result<&'j str> {
        let value = self.value(key)?;
        value.as_str().ok_or_else(|| self.wrong(key, "a string", value))
    }

    pub(crate) fn bool_or(&mut self, key: &'static str, default: bool) -> Result<bool> {
        match self.take(key) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(self.wrong(key, "true or false", other)),
        }
    }

    /// true, false or absent.
    pub(crate) fn optional_bool(&mut self, key: &'static str) -> Result<Option<bool>> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.wrong(key, "true, false or null", other)),
        }
    }

    pub(crate) fn usize_or(&mut self, key: &'static str, default: usize) -> Result<usize> {
        match self.take(key) {
            None => Ok(default),
            Some(value) => value
                .as_u64()
                .and_then(|n| usize::try_from(n).ok())
                .ok_or_else(|| self.wrong(key, "a whole number", value)),
        }
    }

    /// A string of one character.
    pub(crate) fn char_or(&mut self, key: &'static str, default: char) -> Result<char> {
        let Some(value) = self.take(key) else { return Ok(default) };
        let mut chars = value.as_str().unwrap_or_default().chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => Ok(c),
            _ => Err(self.wrong(key, "one character", value)),
        }
    }

    /// A value that must be there.
    pub(crate) fn value(&mut self, key: &'static str) -> Result<&'j Value> {
        self.take(key).ok_or_else(|| {
            TokenizerError::invalid(&self.place, format!("{} has no `{key}`", self.kind))
        })
    }

    /// A list that must be there.
    pub(crate) fn list(&mut self, key: &'static str) -> Result<&'j [Value]> {
        let value = self.value(key)?;
        value.as_array().map(Vec::as_slice).ok_or_else(|| self.wrong(key, "a list", value))
    }

    /// Notes keys that do not change ids.
    pub(crate) fn ignore(&mut self, keys: &[&'static str]) {
        self.taken.extend(keys);
    }

    /// Refuses keys that nobody took.
    pub(crate) fn finish(self) -> Result<()> {
        match self.fields.keys().find(|k| !self.taken.contains(&k.as_str())) {
            None => Ok(()),
            Some(key) => Err(TokenizerError::unsupported(
                &self.place,
                format!("the setting {} of {}", quoted(key), self.kind),
            )),
        }
    }

    /// The error for a `type` that psi does not have.
    pub(crate) fn unknown(&self, what: &str) -> TokenizerError {
        TokenizerError::unsupported(&self.place, format!("the {what} {}", quoted(self.kind)))
    }
}

/// What a JSON value is, for messages.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
