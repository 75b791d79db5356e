//! The skills the bundled checkpoint must have: conversations generated from a seed, with a held-out
//! split, and how many of them a model masters.
//!
//! [`generate`] writes conversation `index` of the stream (split, seed). Every tool answer in it comes
//! from the tool itself, so nothing has to be believed.

pub mod calendar;
mod dates;
mod drills;
mod facts;
mod memory;
mod notes;
pub(crate) mod pools;
mod reasoning;
mod scene;
mod scoring;
mod sums;
mod talk;
pub mod tools;
pub mod turn;
pub(crate) mod words;

use serde_json::{Map, Value, json};

pub use memory::Memory;
pub use scene::Message;
pub(crate) use scoring::plain;
pub use scoring::{Answer, Mistake, Play, Player, Row, ScoreError, Table, score};

use crate::{draws::Draws, procedural, split::Split};
use facts::Fact;
use notes::Note;
use scene::{Outcome, Scene};
use tools::{Call, World};

/// What an exchange exercises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Skill {
    /// The calculator.
    Calculation,
    /// The unit converter.
    Units,
    /// The clock and the calendar.
    Dates,
    /// Keeping a fact.
    Remember,
    /// Finding a fact again.
    Recall,
    /// Finding a fact again that was told in this conversation, before something unrelated.
    RecallLater,
    /// Saying that a fact was never told.
    Unknown,
    /// Replacing a fact.
    Correct,
    /// Dropping a fact.
    Forget,
    /// Answering from a note.
    Reading,
    /// Saying that the note does not say.
    NotInNote,
    /// A problem of the family with this number in [`procedural::FAMILIES`].
    Reasoning(usize),
    /// Saying words again.
    Copying,
    /// Finding what stands beside a word in a list, or that nothing does.
    LookingUp,
    /// Small talk and what it is.
    Talk,
    /// What it cannot do.
    Decline,
}

impl Skill {
    /// Whether it is exercised by calling tools.
    pub fn uses_tools(self) -> bool {
        use Skill::{
            Calculation, Correct, Dates, Forget, Recall, RecallLater, Remember, Units, Unknown,
        };
        let tools =
            [Calculation, Correct, Dates, Forget, Recall, RecallLater, Remember, Units, Unknown];
        tools.contains(&self)
    }

    /// Its name, as the `skill` field and the score table write it.
    pub fn name(self) -> String {
        match self {
            Self::Calculation => "calculation".to_owned(),
            Self::Units => "units".to_owned(),
            Self::Dates => "dates".to_owned(),
            Self::Remember => "remember".to_owned(),
            Self::Recall => "recall".to_owned(),
            Self::RecallLater => "recall later".to_owned(),
            Self::Unknown => "unknown".to_owned(),
            Self::Correct => "correct".to_owned(),
            Self::Forget => "forget".to_owned(),
            Self::Reading => "reading".to_owned(),
            Self::NotInNote => "not in note".to_owned(),
            Self::Reasoning(family) => format!("reasoning: {}", procedural::FAMILIES[family].name),
            Self::Copying => "copying".to_owned(),
            Self::LookingUp => "looking up".to_owned(),
            Self::Talk => "talk".to_owned(),
            Self::Decline => "decline".to_owned(),
        }
    }
}

/// What the last answer is checked against.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// The answer is one of these, apart from letter case and spaces.
    Reply(Vec<String>),
    /// The answer passes the problem's verifier.
    Problem(procedural::Problem),
}

/// One conversation; its last exchange is the one that is scored.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// All messages, the right answers included.
    pub messages: Vec<Message>,
    /// Where the scored exchange's answer starts in `messages`.
    pub scored_from: usize,
    /// The world before that answer.
    pub world: World,
    /// What the scored exchange exercises.
    pub skill: Skill,
    /// What its last answer is checked against.
    pub check: Check,
}

/// How often each kind of exchange is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    weights: [f64; Kind::ALL.len()],
}

/// A kind of exchange, as the mix names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Calculation,
    Units,
    Clock,
    Calendar,
    Remember,
    Recall,
    RecallLater,
    Unknown,
    Correct,
    Forget,
    Reading,
    Reasoning,
    Talk,
    Copy,
    LookUp,
}

impl Kind {
    const ALL: [(Self, &'static str, f64); 15] = [
        (Self::Calculation, "calculation", 12.0),
        (Self::Units, "units", 7.0),
        (Self::Clock, "clock", 3.0),
        (Self::Calendar, "calendar", 9.0),
        (Self::Remember, "remember", 10.0),
        (Self::Recall, "recall", 9.0),
        (Self::RecallLater, "recall-later", 3.0),
        (Self::Unknown, "unknown", 3.0),
        (Self::Correct, "correct", 4.0),
        (Self::Forget, "forget", 4.0),
        (Self::Reading, "reading", 20.0),
        (Self::Reasoning, "reasoning", 28.0),
        (Self::Talk, "talk", 8.0),
        // Exercises: only where a mix asks for them.
        (Self::Copy, "copy", 0.0),
        (Self::LookUp, "look-up", 0.0),
    ];
}

impl Default for Mix {
    fn default() -> Self {
        Self { weights: Kind::ALL.map(|k| k.2) }
    }
}

impl Mix {
    /// The names of the kinds.
    pub fn names() -> Vec<&'static str> {
        Kind::ALL.iter().map(|k| k.1).collect()
    }

    /// Sets the weight of a kind. False when there is no such kind or the weight is no weight.
    pub fn set(&mut self, name: &str, weight: f64) -> bool {
        let found = Kind::ALL.iter().position(|k| k.1 == name);
        let usable = weight.is_finite() && weight >= 0.0;
        match found.filter(|_| usable) {
            Some(at) => {
                self.weights[at] = weight;
                true
            }
            None => false,
        }
    }

    fn draw(&self, draws: &mut Draws) -> Kind {
        Kind::ALL[draws.weighted(&self.weights)].0
    }

    /// Whether anything at all can be drawn.
    pub fn is_empty(&self) -> bool {
        self.weights.iter().sum::<f64>() <= 0.0
    }
}

/// The first lines psi-nano is given: one per conversation. The first is what the assistant uses.
pub const SYSTEM_LINES: &[&str] = &[
    "You are psi-nano, a small assistant on this machine.",
    "You are psi-nano.",
    "You are a helpful assistant.",
    "You are psi-nano, a small and honest assistant.",
    "You are psi-nano. Use your tools and be brief.",
];

/// Conversation `index` of the stream (`split`, `seed`).
///
/// # Panics
/// When the mix is empty.
pub fn generate(split: Split, seed: u64, index: u64, mix: &Mix) -> Conversation {
    let mut draws = Draws::new(split, seed, index);
    let n_exchanges = 1 + draws.weighted(&[3.0, 3.0, 2.0, 1.0]);
    let kinds = (0..n_exchanges).map(|_| mix.draw(&mut draws)).collect();
    converse(draws, kinds)
}

/// Conversation `index` of those that end in an exchange of the kind called `name` in the mix, with up to
/// two others before it. `None` when there is no such kind.
pub fn generate_ending_in(name: &str, split: Split, seed: u64, index: u64) -> Option<Conversation> {
    let at = Kind::ALL.iter().position(|k| k.1 == name)?;
    // Every kind has a stream of its own.
    let mut draws = Draws::new(split, seed.wrapping_add((at as u64 + 1) << 40), index);
    let mix = Mix::default();
    let mut kinds: Vec<Kind> = (0..draws.below(3)).map(|_| mix.draw(&mut draws)).collect();
    kinds.push(Kind::ALL[at].0);
    Some(converse(draws, kinds))
}

fn converse(draws: Draws, kinds: Vec<Kind>) -> Conversation {
    let mut scene = Scene::new(draws);
    let mut facts = facts::earlier_facts(&mut scene);
    let line = match scene.draws.chance(0.6) {
        true => SYSTEM_LINES[0],
        false => scene.draws.pick(SYSTEM_LINES),
    };
    scene.messages.push(Message::System(line.to_owned()));
    let mut note = None;
    let mut last = None;
    let n_exchanges = kinds.len();
    for (i, kind) in kinds.into_iter().enumerate() {
        if i + 1 < n_exchanges && written(&scene.messages) > LONG {
            continue;
        }
        let start = scene.messages.len();
        let world = scene.world.clone();
        let outcome = exchange(&mut scene, kind, &mut facts, &mut note);
        // Some kinds take more than one exchange to set up: the scored one is the last.
        let is_user = |m: &Message| matches!(m, Message::User(_));
        let asked =
            scene.messages.iter().rposition(is_user).expect("every exchange has a question");
        last = Some((asked + 1, world_after(world, &scene.messages[start..asked]), outcome));
    }
    let (scored_from, world, Outcome { skill, check }) = last.expect("at least one exchange");
    Conversation { messages: scene.messages, scored_from, world, skill, check }
}

/// Bytes of messages after which only the last exchange is still added, so that no conversation outgrows
/// a context of 1,024 tokens.
const LONG: usize = 900;

fn written(messages: &[Message]) -> usize {
    messages.iter().map(|m| m.to_json().to_string().len()).sum()
}

/// The world after these messages' calls.
fn world_after(mut world: World, messages: &[Message]) -> World {
    for message in messages {
        if let Message::Assistant(turn) = message {
            for call in &turn.calls {
                world.run(call);
            }
        }
    }
    world
}

fn exchange(
    scene: &mut Scene,
    kind: Kind,
    facts: &mut Vec<Fact>,
    note: &mut Option<(Note, Skill)>,
) -> Outcome {
    match kind {
        Kind::Calculation => sums::calculation(scene),
        Kind::Units => sums::conversion(scene),
        Kind::Clock => dates::clock(scene),
        Kind::Calendar => dates::calendar(scene),
        Kind::Remember => facts::tell(scene, facts),
        Kind::Recall if scene.draws.chance(0.08) => facts::list(scene),
        Kind::Recall => facts::recall(scene, facts),
        Kind::RecallLater => {
            let fact = facts::tell_new(scene, facts);
            for _ in 0..1 + scene.draws.below(2) {
                unrelated(scene);
            }
            facts::recall_later(scene, &fact)
        }
        Kind::Unknown => facts::ask_unknown(scene, facts),
        Kind::Correct => facts::correct(scene, facts),
        Kind::Forget => facts::forget(scene, facts),
        Kind::Reasoning => reasoning::problem(scene),
        Kind::Talk => talk::chat(scene),
        Kind::Copy => drills::copy(scene),
        Kind::LookUp => drills::look_up(scene),
        Kind::Reading => {
            let old = note.take().filter(|_| scene.draws.chance(0.6));
            let (mut outcome, kept) = match old {
                Some((note, before)) => (notes::read_on(scene, &note, before), note),
                None => notes::read(scene),
            };
            // A twin: the same note, and a question of the other kind.
            if scene.draws.split() == Split::Train && scene.draws.chance(0.6) {
                outcome = notes::read_on(scene, &kept, outcome.skill);
            }
            *note = Some((kept, outcome.skill));
            outcome
        }
    }
}

/// An exchange that has nothing to do with memory.
fn unrelated(scene: &mut Scene) {
    match scene.draws.below(6) {
        0 => dates::clock(scene),
        1 => dates::calendar(scene),
        2 => talk::chat(scene),
        3 => sums::conversion(scene),
        4 => notes::read(scene).0,
        _ => sums::calculation(scene),
    };
}

impl Conversation {
    /// The calls of the right answer.
    pub fn expected_calls(&self) -> Vec<&Call> {
        let answer = self.messages[self.scored_from..].iter();
        answer.flat_map(Message::calls).collect()
    }

    /// The conversation as one line of training data: `messages`, `tools`, `skill`, `check`.
    pub fn to_json(&self) -> Value {
        let messages: Value = self.messages.iter().map(Message::to_json).collect();
        let mut line = Map::new();
        line.insert("messages".to_owned(), messages);
        line.insert("tools".to_owned(), tools::definitions());
        line.insert("skill".to_owned(), json!(self.skill.name()));
        let check = match &self.check {
            Check::Reply(accepted) => json!({"kind": "reply", "accepted": accepted}),
            Check::Problem(problem) => json!({"kind": "problem", "answer": problem.answer}),
        };
        line.insert("check".to_owned(), check);
        Value::Object(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Words of the language itself are everybody's: "aunt" is also the answer of a problem.
    #[test]
    fn held_out_names_never_occur_in_training() {
        let mut seen: HashSet<String> = HashSet::new();
        for index in 0..8_000 {
            for message in generate(Split::Train, 2, index, &Mix::default()).messages {
                let text = message.to_json().to_string();
                let words = text.split(|c: char| !c.is_alphanumeric());
                seen.extend(words.map(str::to_owned));
            }
        }
        let pools =
            [pools::NAMES, pools::CITIES, pools::JOBS, pools::GATHERINGS, pools::CODE_NAMES];
        let all = pools.concat();
        let one_word = |w: &&&str| !w.contains([' ', '-']);
        let held_out: Vec<_> =
            all.iter().filter(|w| Split::Eval.owns(w)).filter(one_word).collect();
        assert!(held_out.len() > 40, "{held_out:?}");
        let leaked: Vec<_> = held_out.into_iter().filter(|w| seen.contains(**w)).collect();
        assert!(leaked.is_empty(), "{leaked:?}");
    }
}
