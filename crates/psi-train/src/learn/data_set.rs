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

/// The files of a data set: conversations with the answer to imitate, those without one, and what only tests.
pub(super) const IMITATE: &str = "train.jsonl";
pub(super) const AVOID: &str = "avoid.jsonl";
pub(super) const KEPT_OUT_FILE: &str = "kept-out.jsonl";
/// What is made of them: the model's own answers that it should keep, and all that was judged.
pub(super) const REPLAY: &str = "replay.jsonl";
pub(super) const JUDGED: &str = "judged.jsonl";
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
    /// The answer to the same that it was preferred to.
    #[serde(default)]
    pub rejected: Option<String>,
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
        let (better, rejected) = (line.get("better").map(text), line.get("rejected").map(text));
        let verdict = match (&better, &rejected, line["rating"].as_str()) {
            (Some(_), ..) => Verdict::Better,
            // An answer that was chosen over another one is imitated; so is one that was praised.
            (None, Some(_), _) | (None, None, Some("up")) => Verdict::Up,
            (None, None, Some("down")) => Verdict::Down,
            (None, None, _) => Verdict::Neither,
        };
        Ok(Self {
            id: name("id")?,
            source: name("conversation")?,
            verdict,
            messages: list("messages").ok_or("no 'messages'")?,
            answer: text(&line["completion"]),
            better,
            rejected,
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
    /// No more than a tag, or that two answers are as good.
    Neither,
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

/// What is learned of an answer to `messages`: what it should be, what it should not be, or both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The rating's.
    pub id: String,
    /// The rating's.
    pub source: String,
    /// The conversation up to the answer.
    pub messages: Vec<Value>,
    /// The answer to imitate.
    pub target: Option<String>,
    /// The answer to keep away from.
    pub disliked: Option<String>,
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
    /// Of several ratings that say the same of the same conversation the first stays; ratings that want
    /// different answers to it, or dislike what another one wants, are left out, all of them. Three tenths are
    /// kept out, chosen by the conversation alone, so that a corrected correction stays on its side; where nothing
    /// says what the answer should be, there is nothing to test.
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
            if are_at_odds(&examples) {
                let why = "other ratings want another answer to the same";
                left_out.extend(examples.iter().map(|e| e.left_out(why.to_owned())));
                continue;
            }
            let mut told: Vec<Example> = Vec::new();
            for example in examples {
                match told.iter().find(|t| t.says(&example)) {
                    Some(twin) => {
                        left_out.push(example.left_out(format!("the same as {}", twin.id)));
                    }
                    None => told.push(example),
                }
            }
            let hash = ContentHash::of_bytes(prompt.as_bytes());
            let bits = u64::from_str_radix(&hash.to_string()[..16], 16).unwrap_or_default();
            let can_test = told.iter().any(|e| e.target.is_some());
            match can_test && rng::uniform(bits, 0) < KEPT_OUT {
                true => kept_out.extend(told),
                false => train.extend(told),
            }
        }
        let both = json!([train, kept_out]).to_string();
        Self { version: ContentHash::of_bytes(both.as_bytes()), train, kept_out, left_out }
    }

    /// Whether anything says what an answer should be. What only says what it should not be would make the model
    /// say anything else, and nobody could tell whether that is better.
    pub fn has_targets(&self) -> bool {
        self.train.iter().any(|e| e.target.is_some())
    }

    /// Whether it holds an answer to keep away from.
    pub fn has_disliked(&self) -> bool {
        self.train.iter().any(|e| e.disliked.is_some())
    }

    /// Writes `train.jsonl` and `avoid.jsonl` (what is learned: with and without an answer to imitate),
    /// `kept-out.jsonl` and `left-out.json` into `dir`.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        std::fs::create_dir_all(dir).map_err(|e| TrainError::io(dir, "making the folder", e))?;
        let write = |file: &str, examples: &mut dyn Iterator<Item = &Example>| {
            let lines: String = examples.map(|e| format!("{}\n", e.conversation())).collect();
            write_atomic(&dir.join(file), lines.as_bytes())
        };
        let imitated = |e: &&Example| e.target.is_some();
        write(IMITATE, &mut self.train.iter().filter(imitated))?;
        write(AVOID, &mut self.train.iter().filter(|e| !imitated(e)))?;
        write(KEPT_OUT_FILE, &mut self.kept_out.iter())?;
        let left_out = format!("{:#}\n", json!(self.left_out));
        Ok(write_atomic(&dir.join("left-out.json"), left_out.as_bytes())?)
    }
}

impl Example {
    /// As a line of training data: with the answer to imitate, if there is one, as its last message.
    fn conversation(&self) -> Value {
        let mut messages = self.messages.clone();
        if let Some(target) = &self.target {
            messages.push(json!({ "role": "assistant", "content": target }));
        }
        let mut line = json!({ "id": self.id, "source": self.source, "messages": messages });
        if let Some(disliked) = &self.disliked {
            line["disliked"] = json!(disliked);
        }
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
            disliked: Option<String>,
            #[serde(default)]
            tools: Vec<Value>,
        }
        let Line { id, source, mut messages, disliked, tools } = serde_json::from_str(line)?;
        let answer = messages.pop_if(|last| last["role"] == "assistant");
        let target = answer.map(|a| a["content"].as_str().unwrap_or_default().to_owned());
        Ok(Self { id, source, messages, target, disliked, tools })
    }

    /// As a line of `prefer.pairs`.
    pub(super) fn judged(&self) -> Value {
        let mut line = json!({ "messages": self.messages, "tools": self.tools });
        match (&self.target, &self.disliked) {
            (Some(target), Some(disliked)) => {
                line["chosen"] = json!(target);
                line["rejected"] = json!(disliked);
            }
            (target, disliked) => {
                line["answer"] = json!(target.as_ref().or(disliked.as_ref()));
                line["liked"] = json!(target.is_some());
            }
        }
        line
    }

    /// Whether another one says nothing that this one does not say.
    fn says(&self, other: &Self) -> bool {
        let is_said = |theirs: &Option<String>, mine| theirs.is_none() || theirs == mine;
        is_said(&other.target, &self.target) && is_said(&other.disliked, &self.disliked)
    }

    fn left_out(&self, why: String) -> LeftOut {
        LeftOut { id: self.id.clone(), why }
    }
}

/// Whether examples of one conversation want different answers, or one of them what another one dislikes.
fn are_at_odds(examples: &[Example]) -> bool {
    let mut targets = examples.iter().filter_map(|e| e.target.as_ref());
    let Some(first) = targets.next() else { return false };
    targets.any(|t| t != first) || examples.iter().any(|e| e.disliked.as_ref() == Some(first))
}

/// What a rating teaches, or why nothing.
fn example(rating: &Rating, rules: &Rules) -> std::result::Result<Example, &'static str> {
    if rules.struck.contains(&rating.id) {
        return Err("struck out");
    }
    if rules.forgotten.contains(&rating.source) {
        return Err("its source is forgotten");
    }
    let answer = Some(&rating.answer);
    let (target, disliked) = match (rating.verdict, &rating.better) {
        (Verdict::Up, _) => (answer, rating.rejected.as_ref()),
        // Imitating the better answer takes the other one's place; to push that away too was tried and
        // brought nothing.
        (Verdict::Better, Some(better)) => (Some(better), None),
        (Verdict::Better, None) => return Err("says no better answer"),
        (Verdict::Down, _) => (None, answer),
        (Verdict::Neither, _) => return Err("says neither good nor bad"),
    };
    // A call of a tool has no words: there is nothing to keep away from.
    let disliked = disliked.filter(|text| !text.trim().is_empty());
    if target.or(disliked).is_none_or(|text| text.trim().is_empty()) {
        return Err("the answer is empty");
    }
    let asks = |m: &Value| m["role"] == "user" || m["role"] == "tool";
    if !rating.messages.last().is_some_and(asks) {
        return Err("the conversation does not end with a question");
    }
    let all = rating.messages.iter().filter_map(|m| m["content"].as_str());
    let mut all = all.chain([target, disliked].into_iter().flatten().map(String::as_str));
    if !rules.private && all.any(is_private) {
        return Err("holds an address or a long number");
    }
    Ok(Example {
        id: rating.id.clone(),
        source: rating.source.clone(),
        messages: rating.messages.clone(),
        target: target.cloned(),
        disliked: disliked.cloned(),
        tools: rating.tools.clone(),
    })
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
            rejected: None,
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
        (down.verdict, down.better, down.answer) = (Verdict::Down, None, "Go away.".to_owned());
        let mut tie = rating("tie", "Well?", "");
        (tie.verdict, tie.better) = (Verdict::Neither, None);
        let mut at_odds = rating("odds", "How far?", "");
        (at_odds.verdict, at_odds.better, at_odds.answer) =
            (Verdict::Down, None, "3 miles".to_owned());
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
            tie,
            at_odds.clone(),
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
        assert_eq!(ids, ["a", "down", "odds", "up"]);
        let down = set.train.iter().chain(&set.kept_out).find(|e| e.id == "down").unwrap();
        assert_eq!((&down.target, down.disliked.as_deref()), (&None, Some("Go away.")));
        assert_eq!(why(&set, "b"), "the same as a");
        assert!(why(&set, "c").contains("another answer") && why(&set, "d").contains("another"));
        assert!(why(&set, "e").contains("address") && why(&set, "f").contains("number"));
        assert!(why(&set, "g").contains("forgotten"));
        assert!(why(&set, "h").contains("empty") && why(&set, "i").contains("struck"));
        assert!(why(&set, "tie").contains("neither good nor bad"));
        let all = DataSet::new(&ratings, &Rules { private: true, ..rules });
        assert_eq!(all.train.len() + all.kept_out.len(), 6);
        // To dislike what another rating wants is to contradict it.
        at_odds.answer = "3 km".to_owned();
        let set = DataSet::new(&[ratings[0].clone(), at_odds], &Rules::default());
        assert_eq!((set.train.len() + set.kept_out.len(), set.left_out.len()), (0, 2));
    }

    #[test]
    fn judgements_of_an_export_are_read_for_what_they_say() {
        let line = |more: Value| {
            let mut line = json!({ "id": 1, "conversation": 2, "messages": [], "completion": { "content": "A" } });
            line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let rating = Rating::from_export(&line).unwrap();
            (rating.verdict, rating.better, rating.rejected)
        };
        let text = |t: &str| Some(t.to_owned());
        let said = |t: &str| json!({ "role": "assistant", "content": t });
        assert_eq!(line(json!({ "rating": "up" })), (Verdict::Up, None, None));
        assert_eq!(line(json!({ "rating": "down" })), (Verdict::Down, None, None));
        assert_eq!(line(json!({ "rejected": said("B") })), (Verdict::Up, None, text("B")));
        let better = json!({ "rating": "down", "better": said("C") });
        assert_eq!(line(better), (Verdict::Better, text("C"), None));
        assert_eq!(line(json!({ "tie": said("B") })), (Verdict::Neither, None, None));
        assert_eq!(line(json!({ "tags": ["clear"] })), (Verdict::Neither, None, None));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut first = rating("a", "How far?", "3 km");
        first.tools = vec![json!({ "type": "function" })];
        let mut down = rating("c", "How high?", "");
        (down.verdict, down.better) = (Verdict::Down, None);
        let ratings = [first, rating("b", "How hot?", "20 degrees"), down];
        let set = DataSet::new(&ratings, &Rules::default());
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
