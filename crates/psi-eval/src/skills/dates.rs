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
        "=:the [current |exact |right |]time",
        "=:the time [now|of day|right now|at the moment|on your clock]",
        "=:the [hour|hour and minute]",
        "?:what time it is[ now| right now|]",
        "?:what the time is",
        "?:how late it is",
        "!:check the [clock|time]",
        "!:look at [the clock|your clock|your watch]",
        "!:read [the clock|your clock]",
        "what time is it[ now| at the moment| currently| here|]?",
        "[what's|whats] the time[ please| now|]?",
        "how late is it[ now| already|]?",
        "time[ please| now|]?",
        "the [current |]time[ please|]",
        "what time do [we|you] have?",
        "is it late[ already|]?",
        "what is the clock at?",
        "what time of day is it?",
        "is it [noon|midnight|evening|lunch time] yet?",
        "which hour is it?",
        "clock[?| please]",
    ],
    eval: &["what does the clock say?", "have you got the time?", "what hour is it right now?"],
};

const DATE: Wordings = Wordings {
    train: &[
        "=:the [current |exact |]date",
        "=:the date [today|of today|now]",
        "=:today's full date",
        "?:what [the date|today's date] is",
        "?:what date it is[ today|]",
        "?:which date we have[ today|]",
        "?:what today's date is",
        "!:look up today's date",
        "!:check the [date|calendar]",
        "!:look at the calendar",
        "what date is it[ today| now|]?",
        "what [is|'s] the date[ today| now|]?",
        "which date [do we have|is it|is today][ today|]?",
        "what do I write as the date[ of today|]?",
        "date[ please| today|]?",
        "what year, month and day is it?",
        "the [current |]date[ please|]",
        "what is today's date?",
        "[what|which] day of the month is it?",
        "what does the calendar say?",
    ],
    eval: &["what's today's date again?", "on what date are we?", "today is which date?"],
};

const WEEKDAY: Wordings = Wordings {
    train: &[
        "=:the [day of the week|weekday][ today| of today|]",
        "=:today's weekday",
        "?:what day it is[ today|]",
        "?:what day [of the week |]we have[ today|]",
        "?:[which|what] weekday [it|today] is",
        "?:which day [of the week |]today is",
        "what day is it[ today| now|]?",
        "what day do we have[ today|]?",
        "which day [of the week |]is it[ today|]?",
        "what [weekday|day of the week] is [it|today]?",
        "is it [monday|tuesday|friday|saturday|sunday] today?",
        "is today a [monday|weekday|sunday|friday|working day]?",
        "[which|what] weekday is [it|today]?",
        "weekday[ please| today|]?",
        "is it the weekend[ yet| already|]?",
        "what do we call this day of the week?",
    ],
    eval: &["today is which day of the week?", "what weekday do we have?"],
};

const WEEKDAY_OF: Wordings = Wordings {
    train: &[
        "=:the [weekday|day of the week] [of|for|on] {d}",
        "?:[what|which] [day of the week|weekday|day] {d} [is|was|will be|falls on]",
        "?:on [what|which] [day|weekday] {d} [is|was|falls|fell]",
        "!:find the weekday of {d}",
        "[what|which] [day of the week|weekday|day] [is|was|will be] {d}?",
        "[what|which] [day|weekday] [does|did|will] {d} [fall on|fall]?",
        "{d} [is|was|will be] [what|which] [weekday|day|day of the week]?",
        "[was|is|will] {d} [be |]a [Monday|Friday|Sunday|Wednesday|weekend day]?",
        "weekday of {d}[?| please|]",
        "i was born on {d}, [which|what] [day|weekday] was that?",
        "we [meet|met|leave|marry] on {d}, [which|what] day of the week is that?",
        "{d} - what [day|weekday]?",
    ],
    eval: &["on what day of the week falls {d}?", "{d}: which weekday?"],
};

const LATER: Wordings = Wordings {
    train: &[
        "=:{d} plus {n} days",
        "=:{d} + {n} days",
        "=:the [date|day] {n} days after {d}",
        "=:the [date|day] {n} days [later than|past|following] {d}",
        "?:what [date|day] [is|comes|it is|we have] {n} days after {d}",
        "?:[which|what] date {d} plus {n} days is",
        "!:add {n} days to {d}",
        "!:count {n} days from {d}",
        "!:move {d} [forward |]by {n} days",
        "!:go {n} days after {d}",
        "[what|which] [date|day] is {n} days after {d}?",
        "[what is the date|what date is it] {n} days after {d}?",
        "{n} days [after|from|past] {d}, [what|which] [date|day] is that?",
        "{d}, and {n} days later?",
        "it starts on {d} and [lasts|takes] {n} days, when does it end?",
        "i [order|ordered|leave|pay] on {d} and [it comes|return|must pay again] {n} days later, when is that?",
        "if it is {d}, what date is it in {n} days?",
        "{n} days later than {d}[?|]",
    ],
    eval: &["when is it if i count {n} days on from {d}?", "start at {d} and go {n} days forward."],
};

const EARLIER: Wordings = Wordings {
    train: &[
        "=:{d} minus {n} days",
        "=:{d} - {n} days",
        "=:the [date|day] {n} days before {d}",
        "=:the [date|day] {n} days [earlier than|ahead of|prior to] {d}",
        "?:what [date|day] [is|was|it is|comes] {n} days before {d}",
        "?:[which|what] date {d} minus {n} days is",
        "!:subtract {n} days from {d}",
        "!:take {n} days [from|off] {d}",
        "!:move {d} back by {n} days",
        "!:go {n} days before {d}",
        "[what|which] [date|day] [is|was] {n} days before {d}?",
        "{n} days before {d}, [what|which] [date|day] is that?",
        "{d}, and {n} days earlier?",
        "it ended on {d} after {n} days, when did it start?",
        "the exam is on {d}. i want to start {n} days before. when is that?",
        "if it is {d}, what date was it {n} days ago?",
        "{n} days earlier than {d}[?|]",
    ],
    eval: &["when is it if i count {n} days back from {d}?", "start at {d} and go {n} days back."],
};

const BETWEEN: Wordings = Wordings {
    train: &[
        "=:the number of days [between|from] {d} [and|to] {e}",
        "=:the days [between|from] {d} [and|to|until] {e}",
        "=:the [time|distance|difference] in days [between|from] {d} [and|to] {e}",
        "?:how many days there are [between|from] {d} [and|to] {e}",
        "?:how many days [pass|go by|it takes] from {d} to {e}",
        "?:how long it is from {d} to {e}",
        "!:count the days between {d} and {e}",
        "!:calculate the days from {d} to {e}",
        "how many days [are there |]between {d} and {e}?",
        "how many days [is it |are there |]from {d} [to|until|till] {e}?",
        "how long is it from {d} [to|until|till] {e}?",
        "how long [is|was] the time [from|between] {d} [to|and] {e}?",
        "days from {d} [to|until] {e}[?|]",
        "days between {d} and {e}[?|]",
        "i [am|was] away from {d} to {e}, how many days is that?",
        "it [starts|started] on {d} and [ends|ended] on {e}, how many days [is that|in between]?",
        "{d} to {e}, how many days?",
        "from {d} to {e} - how many days?",
    ],
    eval: &["how many days lie between {d} and {e}?", "count the days from {d} until {e}."],
};

const IN_DAYS: Wordings = Wordings {
    train: &[
        "=:the date in {n} days",
        "=:the [date|day] {n} days [ahead|from now on|later than today]",
        "?:[what|which] [date|day] it [is|will be] in {n} days",
        "?:what the date is in {n} days",
        "!:add {n} days to today",
        "!:add {n} days to today's date",
        "[what|which] [date|day] [is it|will it be|do we have|will we have] in {n} days?",
        "in {n} days, [what|which] [date|day] is that?",
        "[what|which] [date|day] is {n} days from now?",
        "{n} days from [now|today][?|]",
        "today plus {n} days[?|]",
        "when is in {n} days?",
        "i have {n} days left, [what|which] date is that?",
        "it comes in {n} days, [what|which] date is that?",
        "when are {n} days over?",
    ],
    eval: &["{n} days from today, when is that?", "what will the date be {n} days from now?"],
};

const DAYS_AGO: Wordings = Wordings {
    train: &[
        "=:the date {n} days ago",
        "=:the [date|day] {n} days before today",
        "?:[what|which] [date|day] it was {n} days ago",
        "?:what the date was {n} days ago",
        "!:subtract {n} days from today",
        "!:take {n} days from today's date",
        "[what|which] [date|day] was it {n} days ago?",
        "[what|which] [date|day] [was|is] {n} days ago?",
        "{n} days ago, [what|which] [date|day] was that?",
        "{n} days ago[?| please]",
        "today minus {n} days[?|]",
        "it happened {n} days ago, [when|what date] was that?",
        "i bought it {n} days ago, which date was that?",
    ],
    eval: &[
        "if i go {n} days back from today, what date is it?",
        "which date lies {n} days behind us?",
    ],
};

const TOMORROW: Wordings = Wordings {
    train: &[
        "=:the date tomorrow",
        "=:tomorrow's date",
        "?:[what|which] date [it is|we have|is] tomorrow",
        "?:what tomorrow's date is",
        "[what|which] [date|day] is [it |]tomorrow?",
        "what is tomorrow's date?",
        "what [will the date be|date will it be|day will it be] tomorrow?",
        "tomorrow is [what|which] date?",
        "what comes after today?",
        "which day comes next after today?",
        "tomorrow[?| is when?]",
        "today plus one day?",
    ],
    eval: &["what day do we have tomorrow?", "the date of tomorrow?"],
};

const YESTERDAY: Wordings = Wordings {
    train: &[
        "=:the date yesterday",
        "=:yesterday's date",
        "?:[what|which] date [it was|we had|was] yesterday",
        "?:what yesterday's date was",
        "[what|which] [date|day] was [it |]yesterday?",
        "what was yesterday's date?",
        "what was the date yesterday?",
        "yesterday was [what|which] date?",
        "what came before today?",
        "which day was before today?",
        "yesterday[?| was when?]",
        "today minus one day?",
    ],
    eval: &["what day did we have yesterday?", "the date of yesterday?"],
};

const UNTIL: Wordings = Wordings {
    train: &[
        "=:the number of days until {d}",
        "=:the days [left |]until {d}",
        "?:how many days [are left|there are|it is|remain] [until|till|to] {d}",
        "?:how long it is [until|till] {d}",
        "?:how far away {d} is",
        "!:count the days until {d}",
        "how many days [is it |are left |are there |remain |]until {d}?",
        "how many days [are left |]to {d}?",
        "how many more days [until|till|to] {d}?",
        "how long [is it |]until {d}?",
        "how long till {d}?",
        "days until {d}[?|]",
        "how far away is {d}?",
        "when is {d}, in how many days?",
        "the [party|exam|wedding|trip] is on {d}, how many days [are left|is that from now|from today]?",
        "from today to {d}, how many days?",
        "in how many days is {d}?",
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
    scene.user(&pattern, &[]);
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
    scene.user(&pattern, &[("d", &d), ("e", &e), ("n", &n)]);
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
