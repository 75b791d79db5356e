//! What facts are about: how each kind is told, searched for and asked for.

use super::super::{calendar, pools, words};
use crate::{draws::Draws, split::Split, wording::Wordings};

/// A kind of fact: how it is told, what finds it again, and how it is asked for.
pub(super) struct Kind {
    /// what `{s}` stands for
    pub(super) subject: fn(&mut Draws) -> String,
    /// what `{v}` stands for, given the subject
    pub(super) value: fn(&mut Draws, &str) -> String,
    pub(super) told: &'static [&'static str],
    /// what a search for it asks for
    pub(super) query: &'static str,
    /// how the user names it: "forget {named}"
    pub(super) named: &'static str,
    pub(super) asked: Wordings,
}

fn nobody(_: &mut Draws) -> String {
    String::new()
}

fn a_name(draws: &mut Draws, _: &str) -> String {
    pools::name(draws)
}

fn a_city(draws: &mut Draws, _: &str) -> String {
    match draws.chance(0.15) {
        true => pools::made_up_name(draws),
        false => words::of(draws, pools::CITIES),
    }
}

fn a_birthday(draws: &mut Draws, _: &str) -> String {
    draws.until(|draws| {
        let month = draws.pick(&calendar::MONTHS);
        let day = draws.between(1, 28);
        let text =
            if draws.chance(0.5) { format!("{day} {month}") } else { format!("{month} {day}") };
        draws.split().owns(&text).then_some(text)
    })
}

fn a_code(draws: &mut Draws, _: &str) -> String {
    pools::code(draws)
}

fn a_time(draws: &mut Draws, _: &str) -> String {
    let day = draws.pick(&calendar::WEEKDAYS);
    let time = pools::clock_time(draws);
    match draws.below(3) {
        0 => format!("at {time}"),
        1 => format!("on {day}"),
        _ => format!("on {day} at {time}"),
    }
}

fn a_number(draws: &mut Draws, _: &str) -> String {
    draws.number(2, 95).to_string()
}

/// Things people have favourites of, with the pools that the favourites come from.
const FAVOURITES: &[(&str, &[&str])] = &[
    ("colour", pools::COLOURS),
    ("food", pools::FOODS),
    ("dish", pools::FOODS),
    ("meal", pools::FOODS),
    ("dessert", pools::FOODS),
    ("city", pools::CITIES),
    ("town", pools::CITIES),
    ("hobby", pools::HOBBIES),
    ("pastime", pools::HOBBIES),
    ("sport", pools::HOBBIES),
    ("instrument", pools::INSTRUMENTS),
    ("name", pools::NAMES),
    ("animal", pools::PETS),
    ("soup", pools::FOODS),
    ("wood", pools::MATERIALS),
    ("paint", pools::COLOURS),
    ("snack", pools::FOODS),
    ("material", pools::MATERIALS),
    ("breakfast", pools::FOODS),
    ("holiday spot", pools::CITIES),
    ("game", pools::HOBBIES),
    ("author", pools::NAMES),
    ("pet", pools::PETS),
    ("flower colour", pools::COLOURS),
];

fn a_favourite_kind(draws: &mut Draws) -> String {
    if draws.split() != Split::Eval && draws.chance(0.4) {
        return words::unheard(draws);
    }
    draws.until(|draws| {
        let name = draws.pick(FAVOURITES).0;
        draws.split().owns(name).then(|| name.to_owned())
    })
}

fn a_favourite(draws: &mut Draws, subject: &str) -> String {
    let pool = FAVOURITES.iter().find(|f| f.0 == subject).map_or(pools::FOODS, |f| f.1);
    words::of(draws, pool)
}

pub(super) const SECRETS: &[&str] = &[
    "wifi password",
    "door code",
    "locker number",
    "alarm code",
    "booking reference",
    "garage code",
    "guest password",
    "gate code",
    "order number",
    "ticket number",
    "safe code",
    "router password",
    "library card number",
    "room number",
    "bike lock code",
    "invoice number",
    "customer number",
    "tracking number",
    "license plate",
    "membership number",
    "meter reading",
    "laptop password",
];

pub(super) const SIZES: &[&str] = &[
    "shoe size",
    "shirt size",
    "ring size",
    "hat size",
    "collar size",
    "bus line",
    "seat number",
    "house number",
    "floor",
    "glove size",
    "lucky number",
    "jersey number",
    "parking spot",
    "desk number",
    "tram line",
    "waist size",
    "office number",
];

pub(super) const KINDS: &[Kind] = &[
    Kind {
        subject: |d| words::of(d, pools::PETS),
        value: a_name,
        told: &[
            "my {s} is called {v}",
            "my {s}'s name is {v}",
            "my {s} is named {v}",
            "I have a {s} called {v}",
        ],
        query: "{s}",
        named: "my {s}",
        asked: Wordings {
            train: &[
                "*:my {s}'s name",
                "*:the name of my {s}",
                "*:the [name|first name] that my {s} has",
                "*:the name [I|we] gave [to |]my {s}",
                "&:what my {s} is called",
                "&:what the name of my {s} is",
                "&:how my {s} is named",
                "&:which name my {s} has",
                "&:what I call my {s}",
                "[what is|what's|whats] my {s} called[ again, please|]?",
                "what do [I|we] call my {s}?",
                "my {s}'s name[?| please|]",
                "my {s} has [which|what] name?",
                "[which|what] name does my {s} have?",
                "how did [I|we] name my {s}?",
                "who is my {s}?",
                "[who|what] is {s}?",
            ],
            eval: &["how is my {s} called again?", "i forgot the name of my {s}, what was it?"],
        },
    },
    Kind {
        subject: |d| words::of(d, pools::RELATIONS),
        value: a_name,
        told: &["my {s} is called {v}", "my {s}'s name is {v}", "the name of my {s} is {v}"],
        query: "{s}",
        named: "my {s}",
        asked: Wordings {
            train: &[
                "*:my {s}'s name",
                "*:the name of my {s}",
                "*:the [name|first name] that my {s} has",
                "&:what my {s} is called",
                "&:what the name of my {s} is",
                "&:who my {s} is",
                "&:which name my {s} has",
                "[what is|what's|whats] my {s} called[ please|]?",
                "my {s}'s name[?| please|]",
                "my {s} has [which|what] name?",
                "[which|what] name does my {s} have?",
                "who is my {s}[ again|]?",
                "what do [I|we] call my {s}?",
                "by what name do i know my {s}?",
            ],
            eval: &["how is my {s} called again?", "my {s}, what was the name?"],
        },
    },
    Kind {
        subject: |d| a_favourite_kind(d),
        value: a_favourite,
        told: &["my favourite {s} is {v}", "{v} is my favourite {s}"],
        query: "favourite {s}",
        named: "my favourite {s}",
        asked: Wordings {
            train: &[
                "*:my favourite {s}",
                "*:the {s} that is my favourite",
                "*:the {s} [I|that I] like [best|most]",
                "&:what my favourite {s} is",
                "&:which {s} is my favourite",
                "&:which {s} I like [best|most]",
                "&:what {s} I prefer",
                "which {s} is my favourite {s}?",
                "[which|what] {s} do I like [best|most]?",
                "[which|what] {s} do I prefer[ to all others|]?",
                "my favourite {s} is [what|which]?",
                "of all {s}s, which is my favourite?",
                "what did I say is my favourite {s}?",
            ],
            eval: &["and my favourite {s}, which one was that?", "can you name my favourite {s}?"],
        },
    },
    Kind {
        subject: nobody,
        value: a_city,
        told: &["I live in {v}", "we live in {v}"],
        query: "live",
        named: "where I live",
        asked: Wordings {
            train: &[
                "&:where I live",
                "&:where [I am|we are] living",
                "&:where my home is",
                "&:[which|what] city I live in",
                "*:the [city|town|place] [where I live|I live in|that I live in]",
                "*:my home [town|city]",
                "where do [I|we] live[ now| these days|]?",
                "[which|what] [city|town] do [I|we] live in?",
                "where is my [home|house|flat]?",
                "where am I living?",
                "I live where?",
                "where do [I|we] have [my|our] home?",
            ],
            eval: &["in which place do I live?", "where was it that I live?"],
        },
    },
    Kind {
        subject: nobody,
        value: |d, _| words::of(d, pools::JOBS),
        told: &["I work as a {v}", "I now work as a {v}"],
        query: "work",
        named: "my work",
        asked: Wordings {
            train: &[
                "&:what I work as",
                "&:what my [job|work|profession|trade] is",
                "&:how I earn my [money|living]",
                "*:my [job|work|profession|occupation]",
                "*:the job [I have|that I do]",
                "what do I work as?",
                "what do I do [for a living|for work|at work]?",
                "what am I by [profession|trade]?",
                "[which|what] [job|profession] do I have?",
                "how do I earn my [money|living]?",
                "where do I work, and as what?",
            ],
            eval: &["as what do I work?", "what kind of work do I do?"],
        },
    },
    Kind {
        subject: nobody,
        value: a_name,
        told: &["my name is {v}", "my first name is {v}"],
        query: "name",
        named: "my name",
        asked: Wordings {
            train: &[
                "*:my [name|first name|own name]",
                "&:what my name is",
                "&:what I am called",
                "&:who I am",
                "&:how you should call me",
                "who am I?",
                "what am I called?",
                "how do you call me?",
                "what do people call me?",
                "my name is what?",
                "say my name[.|!|]",
                "do you know who I am?",
                "tell me who I am[.|]",
                "have I told you my name?",
            ],
            eval: &["do you still have my name?", "which name did I give you?"],
        },
    },
    Kind {
        subject: nobody,
        value: a_birthday,
        told: &["my birthday is on {v}", "my birthday is {v}", "I have my birthday on {v}"],
        query: "birthday",
        named: "my birthday",
        asked: Wordings {
            train: &[
                "*:my birthday",
                "*:the [day|date] of my birthday",
                "*:my date of birth",
                "&:when my birthday is",
                "&:when I have [my |]birthday",
                "&:when I was born",
                "&:which day my birthday is",
                "when is my birthday[ again|]?",
                "when do I have [my |a |]birthday?",
                "what [day|date] is my birthday[ on|]?",
                "when was I born?",
                "when do I turn a year older?",
                "my birthday is [what|which] date?",
            ],
            eval: &["on which day is my birthday?", "my birthday is when?"],
        },
    },
    Kind {
        subject: |d| words::of(d, pools::RELATIONS),
        value: a_birthday,
        told: &["my {s}'s birthday is on {v}", "my {s} has a birthday on {v}"],
        query: "{s}'s birthday",
        named: "my {s}'s birthday",
        asked: Wordings {
            train: &[
                "*:my {s}'s birthday",
                "*:the [day|date] of my {s}'s birthday",
                "*:the birthday of my {s}",
                "&:when my {s}'s birthday is",
                "&:when my {s} has [a |]birthday",
                "&:when my {s} was born",
                "&:which day my {s}'s birthday is",
                "when is my {s}'s birthday[ again|]?",
                "when does my {s} have [a |]birthday?",
                "what [day|date] is my {s}'s birthday[ on|]?",
                "when was my {s} born?",
                "when do I have to congratulate my {s} on the birthday?",
                "my {s}'s birthday is [what|which] date?",
            ],
            eval: &["on which day is my {s}'s birthday?", "my {s}'s birthday is when?"],
        },
    },
    Kind {
        subject: |d| words::of(d, pools::THINGS),
        value: |d, _| words::of(d, pools::PLACES),
        told: &["the {s} is {v}", "I put the {s} {v}", "I keep the {s} {v}", "I left the {s} {v}"],
        query: "{s}",
        named: "the {s}",
        asked: Wordings {
            train: &[
                "&:where the {s} is",
                "&:where I [put|left|keep|have] the {s}",
                "&:where [I can find|to find|to look for] the {s}",
                "&:where the {s} [went|could be|should be|lies]",
                "*:the place of the {s}",
                "*:the place where the {s} is",
                "where is the {s}[ again|]?",
                "where did I [put|leave|keep] the {s}?",
                "where do I [find|keep|have] the {s}?",
                "where have I [put|left] the {s}?",
                "where [can|might|could] the {s} be?",
                "I [need|want|can't find|have lost|miss] the {s}, where is it?",
                "[have you seen|did you see] the {s}?",
                "find the {s}[ for me|][.|]",
                "I can't find the {s}[.|]",
            ],
            eval: &["i am looking for the {s}, any idea?", "in what place is the {s}?"],
        },
    },
    Kind {
        subject: |d| words::of(d, SECRETS),
        value: a_code,
        told: &["the {s} is {v}", "my {s} is {v}", "our {s} is {v}"],
        query: "{s}",
        named: "the {s}",
        asked: Wordings {
            train: &[
                "*:[the|my|our] {s}",
                "*:[the|my|our] {s}[ that I told you| I gave you|]",
                "&:what [the|my|our] {s} is",
                "&:what the {s} was",
                "[what is|what's|whats] [the|my|our] {s}[ again|]?",
                "[the|my|our] {s}[ please|, please|]?",
                "[which|what] {s} do [I|we] have?",
                "I need [the|my|our] {s}[, please|].",
                "I forgot [the|my|our] {s}[.|]",
                "how does [the|my|our] {s} go?",
            ],
            eval: &["i need the {s} now.", "can you look up the {s}?"],
        },
    },
    Kind {
        subject: |d| words::of(d, SIZES),
        value: a_number,
        told: &["my {s} is {v}"],
        query: "{s}",
        named: "my {s}",
        asked: Wordings {
            train: &[
                "*:my {s}",
                "*:the [right |]{s} [for me|that I have]",
                "&:what my {s} is",
                "&:which {s} I have",
                "&:what {s} [I have|is mine]",
                "[what is|what's|whats] my {s}[ again|]?",
                "[which|what] {s} do I [have|take|need|use]?",
                "my {s}[ please|, please|]?",
                "my {s} is [which|what]?",
                "[which|what] is my {s}?",
            ],
            eval: &["my {s}, what was it?", "can you give me my {s}?"],
        },
    },
    Kind {
        subject: |d| words::of(d, pools::EVENTS),
        value: a_time,
        told: &["my {s} is {v}", "the {s} is {v}", "I have a {s} {v}"],
        query: "{s}",
        named: "my {s}",
        asked: Wordings {
            train: &[
                "&:when [my|the] {s} is",
                "&:when [my|the] {s} [takes place|starts|begins]",
                "&:[on which day|at what time|what time|on what day] [my|the] {s} is",
                "&:when I have [my|the] {s}",
                "*:the [time|day|date] of [my|the] {s}",
                "when is [my|the] {s}[ again|]?",
                "when do I have [my|the|a] {s}?",
                "[what time|on what day|on which day|at what time] is [my|the] {s}?",
                "when does [my|the] {s} [start|begin|take place]?",
                "when do I have to [be at|go to] [my|the] {s}?",
                "what about [my|the] {s}, when is it?",
            ],
            eval: &["my {s} is when exactly?", "for when did I note my {s}?"],
        },
    },
    Kind {
        subject: nobody,
        value: a_number,
        told: &["I parked on level {v}", "I parked in spot {v}", "I parked in row {v}"],
        query: "parked",
        named: "where I parked",
        asked: Wordings {
            train: &[
                "&:where I parked [it|the car|my car|my old car]",
                "&:where [my|the] car is[ parked|]",
                "&:where I [left|put|have] [my|the] car",
                "*:the place where I parked",
                "*:[my|the] parking [place|spot|space]",
                "where did I park[ my car| the car|]?",
                "where is [my|the] car[ parked| now|]?",
                "where did I [leave|put] [my|the] car?",
                "where do I find [my|the] car?",
                "[which|what] [level|row|spot|place] did I park [in|on]?",
                "I can't remember where I parked[.|]",
                "where does [my|the] car stand?",
            ],
            eval: &["tell me where I parked.", "i can't find my car, where have I parked?"],
        },
    },
    Kind {
        subject: nobody,
        value: |d, _| words::of(d, pools::FOODS),
        told: &["I am allergic to {v}", "I'm allergic to {v}"],
        query: "allergic",
        named: "what I am allergic to",
        asked: Wordings {
            train: &[
                "&:what I am allergic to",
                "&:what I must not eat",
                "&:what I [cannot|can't] eat",
                "&:which food [is bad for me|I must avoid]",
                "*:[my allergy|my allergies]",
                "what am I allergic to?",
                "what should I not eat?",
                "what must I not eat?",
                "[which|what] allergy do I have?",
                "what food do I have to avoid?",
                "do I have an allergy?",
                "am I allergic to [anything|something]?",
            ],
            eval: &["which food am I allergic to?", "what makes me allergic?"],
        },
    },
    Kind {
        subject: |d| words::of(d, pools::OBJECTS),
        value: |d, _| words::of(d, pools::COLOURS),
        told: &["my {s} is {v}", "my new {s} is {v}"],
        query: "{s}",
        named: "my {s}",
        asked: Wordings {
            train: &[
                "&:[which|what] colour my {s} [is|has]",
                "&:how my {s} is [painted|coloured]",
                "*:the colour that my {s} has",
                "*:my {s}'s colour",
                "what colour is my {s}[ again|]?",
                "[which|what] colour does my {s} have?",
                "[which|what] colour has my {s}?",
                "in [which|what] colour is my {s}?",
                "what does my {s} look like?",
                "how is my {s} painted?",
                "is my {s} red or blue or what?",
            ],
            eval: &["my {s} is of which colour?", "what is the colour of my {s}?"],
        },
    },
    Kind {
        subject: |d| words::of(d, pools::RELATIONS),
        value: a_number,
        told: &["my {s} is {v} years old", "my {s} turned {v}"],
        query: "{s}",
        named: "my {s}",
        asked: Wordings {
            train: &[
                "&:how old my {s} is",
                "&:what my {s}'s age is",
                "*:the age of my {s}",
                "*:my {s}'s age",
                "how old is my {s}[ now| by now|]?",
                "[how many years|what number of years] has my {s}?",
                "how old did I say my {s} is?",
                "[which|what] age does my {s} have?",
                "how many years old is my {s}?",
                "my {s}'s age[?| please|]",
            ],
            eval: &["what age is my {s}?", "my {s} is how old?"],
        },
    },
    Kind {
        subject: |d| words::of(d, pools::RELATIONS),
        value: a_city,
        told: &["my {s} lives in {v}", "my {s} moved to {v}"],
        query: "{s}",
        named: "my {s}",
        asked: Wordings {
            train: &[
                "&:where my {s} lives",
                "&:where my {s} [is living|is at home|moved to|has a home]",
                "&:[which|what] [city|town] my {s} lives in",
                "*:the [city|town|place] where my {s} lives",
                "*:my {s}'s [city|town|home town]",
                "where does my {s} live[ now|]?",
                "[which|what] [city|town] does my {s} live in?",
                "where did my {s} move[ to|]?",
                "where do I [visit|find] my {s}?",
                "where is my {s} at home?",
                "my {s} lives where?",
            ],
            eval: &["in which place does my {s} live?", "where is the home of my {s}?"],
        },
    },
    Kind {
        subject: |d| words::of(d, pools::RELATIONS),
        value: |d, _| words::of(d, pools::HOBBIES),
        told: &["my {s} likes {v}", "my {s} loves {v}"],
        query: "{s}",
        named: "my {s}",
        asked: Wordings {
            train: &[
                "&:what my {s} likes",
                "&:what my {s} [loves|likes to do|enjoys doing]",
                "*:my {s}'s hobby",
                "*:the [thing|hobby] my {s} [likes|loves]",
                "what does my {s} [like|love|enjoy][ doing| to do| most|]?",
                "what is my {s} fond of?",
                "[which|what] hobby does my {s} have?",
                "what does my {s} do for fun?",
                "what makes my {s} happy?",
                "what could I do with my {s}?",
            ],
            eval: &["what is it that my {s} likes?", "what would my {s} enjoy?"],
        },
    },
];
