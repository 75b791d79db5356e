//! What notes are about: kinds of subjects, and what can be said and asked of each.

// Before the modules that use it.
macro_rules! attribute {
    ($label:expr, $value:expr, [$($told:expr),+], [$($told_eval:expr),+], [$($asked:expr),+], [$($asked_eval:expr),+]) => {
        Attribute {
            label: $label,
            value: $value,
            told: Wordings { train: &[$($told),+], eval: &[$($told_eval),+] },
            asked: Wordings { train: &[$($asked),+], eval: &[$($asked_eval),+] },
        }
    };
}

mod people;
mod things;

use super::super::{calendar, pools, words};
use crate::{draws::Draws, wording::Wordings};

/// Something a note can say about its subject `{it}`.
pub(super) struct Attribute {
    /// What a thought calls it; [`FREE`] is called by its word.
    pub(super) label: &'static str,
    pub(super) value: fn(&mut Draws) -> String,
    pub(super) told: Wordings,
    pub(super) asked: Wordings,
}

/// A kind of subject with everything that can be said about it.
pub(super) struct Topic {
    pub(super) subject: fn(&mut Draws) -> String,
    pub(super) attributes: &'static [Attribute],
}

fn names(d: &mut Draws) -> String {
    pools::name(d)
}

fn times(d: &mut Draws) -> String {
    pools::clock_time(d)
}

fn weekdays(d: &mut Draws) -> String {
    d.pick(&calendar::WEEKDAYS).to_owned()
}

fn numbers(d: &mut Draws) -> String {
    d.number(2, 95).to_string()
}

fn cities(d: &mut Draws) -> String {
    match d.chance(0.2) {
        true => pools::made_up_name(d),
        false => words::of(d, pools::CITIES),
    }
}

fn prices(d: &mut Draws) -> String {
    let coin = d.pick(&["euros", "dollars", "pounds"]);
    format!("{} {coin}", d.number(2, 400))
}

/// A dish whose name is not a plural.
fn one_food(d: &mut Draws) -> String {
    d.until(|d| {
        let food = words::of(d, pools::FOODS);
        (!food.ends_with('s')).then(|| format!("the {food}"))
    })
}

fn colours(d: &mut Draws) -> String {
    words::of(d, pools::COLOURS)
}

fn dates(d: &mut Draws) -> String {
    d.until(|d| {
        let month = d.pick(&calendar::MONTHS);
        let text = format!("{} {month}", d.between(1, 28));
        d.split().owns(&text).then_some(text)
    })
}

/// In an order that draws depend on.
pub(super) const TOPICS: &[Topic] = &[
    things::GATHERING,
    things::OBJECT,
    people::PERSON,
    people::PROJECT,
    people::TRAIN,
    things::THING,
    things::DISH,
];

/// What a note can say of anything: a word that stands for the attribute, as people write labels and registers.
/// Only training has them; they teach to look for the words of the question.
pub(super) const FREE: Attribute = Attribute {
    label: "",
    value: |d| match d.below(5) {
        0 => names(d),
        1 => numbers(d),
        2 => format!("the {}", words::unheard(d)),
        3 => times(d),
        _ => words::unheard(d),
    },
    told: Wordings {
        train: &[
            "the {w} of {it} is {v}",
            "{it} has {v} as its {w}",
            "{it} has the {w} {v}",
            "{it}'s {w} is {v}",
            "for {it} the {w} is {v}",
            "{v} is the {w} of {it}",
            "{it} got {v} for its {w}",
            "we use {v} as {w} of {it}",
            "the {w} [given to|set for|chosen for|noted for|named for] {it} is {v}",
            "{it}: {w} {v}",
        ],
        eval: &[],
    },
    asked: Wordings {
        train: &[
            "=:the {w} of {it}",
            "=:{it}'s {w}",
            "=:the {w} [given to|set for|chosen for|noted for|named for] {it}",
            "?:what the {w} of {it} is",
            "?:[which|what] {w} {it} has",
            "[which|what] {w} does {it} have?",
            "[which|what] {w} has {it}?",
            "[which|what] {w} did {it} get?",
            "[which|what] is the {w} of {it}?",
            "what do we use as {w} of {it}?",
            "{it} has [which|what] {w}?",
            "as its {w}, what does {it} have?",
        ],
        eval: &[],
    },
};
