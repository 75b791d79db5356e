//! The score table of the held-out split: a model plays every scored exchange with the real tools.

use std::fmt;

use psi_infer::{Engine, EngineError};
use psi_tokenizer::{ChatTemplate, TemplateError, TokenId, Tokenizer};
use serde_json::{Map, Value, json};

use super::{
    Check, Conversation, Message, Skill, generate_ending_in,
    tools::{Call, World, definitions},
    turn::Turn,
};
use crate::{
    greedy::{Limits, complete},
    split::Split,
    stats::Share,
};

/// Most tokens of one turn.
const MAX_TOKENS: usize = 192;

/// Most turns of the assistant in one exchange.
const MAX_TURNS: usize = 4;

/// A model that talks through its chat template.
#[derive(Debug)]
pub struct Player<'a> {
    /// The weights and their cache.
    pub engine: &'a mut Engine,
    /// The model's tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The model's chat template.
    pub template: &'a ChatTemplate,
    /// Most sequences at a time.
    pub batch: usize,
}

/// Why a model cannot be scored.
#[derive(Debug)]
pub enum ScoreError {
    /// The chat template refuses a conversation.
    Template(TemplateError),
    /// A conversation does not fit.
    Engine(EngineError),
}

impl fmt::Display for ScoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Template(_) => f.write_str("a conversation cannot be written for this model"),
            Self::Engine(_) => f.write_str("a conversation cannot be run"),
        }
    }
}

impl std::error::Error for ScoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Template(e) => Some(e),
            Self::Engine(e) => Some(e),
        }
    }
}

/// What the model did in one scored exchange.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What the exchange exercises.
    pub skill: Skill,
    /// Whether it made the right calls, all of them in order and no other.
    pub calls_right: bool,
    /// Whether its last word is right.
    pub reply_right: bool,
    /// What it wrote, turn by turn.
    pub written: Vec<String>,
}

/// An exchange that went wrong.
#[derive(Clone, Debug)]
pub struct Mistake {
    /// What the exchange exercises.
    pub skill: Skill,
    /// What the user typed.
    pub user: String,
    /// What would have been right.
    pub expected: String,
    /// What the model wrote.
    pub written: String,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What is scored.
    pub name: String,
    /// How many were right.
    pub share: Share,
    /// The share that psi-nano must reach, where one is set.
    pub bar: Option<f64>,
}

/// The score table.
#[derive(Clone, Debug)]
pub struct Table {
    /// The rows with bars first, then every skill.
    pub rows: Vec<Row>,
    /// Everything that went wrong, in order.
    pub mistakes: Vec<Mistake>,
}

/// Scores `n` held-out exchanges of every kind (twice as many notes, four times as many problems).
/// `progress` is told how many of how many exchanges have been played.
///
/// # Errors
/// [`ScoreError`].
pub fn score(
    player: &mut Player<'_>,
    split: Split,
    n: usize,
    seed: u64,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Table, ScoreError> {
    let items = scored(split, n, seed);
    let answers = player.play(&items, progress)?;
    Ok(Table::new(&items, &answers))
}

/// Kinds that are scored more often than the others: with and without an answer in the note; many
/// families of problems.
const COUNTS: &[(&str, usize)] = &[("reading", 2), ("reasoning", 4)];

/// The scored conversations: for every kind of exchange those that end in one.
fn scored(split: Split, n: usize, seed: u64) -> Vec<Conversation> {
    let mut items = Vec::new();
    for kind in super::Mix::names() {
        let n = n * COUNTS.iter().find(|c| c.0 == kind).map_or(1, |c| c.1);
        for index in 0..n as u64 {
            items.extend(generate_ending_in(kind, split, seed, index));
        }
    }
    items
}

/// The scored exchange of a conversation while a model plays it: its tools run in the conversation's world.
#[derive(Clone, Debug)]
pub struct Play {
    messages: Vec<Value>,
    world: World,
    calls: Vec<Call>,
    written: Vec<String>,
    reply: Option<String>,
    done: bool,
}

impl Player<'_> {
    fn play(
        &mut self,
        items: &[Conversation],
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<Answer>, ScoreError> {
        let mut stop = self.tokenizer.end_of_generation().to_vec();
        stop.extend(self.tokenizer.id_of("<|im_end|>"));
        let mut plays: Vec<Play> = items.iter().map(Play::new).collect();
        // Pieces small enough for the progress to move.
        let piece = self.batch * 8;
        let total = items.len();
        for (done, plays) in plays.chunks_mut(piece).enumerate() {
            progress(done * piece, total);
            for _ in 0..MAX_TURNS {
                self.turn(plays, &stop)?;
            }
        }
        let answers = items.iter().zip(plays).map(|(item, play)| play.judge(item));
        Ok(answers.collect())
    }

    /// One turn of every exchange that is not over.
    fn turn(&mut self, plays: &mut [Play], stop: &[TokenId]) -> Result<(), ScoreError> {
        let mut open: Vec<&mut Play> = plays.iter_mut().filter(|p| !p.done).collect();
        let mut prompts = Vec::new();
        for play in &open {
            let messages = Value::Array(play.messages.clone());
            let text = self
                .template
                .render(&messages, Some(&definitions()), true, &Map::new())
                .map_err(ScoreError::Template)?;
            prompts.push(self.tokenizer.encode(&text, false, true));
        }
        let limits = Limits { max_tokens: MAX_TOKENS, stop, batch: self.batch };
        let answers = complete(self.engine, &prompts, limits).map_err(ScoreError::Engine)?;
        for (play, tokens) in open.iter_mut().zip(answers) {
            play.take(self.tokenizer.decode(&tokens, false));
        }
        Ok(())
    }
}

impl Play {
    /// Just before the scored answer.
    pub fn new(item: &Conversation) -> Self {
        let asked = &item.messages[..item.scored_from];
        Self {
            messages: asked.iter().map(Message::to_json).collect(),
            world: item.world.clone(),
            calls: Vec::new(),
            written: Vec::new(),
            reply: None,
            done: false,
        }
    }

    /// Everything said so far, as JSON messages.
    pub fn messages(&self) -> &[Value] {
        &self.messages
    }

    /// Whether the model has answered, or written what is no turn.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Takes what the model wrote, without its end-of-turn token: runs its calls, or ends the exchange.
    pub fn take(&mut self, text: String) {
        match Turn::parse(&text) {
            Err(_) => self.done = true,
            Ok(turn) if turn.calls.is_empty() => {
                self.reply = Some(turn.content);
                self.done = true;
            }
            Ok(turn) => {
                self.messages.push(Message::Assistant(turn.clone()).to_json());
                for call in turn.calls {
                    let answer = self.world.run(&call);
                    self.messages.push(Message::Tool(answer).to_json());
                    self.calls.push(call);
                }
            }
        }
        self.written.push(text);
    }

    /// What the model did, against the conversation's right answer.
    pub fn judge(self, item: &Conversation) -> Answer {
        let expected = item.expected_calls();
        let calls_right = self.calls.len() == expected.len()
            && self.calls.iter().zip(expected).all(|(made, right)| made.is_same(right));
        let reply_right = self.reply.is_some_and(|reply| match &item.check {
            Check::Reply(accepted) => accepted.iter().any(|a| plain(a) == plain(&reply)),
            Check::Problem(problem) => problem.verify(&reply),
        });
        Answer { skill: item.skill, calls_right, reply_right, written: self.written }
    }
}

/// Letter case and white space do not matter; every word and sign does.
pub(crate) fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// A row with a bar: its name, the bar, which answers count, and what has to be right.
type Bar = (&'static str, f64, fn(&Answer) -> bool, fn(&Answer) -> bool);

/// What psi-nano must reach.
const BARS: &[Bar] = &[
    ("tool calls (name and arguments)", 0.95, |a| a.skill.uses_tools(), |a| a.calls_right),
    (
        "recall after an unrelated exchange",
        0.90,
        |a| a.skill == Skill::RecallLater,
        |a| a.reply_right,
    ),
    ("reading a note", 0.80, |a| a.skill == Skill::Reading, right),
    ("the note does not say", 0.80, |a| a.skill == Skill::NotInNote, right),
    ("reasoning", 0.60, |a| matches!(a.skill, Skill::Reasoning(_)), right),
];

fn right(answer: &Answer) -> bool {
    answer.reply_right && (answer.calls_right || answer.skill.uses_tools())
}

impl Table {
    fn new(items: &[Conversation], answers: &[Answer]) -> Self {
        let share = |counts: &dyn Fn(&Answer) -> bool, is_right: &dyn Fn(&Answer) -> bool| {
            let counted = answers.iter().filter(|a| counts(a));
            let right = counted.clone().filter(|a| is_right(a)).count();
            Share { right, total: counted.count() }
        };
        let mut rows: Vec<Row> = BARS
            .iter()
            .map(|(name, bar, counts, is_right)| Row {
                name: (*name).to_owned(),
                share: share(counts, is_right),
                bar: Some(*bar),
            })
            .collect();
        let mut skills: Vec<Skill> = answers.iter().map(|a| a.skill).collect();
        skills.sort_unstable();
        skills.dedup();
        for skill in skills {
            if skill.uses_tools() {
                let share = share(&|a| a.skill == skill, &|a| a.calls_right);
                rows.push(Row { name: format!("{}: calls", skill.name()), share, bar: None });
            }
            let share = share(&|a| a.skill == skill, &right);
            rows.push(Row { name: skill.name(), share, bar: None });
        }
        let pairs = items.iter().zip(answers);
        let wrong = pairs.filter(|(_, a)| !right(a) || !a.calls_right);
        let mistakes = wrong.map(|(item, answer)| Mistake::new(item, answer)).collect();
        Self { rows, mistakes }
    }

    /// The table as JSON.
    pub fn to_json(&self) -> Value {
        let row = |row: &Row| {
            let (low, high) = row.share.wilson();
            json!({
                "name": row.name,
                "right": row.share.right,
                "total": row.share.total,
                "share": row.share.value(),
                "interval": [low, high],
                "bar": row.bar,
            })
        };
        let rows: Value = self.rows.iter().map(row).collect();
        json!({"rows": rows})
    }
}

impl Mistake {
    fn new(item: &Conversation, answer: &Answer) -> Self {
        let user = match item.messages.get(item.scored_from - 1) {
            Some(Message::User(text)) => text.clone(),
            _ => String::new(),
        };
        let mut expected = Vec::new();
        for call in item.expected_calls() {
            expected.push(json!({"name": call.name, "arguments": call.arguments}).to_string());
        }
        expected.push(match &item.check {
            Check::Reply(accepted) => accepted.join(" | "),
            Check::Problem(problem) => format!("{} ({})", problem.reply(), problem.reasoning),
        });
        let (expected, written) = (expected.join(" => "), answer.written.join(" => "));
        Self { skill: item.skill, user, expected, written }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A turn as a model writes it.
    fn written(turn: &Turn) -> String {
        let mut text = String::new();
        if let Some(reasoning) = &turn.reasoning {
            text.push_str(&format!("<think>{reasoning}</think>\n"));
        }
        text.push_str(&turn.content);
        for call in &turn.calls {
            let call = json!({"name": call.name, "arguments": call.arguments});
            text.push_str(&format!("<tool_call>{call}</tool_call>"));
        }
        text
    }

    /// Plays the right answers, each changed by `change`.
    fn play(item: &Conversation, change: impl Fn(String) -> String) -> Answer {
        let mut play = Play::new(item);
        for message in &item.messages[item.scored_from..] {
            if let Message::Assistant(turn) = message
                && !play.done
            {
                play.take(change(written(turn)));
            }
        }
        play.judge(item)
    }

    #[test]
    fn right_answers_score_full_marks() {
        for item in scored(Split::Eval, 25, 4) {
            let answer = play(&item, |text| text);
            assert!(answer.calls_right && answer.reply_right, "{item:?} {answer:?}");
        }
    }

    #[test]
    fn altered_answers_score_nothing() {
        for item in scored(Split::Eval, 25, 4) {
            let changes: [fn(String) -> String; 4] = [
                |text| format!("{text} and more"),
                |text| text.replacen("\": \"", "\": \"x", 2),
                |text| text.replacen("</tool_call>", "", 1),
                |_| String::new(),
            ];
            for change in changes {
                let whole = play(&item, |text| text);
                let answer = play(&item, change);
                let is_same = answer.written == whole.written;
                assert!(is_same || !(answer.calls_right && answer.reply_right), "{answer:?}");
            }
        }
    }

    #[test]
    fn the_table_counts_what_is_right() {
        let items = scored(Split::Eval, 4, 1);
        let answers: Vec<Answer> = items.iter().map(|item| play(item, |text| text)).collect();
        let table = Table::new(&items, &answers);
        assert!(table.mistakes.is_empty());
        for row in &table.rows {
            assert_eq!(row.share.right, row.share.total, "{}", row.name);
        }
        assert!(table.rows[..BARS.len()].iter().all(|row| row.share.total > 0));
    }
}
