//! The assistant's tools: one list of names, arguments and descriptions, and what each one answers.
//!
//! Every answer is a whole statement ("12 km = 7.4565 miles"): a small model can repeat it word for word,
//! and a person can read it.

use psi_tools::{
    arguments::{
        self, Argument, Arguments,
        Kind::{Integer, Number, Text},
        required,
    },
    calculate, convert, units,
};
use serde_json::{Map, Value};

use super::{
    calendar::{Date, Moment},
    memory::Memory,
};

/// A tool.
#[derive(Debug)]
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub description: &'static str,
    /// Its arguments in order.
    pub arguments: &'static [Argument],
    run: fn(&mut World, Arguments<'_>) -> Result<String, String>,
}

/// Every tool.
pub const TOOLS: &[Tool] = &[
    Tool {
        name: "calculate",
        description: "Evaluate arithmetic: + - * / ^ % sqrt().",
        arguments: &[required("expression", Text)],
        run: |_, a| calculate(a.text("expression")),
    },
    Tool {
        name: "convert",
        description: "Convert a number from one unit to another.",
        arguments: &[required("value", Number), required("from", Text), required("to", Text)],
        run: |_, a| convert(a.number("value"), a.text("from"), a.text("to")),
    },
    Tool {
        name: "now",
        description: "The weekday, date and time on this machine.",
        arguments: &[],
        run: |world, _| Ok(world.now.to_string()),
    },
    Tool {
        name: "date_add",
        description: "The date a number of days after a date (YYYY-MM-DD); negative: before.",
        arguments: &[required("date", Text), required("days", Integer)],
        run: |_, a| date_add(a.text("date"), a.integer("days")),
    },
    Tool {
        name: "date_diff",
        description: "Days from one date to another (YYYY-MM-DD).",
        arguments: &[required("from", Text), required("to", Text)],
        run: |_, a| date_diff(a.text("from"), a.text("to")),
    },
    Tool {
        name: "weekday",
        description: "The weekday of a date (YYYY-MM-DD).",
        arguments: &[required("date", Text)],
        run: |_, a| date(a.text("date")).map(|d| format!("{d} is a {}", d.weekday())),
    },
    Tool {
        name: "remember",
        description: "Keep a fact, in the user's words.",
        arguments: &[required("fact", Text)],
        run: |world, a| {
            world.memory.remember(a.text("fact"));
            Ok("saved".to_owned())
        },
    },
    Tool {
        name: "recall",
        description: "Find kept facts by a word or two; `everything` lists them all.",
        arguments: &[required("query", Text)],
        run: |world, a| {
            let found = world.memory.recall(a.text("query"));
            Ok(if found.is_empty() { NOTHING_FOUND.to_owned() } else { found.join("\n") })
        },
    },
    Tool {
        name: "correct",
        description: "Replace the fact that fits the query best by a new one.",
        arguments: &[required("query", Text), required("fact", Text)],
        run: |world, a| {
            let old = world.memory.forget(a.text("query"));
            world.memory.remember(a.text("fact"));
            Ok(old.map_or_else(|| "saved".to_owned(), |old| format!("replaced: {old}")))
        },
    },
    Tool {
        name: "forget",
        description: "Drop the fact that fits the query best.",
        arguments: &[required("query", Text)],
        run: |world, a| {
            let old = world.memory.forget(a.text("query"));
            Ok(old.map_or_else(|| NOTHING_FOUND.to_owned(), |old| format!("forgotten: {old}")))
        },
    },
];

/// What the memory tools answer when no fact fits.
pub const NOTHING_FOUND: &str = "nothing found";

/// How an answer begins when a tool could not do what it was asked.
pub const ERROR: &str = "error: ";

/// The tool definitions as chat templates and APIs take them.
pub fn definitions() -> Value {
    TOOLS.iter().map(Tool::definition).collect()
}

impl Tool {
    /// The tool of a name.
    pub fn find(name: &str) -> Option<&'static Self> {
        TOOLS.iter().find(|t| t.name == name)
    }

    /// Its definition in the form of OpenAI's API.
    pub fn definition(&self) -> Value {
        arguments::definition(self.name, self.description, self.arguments)
    }

    /// Whether these are its arguments, all of them and nothing else, each of its type.
    ///
    /// # Errors
    /// A sentence that says which argument is wrong.
    pub fn check(&self, arguments: &Map<String, Value>) -> Result<(), String> {
        Arguments::check_map(self.name, self.arguments, arguments).map(drop)
    }
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The tool's name.
    pub name: String,
    /// Its arguments.
    pub arguments: Map<String, Value>,
}

impl Call {
    /// A call with these arguments.
    pub fn new(name: &str, arguments: &[(&str, Value)]) -> Self {
        let pair = |(key, value): &(&str, Value)| ((*key).to_owned(), value.clone());
        Self { name: name.to_owned(), arguments: arguments.iter().map(pair).collect() }
    }

    /// Whether both ask for the same: spaces around a text and in an expression, names of one unit and the letter
    /// case of what is searched for do not matter; everything else must be equal.
    pub fn is_same(&self, other: &Self) -> bool {
        let same = |(key, a): (&String, &Value)| {
            other.arguments.get(key).is_some_and(|b| a == b || is_same_argument(key, a, b))
        };
        self.name == other.name
            && self.arguments.len() == other.arguments.len()
            && self.arguments.iter().all(same)
    }
}

fn is_same_argument(key: &str, a: &Value, b: &Value) -> bool {
    let (Some(x), Some(y)) = (a.as_str(), b.as_str()) else {
        let numbers = a.as_f64().zip(b.as_f64());
        return numbers.is_some_and(|(x, y)| x == y);
    };
    let (x, y) = (x.trim(), y.trim());
    match key {
        "expression" => x.replace(' ', "") == y.replace(' ', ""),
        "query" => x.eq_ignore_ascii_case(y),
        "from" | "to" => x == y || units::is_same(x, y),
        _ => x == y,
    }
}

/// What tools act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// The clock.
    pub now: Moment,
    /// The facts.
    pub memory: Memory,
}

impl World {
    /// Runs a call; the answer of one that cannot be run starts with [`ERROR`].
    pub fn run(&mut self, call: &Call) -> String {
        let result = match Tool::find(&call.name) {
            None => Err(format!("there is no tool called {}", call.name)),
            Some(tool) => Arguments::check_map(tool.name, tool.arguments, &call.arguments)
                .and_then(|arguments| (tool.run)(self, arguments)),
        };
        result.unwrap_or_else(|reason| format!("{ERROR}{reason}"))
    }
}

fn date(text: &str) -> Result<Date, String> {
    Date::parse(text).ok_or_else(|| format!("{text} is not a date"))
}

fn date_add(text: &str, days: i64) -> Result<String, String> {
    let day = date(text)?;
    let sum = day.plus(days).ok_or("the date is too far away")?;
    let side = if days < 0 { "before" } else { "after" };
    let n = days.unsigned_abs();
    let plural = if n == 1 { "" } else { "s" };
    Ok(format!("{n} day{plural} {side} {day} is {} {sum}", sum.weekday()))
}

fn date_diff(from: &str, to: &str) -> Result<String, String> {
    let (a, b) = (date(from)?, date(to)?);
    let n = a.days_until(b).abs();
    let plural = if n == 1 { "" } else { "s" };
    Ok(format!("from {from} to {to} is {n} day{plural}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn world() -> World {
        let date = Date::parse("2026-11-22").unwrap();
        World { now: Moment { date, hour: 9, minute: 5 }, memory: Memory::default() }
    }

    #[track_caller]
    fn check(name: &str, arguments: &Value, expected: &str) {
        let arguments = arguments.as_object().unwrap().clone();
        let call = Call { name: name.to_owned(), arguments };
        assert_eq!(world().run(&call), expected);
    }

    #[test]
    fn tools_answer_in_whole_statements() {
        check("calculate", &json!({"expression": "10 / 3"}), "10 / 3 = 3.3333 (rounded)");
        check(
            "convert",
            &json!({"value": 12, "from": "km", "to": "miles"}),
            "12 km = 7.4565 miles",
        );
        check("convert", &json!({"value": 2.5, "from": "kg", "to": "g"}), "2.5 kg = 2500 g");
        check("now", &json!({}), "Sunday 2026-11-22 09:05");
        let arguments = json!({"date": "2026-11-22", "days": 10});
        check("date_add", &arguments, "10 days after 2026-11-22 is Wednesday 2026-12-02");
        let arguments = json!({"date": "2026-11-22", "days": -1});
        check("date_add", &arguments, "1 day before 2026-11-22 is Saturday 2026-11-21");
        let arguments = json!({"from": "2026-11-22", "to": "2026-12-25"});
        check("date_diff", &arguments, "from 2026-11-22 to 2026-12-25 is 33 days");
        check("weekday", &json!({"date": "2024-02-29"}), "2024-02-29 is a Thursday");
        check("recall", &json!({"query": "dog"}), "nothing found");
    }

    #[test]
    fn a_call_that_cannot_run_says_why() {
        check("fly", &json!({}), "error: there is no tool called fly");
        check("weekday", &json!({}), "error: weekday needs date");
        check("weekday", &json!({"date": 7}), "error: date must be a string, not 7");
        check("now", &json!({"zone": "UTC"}), "error: now has no argument zone");
        check("weekday", &json!({"date": "2026-02-30"}), "error: 2026-02-30 is not a date");
        check("calculate", &json!({"expression": "1/0"}), "error: division by zero");
    }

    #[test]
    fn memory_tools_work_on_the_same_facts() {
        let mut world = world();
        let mut run = |name: &str, arguments: &[(&str, &str)]| {
            let list: Vec<_> = arguments.iter().map(|(k, v)| (*k, json!(v))).collect();
            world.run(&Call::new(name, &list))
        };
        assert_eq!(run("remember", &[("fact", "my dog is called Rex")]), "saved");
        assert_eq!(run("recall", &[("query", "dog")]), "my dog is called Rex");
        let correction = [("query", "dog"), ("fact", "my dog is called Max")];
        assert_eq!(run("correct", &correction), "replaced: my dog is called Rex");
        assert_eq!(run("forget", &[("query", "dog")]), "forgotten: my dog is called Max");
        assert_eq!(run("forget", &[("query", "dog")]), "nothing found");
    }

    #[test]
    fn same_calls_may_differ_in_spaces_only_where_that_means_nothing() {
        let sum = |text: &str| Call::new("calculate", &[("expression", json!(text))]);
        assert!(sum("1 + 2").is_same(&sum("1+2")));
        assert!(!sum("1 + 2").is_same(&sum("2 + 1")));
        let fact = |text: &str| Call::new("remember", &[("fact", json!(text))]);
        assert!(!fact("my dog is Rex").is_same(&fact("my dog is rex")));
        let days = |from: &str| {
            Call::new("date_diff", &[("from", json!(from)), ("to", json!("2027-01-24"))])
        };
        assert!(days("2026-10-04").is_same(&days(" 2026-10-04")));
        assert!(!days("2026-10-04").is_same(&days("2026-10-05")));
    }
}
