//! Ratings as examples: chosen, deduplicated, checked for contradictions and private data, and split.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use psi_infer::rng;
use psi_store::{ContentHash, write_atomic};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Result, TrainError};

/// Share of the examples that only test: of forty, enough for the gate to be sure although one in six fails.
const KEPT_OUT: f64 = 0.3;

/// One rating of an answer, as `psi feedback export` writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rating {
    /// Its own name.
    pub id: String,
    /// Where it comes from: a conversation, or an import. Forgotten as a whole.
    pub source: String,
    /// What its owner did.
    pub verdict: Verdict,
    /// The conversation up to the answer, as JSON messages.
    pub messages: Vec<Value>,
    /// The answer that was rated.
    pub answer: String,
    /// What would have been better.
    #[serde(default)]
    pub better: Option<String>,
    /// The tools that could be called, as definitions.
    #[serde(default)]
    pub tools: Vec<Value>,
}

impl Rating {
    /// A line of `psi feedback export`.
    ///
    /// # Errors
    /// What is missing in it.
    pub fn from_export(line: &Value) -> std::result::Result<Self, String> {
        let text = |value: &Value| value["content"].as_str().unwrap_or_default().to_owned();
        let list = |key: &str| line[key].as_array().cloned();
        let name = |key: &str| match &line[key] {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            _ => Err(format!("no '{key}'")),
        };
        let better = line.get("better").map(text);
        // An answer that was chosen over another one is imitated; so is one that was praised.
        let is_liked = line["rating"] == "up" || line.get("rejected").is_some();
        let verdict = match (&better, is_liked) {
            (Some(_), _) => Verdict::Better,
            (None, true) => Verdict::Up,
            (None, false) => Verdict::Down,
        };
        Ok(Self {
            id: name("id")?,
            source: name("conversation")?,
            verdict,
            messages: list("messages").ok_or("no 'messages'")?,
            answer: text(&line["completion"]),
            better,
            tools: list("tools").unwrap_or_default(),
        })
    }
}

/// What an owner says of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Good as it is.
    Up,
    /// Bad, without saying how it should be.
    Down,
    /// Something else would be better.
    Better,
}

/// What an owner keeps out of a data set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Ratings struck out, by id.
    pub struck: BTreeSet<String>,
    /// Sources that are forgotten.
    pub forgotten: BTreeSet<String>,
    /// Whether texts with addresses, telephone and card numbers may be learned.
    pub private: bool,
}

/// What is imitated: `target` after `messages`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The rating's.
    pub id: String,
    /// The rating's.
    pub source: String,
    /// The conversation up to the answer.
    pub messages: Vec<Value>,
    /// The answer to learn.
    pub target: String,
    /// The rating's.
    #[serde(default)]
    pub tools: Vec<Value>,
}

/// A rating that is not learned from, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The rating's id.
    pub id: String,
    /// The reason, in a few words.
    pub why: String,
}

/// The examples of one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSet {
    /// Hash of everything that is learned and tested.
    pub version: ContentHash,
    /// What is learned.
    pub train: Vec<Example>,
    /// What the result is tested with, and never learned.
    pub kept_out: Vec<Example>,
    /// What is neither.
    pub left_out: Vec<LeftOut>,
}

impl DataSet {
    /// The data set of some ratings.
    ///
    /// Of several ratings with the same conversation and target the first stays; ratings that want
    /// different answers to the same conversation are left out, all of them. Three tenths are kept out, chosen
    /// by the conversation alone, so that a corrected correction stays on its side.
    pub fn new(ratings: &[Rating], rules: &Rules) -> Self {
        let mut left_out = Vec::new();
        let mut by_prompt: BTreeMap<String, Vec<Example>> = BTreeMap::new();
        for rating in ratings {
            match example(rating, rules) {
                Ok(example) => by_prompt.entry(plain(&example.messages)).or_default().push(example),
                Err(why) => left_out.push(LeftOut { id: rating.id.clone(), why: why.to_owned() }),
            }
        }
        let (mut train, mut kept_out) = (Vec::new(), Vec::new());
        for (prompt, examples) in by_prompt {
            let mut examples = examples.into_iter();
            let Some(first) = examples.next() else { continue };
            let rest: Vec<Example> = examples.collect();
            if rest.iter().any(|e| e.target != first.target) {
                let all = std::iter::once(&first).chain(&rest);
                let why = "other ratings want another answer to the same";
                left_out.extend(all.map(|e| LeftOut { id: e.id.clone(), why: why.to_owned() }));
                continue;
            }
            let twin = |e: Example| LeftOut { id: e.id, why: format!("the same as {}", first.id) };
            left_out.extend(rest.into_iter().map(twin));
            let hash = ContentHash::of_bytes(prompt.as_bytes());
            let bits = u64::from_str_radix(&hash.to_string()[..16], 16).unwrap_or_default();
            match rng::uniform(bits, 0) < KEPT_OUT {
                true => kept_out.push(first),
                false => train.push(first),
            }
        }
        let both = json!([train, kept_out]).to_string();
        Self { version: ContentHash::of_bytes(both.as_bytes()), train, kept_out, left_out }
    }

    /// Writes `train.jsonl`, `kept-out.jsonl` and `left-out.json` into `dir`.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        std::fs::create_dir_all(dir).map_err(|e| TrainError::io(dir, "making the folder", e))?;
        let lines = |examples: &[Example]| -> String {
            examples.iter().map(|e| format!("{}\n", e.conversation())).collect()
        };
        write_atomic(&dir.join("train.jsonl"), lines(&self.train).as_bytes())?;
        write_atomic(&dir.join("kept-out.jsonl"), lines(&self.kept_out).as_bytes())?;
        let left_out = format!("{:#}\n", json!(self.left_out));
        Ok(write_atomic(&dir.join("left-out.json"), left_out.as_bytes())?)
    }
}

impl Example {
    /// As a line of training data.
    fn conversation(&self) -> Value {
        let mut messages = self.messages.clone();
        messages.push(json!({ "role": "assistant", "content": self.target }));
        let mut line = json!({ "id": self.id, "source": self.source, "messages": messages });
        if !self.tools.is_empty() {
            line["tools"] = json!(self.tools);
        }
        line
    }

    /// A line that [`conversation`](Self::conversation) has written.
    pub(super) fn from_conversation(line: &str) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Line {
            id: String,
            source: String,
            messages: Vec<Value>,
            #[serde(default)]
            tools: Vec<Value>,
        }
        let Line { id, source, mut messages, tools } = serde_json::from_str(line)?;
        let answer = messages.pop().unwrap_or_default();
        let target = answer["content"].as_str().unwrap_or_default().to_owned();
        Ok(Self { id, source, messages, target, tools })
    }
}

/// What a rating teaches, or why nothing.
fn example(rating: &Rating, rules: &Rules) -> std::result::Result<Example, &'static str> {
    if rules.struck.contains(&rating.id) {
        return Err("struck out");
    }
    if rules.forgotten.contains(&rating.source) {
        return Err("its source is forgotten");
    }
    let target = match (rating.verdict, &rating.better) {
        (Verdict::Up, _) => &rating.answer,
        (Verdict::Better, Some(better)) => better,
        (Verdict::Better, None) => return Err("says no better answer"),
        (Verdict::Down, _) => return Err("says only what is wrong"),
    };
    if target.trim().is_empty() {
        return Err("the answer is empty");
    }
    let asks = |m: &Value| m["role"] == "user" || m["role"] == "tool";
    if !rating.messages.last().is_some_and(asks) {
        return Err("the conversation does not end with a question");
    }
    let all = rating.messages.iter().filter_map(|m| m["content"].as_str());
    if !rules.private && all.chain([target.as_str()]).any(is_private) {
        return Err("holds an address or a long number");
    }
    let (id, source) = (rating.id.clone(), rating.source.clone());
    let (messages, tools) = (rating.messages.clone(), rating.tools.clone());
    Ok(Example { id, source, messages, target: target.clone(), tools })
}

/// The conversation without what does not change its meaning.
fn plain(messages: &[Value]) -> String {
    let one = |m: &Value| {
        let text = m["content"].as_str().unwrap_or_default().to_lowercase();
        let words: Vec<&str> = text.split_whitespace().collect();
        format!("{}: {}\n", m["role"].as_str().unwrap_or_default(), words.join(" "))
    };
    messages.iter().filter(|m| m["role"] != "system").map(one).collect()
}

/// Whether a text holds an e-mail address, or a number with nine or more digits (telephones, cards,
/// accounts), however it is grouped.
fn is_private(text: &str) -> bool {
    let is_address = |word: &str| {
        let parts = word.trim_matches(|c: char| !c.is_alphanumeric()).split_once('@');
        parts.is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
    };
    if text.split_whitespace().any(is_address) {
        return true;
    }
    let mut digits = 0;
    for c in text.chars() {
        match c {
            '0'..='9' => digits += 1,
            ' ' | '-' | '/' | '(' | ')' | '+' => {}
            _ => digits = 0,
        }
        if digits >= 9 {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rating(id: &str, question: &str, better: &str) -> Rating {
        Rating {
            id: id.to_owned(),
            source: format!("chat-{id}"),
            verdict: Verdict::Better,
            messages: vec![json!({ "role": "user", "content": question })],
            answer: "no idea".to_owned(),
            better: Some(better.to_owned()),
            tools: Vec::new(),
        }
    }

    fn why<'a>(set: &'a DataSet, id: &str) -> &'a str {
        &set.left_out.iter().find(|l| l.id == id).unwrap().why
    }

    #[test]
    fn a_part_is_kept_out_by_its_question_and_the_version_names_the_rest() {
        let ratings: Vec<Rating> = (0..200)
            .map(|i| rating(&i.to_string(), &format!("What is {i}?"), "a number"))
            .collect();
        let set = DataSet::new(&ratings, &Rules::default());
        assert_eq!(set.train.len() + set.kept_out.len(), 200);
        assert!((40..80).contains(&set.kept_out.len()), "{}", set.kept_out.len());
        let mut turned = ratings.clone();
        turned.reverse();
        assert_eq!(DataSet::new(&turned, &Rules::default()).version, set.version);
        let fewer = DataSet::new(&ratings[1..], &Rules::default());
        assert_ne!(fewer.version, set.version);
        let sides = |s: &DataSet| -> Vec<String> {
            s.kept_out.iter().map(|e| e.id.clone()).filter(|id| id != "0").collect()
        };
        assert_eq!(sides(&fewer), sides(&set));
    }

    #[test]
    fn twins_contradictions_and_what_teaches_nothing_are_left_out_with_the_reason() {
        let mut up = rating("up", "Hello", "");
        (up.verdict, up.better, up.answer) = (Verdict::Up, None, "Good day.".to_owned());
        let mut down = rating("down", "Hi", "");
        (down.verdict, down.better) = (Verdict::Down, None);
        let ratings = [
            rating("a", "How far?", "3 km"),
            rating("b", "how  FAR?", "3 km"),
            rating("c", "How hot?", "20 degrees"),
            rating("d", "How hot?", "ask somebody else"),
            rating("e", "My address?", "ada@example.org"),
            rating("f", "Her number?", "+44 20 7946 0958"),
            rating("g", "The year?", "1815-12-10"),
            rating("h", "Why?", "  "),
            rating("i", "Who?", "me"),
            up,
            down,
        ];
        let rules = Rules {
            struck: ["i".to_owned()].into(),
            forgotten: ["chat-g".to_owned()].into(),
            private: false,
        };
        let set = DataSet::new(&ratings, &rules);
        let mut ids: Vec<&str> =
            set.train.iter().chain(&set.kept_out).map(|e| e.id.as_str()).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["a", "up"]);
        assert_eq!(why(&set, "b"), "the same as a");
        assert!(why(&set, "c").contains("another answer") && why(&set, "d").contains("another"));
        assert!(why(&set, "e").contains("address") && why(&set, "f").contains("number"));
        assert!(why(&set, "g").contains("forgotten"));
        assert!(why(&set, "h").contains("empty") && why(&set, "i").contains("struck"));
        assert!(why(&set, "down").contains("only what is wrong"));
        let all = DataSet::new(&ratings, &Rules { private: true, ..rules });
        assert_eq!(all.train.len() + all.kept_out.len(), 4);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut first = rating("a", "How far?", "3 km");
        first.tools = vec![json!({ "type": "function" })];
        let set = DataSet::new(&[first, rating("b", "How hot?", "20 degrees")], &Rules::default());
        for example in set.train.iter().chain(&set.kept_out) {
            let line = example.conversation().to_string();
            assert_eq!(Example::from_conversation(&line).unwrap(), *example);
        }
        assert!(Example::from_conversation("{}").is_err());
    }

    #[test]
    fn forgetting_a_source_leaves_no_trace_of_its_text() {
        let ratings =
            [rating("a", "The password of the shed?", "swordfish"), rating("b", "Hm?", "No.")];
        let dir = tempfile::tempdir().unwrap();
        let grep = |word: &str| {
            std::fs::read_dir(dir.path())
                .unwrap()
                .any(|file| std::fs::read_to_string(file.unwrap().path()).unwrap().contains(word))
        };
        DataSet::new(&ratings, &Rules::default()).write(dir.path()).unwrap();
        assert!(grep("swordfish"));
        let rules = Rules { forgotten: ["chat-a".to_owned()].into(), ..Rules::default() };
        DataSet::new(&ratings, &rules).write(dir.path()).unwrap();
        assert!(!grep("swordfish") && !grep("shed") && grep("Hm?"));
    }
}
