//! Reads one tool call, or one list of calls, in a model's own syntax.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::format::ToolSyntax;
use super::json::{JsonScanner, Scan};

/// A call as the model wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RawCall {
    pub(super) id: Option<String>,
    pub(super) name: String,
    /// a JSON object, letter for letter
    pub(super) arguments: String,
}

/// What the text after the mark of a call is, as far as it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// It goes on.
    Wait,
    /// Calls, and the bytes they take.
    Calls(Vec<RawCall>, usize),
    /// A call gone wrong: why, and the bytes that were read.
    Bad(String, usize),
    /// An answer that only began like a call.
    NotACall,
}

/// The state of a call that is being read. Each call of [`read`](Self::read) is given the text from the
/// start, grown.
#[derive(Clone, Debug)]
pub(super) struct CallReader {
    /// no mark stands before the JSON value, so that it may be an answer
    is_bare: bool,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    Lead,
    /// the JSON value begins at `start`; name and id if they stood before it
    Value {
        start: usize,
        scanner: JsonScanner,
        head: Option<Head>,
    },
    /// the value ended at `end`; the closing mark is due
    Tail {
        end: usize,
        calls: Vec<RawCall>,
    },
}

/// What stands before the arguments in Mistral's newer syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Head {
    name: String,
    id: Option<String>,
}

const CALL_ID: &str = "[CALL_ID]";
const ARGS: &str = "[ARGS]";

impl CallReader {
    pub(super) fn new(is_bare: bool) -> Self {
        Self { is_bare, stage: Stage::Lead }
    }

    /// Reads on; `at_end` says that no more text will come.
    pub(super) fn read(&mut self, syntax: &ToolSyntax, body: &str, at_end: bool) -> Read {
        loop {
            let next = match &mut self.stage {
                Stage::Lead => lead(syntax, body),
                Stage::Value { start, scanner, head } => {
                    if self.is_bare && !could_be_call(body) {
                        return Read::NotACall;
                    }
                    match scanner.scan(&body[*start..]) {
                        Scan::Open => Next::Wait,
                        Scan::Bad(why, n) => Next::Bad(why.to_owned(), *start + n),
                        Scan::Ended(n) => {
                            let end = *start + n;
                            match parse(&body[*start..end], head.take()) {
                                Ok(calls) => Next::Stage(Stage::Tail { end, calls }),
                                Err(why) => Next::Bad(why, end),
                            }
                        }
                    }
                }
                Stage::Tail { end, calls } => return tail(syntax, body, *end, calls, at_end),
            };
            match next {
                Next::Stage(stage) => self.stage = stage,
                Next::Bad(why, n) => return Read::Bad(why, n),
                Next::Wait if at_end => {
                    return Read::Bad("the call is cut off".to_owned(), body.len());
                }
                Next::Wait => return Read::Wait,
            }
        }
    }
}

enum Next {
    Stage(Stage),
    Wait,
    Bad(String, usize),
}

/// Between the mark and the JSON value.
fn lead(syntax: &ToolSyntax, body: &str) -> Next {
    let rest = body.trim_start();
    let start = body.len() - rest.len();
    match rest.chars().next() {
        None => Next::Wait,
        Some('{') => value(start, None),
        Some('[') if *syntax == ToolSyntax::Mistral => value(start, None),
        Some(_) if *syntax == ToolSyntax::Mistral => named(body, start),
        Some(c) => Next::Bad("no JSON object".to_owned(), start + c.len_utf8()),
    }
}

fn value(start: usize, head: Option<Head>) -> Next {
    Next::Stage(Stage::Value { start, scanner: JsonScanner::default(), head })
}

/// `name[CALL_ID]id[ARGS]{...}`, where the marks may be missing.
fn named(body: &str, start: usize) -> Next {
    let Some(end) = name_end(body, start) else { return Next::Wait };
    let name = body[start..end].to_owned();
    if name.is_empty() {
        let n = body[start..].chars().next().map_or(0, char::len_utf8);
        return Next::Bad("no name of a function".to_owned(), start + n);
    }
    let (mut at, mut id) = (end, None);
    match mark(&body[at..], CALL_ID) {
        None => return Next::Wait,
        Some(false) => {}
        Some(true) => {
            let from = at + CALL_ID.len();
            let Some(to) = name_end(body, from) else { return Next::Wait };
            id = Some(body[from..to].to_owned());
            at = to;
        }
    }
    match mark(&body[at..], ARGS) {
        None => return Next::Wait,
        Some(true) => at += ARGS.len(),
        Some(false) => {}
    }
    let rest = body[at..].trim_start();
    at = body.len() - rest.len();
    match rest.chars().next() {
        None => Next::Wait,
        Some('{') => value(at, Some(Head { name, id })),
        Some(c) => Next::Bad("no JSON object after the name".to_owned(), at + c.len_utf8()),
    }
}

/// Where a name ends; `None` if it may go on.
fn name_end(body: &str, start: usize) -> Option<usize> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    body[start..].find(|c| !is_name(c)).map(|n| start + n)
}

/// Whether `mark` begins `text`; `None` if more text must tell.
fn mark(text: &str, mark: &str) -> Option<bool> {
    if text.starts_with(mark) {
        Some(true)
    } else if mark.starts_with(text) {
        None
    } else {
        Some(false)
    }
}

/// After the JSON value.
fn tail(syntax: &ToolSyntax, body: &str, end: usize, calls: &[RawCall], at_end: bool) -> Read {
    let ToolSyntax::Tagged { close, .. } = syntax else {
        return Read::Calls(calls.to_vec(), end);
    };
    let rest = body[end..].trim_start();
    let at = body.len() - rest.len();
    match mark(rest, close) {
        Some(true) => Read::Calls(calls.to_vec(), at + close.len()),
        None if !at_end => Read::Wait,
        // The model ended its turn without the closing mark: what it meant is clear.
        None if rest.is_empty() => Read::Calls(calls.to_vec(), body.len()),
        _ => {
            let n = rest.chars().next().map_or(0, char::len_utf8);
            Read::Bad("text between the call's JSON and its closing mark".to_owned(), at + n)
        }
    }
}

/// The first key decides early whether a bare object can be a call, so that other JSON is shown as it
/// comes.
fn could_be_call(body: &str) -> bool {
    let Some(rest) = body.strip_prefix('{') else { return false };
    let rest = rest.trim_start();
    if rest.is_empty() {
        return true;
    }
    const KEYS: [&str; 6] =
        ["\"name\"", "\"type\"", "\"function\"", "\"arguments\"", "\"parameters\"", "\"id\""];
    KEYS.iter().any(|key| rest.starts_with(key) || key.starts_with(rest))
}

#[derive(Deserialize)]
struct Written<'a> {
    id: Option<String>,
    name: Option<String>,
    #[serde(borrow)]
    function: Option<&'a RawValue>,
    #[serde(borrow, alias = "parameters")]
    arguments: Option<&'a RawValue>,
}

/// The calls of a JSON text: an object with the name, the arguments alone if the name stood before them,
/// or a list of objects.
fn parse(text: &str, head: Option<Head>) -> Result<Vec<RawCall>, String> {
    let not_json = |e: serde_json::Error| format!("not JSON: {e}");
    if let Some(Head { name, id }) = head {
        let value: &RawValue = serde_json::from_str(text).map_err(not_json)?;
        return Ok(vec![RawCall { id, name, arguments: object(Some(value))? }]);
    }
    if text.starts_with('[') {
        let list: Vec<&RawValue> = serde_json::from_str(text).map_err(not_json)?;
        if list.is_empty() {
            return Err("an empty list of calls".to_owned());
        }
        return list.into_iter().map(|one| parse_one(one.get())).collect();
    }
    Ok(vec![parse_one(text)?])
}

fn parse_one(text: &str) -> Result<RawCall, String> {
    let written: Written<'_> =
        serde_json::from_str(text).map_err(|e| format!("not a call: {e}"))?;
    let Written { id, mut name, function, mut arguments } = written;
    // `{"type": "function", "function": {...}}` or `{"function": "name", ...}`
    if let Some(function) = function
        && name.is_none()
    {
        if function.get().starts_with('"') {
            name = serde_json::from_str(function.get()).ok();
        } else {
            let inner: Written<'_> =
                serde_json::from_str(function.get()).map_err(|e| format!("not a call: {e}"))?;
            (name, arguments) = (inner.name, inner.arguments.or(arguments));
        }
    }
    let name = name.filter(|n| !n.is_empty()).ok_or("the call has no name")?;
    Ok(RawCall { id, name, arguments: object(arguments)? })
}

/// Arguments as the text of an object: some models write that text as a string, some nothing.
fn object(value: Option<&RawValue>) -> Result<String, String> {
    let Some(value) = value.map(RawValue::get).filter(|&v| v != "null") else {
        return Ok("{}".to_owned());
    };
    let text = match value.starts_with('"') {
        true => serde_json::from_str::<String>(value).map_err(|e| format!("not JSON: {e}"))?,
        false => value.to_owned(),
    };
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text) {
        Ok(_) => Ok(text),
        Err(_) => Err("the arguments are not an object".to_owned()),
    }
}
