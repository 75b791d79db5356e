//! JSON Schemas before they are compiled: every keyword is looked at, and what cannot be held is refused
//! with its place. The walk follows references as the compiler will, within the limits.

mod finite;

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::{GrammarError, GrammarLimits, regex};

/// A schema that may be compiled.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) value: Value,
    /// Keywords, with their places, that the compiler knows in part only.
    pub(super) partial: Vec<(String, String)>,
}

/// White space between the parts of a JSON text: enough for any indentation, but never without end.
const WHITE_SPACE: &str = r"[ \n\r\t]{1,80}";

/// Keywords that say nothing about validity.
const ANNOTATIONS: [&str; 17] = [
    "$anchor",
    "$comment",
    "$defs",
    "$id",
    "$schema",
    "contentEncoding",
    "contentMediaType",
    "default",
    "definitions",
    "deprecated",
    "description",
    "example",
    "examples",
    "id",
    "readOnly",
    "title",
    "writeOnly",
];

/// Keywords that cannot be held token by token.
const UNSUPPORTED: [(&str, &str); 20] = [
    ("$dynamicRef", "references that depend on the path are not followed"),
    ("$recursiveRef", "references that depend on the path are not followed"),
    ("contains", "whether some item matches is not known before the array ends"),
    ("contentSchema", "content inside strings is not looked at"),
    ("dependencies", "what a property asks of others is not held"),
    ("dependentRequired", "what a property asks of others is not held"),
    ("dependentSchemas", "what a property asks of others is not held"),
    ("else", "conditions are not held"),
    ("if", "conditions are not held"),
    ("maxContains", "items are not counted by what they match"),
    ("minContains", "items are not counted by what they match"),
    ("not", "negation is not held"),
    ("nullable", "JSON Schema writes it as a list of types"),
    ("propertyNames", "names are held by patternProperties"),
    ("then", "conditions are not held"),
    ("unevaluatedItems", "what other schemas left over is not known"),
    ("unevaluatedProperties", "what other schemas left over is not known"),
    ("uniqueItems", "items are not compared"),
    ("x-guidance", "options that weaken a schema cannot be set"),
    ("$dynamicAnchor", "references that depend on the path are not followed"),
];

/// Formats that are held.
const FORMATS: [&str; 10] =
    ["date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"];

/// Keywords that the compiler may refuse by their values.
const PARTIAL: [&str; 8] = [
    "oneOf",
    "patternProperties",
    "minProperties",
    "maxProperties",
    "pattern",
    "allOf",
    "$ref",
    "multipleOf",
];

/// Checks a schema.
pub(super) fn prepare(value: &Value, limits: &GrammarLimits) -> Result<Prepared, GrammarError> {
    let n = nested_size(value, limits)?;
    if n > limits.source_bytes {
        let what = "bytes of the JSON schema".to_owned();
        return Err(GrammarError::TooLarge { what, n, limit: limits.source_bytes });
    }
    let mut walk = Walk {
        root: value,
        limits,
        n_schemas: 0,
        followed: HashSet::new(),
        refs_stand_alone: is_old_draft(value),
        partial: Vec::new(),
        idle: Vec::new(),
    };
    walk.schema(value, "#", 0, &mut Vec::new())?;
    if !finite::is_finite(value) {
        let why = "it demands itself within itself, without end".to_owned();
        return Err(GrammarError::Unsatisfiable { why });
    }
    let Walk { partial, idle, .. } = walk;
    let mut value = match value {
        Value::Object(_) => value.clone(),
        _ => json!({"allOf": [value]}),
    };
    for path in idle {
        drop_keyword(&mut value, &path);
    }
    if let Some(object) = value.as_object_mut() {
        object.insert("x-guidance".to_owned(), json!({"whitespace_pattern": WHITE_SPACE}));
    }
    Ok(Prepared { value, partial })
}

/// Removes the keyword at a pointer.
pub(super) fn drop_keyword(value: &mut Value, path: &str) {
    if let Some((parent, key)) = path.rsplit_once('/')
        && let Some(Value::Object(object)) = value.pointer_mut(parent.trim_start_matches('#'))
    {
        object.shift_remove(&unescape(key));
    }
}

/// About how many bytes the value's text has; deep values are refused before anything walks them.
fn nested_size(value: &Value, limits: &GrammarLimits) -> Result<usize, GrammarError> {
    let mut open = vec![(value, 0)];
    let mut n = 0_usize;
    while let Some((value, depth)) = open.pop() {
        if depth > 2 * limits.depth {
            let (what, n) = ("levels of nesting".to_owned(), depth);
            return Err(GrammarError::TooLarge { what, n, limit: 2 * limits.depth });
        }
        n += 4;
        match value {
            Value::String(text) => n += text.len(),
            Value::Array(list) => open.extend(list.iter().map(|v| (v, depth + 1))),
            Value::Object(object) => {
                n += object.keys().map(|k| k.len() + 4).sum::<usize>();
                open.extend(object.values().map(|v| (v, depth + 1)));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    Ok(n)
}

struct Walk<'a> {
    root: &'a Value,
    limits: &'a GrammarLimits,
    n_schemas: usize,
    followed: HashSet<String>,
    refs_stand_alone: bool,
    partial: Vec<(String, String)>,
    /// places of keywords that ask for nothing
    idle: Vec<String>,
}

impl Walk<'_> {
    /// Looks at a schema. `chain` are the references that led here without a step into a value.
    fn schema(
        &mut self,
        value: &Value,
        path: &str,
        depth: usize,
        chain: &mut Vec<String>,
    ) -> Result<(), GrammarError> {
        self.n_schemas += 1;
        let too_large =
            |what: &str, n, limit| Err(GrammarError::TooLarge { what: what.to_owned(), n, limit });
        if self.n_schemas > self.limits.n_schemas {
            return too_large("schemas", self.n_schemas, self.limits.n_schemas);
        }
        if depth > self.limits.depth {
            return too_large("schemas within each other", depth, self.limits.depth);
        }
        let object = match value {
            Value::Bool(_) => return Ok(()),
            Value::Object(object) => object,
            _ => return Err(GrammarError::invalid(path, "a schema is an object, true or false")),
        };
        // Before 2019 a reference stands alone: keywords beside it say nothing.
        let is_reference = self.refs_stand_alone && object.contains_key("$ref");
        for (keyword, value) in object {
            let at = format!("{path}/{}", escape(keyword));
            if is_reference && keyword != "$ref" && !ANNOTATIONS.contains(&keyword.as_str()) {
                self.idle.push(at);
                continue;
            }
            if keyword == "format" && is_number_format(object, value) {
                self.idle.push(at);
                continue;
            }
            if PARTIAL.contains(&keyword.as_str()) {
                self.partial.push((keyword.clone(), at.clone()));
            }
            self.keyword(keyword, value, &at, depth, chain)?;
        }
        self.members(object, path)
    }

    fn keyword(
        &mut self,
        keyword: &str,
        value: &Value,
        at: &str,
        depth: usize,
        chain: &mut Vec<String>,
    ) -> Result<(), GrammarError> {
        match keyword {
            _ if ANNOTATIONS.contains(&keyword) => Ok(()),
            "properties" | "patternProperties" => {
                for (name, schema) in map(value, at)? {
                    let at = format!("{at}/{}", escape(name));
                    if keyword == "patternProperties" {
                        regex::check(name, &at)?;
                    }
                    self.schema(schema, &at, depth + 1, &mut Vec::new())?;
                }
                Ok(())
            }
            "items" | "prefixItems" if value.is_array() => self.each(value, at, depth, None),
            "items" | "additionalItems" | "additionalProperties" => {
                self.schema(value, at, depth + 1, &mut Vec::new())
            }
            "allOf" | "anyOf" | "oneOf" => self.each(value, at, depth, Some(chain)),
            "$ref" => self.reference(value, at, depth, chain),
            "pattern" => regex::check(text(value, at)?, at),
            "format" => {
                let format = text(value, at)?;
                if FORMATS.contains(&format) {
                    return Ok(());
                }
                let why = format!("the format '{format}' is not known ({})", FORMATS.join(", "));
                Err(GrammarError::unsupported("format", at, why))
            }
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties"
            | "maxProperties" => self.count(value, at),
            "uniqueItems" | "nullable" if *value == Value::Bool(false) => {
                self.idle.push(at.to_owned());
                Ok(())
            }
            "$dynamicAnchor" => {
                self.idle.push(at.to_owned());
                Ok(())
            }
            _ => match UNSUPPORTED.iter().find(|(name, _)| *name == keyword) {
                Some((name, why)) => Err(GrammarError::unsupported(name, at, *why)),
                // Its own check is the compiler's; what is no keyword says nothing, by the standard.
                None => Ok(()),
            },
        }
    }

    fn each(
        &mut self,
        value: &Value,
        at: &str,
        depth: usize,
        chain: Option<&mut Vec<String>>,
    ) -> Result<(), GrammarError> {
        let list = value.as_array().ok_or_else(|| GrammarError::invalid(at, "is not a list"))?;
        self.limit("alternatives or items", list.len(), self.limits.n_members)?;
        let mut none = Vec::new();
        let chain = chain.unwrap_or(&mut none);
        for (i, schema) in list.iter().enumerate() {
            self.schema(schema, &format!("{at}/{i}"), depth + 1, chain)?;
        }
        Ok(())
    }

    fn reference(
        &mut self,
        value: &Value,
        at: &str,
        depth: usize,
        chain: &mut Vec<String>,
    ) -> Result<(), GrammarError> {
        let target = text(value, at)?;
        let refuse = |why: String| Err(GrammarError::unsupported("$ref", at, why));
        let Some(pointer) = target.strip_prefix('#').filter(|p| p.is_empty() || p.starts_with('/'))
        else {
            return refuse(format!(
                "'{target}' is not a path in this schema, and nothing is retrieved"
            ));
        };
        if pointer.contains(['~', '%']) {
            return refuse(format!("'{target}' has escapes"));
        }
        if chain.iter().any(|seen| seen == pointer) {
            let why = format!("the reference '{target}' at {at} leads back to itself");
            return Err(GrammarError::Unsatisfiable { why });
        }
        let Some(schema) = self.root.pointer(pointer.trim_end_matches('/')) else {
            return Err(GrammarError::invalid(at, format!("'{target}' is not in this schema")));
        };
        if self.followed.insert(pointer.to_owned()) {
            chain.push(pointer.to_owned());
            self.schema(schema, target, depth + 1, chain)?;
            chain.pop();
        }
        Ok(())
    }

    fn count(&self, value: &Value, at: &str) -> Result<(), GrammarError> {
        let Some(n) = value.as_u64() else {
            return Err(GrammarError::invalid(at, "is not a whole number from 0"));
        };
        let n_small = usize::try_from(n).unwrap_or(usize::MAX);
        self.limit(&format!("as a count at {at}"), n_small, self.limits.count as usize)
    }

    /// Sizes of the lists beside each other.
    fn members(&self, object: &Map<String, Value>, path: &str) -> Result<(), GrammarError> {
        let len = |key: &str| match object.get(key) {
            Some(Value::Array(list)) => list.len(),
            Some(Value::Object(map)) => map.len(),
            _ => 0,
        };
        self.limit(&format!("values at {path}/enum"), len("enum"), self.limits.n_enum)?;
        for key in ["properties", "patternProperties", "required", "type"] {
            self.limit(&format!("members at {path}/{key}"), len(key), self.limits.n_members)?;
        }
        Ok(())
    }

    fn limit(&self, what: &str, n: usize, limit: usize) -> Result<(), GrammarError> {
        match n <= limit {
            true => Ok(()),
            false => Err(GrammarError::TooLarge { what: what.to_owned(), n, limit }),
        }
    }
}

/// Drafts 4 to 7.
fn is_old_draft(root: &Value) -> bool {
    let name = root.get("$schema").and_then(Value::as_str).unwrap_or_default();
    ["draft-04", "draft-06", "draft-07"].iter().any(|draft| name.contains(draft))
}

/// Formats of numbers (OpenAPI's) that stand at a number say how it is stored, not which are valid.
fn is_number_format(schema: &Map<String, Value>, format: &Value) -> bool {
    let is_number = |v: &Value| v == "integer" || v == "number" || v == "null";
    let is_of_numbers = match schema.get("type") {
        Some(Value::Array(types)) => types.iter().all(is_number),
        Some(one) => is_number(one),
        None => false,
    };
    is_of_numbers && ["int32", "int64", "float", "double"].iter().any(|known| format == known)
}

fn text<'v>(value: &'v Value, at: &str) -> Result<&'v str, GrammarError> {
    value.as_str().ok_or_else(|| GrammarError::invalid(at, "is not a text"))
}

fn map<'v>(value: &'v Value, at: &str) -> Result<&'v Map<String, Value>, GrammarError> {
    value.as_object().ok_or_else(|| GrammarError::invalid(at, "is not an object"))
}

/// A key as part of a JSON pointer.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn unescape(key: &str) -> String {
    key.replace("~1", "/").replace("~0", "~")
}
