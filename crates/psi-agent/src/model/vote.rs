//! A model asked several times: what most of its answers come down to is its answer.
//!
//! Self-consistency (Wang et al., 2022): where a chain of thoughts can go wrong in many ways and right in one,
//! the answer that most chains reach is right more often than that of any one of them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;

use super::{ChatSource, FinishReason, Generation, Ongoing, SourceEvent, SourceSink};
use crate::conversation::{Usage, Votes};

/// The least temperature of every answer but the first: answers that are all the same have nothing to vote on.
const MIN_TEMPERATURE: f32 = 0.7;

/// Asks `model` `n` times at once, as [`ChatSource::start`] does once. The answer comes when the last of them is there.
pub(crate) fn vote(
    model: &dyn ChatSource,
    n: usize,
    generation: &Generation,
    sink: SourceSink,
) -> Result<Box<dyn Ongoing>, String> {
    let drafts = vec![Draft::default(); n];
    let ballot = Arc::new(Mutex::new(Ballot { drafts, is_started: false, sink: Some(sink) }));
    let mut ongoing = Vec::with_capacity(n);
    for i in 0..n {
        let mut generation = generation.clone();
        if i > 0 {
            generation.temperature = generation.temperature.max(MIN_TEMPERATURE);
        }
        let taking = Arc::clone(&ballot);
        let take = move |event| lock(&taking).take(i, event);
        match model.start(generation, Box::new(take)) {
            Ok(one) => ongoing.push(one),
            Err(why) => {
                lock(&ballot).sink = None;
                return Err(why);
            }
        }
    }
    Ok(Box::new(All(ongoing)))
}

/// All answers that are being written.
struct All(Vec<Box<dyn Ongoing>>);

impl Ongoing for All {
    fn cancel(&self) {
        self.0.iter().for_each(|one| one.cancel());
    }
}

/// One answer as far as it is there.
#[derive(Clone, Default)]
struct Draft {
    reasoning: String,
    content: String,
    /// Names and arguments.
    calls: Vec<(String, String)>,
    end: Option<Result<(FinishReason, Usage), String>>,
}

/// The answers to one prompt.
struct Ballot {
    drafts: Vec<Draft>,
    is_started: bool,
    /// Nothing more is said once it is gone.
    sink: Option<SourceSink>,
}

fn lock(ballot: &Mutex<Ballot>) -> std::sync::MutexGuard<'_, Ballot> {
    ballot.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ballot {
    /// Takes a piece of an answer; the last piece of the last one ends the vote.
    fn take(&mut self, i: usize, event: SourceEvent) {
        let draft = &mut self.drafts[i];
        match event {
            SourceEvent::Started { .. } => {
                if !std::mem::replace(&mut self.is_started, true) {
                    self.say(event);
                }
                return;
            }
            SourceEvent::Reasoning(text) => draft.reasoning.push_str(&text),
            SourceEvent::Content(text) => draft.content.push_str(&text),
            SourceEvent::Call { name, .. } => draft.calls.push((name, String::new())),
            SourceEvent::Arguments { index, fragment } => {
                if let Some((_, arguments)) = draft.calls.get_mut(index) {
                    arguments.push_str(&fragment);
                }
            }
            SourceEvent::Finished { reason, usage } => draft.end = Some(Ok((reason, usage))),
            SourceEvent::Failed(why) => draft.end = Some(Err(why)),
            SourceEvent::Voted(_) => {}
        }
        if self.drafts[i].end.is_none() {
            return;
        }
        let done = self.drafts.iter().filter(|d| d.end.is_some()).count();
        if done == self.drafts.len() {
            self.close();
        } else {
            let of = self.drafts.len();
            self.say(SourceEvent::Voted(Votes { of, done, ..Votes::default() }));
        }
    }

    fn say(&mut self, event: SourceEvent) {
        if let Some(sink) = &mut self.sink {
            sink(event);
        }
    }

    /// Says what was elected, or why nothing could be.
    fn close(&mut self) {
        let drafts = std::mem::take(&mut self.drafts);
        let (elected, agreed) = elect(&drafts);
        let ends = drafts.iter().filter_map(|d| d.end.as_ref()?.as_ref().ok());
        let n_generated = ends.map(|(_, usage)| usage.n_generated).sum();
        let of = drafts.len();
        let votes = Votes { of, done: of, agreed, n_generated };
        let Draft { reasoning, content, calls, end } = elected.clone();
        let (reason, usage) = match end.expect("every answer has ended") {
            Ok(end) => end,
            Err(why) => return self.say(SourceEvent::Failed(why)),
        };
        if !reasoning.is_empty() {
            self.say(SourceEvent::Reasoning(reasoning));
        }
        if !content.is_empty() {
            self.say(SourceEvent::Content(content));
        }
        for (index, (name, fragment)) in calls.into_iter().enumerate() {
            self.say(SourceEvent::Call { index, id: index.to_string(), name });
            self.say(SourceEvent::Arguments { index, fragment });
        }
        self.say(SourceEvent::Voted(votes));
        self.say(SourceEvent::Finished { reason, usage });
    }
}

/// The first of the answers that say what most say, and how many these are. Answers that came to their own end count
/// before those that were cut off or stopped; those that failed count only where all did.
fn elect(drafts: &[Draft]) -> (&Draft, usize) {
    let whole =
        |d: &&Draft| matches!(&d.end, Some(Ok((FinishReason::Stop | FinishReason::ToolCalls, _))));
    let there = |d: &&Draft| matches!(&d.end, Some(Ok(_)));
    let mut voters: Vec<&Draft> = drafts.iter().filter(whole).collect();
    if voters.is_empty() {
        voters = drafts.iter().filter(there).collect();
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for voter in &voters {
        *counts.entry(gist(voter)).or_default() += 1;
    }
    let count = |draft: &&Draft| counts[&gist(draft)];
    // Of equals `max_by_key` takes the last: the first of the turned order.
    match voters.iter().rev().max_by_key(|d| count(d)) {
        Some(elected) => (elected, count(elected)),
        None => (&drafts[0], 0),
    }
}

/// What an answer comes down to: its calls, else its conclusion.
fn gist(draft: &Draft) -> String {
    if draft.calls.is_empty() {
        return conclusion(&draft.content);
    }
    let call = |(name, arguments): &(String, String)| {
        let value: Result<Value, _> = serde_json::from_str(arguments);
        format!("{name} {}", value.map_or_else(|_| words(arguments), |v| trimmed(v).to_string()))
    };
    draft.calls.iter().map(call).collect::<Vec<_>>().join("\n")
}

/// Texts without the white space around them, names in order.
fn trimmed(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.trim().to_owned()),
        Value::Array(list) => list.into_iter().map(trimmed).collect(),
        Value::Object(map) => {
            let sorted: BTreeMap<String, Value> = map.into_iter().collect();
            sorted.into_iter().map(|(k, v)| (k, trimmed(v))).collect()
        }
        other => other,
    }
}

/// What stands in the last `\boxed{}`, else after the last "answer is" or "answer:", else all of it; letter case,
/// white space, emphasis and the last stop do not count.
fn conclusion(text: &str) -> String {
    if let Some((_, after)) = text.rsplit_once("\\boxed{") {
        let mut depth = 1_usize;
        let end = after.find(|c| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        return words(&after[..end.unwrap_or(after.len())]);
    }
    let lower = text.to_lowercase();
    let after = ["answer is", "answer:"].iter().filter_map(|mark| {
        let at = lower.rfind(mark)? + mark.len();
        Some((at, lower[at..].lines().next().unwrap_or_default()))
    });
    match after.max_by_key(|(at, _)| *at) {
        Some((_, answer)) if !words(answer).is_empty() => words(answer),
        _ => words(&lower),
    }
}

fn words(text: &str) -> String {
    let text = text.to_lowercase().replace(['*', '`', '$'], "");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.trim_matches([':', '.', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(content: &str) -> Draft {
        let end = Some(Ok((FinishReason::Stop, Usage::default())));
        Draft { content: content.to_owned(), end, ..Draft::default() }
    }

    fn called(arguments: &str) -> Draft {
        Draft { calls: vec![("calculate".to_owned(), arguments.to_owned())], ..said("") }
    }

    fn ended(content: &str, end: Result<FinishReason, &str>) -> Draft {
        let end = end.map(|reason| (reason, Usage::default())).map_err(str::to_owned);
        Draft { end: Some(end), ..said(content) }
    }

    #[test]
    fn what_most_conclude_is_elected_and_of_equals_the_first() {
        let drafts = [
            said("So the answer is 4."),
            said("2 + 3 = 5.\nThe answer is **5**"),
            said("Answer: 5"),
            said("I think \\boxed{6}"),
        ];
        let (elected, agreed) = elect(&drafts);
        assert_eq!((elected.content.as_str(), agreed), ("2 + 3 = 5.\nThe answer is **5**", 2));
        let (elected, agreed) = elect(&drafts[..2]);
        assert_eq!((elected.content.as_str(), agreed), ("So the answer is 4.", 1));
    }

    #[test]
    fn calls_are_one_vote_whatever_the_order_and_the_spaces_of_their_arguments() {
        let drafts = [
            said("about 12"),
            called(r#"{"expression": " 3 * 4", "digits": 2}"#),
            called(r#"{"digits":2,"expression":"3 * 4"}"#),
        ];
        assert_eq!(elect(&drafts).1, 2);
        assert!(!elect(&drafts).0.calls.is_empty());
    }

    #[test]
    fn who_was_cut_off_or_failed_does_not_vote_where_others_came_to_an_end() {
        let cut = |text| ended(text, Ok(FinishReason::Length));
        let drafts = [cut("the answer is 7"), cut("the answer is 7"), said("the answer is 8")];
        assert_eq!(elect(&drafts).0.content, "the answer is 8");
        let drafts = [ended("", Err("no memory")), cut("7")];
        assert_eq!(elect(&drafts).0.content, "7");
        let drafts = [ended("", Err("no memory")), ended("", Err("no memory"))];
        assert_eq!(elect(&drafts).1, 0);
    }

    #[test]
    fn conclusions() {
        for (text, is) in [
            ("The answer is 5.", "5"),
            ("the answer is: **Paris**.", "paris"),
            ("first \\boxed{1}, then \\boxed{\\frac{1}{2}} there", "\\frac{1}{2}"),
            ("Answer: 3\nAnswer: 4\nbye", "4"),
            ("Hello  there!", "hello there!"),
            ("the answer is", "the answer is"),
            ("", ""),
        ] {
            assert_eq!(conclusion(text), is, "{text}");
        }
    }
}
