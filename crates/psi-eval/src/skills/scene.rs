//! A conversation while it is being written: the world it happens in, and what has been said.

use serde_json::{Map, Value, json};

use super::{
    Check, Skill,
    calendar::{Date, Moment},
    memory::Memory,
    tools::{Call, World},
    turn::Turn,
};
use crate::{draws::Draws, wording::Style};

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// The instructions at the top.
    System(String),
    /// What the user typed.
    User(String),
    /// A turn of the assistant.
    Assistant(Turn),
    /// What a tool answered.
    Tool(String),
}

impl Message {
    /// The tools that it calls.
    pub fn calls(&self) -> &[Call] {
        match self {
            Self::Assistant(turn) => &turn.calls,
            _ => &[],
        }
    }

    /// The message in the form of OpenAI's API.
    pub fn to_json(&self) -> Value {
        match self {
            Self::System(content) => json!({"role": "system", "content": content}),
            Self::User(content) => json!({"role": "user", "content": content}),
            Self::Tool(content) => json!({"role": "tool", "content": content}),
            Self::Assistant(turn) => {
                let mut message = Map::new();
                message.insert("role".to_owned(), json!("assistant"));
                message.insert("content".to_owned(), json!(turn.content));
                if let Some(reasoning) = &turn.reasoning {
                    message.insert("reasoning_content".to_owned(), json!(reasoning));
                }
                if !turn.calls.is_empty() {
                    let call = |c: &Call| {
                        let function = json!({"name": c.name, "arguments": c.arguments});
                        json!({"type": "function", "function": function})
                    };
                    let calls: Value = turn.calls.iter().map(call).collect();
                    message.insert("tool_calls".to_owned(), calls);
                }
                Value::Object(message)
            }
        }
    }
}

/// A conversation in the making.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) draws: Draws,
    pub(crate) style: Style,
    pub(crate) world: World,
    pub(crate) messages: Vec<Message>,
}

/// What an exchange should have been, for the checker.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) skill: Skill,
    pub(crate) check: Check,
}

impl Scene {
    pub(crate) fn new(mut draws: Draws) -> Self {
        let style = Style::draw(&mut draws);
        let date = day(&mut draws);
        let (hour, minute) = (draws.between(0, 23) as u8, draws.between(0, 59) as u8);
        let world = World { now: Moment { date, hour, minute }, memory: Memory::default() };
        Self { draws, style, world, messages: Vec::new() }
    }

    /// What the user types.
    pub(crate) fn user(&mut self, pattern: &str, slots: &[(&str, &str)]) {
        let text = self.style.say(pattern, slots, &mut self.draws);
        self.messages.push(Message::User(text));
    }

    /// The assistant calls a tool; returns what it answers.
    pub(crate) fn call(&mut self, name: &str, arguments: &[(&str, Value)]) -> String {
        let call = Call::new(name, arguments);
        let answer = self.world.run(&call);
        self.messages.push(Message::Assistant(Turn::calls(vec![call])));
        self.messages.push(Message::Tool(answer.clone()));
        answer
    }

    /// What a note says, or that it does not, after a search for it.
    pub(crate) fn reply_from_note(
        &mut self,
        skill: Skill,
        thought: String,
        value: Option<String>,
    ) -> Outcome {
        let says = match value {
            Some(value) => format!("The note says: {value}."),
            None => "The note does not say.".to_owned(),
        };
        let turn = Turn { reasoning: Some(thought), ..Turn::says(says.clone()) };
        self.messages.push(Message::Assistant(turn));
        Outcome { skill, check: Check::Reply(vec![says]) }
    }

    /// The assistant's last word. All of `accepted` would have been right; the first is what it says.
    pub(crate) fn reply(&mut self, skill: Skill, accepted: Vec<String>) -> Outcome {
        let first = accepted.first().expect("at least one answer is right").clone();
        self.messages.push(Message::Assistant(Turn::says(first)));
        Outcome { skill, check: Check::Reply(accepted) }
    }
}

/// A day of the years 1990 to 2039 that belongs to the split.
pub(crate) fn day(draws: &mut Draws) -> Date {
    draws.until(|draws| {
        let (year, month) = (draws.between(1990, 2039), draws.between(1, 12));
        let date = Date::new(year, month, draws.between(1, 31))?;
        draws.split().owns(&date.to_string()).then_some(date)
    })
}
