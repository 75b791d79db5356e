//! Judged answers as they lie in a file: `messages` with `chosen` and `rejected`, or with one `answer` that is
//! `liked` or not.

use std::{
    fs,
    path::{Path, PathBuf},
};

use psi_infer::rng;
use psi_tokenizer::Renderer;
use serde_json::{Map, Value, json};

use crate::{
    Result, TrainError,
    data::{NO_TARGET, Rows, last_turn},
    recipe::Settings,
    trainer::Text,
};

/// An answer with the conversation before it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidate {
    /// Marked where the answer is.
    pub(super) tokens: Vec<u32>,
    pub(super) n_targets: usize,
    pub(super) is_liked: bool,
    /// The other answer of its pair.
    pub(super) against: Option<usize>,
}

/// Everything that was judged.
#[derive(Debug)]
pub(super) struct Pairs {
    pub(super) candidates: Vec<Candidate>,
    /// The candidates of each line: two of a pair, or one.
    lines: Vec<Vec<usize>>,
    /// Lines longer than the model's context, left out because the recipe says so.
    pub(super) n_dropped: usize,
    /// Most tokens of a line's answer with the conversation before it.
    pub(super) longest: usize,
}

impl Pairs {
    /// Reads `prefer.pairs`.
    pub(super) fn read(settings: &Settings, text: &Text, longest: usize) -> Result<Self> {
        let Some(path) = settings.text("prefer.pairs").map(PathBuf::from) else {
            let error = settings.refuse("prefer.pairs", "there are no judged answers");
            return Err(error.with_hint("name a file of lines with messages, chosen and rejected"));
        };
        let content = fs::read_to_string(&path).map_err(|e| TrainError::io(&path, "reading", e))?;
        let Some(template) = &text.template else {
            return Err(settings.refuse("model.from", "has no chat template"));
        };
        let renderer = template.renderer(&Map::new());
        let renderer =
            renderer.map_err(|e| settings.refuse("model.from", format!("chat template: {e}")))?;
        let takes_single = settings.text("train.loss") == Some("kto");
        let drops = settings.text("data.overlong") == Some("drop");
        let mut pairs = Self { candidates: Vec::new(), lines: Vec::new(), n_dropped: 0, longest };
        for (i, line) in content.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let judged = judged(line, (text, &renderer), takes_single);
            let judged = judged.map_err(|why| wrong(&path, i + 1, &why))?;
            match judged.iter().map(|(tokens, _)| tokens.len()).max() {
                Some(n) if n > longest && !drops => {
                    let why = format!("{n} tokens, more than {longest}");
                    return Err(wrong(&path, i + 1, &why)
                        .with_hint("data.overlong = \"drop\" leaves it out"));
                }
                Some(n) if n > longest => pairs.n_dropped += 1,
                _ => pairs.add(judged),
            }
        }
        match pairs.lines.is_empty() {
            true => Err(TrainError::run(&path, "holds no judged answers")),
            false => Ok(pairs),
        }
    }

    /// Adds the answers of a line.
    fn add(&mut self, judged: Vec<(Vec<u32>, bool)>) {
        let first = self.candidates.len();
        let is_pair = judged.len() == 2;
        for (i, (tokens, is_liked)) in judged.into_iter().enumerate() {
            let mut rows = Rows::default();
            rows.push_whole(&tokens);
            let n_targets = rows.targets.iter().filter(|&&t| t != NO_TARGET).count();
            let against = is_pair.then_some(first + 1 - i);
            self.candidates.push(Candidate { tokens, n_targets, is_liked, against });
        }
        self.lines.push((first..self.candidates.len()).collect());
    }

    /// Lines of the file.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The candidates of batch number `index`: `n` lines in an order that each epoch shuffles anew.
    pub(super) fn batch(&self, seed: u64, index: u64, n: usize) -> Vec<usize> {
        let len = self.lines.len() as u64;
        let first = index * n as u64;
        let mut chosen: Vec<usize> = Vec::new();
        for at in first..first + (n as u64).min(len) {
            let (epoch, place) = (at / len, (at % len) as usize);
            let mut order: Vec<usize> = (0..self.lines.len()).collect();
            order.sort_by_key(|&i| rng::mix(rng::mix(seed ^ epoch) ^ i as u64));
            let line = &self.lines[order[place]];
            if !chosen.contains(&line[0]) {
                chosen.extend(line);
            }
        }
        chosen
    }
}

/// The answers of a line as tokens, and whether they are liked.
fn judged(
    line: &str,
    (text, renderer): (&Text, &Renderer<'_>),
    takes_single: bool,
) -> std::result::Result<Vec<(Vec<u32>, bool)>, String> {
    let value: Value = serde_json::from_str(line).map_err(|e| format!("not JSON: {e}"))?;
    let answers: Vec<(&Value, bool)> = match (&value["chosen"], &value["rejected"]) {
        (Value::Null, Value::Null) => {
            let is_liked = value["liked"].as_bool().ok_or("no 'chosen', and no 'liked'")?;
            if !takes_single {
                return Err("a single answer, which only train.loss = \"kto\" takes".into());
            }
            vec![(&value["answer"], is_liked)]
        }
        (chosen, rejected) => vec![(chosen, true), (rejected, false)],
    };
    answers
        .into_iter()
        .map(|(answer, is_liked)| Ok((tokens(&value, answer, text, renderer)?, is_liked)))
        .collect()
}

fn tokens(
    line: &Value,
    answer: &Value,
    text: &Text,
    renderer: &Renderer<'_>,
) -> std::result::Result<Vec<u32>, String> {
    let mut messages = line["messages"].as_array().cloned().ok_or("no 'messages'")?;
    messages.push(match answer {
        Value::String(text) => json!({ "role": "assistant", "content": text }),
        other => other.clone(),
    });
    let tools = line.get("tools").filter(|t| !t.is_null());
    last_turn(&Value::Array(messages), tools, renderer, &text.tokenizer)
}

fn wrong(path: &Path, line: usize, why: &str) -> TrainError {
    TrainError::run(path, format!("line {line}: {why}"))
}
