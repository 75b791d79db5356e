//! What keeps old skills: the model's own answers to other prompts, learned beside the corrections.
//!
//! A correction says what should change, and says nothing of the rest: a small model then answers everything
//! that looks like it in the new way. So the model is asked, before it learns, a few hundred generated
//! prompts: as they are, without the system message and tools they were made with, and garbled, so that
//! they lie far from all it was trained on. Its own answers are what it should still say afterwards.
//! Li and Hoiem 2016 (Learning without Forgetting), with answers in the place of distributions.

use std::{path::Path, sync::Arc};

use psi_eval::{
    draws::Draws,
    skills::{self, Mix},
    split::Split,
};
use psi_infer::SamplingParams;
use psi_kernels::Cpu;
use psi_store::write_atomic;
use serde_json::{Value, json};

use crate::{
    Result, TrainError,
    answers::{BATCH, Prompt, answers, open},
};

/// Longest answer that is kept, in tokens.
const MAX_TOKENS: usize = 160;
/// One in so many conversations stays as it was generated: they are several times as long as an answer.
const WHOLE_EVERY: usize = 8;

/// Writes `n` conversations of training data to `path`: some as they were generated, the rest answered by the
/// model in `model`. Answers that are cut off are left out. Returns how many were written.
///
/// # Errors
/// The model cannot be opened or does not answer; the file cannot be written.
pub fn rehearse(cpu: &Arc<Cpu>, model: &Path, path: &Path, n: usize, seed: u64) -> Result<usize> {
    let chat = open(cpu, model)?;
    let greedy = SamplingParams { temperature: 0.0, ..SamplingParams::default() };
    let generated: Vec<Value> = (0..n as u64)
        .map(|i| skills::generate(Split::Train, seed, i, &Mix::default()).to_json())
        .collect();
    let words = words(&generated);
    let mut lines: Vec<Value> = generated.iter().step_by(WHOLE_EVERY).cloned().collect();
    let prompts: Vec<Prompt> = (0..n)
        .filter(|i| i % WHOLE_EVERY != 0)
        .map(|i| prompt(&generated[i], &words, &mut Draws::new(Split::Train, seed, i as u64)))
        .collect();
    for batch in prompts.chunks(BATCH) {
        let answers = answers(&chat, batch, MAX_TOKENS, &greedy);
        let answers = answers.map_err(|why| TrainError::run(model, why))?;
        for (prompt, answer) in batch.iter().zip(answers) {
            lines.extend(answer.map(|answer| prompt.answered(&answer)));
        }
    }
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    write_atomic(path, text.as_bytes())?;
    Ok(lines.len())
}

/// A question of a generated conversation: one in four in its frame of system message and tools, the others
/// bare; two in three garbled.
fn prompt(conversation: &Value, words: &[&str], draws: &mut Draws) -> Prompt {
    let list = |key: &str| conversation[key].as_array().cloned().unwrap_or_default();
    let messages = list("messages");
    let questions: Vec<&Value> = messages.iter().filter(|m| m["role"] == "user").collect();
    let is_framed = draws.chance(0.25);
    let question = if is_framed { questions[0] } else { draws.pick(&questions) };
    let text = question["content"].as_str().unwrap_or_default();
    let text = if draws.chance(0.67) { garbled(text, words, draws) } else { text.to_owned() };
    let question = json!({ "role": "user", "content": text });
    let system = messages.first().filter(|m| is_framed && m["role"] == "system");
    Prompt {
        messages: system.cloned().into_iter().chain([question]).collect(),
        tools: if is_framed { list("tools") } else { Vec::new() },
        hint: None,
    }
}

/// The words of all questions.
fn words(conversations: &[Value]) -> Vec<&str> {
    let messages = conversations.iter().filter_map(|c| c["messages"].as_array()).flatten();
    let questions = messages.filter(|m| m["role"] == "user");
    questions.filter_map(|m| m["content"].as_str()).flat_map(str::split_whitespace).collect()
}

/// The text with some words replaced by others, some left out, and perhaps two in each other's place.
fn garbled(text: &str, words: &[&str], draws: &mut Draws) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for word in text.split_whitespace() {
        if draws.chance(0.12) {
            kept.push(draws.pick(words));
        } else if !draws.chance(0.08) {
            kept.push(word);
        }
    }
    if kept.len() > 1 && draws.chance(0.3) {
        let i = draws.below(kept.len() - 1);
        kept.swap(i, i + 1);
    }
    if kept.is_empty() { text.to_owned() } else { kept.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_bare_or_framed_and_mostly_garbled() {
        let generated: Vec<Value> = (0..200)
            .map(|i| skills::generate(Split::Train, 1, i, &Mix::default()).to_json())
            .collect();
        let words = words(&generated);
        let all: std::collections::BTreeSet<&str> = generated
            .iter()
            .flat_map(|c| c["messages"].as_array().unwrap())
            .filter_map(|m| m["content"].as_str())
            .collect();
        let (mut n_bare, mut n_garbled) = (0, 0);
        for (i, conversation) in generated.iter().enumerate() {
            let mut draws = Draws::new(Split::Train, 1, i as u64);
            let prompt = prompt(conversation, &words, &mut draws);
            let (first, last) = (&prompt.messages[0], &prompt.messages[prompt.messages.len() - 1]);
            assert_eq!(first["role"] == "system", !prompt.tools.is_empty());
            assert_eq!(last["role"], "user");
            n_bare += usize::from(prompt.messages.len() == 1);
            n_garbled += usize::from(!all.contains(last["content"].as_str().unwrap()));
        }
        assert!((120..180).contains(&n_bare) && (90..150).contains(&n_garbled), "{n_garbled}");
    }
}
