//! The arguments of tools: declared once, checked before a tool runs.

use serde_json::{Map, Value, json};

/// The type of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A number.
    Number,
    /// A whole number.
    Integer,
}

impl Kind {
    fn schema_name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Number => "number",
            Self::Integer => "integer",
        }
    }

    fn accepts(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Number => value.is_number(),
            Self::Integer => value.is_i64(),
        }
    }
}

/// An argument that a tool takes.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    name: &'static str,
    kind: Kind,
    required: bool,
}

/// An argument that every call has.
pub const fn required(name: &'static str, kind: Kind) -> Argument {
    Argument { name, kind, required: true }
}

/// An argument that a call may leave out.
pub const fn optional(name: &'static str, kind: Kind) -> Argument {
    Argument { name, kind, required: false }
}

/// A tool's definition in the form of OpenAI's API.
pub fn definition(name: &str, description: &str, arguments: &[Argument]) -> Value {
    let property = |a: &Argument| (a.name.to_owned(), json!({"type": a.kind.schema_name()}));
    let properties: Map<String, Value> = arguments.iter().map(property).collect();
    let required: Vec<&str> = arguments.iter().filter(|a| a.required).map(|a| a.name).collect();
    json!({"type": "function", "function": {
        "name": name,
        "description": description,
        "parameters": {"type": "object", "properties": properties, "required": required},
    }})
}

/// Arguments of a call that are what the tool declares.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a>(&'a Map<String, Value>);

impl<'a> Arguments<'a> {
    /// Checks that all required arguments are there, each of its type, and nothing else.
    ///
    /// # Errors
    /// A sentence that says which argument is wrong.
    pub fn check(tool: &str, declared: &[Argument], value: &'a Value) -> Result<Self, String> {
        let Value::Object(map) = value else {
            return Err(format!("the arguments of {tool} must be an object, not {value}"));
        };
        Self::check_map(tool, declared, map)
    }

    /// [`Self::check`] of an object's members.
    ///
    /// # Errors
    /// A sentence that says which argument is wrong.
    pub fn check_map(
        tool: &str,
        declared: &[Argument],
        map: &'a Map<String, Value>,
    ) -> Result<Self, String> {
        for argument in declared {
            match map.get(argument.name) {
                None if argument.required => return Err(format!("{tool} needs {}", argument.name)),
                Some(value) if !argument.kind.accepts(value) => {
                    let kind = argument.kind.schema_name();
                    return Err(format!("{} must be a {kind}, not {value}", argument.name));
                }
                _ => {}
            }
        }
        let known = |name: &str| declared.iter().any(|a| a.name == name);
        match map.keys().find(|k| !known(k)) {
            Some(name) => Err(format!("{tool} has no argument {name}")),
            None => Ok(Self(map)),
        }
    }

    /// A required text without the white space around it, which models write or leave out as it comes.
    ///
    /// # Panics
    /// When the tool does not declare it.
    pub fn text(self, name: &str) -> &'a str {
        self.verbatim(name).trim()
    }

    /// A required text as it was written: what is kept or run.
    ///
    /// # Panics
    /// When the tool does not declare it.
    pub fn verbatim(self, name: &str) -> &'a str {
        self.0.get(name).and_then(Value::as_str).expect("checked: the argument is a text")
    }

    /// [`Self::text`], where it is given.
    pub fn optional_text(self, name: &str) -> Option<&'a str> {
        self.0.get(name).and_then(Value::as_str).map(str::trim)
    }

    /// A required number, as it was written.
    ///
    /// # Panics
    /// When the tool does not declare it.
    pub fn number(self, name: &str) -> &'a Value {
        self.0.get(name).expect("checked: the argument is there")
    }

    /// A required whole number.
    ///
    /// # Panics
    /// When the tool does not declare it.
    pub fn integer(self, name: &str) -> i64 {
        self.optional_integer(name).expect("checked: the argument is whole")
    }

    /// An optional whole number.
    pub fn optional_integer(self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }

    /// Their size.
    pub fn n_bytes(self) -> usize {
        self.0.values().map(|v| v.as_str().map_or(8, str::len)).sum()
    }
}
