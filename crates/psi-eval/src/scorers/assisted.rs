//! The judge of the assistant's own suite.

use serde_json::Value;

use crate::{
    skills::{plain, tools::Call},
    task::{Item, Metric, Output, Result, Scorer, Verdict},
};

/// Right when the last word is one of the accepted ones, letter for letter but for case and white space, and what
/// had to be done was done: calls that change memory must be the right ones, all of them and no others; where
/// nothing was to be called nothing may be. How a question was looked up or computed is not judged, only reported.
#[derive(Clone, Copy, Debug)]
pub struct Assisted;

/// Tools whose call is the point of the exchange.
const EFFECTS: &[&str] = &["remember", "correct", "forget"];

impl Scorer for Assisted {
    fn version(&self) -> &'static str {
        "assisted/1"
    }

    fn score(&self, item: &Item, output: &Output) -> Result<Verdict> {
        let Output::Messages(messages) = output else { return Err(output.unfit(item)) };
        let made = calls(messages.iter().flat_map(|m| m["tool_calls"].as_array()).flatten());
        let expected = calls(item.reference["calls"].as_array().into_iter().flatten());
        let calls_right =
            made.len() == expected.len() && made.iter().zip(&expected).all(|(m, e)| m.is_same(e));
        let reply = output.answer(item)?;
        let accepted = item.reference["accepted"].as_array().into_iter().flatten();
        let reply_right =
            accepted.filter_map(Value::as_str).any(|right| plain(right) == plain(reply));
        let must_match =
            expected.is_empty() || expected.iter().any(|c| EFFECTS.contains(&c.name.as_str()));
        let correct = reply_right && (calls_right || !must_match);
        let verdict = Verdict::binary(correct, Some(reply.trim().to_owned()));
        let skill = item.reference["skill"].as_str().unwrap_or_default();
        Ok(verdict.with("skill", skill).with("calls", calls_right).with("reply", reply_right))
    }

    fn metrics(&self, judged: &[(&Item, &Verdict)]) -> Vec<Metric> {
        let share = |name: &str, key: &str| {
            let is_true =
                |(_, v): &(&Item, &Verdict)| v.detail.get(key) == Some(&Value::Bool(true));
            Metric::share(name, judged.iter().map(is_true))
        };
        vec![
            Metric::share("accuracy", judged.iter().map(|(_, v)| v.correct)),
            share("replies_right", "reply"),
            share("calls_right", "calls"),
        ]
    }
}

/// Calls in OpenAI's shape, or their functions alone; arguments as an object or as its text.
fn calls<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<Call> {
    let of = |value: &Value| {
        let function = value.get("function").unwrap_or(value);
        let arguments = match &function["arguments"] {
            Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
            other => other.clone(),
        };
        Call {
            name: function["name"].as_str().unwrap_or_default().to_owned(),
            arguments: arguments.as_object().cloned().unwrap_or_default(),
        }
    };
    values.map(of).collect()
}
