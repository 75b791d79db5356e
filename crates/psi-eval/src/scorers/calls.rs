//! Judge of function calls: the Berkeley leaderboard's comparison of a call with the accepted ones.

use serde_json::{Map, Value};

use crate::task::{Item, Output, Result, Scorer, Verdict};

/// One call, of the right function, whose every argument is among the accepted values; where the item names
/// no call, right is to make none.
#[derive(Clone, Copy, Debug)]
pub struct Calls;

/// A call that a model made.
struct Call {
    name: String,
    arguments: Map<String, Value>,
}

impl Scorer for Calls {
    fn version(&self) -> &'static str {
        "calls/1"
    }

    fn score(&self, item: &Item, output: &Output) -> Result<Verdict> {
        let calls = calls(output);
        let extracted = match &calls {
            Ok(calls) => calls.iter().map(shown).collect::<Vec<_>>().join("; "),
            Err(_) => String::new(),
        };
        let wrong = match (&item.reference["calls"], calls) {
            (Value::Null, Ok(calls)) if calls.is_empty() => None,
            (Value::Null, Err(_)) => Some("a call, though a broken one".to_owned()),
            (Value::Null, Ok(_)) => Some("a call where none fits".to_owned()),
            (_, Err(why)) => Some(why),
            (Value::Array(accepted), Ok(calls)) if calls.len() == 1 && accepted.len() == 1 => {
                mistake(&calls[0], &accepted[0], &item.reference["functions"])
            }
            (_, Ok(calls)) => Some(format!("{} calls", calls.len())),
        };
        let verdict = Verdict::binary(wrong.is_none(), Some(extracted));
        Ok(match wrong {
            Some(wrong) => verdict.with("mistake", wrong),
            None => verdict,
        })
    }
}

fn shown(call: &Call) -> String {
    format!("{}{}", call.name, Value::Object(call.arguments.clone()))
}

/// The calls of an output: a message's, or in text JSON objects, alone, in a list or between `<tool_call>`
/// marks. Text without any is no call; a mark with something else is an error.
fn calls(output: &Output) -> std::result::Result<Vec<Call>, String> {
    match output {
        Output::Messages(messages) => messages
            .iter()
            .flat_map(|m| m["tool_calls"].as_array().into_iter().flatten())
            .map(|call| read(&call["function"]))
            .collect(),
        Output::Text(text) if text.contains("<tool_call>") => {
            let marked = text.split("<tool_call>").skip(1);
            marked
                .map(|part| {
                    let body = part.split("</tool_call>").next().unwrap_or(part).trim();
                    let value = serde_json::from_str(body).map_err(|e| format!("no JSON: {e}"))?;
                    read(&value)
                })
                .collect()
        }
        Output::Text(text) => match serde_json::from_str(text.trim()) {
            Ok(Value::Array(calls)) => calls.iter().map(read).collect(),
            Ok(call @ Value::Object(_)) => Ok(vec![read(&call)?]),
            _ => Ok(Vec::new()),
        },
        _ => Err("no text and no message".to_owned()),
    }
}

/// `{"name": ..., "arguments": {...} or a string of it}`, or the leaderboard's own `{name: arguments}`.
fn read(call: &Value) -> std::result::Result<Call, String> {
    let object = call.as_object().ok_or("a call that is no object")?;
    let (name, arguments) = match (object.get("name"), object.iter().next()) {
        (Some(Value::String(name)), _) => {
            let none = Value::Object(Map::new());
            (name, object.get("arguments").cloned().unwrap_or(none))
        }
        (None, Some((name, arguments))) if object.len() == 1 => (name, arguments.clone()),
        _ => return Err("a call without a name".to_owned()),
    };
    let arguments = match arguments {
        Value::String(text) => {
            serde_json::from_str(&text).map_err(|e| format!("arguments: {e}"))?
        }
        other => other,
    };
    match arguments {
        Value::Object(arguments) => Ok(Call { name: name.clone(), arguments }),
        _ => Err("arguments that are no object".to_owned()),
    }
}

/// What is wrong with a call, if anything.
fn mistake(call: &Call, accepted: &Value, functions: &Value) -> Option<String> {
    let (name, accepted) = accepted.as_object()?.iter().next()?;
    let accepted = accepted.as_object()?;
    let same = |a: &str, b: &str| a.replace('.', "_") == b.replace('.', "_");
    if !same(&call.name, name) {
        return Some(format!("calls {} instead of {name}", call.name));
    }
    let function = functions.as_array()?.iter().find(|f| f["name"] == name.as_str())?;
    let parameters = &function["parameters"];
    for required in parameters["required"].as_array().into_iter().flatten() {
        let required = required.as_str().unwrap_or_default();
        if !call.arguments.contains_key(required) {
            return Some(format!("leaves out {required}"));
        }
    }
    for (name, value) in &call.arguments {
        let (Some(values), false) = (accepted.get(name), parameters["properties"][name].is_null())
        else {
            return Some(format!("unknown argument {name}"));
        };
        let values = values.as_array().map_or(&[][..], Vec::as_slice);
        if !is_accepted(value, values, &parameters["properties"][name]) {
            return Some(format!("{name} is {value}"));
        }
    }
    let is_optional = |values: &Value| values.as_array().is_some_and(|v| v.contains(&"".into()));
    let left_out = accepted
        .iter()
        .find(|(name, values)| !call.arguments.contains_key(*name) && !is_optional(values));
    left_out.map(|(name, _)| format!("leaves out {name}"))
}

/// Whether a value has the parameter's type and is among the accepted ones.
fn is_accepted(value: &Value, accepted: &[Value], schema: &Value) -> bool {
    let kind = schema["type"].as_str().unwrap_or_default();
    let value = match (kind, value.as_i64()) {
        ("float", Some(whole)) => Value::from(whole as f64),
        _ => value.clone(),
    };
    if !is_of(&value, kind) {
        // A variable's name, say, may stand where a value is expected, if the accepted ones are such.
        let first = accepted.iter().find(|v| **v != "");
        return first.is_some_and(|first| same_type(first, &value)) && contains(accepted, &value);
    }
    match &value {
        Value::Object(fields) => accepted.iter().any(|a| is_dictionary(fields, a)),
        Value::Array(items) if items.iter().any(Value::is_object) => {
            accepted.iter().filter_map(Value::as_array).any(|wanted| {
                let fits = |(item, wanted): (&Value, &Value)| {
                    item.as_object().is_some_and(|fields| is_dictionary(fields, wanted))
                };
                wanted.len() == items.len() && items.iter().zip(wanted).all(fits)
            })
        }
        _ => contains(accepted, &value),
    }
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "string" | "any" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "float" => value.is_f64(),
        "boolean" => value.is_boolean(),
        "array" | "tuple" => value.is_array(),
        "dict" => value.is_object(),
        _ => true,
    }
}

fn same_type(a: &Value, b: &Value) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

/// Among the accepted, strings compared in plain form and numbers by value.
fn contains(accepted: &[Value], value: &Value) -> bool {
    let value = plain(value);
    accepted.iter().any(|a| plain(a) == value)
}

/// A dictionary's every field is among the accepted values of that field, and no other field is needed.
fn is_dictionary(fields: &Map<String, Value>, accepted: &Value) -> bool {
    let Some(accepted) = accepted.as_object() else { return false };
    let values = |name: &str| accepted.get(name).and_then(Value::as_array);
    let fits = fields.iter().all(|(name, value)| values(name).is_some_and(|v| contains(v, value)));
    let is_optional = |values: &Value| values.as_array().is_some_and(|v| v.contains(&"".into()));
    let is_whole = accepted.iter().all(|(name, v)| fields.contains_key(name) || is_optional(v));
    fits && is_whole
}

/// Strings without spaces and `,./-_*^`, in lower case, with one kind of quotes; numbers as one type; lists
/// item by item.
fn plain(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            let kept = text.chars().filter(|c| !" ,./-_*^".contains(*c));
            kept.collect::<String>().to_lowercase().replace('\'', "\"").into()
        }
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(items) => items.iter().map(plain).collect(),
        other => other.clone(),
    }
}
