//! Splits what a model writes into reasoning, content and tool calls, as it comes.
//!
//! Every decision is taken when more text cannot change it, so the parts do not depend on how the text
//! was cut: a stream and its whole text read the same. What looked like a call and is not one stays
//! content, letter for letter, with the reason beside it.

#[cfg(test)]
mod tests;

use super::call::{CallReader, RawCall, Read};
use super::format::{ChatFormat, ToolSyntax};
use crate::rng;

/// A part of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// More of the thoughts before the answer.
    Reasoning(String),
    /// More of the answer.
    Content(String),
    /// A whole call of a tool.
    Call(ToolCall),
    /// The content just given began like a call; why it is none.
    Malformed(String),
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// Its place among the calls of the answer, from 0.
    pub index: usize,
    /// The model's id for it, or one made from the seed: nine letters and digits.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The text of a JSON object, as the model wrote it.
    pub arguments: String,
}

/// How one answer is to be read.
#[derive(Clone, Debug, Default)]
pub struct ParseOptions {
    /// The prompt has opened the thoughts already.
    pub in_reasoning: bool,
    /// The names of the tools; `None`: there are none to call, and nothing is read as a call.
    pub tools: Option<Vec<String>>,
    /// The answer ends with its first call.
    pub single_call: bool,
    /// What the ids of calls are made from.
    pub seed: u64,
}

/// The parts of a whole answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The thoughts.
    pub reasoning: String,
    /// The answer.
    pub content: String,
    /// The calls, in order.
    pub calls: Vec<ToolCall>,
    /// Why parts of the content that began like calls are none.
    pub malformed: Vec<String>,
}

impl Output {
    /// Adds the next part.
    pub fn add(&mut self, delta: Delta) {
        match delta {
            Delta::Reasoning(text) => self.reasoning.push_str(&text),
            Delta::Content(text) => self.content.push_str(&text),
            Delta::Call(call) => self.calls.push(call),
            Delta::Malformed(why) => self.malformed.push(why),
        }
    }
}

/// White space before a call belongs to its syntax, up to this many bytes.
const MAX_GAP: usize = 256;

/// Reads one answer from pieces of text.
#[derive(Clone, Debug)]
pub struct OutputParser {
    format: ChatFormat,
    options: ParseOptions,
    state: State,
    /// text without a verdict
    held: String,
    n_calls: usize,
    deltas: Vec<Delta>,
}

#[derive(Clone, Debug)]
enum State {
    /// only white space so far: thoughts may begin
    Start,
    Reasoning {
        is_trimmed: bool,
    },
    /// white space after thoughts or a call, which is dropped
    Gap,
    /// `is_fresh`: a bare JSON object may be a call
    Content {
        is_fresh: bool,
    },
    Call {
        gap: usize,
        mark: usize,
        reader: CallReader,
        in_reasoning: bool,
    },
    /// after the single call
    Done,
}

/// Parses a whole answer.
pub fn parse_output(text: &str, format: &ChatFormat, options: ParseOptions) -> Output {
    let mut parser = OutputParser::new(format.clone(), options);
    let mut output = Output::default();
    let mut deltas = parser.push(text);
    deltas.extend(parser.finish());
    deltas.into_iter().for_each(|delta| output.add(delta));
    output
}

impl OutputParser {
    /// A parser at the start of an answer.
    pub fn new(format: ChatFormat, options: ParseOptions) -> Self {
        let state = match options.in_reasoning && format.reasoning.is_some() {
            true => State::Reasoning { is_trimmed: false },
            false => State::Start,
        };
        Self { format, options, state, held: String::new(), n_calls: 0, deltas: Vec::new() }
    }

    /// Takes the next piece of text and gives the parts that are certain now.
    pub fn push(&mut self, piece: &str) -> Vec<Delta> {
        self.held.push_str(piece);
        while self.step(false) {}
        std::mem::take(&mut self.deltas)
    }

    /// The parts that are certain because no more text comes.
    pub fn finish(&mut self) -> Vec<Delta> {
        while self.step(true) {}
        std::mem::take(&mut self.deltas)
    }

    /// How many calls there were so far.
    pub fn n_calls(&self) -> usize {
        self.n_calls
    }

    /// Whether nothing more will be read: the single call is complete.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// One decision; `false` if more text is needed.
    fn step(&mut self, at_end: bool) -> bool {
        match self.state {
            State::Start => self.start(at_end),
            State::Reasoning { is_trimmed } => self.reasoning(is_trimmed, at_end),
            State::Gap => self.gap(),
            State::Content { is_fresh } => self.content(is_fresh, at_end),
            State::Call { .. } => self.call(at_end),
            State::Done => {
                self.held.clear();
                false
            }
        }
    }

    fn start(&mut self, at_end: bool) -> bool {
        let Some(tags) = &self.format.reasoning else {
            self.state = State::Content { is_fresh: true };
            return true;
        };
        let text = self.held.trim_start();
        if text.starts_with(&tags.open) {
            let end = self.held.len() - text.len() + tags.open.len();
            self.held.drain(..end);
            self.state = State::Reasoning { is_trimmed: false };
        } else if !at_end && tags.open.starts_with(text) {
            return false;
        } else {
            self.state = State::Content { is_fresh: true };
        }
        true
    }

    fn reasoning(&mut self, is_trimmed: bool, at_end: bool) -> bool {
        if !is_trimmed {
            let text = self.held.trim_start_matches(['\n', '\r']);
            let n = self.held.len() - text.len();
            self.held.drain(..n);
            if self.held.is_empty() {
                return false;
            }
            self.state = State::Reasoning { is_trimmed: true };
        }
        let close = self.format.reasoning.as_ref().map_or("", |tags| tags.close.as_str());
        let mark = self.mark().map(str::to_owned);
        let close_at = self.held.find(close);
        let call_at = mark.as_ref().and_then(|mark| self.held.find(mark.as_str()));
        match (close_at, call_at, mark) {
            (Some(at), call_at, _) if call_at.is_none_or(|call_at| at < call_at) => {
                let end = at + close.len();
                let text = self.held[..at].trim_end_matches(['\n', '\r']).len();
                let text = text.max(self.text_before(at));
                self.emit(text, Delta::Reasoning);
                self.held.drain(..end - text);
                self.state = State::Gap;
            }
            (_, Some(at), Some(mark)) => {
                let text = self.text_before(at);
                self.emit(text, Delta::Reasoning);
                self.state = State::Call {
                    gap: at - text,
                    mark: mark.len(),
                    reader: CallReader::new(false),
                    in_reasoning: true,
                };
            }
            (_, _, mark) => {
                let text = if at_end {
                    self.held.len()
                } else {
                    let marks = [Some(close.to_owned()), mark];
                    let kept = marks.iter().flatten().map(|m| overlap(&self.held, m)).max();
                    self.text_before(self.held.len() - kept.unwrap_or(0))
                };
                self.emit(text, Delta::Reasoning);
                return false;
            }
        }
        true
    }

    fn gap(&mut self) -> bool {
        // Calls without marks stand apart by a semicolon, or by nothing.
        let is_bare = self.n_calls > 0 && self.syntax_is_bare();
        let after_call = self.n_calls > 0;
        let is_gap = |c: char| {
            c == '\n' || c == '\r' || (after_call && c.is_whitespace()) || (is_bare && c == ';')
        };
        let n = self.held.len() - self.held.trim_start_matches(is_gap).len();
        self.held.drain(..n);
        if self.held.is_empty() {
            return false;
        }
        self.state = State::Content { is_fresh: true };
        true
    }

    fn content(&mut self, is_fresh: bool, at_end: bool) -> bool {
        if self.options.tools.is_none() {
            self.emit(self.held.len(), Delta::Content);
            return false;
        }
        if is_fresh && self.syntax_is_bare() {
            let text = self.held.trim_start();
            if text.starts_with('{') {
                let at = self.held.len() - text.len();
                let before = self.text_before(at);
                self.emit(before, Delta::Content);
                self.state = State::Call {
                    gap: at - before,
                    mark: 0,
                    reader: CallReader::new(true),
                    in_reasoning: false,
                };
                return true;
            }
        }
        let mark = self.mark().unwrap_or_default().to_owned();
        if let Some(at) = self.held.find(&mark).filter(|_| !mark.is_empty()) {
            let text = self.text_before(at);
            self.emit(text, Delta::Content);
            self.state = State::Call {
                gap: at - text,
                mark: mark.len(),
                reader: CallReader::new(false),
                in_reasoning: false,
            };
            return true;
        }
        let end = match at_end {
            true => self.held.len(),
            false => self.text_before(self.held.len() - overlap(&self.held, &mark)),
        };
        if is_fresh && !self.held[..end].trim_start().is_empty() {
            self.state = State::Content { is_fresh: false };
        }
        self.emit(end, Delta::Content);
        false
    }

    fn call(&mut self, at_end: bool) -> bool {
        let State::Call { gap, mark, reader, in_reasoning } = &mut self.state else { return false };
        let (start, in_reasoning, is_bare) = (*gap + *mark, *in_reasoning, *mark == 0);
        // Without a mark, and inside thoughts, only a tool that exists makes it a call.
        let must_exist = in_reasoning || is_bare;
        let known = self.options.tools.as_deref().unwrap_or_default();
        match reader.read(&self.format.tools, &self.held[start..], at_end) {
            Read::Wait => return false,
            Read::Calls(calls, n)
                if !must_exist || calls.iter().all(|call| known.contains(&call.name)) =>
            {
                self.held.drain(..start + n);
                self.give(calls);
            }
            Read::NotACall => self.state = State::Content { is_fresh: false },
            Read::Calls(_, n) => self.take_back(start + n, in_reasoning, None),
            Read::Bad(why, n) => {
                let n = start + n;
                // An answer in JSON that breaks off is an answer, unless it names a tool.
                let names = |name: &String| self.held[..n].contains(&format!("\"{name}\""));
                let is_call = !is_bare || known.iter().any(names);
                self.take_back(n, in_reasoning, is_call.then_some(why));
            }
        }
        true
    }

    fn give(&mut self, calls: Vec<RawCall>) {
        self.state = State::Gap;
        for call in calls {
            if self.is_done() {
                break;
            }
            let index = self.n_calls;
            let id = call.id.filter(|id| !id.is_empty());
            let id = id.unwrap_or_else(|| call_id(self.options.seed, index));
            let RawCall { name, arguments, .. } = call;
            self.deltas.push(Delta::Call(ToolCall { index, id, name, arguments }));
            self.n_calls += 1;
            if self.options.single_call {
                self.state = State::Done;
            }
        }
    }

    /// What was no call becomes text again.
    fn take_back(&mut self, n: usize, in_reasoning: bool, why: Option<String>) {
        let kind = if in_reasoning { Delta::Reasoning } else { Delta::Content };
        self.emit(n, kind);
        self.deltas.extend(why.map(Delta::Malformed));
        self.state = match in_reasoning {
            true => State::Reasoning { is_trimmed: true },
            false => State::Content { is_fresh: false },
        };
    }

    /// Gives the first `n` bytes that are held as a part.
    fn emit(&mut self, n: usize, kind: fn(String) -> Delta) {
        if n > 0 {
            self.deltas.push(kind(self.held.drain(..n).collect()));
        }
    }

    /// The end of what is certain before `at`: white space there may belong to a mark.
    fn text_before(&self, at: usize) -> usize {
        let end = self.held[..at].trim_end().len();
        let limit = at.saturating_sub(MAX_GAP);
        (end.max(limit)..=at).find(|&i| self.held.is_char_boundary(i)).unwrap_or(at)
    }

    /// The mark in front of a call.
    fn mark(&self) -> Option<&str> {
        self.options.tools.as_ref()?;
        self.format.tools.mark()
    }

    fn syntax_is_bare(&self) -> bool {
        matches!(self.format.tools, ToolSyntax::Json | ToolSyntax::Llama3)
    }
}

/// Length of the longest proper prefix of `mark` that ends `text`.
fn overlap(text: &str, mark: &str) -> usize {
    let longest = mark.len().saturating_sub(1).min(text.len());
    let is_overlap = |&n: &usize| mark.is_char_boundary(n) && text.ends_with(&mark[..n]);
    (1..=longest).rev().find(is_overlap).unwrap_or(0)
}

/// An id that differs between calls and answers, and is the same when the answer is made again. Mistral's
/// templates want exactly nine letters and digits.
fn call_id(seed: u64, index: usize) -> String {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut bits = rng::mix(rng::mix(seed).wrapping_add(index as u64));
    let letter = |_| {
        let letter = LETTERS[(bits % 62) as usize];
        bits /= 62;
        char::from(letter)
    };
    (0..9).map(letter).collect()
}
