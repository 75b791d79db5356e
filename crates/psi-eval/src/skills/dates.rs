//! Questions about the clock and the calendar.

use serde_json::json;

use super::{
    Skill,
    calendar::{Date, MONTHS},
    scene::{Outcome, Scene, day},
    sums::repeat,
};
use crate::{
    draws::Draws,
    wording::{Wordings, capitalised},
};

const TIME: Wordings = Wordings {
    train: &[
        "what time is it[ now|]?",
        "[what's|whats|tell me|do you know] the time[ please|]?",
        "[can|could] you tell me [the time|what time it is]?",
        "how late is it?",
        "time[ please|]?",
        "the current time[ please|]",
        "check the clock[ for me|].",
    ],
    eval: &["what does the clock say?", "have you got the time?", "what hour is it right now?"],
};

const DATE: Wordings = Wordings {
    train: &[
        "what [is|'s] the date[ today|]?",
        "what date is it[ today|]?",
        "[tell me|give me] today's date[ please|].",
        "[can|could] you tell me the date?",
        "which date do we have?",
        "what is today's date?",
        "the current date[ please|]",
    ],
    eval: &["what's today's date again?", "on what date are we?", "today is which date?"],
};

const WEEKDAY: Wordings = Wordings {
    train: &[
        "what day is it[ today|]?",
        "which day [of the week |]is it[ today|]?",
        "what [weekday|day of the week] is [it|today]?",
        "[tell me|do you know] what day it is[ today|]?",
        "[is today a weekday, and |]which weekday is today?",
    ],
    eval: &["today is which day of the week?", "what weekday do we have?"],
};

const WEEKDAY_OF: Wordings = Wordings {
    train: &[
        "[what|which] [day of the week|weekday|day] [is|was|will be] {d}?",
        "[what|which] day does {d} fall on?",
        "[tell me |]the weekday of {d}[ please|].",
        "{d} [is|was] [what|which] [weekday|day]?",
        "was {d} a [Monday|Friday|Sunday]?",
    ],
    eval: &["on what day of the week falls {d}?", "{d}: which weekday?"],
};

const LATER: Wordings = Wordings {
    train: &[
        "[what|which] [date|day] is {n} days after {d}?",
        "[what is the date|what date is it] {n} days after {d}?",
        "[add|please add] {n} days to {d}[.|]",
        "{d} plus {n} days[?|]",
        "{n} days [after|from] {d}, [what|which] date is that?",
    ],
    eval: &["when is it if i count {n} days on from {d}?", "start at {d} and go {n} days forward."],
};

const EARLIER: Wordings = Wordings {
    train: &[
        "[what|which] [date|day] is {n} days before {d}?",
        "[take|subtract] {n} days [from|off] {d}[.|]",
        "{d} minus {n} days[?|]",
        "{n} days before {d}, [what|which] date is that?",
    ],
    eval: &["when is it if i count {n} days back from {d}?", "start at {d} and go {n} days back."],
};

const BETWEEN: Wordings = Wordings {
    train: &[
        "how many days [are there |]between {d} and {e}?",
        "how many days [is it |]from {d} to {e}?",
        "[what is|tell me] the number of days between {d} and {e}[?|]",
        "days from {d} [to|until] {e}[?|]",
        "how long is it from {d} to {e}?",
    ],
    eval: &["how many days lie between {d} and {e}?", "count the days from {d} until {e}."],
};

const IN_DAYS: Wordings = Wordings {
    train: &[
        "[what|which] [date|day] [is it|will it be] in {n} days?",
        "[what|which] [date|day] is {n} days from [now|today]?",
        "in {n} days, [what|which] date is that?",
        "[what is|tell me] the date in {n} days[?|]",
    ],
    eval: &["{n} days from today, when is that?", "what will the date be {n} days from now?"],
};

const DAYS_AGO: Wordings = Wordings {
    train: &[
        "[what|which] [date|day] was it {n} days ago?",
        "{n} days ago, [what|which] date was that?",
        "[what was|tell me] the date {n} days ago[?|]",
    ],
    eval: &[
        "if i go {n} days back from today, what date is it?",
        "which date lies {n} days behind us?",
    ],
};

const TOMORROW: Wordings = Wordings {
    train: &[
        "[what|which] [date|day] is [it |]tomorrow?",
        "[what is|tell me] tomorrow's date[?|]",
        "what will the date be tomorrow?",
    ],
    eval: &["what day do we have tomorrow?", "the date of tomorrow?"],
};

const YESTERDAY: Wordings = Wordings {
    train: &[
        "[what|which] [date|day] was [it |]yesterday?",
        "[what was|tell me] yesterday's date[?|]",
    ],
    eval: &["what day did we have yesterday?", "the date of yesterday?"],
};

const UNTIL: Wordings = Wordings {
    train: &[
        "how many days [is it |are left |]until {d}?",
        "how long [is it |]until {d}?",
        "days until {d}[?|]",
        "how far away is {d}?",
    ],
    eval: &["how many days do i have to wait for {d}?", "how many sleeps until {d}?"],
};

/// A date as people write it.
fn written(scene: &mut Scene, date: Date) -> String {
    let (year, month, day) = date.parts();
    let month = MONTHS[month as usize - 1];
    let text = match scene.draws.below(5) {
        0 => format!("{month} {day}, {year}"),
        1 => format!("{day} {} {year}", &month[..3]),
        2 => format!("{day} {month} {year}"),
        _ => date.to_string(),
    };
    scene.style.cased(&text)
}

/// A question about the clock.
pub(crate) fn clock(scene: &mut Scene) -> Outcome {
    let kind = scene.draws.below(3);
    let pattern = [TIME, DATE, WEEKDAY][kind].draw(&mut scene.draws);
    scene.user(pattern, &[]);
    let answer = scene.call("now", &[]);
    let mut parts = answer.split(' ');
    let (weekday, date) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let reply = match kind {
        0 => format!("It is {}.", parts.next().unwrap_or("")),
        1 => format!("Today is {weekday} {date}."),
        _ => format!("Today is {weekday}."),
    };
    scene.reply(Skill::Dates, vec![reply])
}

/// A question about the calendar.
pub(crate) fn calendar(scene: &mut Scene) -> Outcome {
    let kind = scene.draws.weighted(&[2.0, 2.0, 1.0, 2.0, 2.0, 1.0, 1.0, 0.5, 1.5]);
    let today = scene.world.now.date;
    let date = match kind {
        8 => later(&mut scene.draws, today, 700),
        _ => day(&mut scene.draws),
    };
    let end = later(&mut scene.draws, date, 1500);
    let (d, e) = (written(scene, date), written(scene, end));
    let high = scene.draws.pick(&[15, 60, 400]);
    let days = scene.draws.number(2, high);
    let n = days.to_string();
    let (wordings, days) = match kind {
        0 => (WEEKDAY_OF, 0),
        1 => (LATER, days),
        2 => (EARLIER, -days),
        3 => (BETWEEN, 0),
        4 => (IN_DAYS, days),
        5 => (DAYS_AGO, -days),
        6 => (TOMORROW, 1),
        7 => (YESTERDAY, -1),
        _ => (UNTIL, 0),
    };
    let pattern = wordings.draw(&mut scene.draws);
    scene.user(pattern, &[("d", &d), ("e", &e), ("n", &n)]);
    let answer = match kind {
        0 => scene.call("weekday", &[("date", json!(date.to_string()))]),
        1 | 2 => add(scene, date, days),
        3 => diff(scene, date, end),
        _ => {
            scene.call("now", &[]);
            if kind == 8 { diff(scene, today, date) } else { add(scene, today, days) }
        }
    };
    scene.reply(Skill::Dates, vec![capitalised(&repeat(&answer))])
}

/// A day of the split, up to `most` days after `date`.
fn later(draws: &mut Draws, date: Date, most: i64) -> Date {
    draws.until(|draws| {
        let later = date.plus(draws.between(2, most))?;
        draws.split().owns(&later.to_string()).then_some(later)
    })
}

fn add(scene: &mut Scene, date: Date, days: i64) -> String {
    scene.call("date_add", &[("date", json!(date.to_string())), ("days", json!(days))])
}

fn diff(scene: &mut Scene, from: Date, to: Date) -> String {
    let arguments = [("from", json!(from.to_string())), ("to", json!(to.to_string()))];
    scene.call("date_diff", &arguments)
}
