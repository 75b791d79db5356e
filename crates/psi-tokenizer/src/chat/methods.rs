//! The methods of Python's `str`, `dict` and `list` that the sandbox of `transformers` lets templates call.

use std::sync::Arc;

use minijinja::value::{Kwargs, Object, Rest, Tuple, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::budget::Budget;
use super::operators::invalid;
use super::python::to_text;

type Result<T> = std::result::Result<T, Error>;

/// Attributes of every `dict`, which Jinja finds before the keys of the same name.
const DICT_METHODS: &[&str] = &[
    "clear",
    "copy",
    "fromkeys",
    "get",
    "items",
    "keys",
    "pop",
    "popitem",
    "setdefault",
    "update",
    "values",
];

pub(super) fn is_dict_method(name: &str) -> bool {
    DICT_METHODS.contains(&name)
}

/// A method that was looked up but not called: true in a condition, and otherwise of no use.
#[derive(Debug)]
pub(super) struct Method {
    object: Value,
    name: String,
}

impl Object for Method {
    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value> {
        let _ = state;
        dict_method(&self.object, &self.name, args)
    }
}

/// `attribute(object, name)` for the names of [`is_dict_method`].
pub(super) fn attribute() -> Value {
    Value::from_function(|object: &Value, name: &str| -> Result<Value> {
        if is_dict(object) {
            return Ok(Value::from_object(Method {
                object: object.clone(),
                name: name.to_owned(),
            }));
        }
        object.get_attr(name)
    })
}

/// A plain mapping, not a namespace or a loop.
fn is_dict(value: &Value) -> bool {
    value.kind() == ValueKind::Map
        && value.as_object().is_none_or(|o| {
            let name = o.type_name();
            !name.contains("Namespace") && !name.contains("Loop") && !name.contains("Method")
        })
}

/// `method(object, name, ...)`: a call of `object.name(...)`.
pub(super) fn method(budget: &Arc<Budget>) -> Value {
    let budget = budget.clone();
    Value::from_function(
        move |state: &mut State, object: &Value, name: &str, args: Rest<Value>| -> Result<Value> {
            if let Some(text) = object.as_str() {
                // No method makes a text longer than this, but those that get one to insert.
                budget.charge(text.len())?;
                return str_method(text, name, &args, &budget);
            }
            if is_dict(object) && is_dict_method(name) {
                budget.charge_list(object.len().unwrap_or(0))?;
                return dict_method(object, name, &args);
            }
            match object.kind() {
                ValueKind::Seq => list_method(object, name, &args),
                ValueKind::Undefined => {
                    let reason = format!("cannot call {name} of undefined");
                    Err(Error::new(ErrorKind::UndefinedError, reason))
                }
                _ => object.call_method(state, name, &args),
            }
        },
    )
}

fn unknown(kind: &str, name: &str) -> Error {
    Error::new(
        ErrorKind::UnknownMethod,
        format!("{kind} has no method {name} that templates may call"),
    )
}

fn dict_method(dict: &Value, name: &str, args: &[Value]) -> Result<Value> {
    let pairs = || -> Result<Vec<(Value, Value)>> {
        dict.try_iter()?.map(|key| dict.get_item(&key).map(|v| (key, v))).collect()
    };
    match name {
        "get" => {
            let (key, default): (&Value, Option<Value>) = from_args(args)?;
            let found = dict.get_item(key)?;
            Ok(if found.is_undefined() { default.unwrap_or(Value::from(())) } else { found })
        }
        "keys" => {
            let () = from_args(args)?;
            Ok(Value::from(dict.try_iter()?.collect::<Vec<Value>>()))
        }
        "values" => {
            let () = from_args(args)?;
            Ok(Value::from(pairs()?.into_iter().map(|(_, v)| v).collect::<Vec<_>>()))
        }
        "items" => {
            let () = from_args(args)?;
            let items = pairs()?.into_iter().map(|(k, v)| Value::from(Tuple::from(vec![k, v])));
            Ok(Value::from(items.collect::<Vec<_>>()))
        }
        "copy" => {
            let () = from_args(args)?;
            Ok(Value::from_pairs(pairs()?))
        }
        _ => Err(unknown("an immutable dict", name)),
    }
}

fn list_method(list: &Value, name: &str, args: &[Value]) -> Result<Value> {
    match name {
        "count" => {
            let (wanted,): (&Value,) = from_args(args)?;
            Ok(Value::from(list.try_iter()?.filter(|v| v == wanted).count()))
        }
        "index" => {
            let (wanted,): (&Value,) = from_args(args)?;
            let position = list.try_iter()?.position(|v| v == *wanted);
            position.map(Value::from).ok_or_else(|| invalid("the value is not in the list"))
        }
        "copy" => Ok(Value::from(list.try_iter()?.collect::<Vec<Value>>())),
        _ => Err(unknown("an immutable list", name)),
    }
}

fn str_method(text: &str, name: &str, args: &[Value], budget: &Budget) -> Result<Value> {
    let all = |test: fn(char) -> bool| Value::from(!text.is_empty() && text.chars().all(test));
    Ok(match name {
        "strip" | "lstrip" | "rstrip" => Value::from(strip(text, name, args)?),
        "split" | "rsplit" => split(text, name == "rsplit", args, budget)?,
        "splitlines" => {
            let (keep_ends, kwargs): (Option<bool>, Kwargs) = from_args(args)?;
            let keep_ends = keep_ends.or(kwargs.get("keepends")?).unwrap_or(false);
            split_lines(text, keep_ends)
        }
        "partition" | "rpartition" => partition(text, name == "rpartition", args)?,
        "upper" => Value::from(text.to_uppercase()),
        "lower" | "casefold" => Value::from(text.to_lowercase()),
        "title" => Value::from(title(text)),
        "capitalize" => Value::from(capitalize(text)),
        "swapcase" => Value::from(swap_case(text)),
        "startswith" => Value::from(affix(text, args, |t, a| t.starts_with(a))?),
        "endswith" => Value::from(affix(text, args, |t, a| t.ends_with(a))?),
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            Value::from(text.strip_prefix(prefix).unwrap_or(text))
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            Value::from(text.strip_suffix(suffix).unwrap_or(text))
        }
        "replace" => {
            let (old, new, count): (&str, &str, Option<i64>) = from_args(args)?;
            Value::from(replace(text, old, new, count.unwrap_or(-1), budget)?)
        }
        "find" | "rfind" | "index" | "rindex" => find(text, name, args)?,
        "count" => {
            let (what,): (&str,) = from_args(args)?;
            let n =
                if what.is_empty() { text.chars().count() + 1 } else { text.matches(what).count() };
            Value::from(n)
        }
        "join" => {
            let (values,): (&Value,) = from_args(args)?;
            Value::from(join(values, text, budget)?)
        }
        "format" => Value::from(format(text, args, budget)?),
        "zfill" | "ljust" | "rjust" | "center" => pad(text, name, args, budget)?,
        "isspace" => all(char::is_whitespace),
        "isalpha" => all(char::is_alphabetic),
        "isdigit" | "isnumeric" | "isdecimal" => all(char::is_numeric),
        "isalnum" => all(char::is_alphanumeric),
        "isascii" => Value::from(text.is_ascii()),
        "islower" => cased(text, char::is_lowercase, char::is_uppercase),
        "isupper" => cased(text, char::is_uppercase, char::is_lowercase),
        _ => return Err(unknown("str", name)),
    })
}

fn cased(text: &str, wanted: fn(char) -> bool, other: fn(char) -> bool) -> Value {
    Value::from(text.chars().any(wanted) && !text.chars().any(other))
}

/// Python's white space also counts the separators U+001C to U+001F.
fn is_python_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

fn strip(text: &str, name: &str, args: &[Value]) -> Result<String> {
    let (chars,): (Option<&Value>,) = from_args(args)?;
    let chars: Option<Vec<char>> = match chars {
        None => None,
        Some(v) if v.is_none() => None,
        Some(v) => {
            Some(v.as_str().ok_or_else(|| invalid("strip takes a text or None"))?.chars().collect())
        }
    };
    let matches =
        |c: char| chars.as_ref().map_or_else(|| is_python_space(c), |set| set.contains(&c));
    Ok(match name {
        "lstrip" => text.trim_start_matches(matches),
        "rstrip" => text.trim_end_matches(matches),
        _ => text.trim_matches(matches),
    }
    .to_owned())
}

/// The `trim` filter.
pub(super) fn trim(text: &str, chars: Option<&Value>) -> Result<String> {
    strip(text, "strip", chars.cloned().as_slice())
}

fn split(text: &str, from_right: bool, args: &[Value], budget: &Budget) -> Result<Value> {
    let (separator, limit, kwargs): (Option<&Value>, Option<i64>, Kwargs) = from_args(args)?;
    let by_keyword: Option<Value> = kwargs.get("sep")?;
    let separator = separator.or(by_keyword.as_ref()).filter(|v| !v.is_none());
    let limit = limit.or(kwargs.get("maxsplit")?).unwrap_or(-1);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX - 1);
    let mut parts: Vec<&str> = match separator {
        None if from_right => split_spaces_right(text, limit),
        None => split_spaces(text, limit),
        Some(separator) => match separator.as_str() {
            None => return Err(invalid("must be str or None")),
            Some("") => return Err(invalid("empty separator")),
            Some(s) if from_right => text.rsplitn(limit + 1, s).collect(),
            Some(s) => text.splitn(limit + 1, s).collect(),
        },
    };
    if from_right {
        parts.reverse();
    }
    budget.charge_list(parts.len())?;
    Ok(Value::from(parts.into_iter().map(Value::from).collect::<Vec<_>>()))
}

fn split_spaces(text: &str, limit: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start_matches(is_python_space);
    while !rest.is_empty() {
        let end = rest.find(is_python_space).unwrap_or(rest.len());
        if parts.len() == limit {
            parts.push(rest);
            break;
        }
        parts.push(&rest[..end]);
        rest = rest[end..].trim_start_matches(is_python_space);
    }
    parts
}

fn split_spaces_right(text: &str, limit: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_end_matches(is_python_space);
    while !rest.is_empty() {
        if parts.len() == limit {
            parts.push(rest);
            break;
        }
        let last = rest.char_indices().rev().find(|&(_, c)| is_python_space(c));
        let start = last.map_or(0, |(i, c)| i + c.len_utf8());
        parts.push(&rest[start..]);
        rest = rest[..start].trim_end_matches(is_python_space);
    }
    parts
}

fn split_lines(text: &str, keep_ends: bool) -> Value {
    let is_end = |c: char| {
        matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'
                ..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let Some(at) = rest.find(is_end) else {
            lines.push(Value::from(rest));
            break;
        };
        let end = if rest[at..].starts_with("\r\n") {
            at + 2
        } else {
            at + rest[at..].chars().next().map_or(1, char::len_utf8)
        };
        lines.push(Value::from(&rest[..if keep_ends { end } else { at }]));
        rest = &rest[end..];
    }
    Value::from(lines)
}

fn partition(text: &str, from_right: bool, args: &[Value]) -> Result<Value> {
    let (separator,): (&str,) = from_args(args)?;
    if separator.is_empty() {
        return Err(invalid("empty separator"));
    }
    let at = if from_right { text.rfind(separator) } else { text.find(separator) };
    let parts = match at {
        Some(at) => [&text[..at], separator, &text[at + separator.len()..]],
        None if from_right => ["", "", text],
        None => [text, "", ""],
    };
    Ok(Value::from(Tuple::from(parts.map(Value::from).to_vec())))
}

fn affix(text: &str, args: &[Value], test: fn(&str, &str) -> bool) -> Result<bool> {
    let (affixes,): (&Value,) = from_args(args)?;
    if let Some(one) = affixes.as_str() {
        return Ok(test(text, one));
    }
    if !affixes.is_tuple() {
        return Err(invalid(format!("expected a str or a tuple of str, not {}", affixes.kind())));
    }
    Ok(affixes.try_iter()?.any(|a| a.as_str().is_some_and(|a| test(text, a))))
}

/// `text.replace(old, new, count)`, charged.
pub(super) fn replace(
    text: &str,
    old: &str,
    new: &str,
    count: i64,
    budget: &Budget,
) -> Result<String> {
    let found = if old.is_empty() { text.len() + 1 } else { text.matches(old).count() };
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(found);
    budget.charge(text.len() + count.saturating_mul(new.len()))?;
    Ok(text.replacen(old, new, count))
}

fn find(text: &str, name: &str, args: &[Value]) -> Result<Value> {
    let (what,): (&str,) = from_args(args)?;
    let at = if name.starts_with('r') { text.rfind(what) } else { text.find(what) };
    match at {
        Some(at) => Ok(Value::from(text[..at].chars().count())),
        None if name.ends_with("find") => Ok(Value::from(-1)),
        None => Err(invalid("substring not found")),
    }
}

/// `separator.join(values)`; the filter also takes values that are not texts.
pub(super) fn join(values: &Value, separator: &str, budget: &Budget) -> Result<String> {
    let mut out = String::new();
    for (i, value) in values.try_iter()?.enumerate() {
        let text = to_text(&value)?;
        budget.charge(text.len() + separator.len())?;
        if i > 0 {
            out.push_str(separator);
        }
        out.push_str(&text);
    }
    Ok(out)
}

/// `text.format(...)` with `{}`, `{0}` and `{name}`; format specifications are refused.
fn format(text: &str, args: &[Value], budget: &Budget) -> Result<String> {
    let (positional, kwargs): (&[Value], Kwargs) = from_args(args)?;
    let mut out = String::new();
    let mut next = 0;
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let tail = &rest[at..];
        if let Some(after) = tail.strip_prefix("{{").or_else(|| tail.strip_prefix("}}")) {
            out.push_str(&tail[..1]);
            rest = after;
            continue;
        }
        let field = tail.strip_prefix('{').and_then(|t| t.split_once('}'));
        let (field, after) = field.ok_or_else(|| invalid("single brace in format string"))?;
        let value = if field.is_empty() {
            next += 1;
            positional.get(next - 1).cloned()
        } else if let Ok(index) = field.parse::<usize>() {
            positional.get(index).cloned()
        } else if field.chars().all(|c| c.is_alphanumeric() || c == '_') {
            kwargs.get::<Option<Value>>(field)?
        } else {
            return Err(invalid(format!("the format field {field:?} is not supported")));
        };
        let value = value.ok_or_else(|| invalid(format!("no argument for the field {field:?}")))?;
        let text = to_text(&value)?;
        budget.charge(text.len())?;
        out.push_str(&text);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn pad(text: &str, name: &str, args: &[Value], budget: &Budget) -> Result<Value> {
    let (width, fill): (usize, Option<char>) = from_args(args)?;
    let missing = width.saturating_sub(text.chars().count());
    let fill = if name == "zfill" { '0' } else { fill.unwrap_or(' ') };
    budget.charge(missing.saturating_mul(fill.len_utf8()))?;
    let padding = |n: usize| fill.to_string().repeat(n);
    Ok(Value::from(match name {
        "ljust" => text.to_owned() + &padding(missing),
        "rjust" => padding(missing) + text,
        "center" => {
            let left = missing / 2 + (missing & width & 1);
            padding(left) + text + &padding(missing - left)
        }
        _ => {
            let sign = usize::from(text.starts_with(['+', '-']));
            format!("{}{}{}", &text[..sign], padding(missing), &text[sign..])
        }
    }))
}

/// `str.title`: a capital after every character that is not a letter.
pub(super) fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_word = false;
    for c in text.chars() {
        if in_word {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        in_word = c.is_alphabetic();
    }
    out
}

/// `str.capitalize`.
pub(super) fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.collect::<String>() + &chars.as_str().to_lowercase()
}

fn swap_case(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_lowercase() {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
    }
    out
}
