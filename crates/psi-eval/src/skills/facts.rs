//! Telling, asking, correcting and forgetting: conversations about what the user wants remembered.
//!
//! A fact is kept in the user's own words, so that to remember is to copy; to recall is to copy it back
//! with "my" turned into "your".

use serde_json::json;

use super::{
    Skill,
    memory::EVERYTHING,
    pools,
    scene::{Outcome, Scene},
    tools::NOTHING_FOUND,
    words,
};
use crate::{
    draws::Draws,
    split::Split,
    wording::{Wordings, fill},
};

/// A kind of fact: how it is told, what finds it again, and how it is asked for.
struct Kind {
    /// what `{s}` stands for
    subject: fn(&mut Draws) -> String,
    /// what `{v}` stands for, given the subject
    value: fn(&mut Draws, &str) -> String,
    told: &'static [&'static str],
    /// what a search for it asks for
    query: &'static str,
    /// how the user names it: "forget {named}"
    named: &'static str,
    asked: Wordings,
}

/// One fact in the words of its user.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    kind: usize,
    subject: String,
    text: String,
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
        let month = draws.pick(&super::calendar::MONTHS);
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
    let day = draws.pick(&super::calendar::WEEKDAYS);
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

const SECRETS: &[&str] = &[
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

const SIZES: &[&str] = &[
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

const KINDS: &[Kind] = &[
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

const TELL: Wordings = Wordings {
    train: &[
        "[please |can you |could you |]remember [that |this: |]{fact}.",
        "!:remember that {fact}",
        "!:remember this: {fact}",
        "!:remember {fact}",
        "!:keep in mind that {fact}",
        "!:keep in memory that {fact}",
        "!:note that {fact}",
        "!:note down that {fact}",
        "!:write down that {fact}",
        "!:write this down: {fact}",
        "!:save this: {fact}",
        "!:save that {fact}",
        "!:store [this fact: |this: |that ]{fact}",
        "!:add to your [memory|notes|list] that {fact}",
        "!:put [it |this |]into your memory[:| that] {fact}",
        "!:learn that {fact}",
        "!:record that {fact}",
        "!:mark that {fact}",
        "!:keep this: {fact}",
        "!:keep the fact that {fact}",
        "!:take down that {fact}",
        "!:know that {fact}",
        "!:bear in mind that {fact}",
        "!:never forget that {fact}",
        "[please |]don't forget[ that|:| this:] {fact}.",
        "[please |]do not forget[ that|:| this:] {fact}.",
        "{fact}. [please |]remember [that|this|it][ for me|].",
        "{fact}, [please |]remember [that|this|it].",
        "{fact}. [note|save|store|keep|don't forget|do not forget|write down|learn] [that|this|it].",
        "{fact}. [just so you know|so you know|fyi|you should know|can you remember that?|could you keep that?].",
        "{fact}.",
        "{fact}!",
        "{fact}",
        "i want you to [know|remember|keep in mind|learn] that {fact}.",
        "i [would like|need] you to [know|remember|keep in mind|note] that {fact}.",
        "[by the way|just so you know|fyi|for your information|for later|for the record|as you may know|in case i forget|in case you need it|so that you don't forget|btw|ps|a fact for you|new information|something new|something about me|about me|about my life|here is a fact|this is new|this matters|this is important|important|remember this|memo|note|note to self|to remember|reminder|for your memory|info|a thing to know|news|good to know|guess what|did you know|you know what][,|:] {fact}.",
        "you [should|must|have to|need to|can|may|ought to] [know|remember|keep in mind|note|learn] [that |this: |]{fact}.",
        "[can you|could you|will you|would you] [remember|save|keep|store|note|write down] [for me |]that {fact}?",
        "i [just|also|only|] [wanted|want|need|have|would like] to [tell you|say|let you know|mention|add|inform you|report] [that |]{fact}.",
        "[here is|this is|i have|there is] something [to remember|you should know|for your memory|to keep|new]: {fact}.",
        "[hi|hello|hey|ok|so|well|yes|look|listen|also|and], {fact}.",
        "did [i|we] [tell|mention to] you that {fact}?",
        "it is [good|useful|important] to know that {fact}.",
        "[maybe|perhaps|one day] [you need|it helps] to know that {fact}.",
        "from [now on|today on|today], {fact}.",
        "[i think|i believe|i am sure|it is true|the fact is|the thing is|as a matter of fact] [that |]{fact}.",
        "you [don't know|did not know|may not know] [yet |]that {fact}.",
    ],
    eval: &[
        "make a note that {fact}.",
        "so that you know it: {fact}.",
        "hold on to this for me: {fact}.",
        "it would help me if you remembered that {fact}.",
        "let me tell you something, {fact}.",
    ],
};

const CORRECT: Wordings = Wordings {
    train: &[
        "[actually|no|correction|wait|sorry|oops|no wait|hold on|hm no|well no|oh no|ah no|stop|pardon|my bad|my mistake|my fault|i am sorry|excuse me|i beg your pardon|to be exact|to be precise|in fact|rather|i mean|i meant|let me rephrase][,|:| -] {fact}.",
        "[that is|that's|that was|this is|it was|it is|what you know is|your note is|your memory is] [wrong|not right|false|incorrect|not true|no longer true|not correct|out of date|old|outdated|a mistake|an error][,|:|. |;] {fact}.",
        "[that|this|it|something|things|the situation] [has |]changed[:|,|.] {fact}.",
        "[that|it] is [different|not the same|another one|new] [now|today|by now][:|,|.] {fact}.",
        "!:correct that: {fact}",
        "!:correct [this|it|your note|your memory|what you know]: {fact}",
        "!:change that: {fact}",
        "!:change [this|it|your note|your memory|what you know]: {fact}",
        "!:update [that|this|it|your note|your memory|what you know]: {fact}",
        "!:fix [that|this|it|your note|your memory|what you know]: {fact}",
        "!:replace [that|this|it|your note|what you know|the old fact]: {fact}",
        "!:overwrite [that|this|it|the old one|the old fact]: {fact}",
        "!:rewrite [that|this|your note]: {fact}",
        "!:revise [that|this|your note]: {fact}",
        "!:adjust [that|this|your note]: {fact}",
        "update[:|,| -] {fact}.",
        "[correction|change|new version|revision|amendment|erratum|a small change|a correction|one correction|an update|small update|latest news][:|,| -] {fact}.",
        "i [made|have made] [a mistake|an error|a slip][:|,|.] {fact}.",
        "i [got|said|told you|wrote|gave you] [it|that|this|something] wrong[:|,|.] {fact}.",
        "i [changed my mind|was wrong|misspoke|mixed that up|have changed that|need to change something|must take that back|take that back|did not mean that|said it wrongly][:|,|.] {fact}.",
        "not any more[:|,|.] {fact}.",
        "[no longer|not so|not anymore|that is over|that is history|that was before|that was then][:|,|.] {fact} now.",
        "[now|by now|nowadays|since today|since yesterday|as of today|these days|meanwhile][,|] {fact} [instead|after all].",
        "{fact}, [not what i said before|not as i said|and not what you know|not what i told you|contrary to what i said].",
        "{fact}. [please |][correct|change|update|fix] [that|it|this|your note].",
        "[earlier|before|last time|yesterday|the other day] i [told you something wrong|was wrong|said it wrong|made a mistake][:|,|.] {fact}.",
        "[forget what i said|forget what you know|never mind what i said|ignore what i said][:|,|.] {fact}.",
        "[it turns out|it turned out|i found out|i see now|i just noticed|i just learned] that {fact} [instead|after all|in truth].",
        "[the truth is|the right answer is|the right thing is|correct is|true is][:|,| that] {fact}.",
    ],
    eval: &[
        "i have to correct myself, {fact}.",
        "what i said is out of date: {fact}.",
        "i was mistaken, {fact}.",
    ],
};

const FORGET: Wordings = Wordings {
    train: &[
        "!:forget {named}",
        "!:forget all about {named}",
        "!:forget what I [told you|said|wrote] about {named}",
        "!:forget everything about {named}",
        "!:forget the [fact|note|thing|entry] about {named}",
        "!:delete {named}",
        "!:delete what you [know|remember|have stored] about {named}",
        "!:delete the [fact|note|thing|entry] about {named}",
        "!:remove {named} from your [memory|notes|list]",
        "!:remove what you [know|remember] about {named}",
        "!:remove the [fact|note|entry] about {named}",
        "!:wipe {named}[ from your memory| from your notes|]",
        "!:clear {named}[ from your memory| from your notes|]",
        "!:clear what you know about {named}",
        "!:cancel what i said about {named}",
        "!:discard what you know about {named}",
        "!:throw away [what you know|the note|everything] about {named}",
        "!:strike {named} from your [memory|notes|list]",
        "!:cross out {named}",
        "!:stop remembering {named}",
        "!:get rid of [the note about |what you know about |]{named}",
        "!:unlearn {named}",
        "!:lose [the note about |the fact about ]{named}",
        "!:scratch {named}",
        "you can forget {named}[ now|].",
        "you [may|should|must|need to] [now |]forget [about |]{named}.",
        "[don't|do not] [remember|keep|store|save] {named} [any more|any longer|anymore].",
        "[there is no need|no need|you don't need|you do not have] to [remember|keep|store] {named}[ any more| any longer|].",
        "{named} [is no longer needed|should be forgotten|can be forgotten|can be deleted|must be deleted|does not matter any more|can go|is not important any more|should go].",
        "I [don't|do not] want you to [remember|keep|know|store] {named}[ any more| any longer|].",
        "[about|as for|concerning] {named}: [forget it|delete it|forget that|remove it|please forget it|please delete it].",
    ],
    eval: &[
        "erase {named} from your memory.",
        "i want you to forget {named}.",
        "drop what you have on {named}.",
    ],
};

const LIST: Wordings = Wordings {
    train: &[
        "&:what you [know|remember] about me",
        "&:what I have told you[ so far|]",
        "&:what is in your memory",
        "*:[everything|all] [you know|you remember|that you know|I told you]",
        "*:[all |]your [memories|notes about me|facts about me]",
        "*:the [facts|things] you [have about me|have stored|have saved|keep]",
        "!:list [everything|all] you [know|remember][ about me|]",
        "!:list [all |]your memories",
        "!:list what you [know|remember|have stored][ about me|]",
        "!:show [me |]your [whole |entire |]memory",
        "!:show me what you [know|remember|have stored][ about me|]",
        "!:read out your memory",
        "!:sum up what you know about me",
        "what do you [know|remember] about me[ so far| by now|]?",
        "what have I told you[ so far| about me| up to now|]?",
        "what did I [tell|teach] you[ so far|]?",
        "what is in your memory?",
        "what have you [stored|saved|noted|kept|learned] [about me|so far]?",
        "[which|what] facts do you [know|have|remember]?",
        "what do you have [in your memory|on me|about me|saved]?",
        "do you know [anything|something] about me?",
    ],
    eval: &["tell me all that you know about me.", "which things do you remember?"],
};

/// A fact that is not about anything in `taken`.
fn draw_fact(draws: &mut Draws, taken: &[Fact]) -> Fact {
    let (kind, subject) = draws.until(|draws| {
        let kind = draws.below(KINDS.len());
        let subject = (KINDS[kind].subject)(draws);
        let is_new = !taken.iter().any(|f| f.kind == kind && f.subject == subject);
        is_new.then_some((kind, subject))
    });
    let text = fact_text(draws, kind, &subject);
    Fact { kind, subject, text }
}

fn fact_text(draws: &mut Draws, kind: usize, subject: &str) -> String {
    let value = (KINDS[kind].value)(draws, subject);
    let told = draws.pick(KINDS[kind].told);
    fill(told, &[("s", subject), ("v", &value)], draws)
}

impl Fact {
    fn query(&self) -> String {
        KINDS[self.kind].query.replace("{s}", &self.subject)
    }

    fn named(&self) -> String {
        KINDS[self.kind].named.replace("{s}", &self.subject)
    }
}

/// The user's words from the assistant's side: "my dog" is "your dog".
pub(crate) fn turned(fact: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    for (i, word) in fact.split(' ').enumerate() {
        let turned = match word.to_lowercase().as_str() {
            "my" | "our" => "your",
            "i" | "we" | "me" | "us" => "you",
            "i'm" => "you're",
            "am" => "are",
            "mine" => "yours",
            "the" | "a" if i == 0 => &word.to_lowercase(),
            _ => word,
        };
        out.push(turned.to_owned());
    }
    out.join(" ")
}

/// Facts that were told in earlier conversations.
pub(crate) fn earlier_facts(scene: &mut Scene) -> Vec<Fact> {
    let n = scene.draws.weighted(&[3.0, 2.0, 2.0, 2.0, 1.0]);
    let mut facts: Vec<Fact> = Vec::new();
    for _ in 0..n {
        let mut fact = draw_fact(&mut scene.draws, &facts);
        fact.text = scene.style.cased(&fact.text);
        scene.world.memory.remember(&fact.text);
        facts.push(fact);
    }
    facts
}

/// The user states `fact` through one of `wordings`; returns it as it was typed.
fn state(scene: &mut Scene, wordings: &Wordings, fact: &str) -> String {
    let pattern = wordings.draw(&mut scene.draws);
    let mut fact = scene.style.cased(fact);
    if pattern.starts_with("{fact}") && scene.style.cased("A") == "A" {
        fact = crate::wording::capitalised(&fact);
    }
    scene.user(&pattern, &[("fact", &fact)]);
    fact
}

/// The user tells something new.
pub(crate) fn tell(scene: &mut Scene, facts: &mut Vec<Fact>) -> Outcome {
    let fact = draw_fact(&mut scene.draws, facts);
    let (outcome, fact) = tell_fact(scene, fact);
    facts.push(fact);
    outcome
}

/// The user tells something new that its own question will find; returns it.
pub(crate) fn tell_new(scene: &mut Scene, facts: &mut Vec<Fact>) -> Fact {
    let fact = scene.draws.clone().until(|_| {
        let fact = draw_fact(&mut scene.draws, facts);
        let mut memory = scene.world.memory.clone();
        memory.remember(&fact.text);
        memory.recall(&fact.query()).contains(&fact.text.as_str()).then_some(fact)
    });
    let (_, fact) = tell_fact(scene, fact);
    facts.push(fact.clone());
    fact
}

fn tell_fact(scene: &mut Scene, mut fact: Fact) -> (Outcome, Fact) {
    fact.text = state(scene, &TELL, &fact.text);
    scene.call("remember", &[("fact", json!(fact.text))]);
    let reply = format!("I will remember that {}.", turned(&fact.text));
    (scene.reply(Skill::Remember, vec![reply]), fact)
}

/// The user says that something told before is different now.
pub(crate) fn correct(scene: &mut Scene, facts: &mut Vec<Fact>) -> Outcome {
    if facts.is_empty() {
        tell(scene, facts);
    }
    let at = scene.draws.below(facts.len());
    let old = facts.remove(at);
    let text = scene.draws.until(|draws| {
        Some(fact_text(draws, old.kind, &old.subject))
            .filter(|t| !t.eq_ignore_ascii_case(&old.text))
    });
    let text = state(scene, &CORRECT, &text);
    let query = scene.style.cased(&old.query());
    scene.call("correct", &[("query", json!(query)), ("fact", json!(text))]);
    let reply = format!("Now I know that {}.", turned(&text));
    facts.retain(|f| scene.world.memory.facts().contains(&f.text));
    facts.push(Fact { text, ..old });
    scene.reply(Skill::Correct, vec![reply])
}

/// The user asks for something that was told, now or in another conversation.
pub(crate) fn recall(scene: &mut Scene, facts: &[Fact]) -> Outcome {
    let known: Vec<&Fact> = facts
        .iter()
        .filter(|f| scene.world.memory.recall(&f.query()).contains(&f.text.as_str()))
        .collect();
    if known.is_empty() {
        return ask_unknown(scene, facts);
    }
    // What was told last is asked for most: the point is to remember it after something else.
    let fact = match scene.draws.chance(0.5) {
        true => known[known.len() - 1].clone(),
        false => scene.draws.pick(&known).clone(),
    };
    answer(scene, &fact, Skill::Recall)
}

/// The user asks for a fact of this conversation.
pub(crate) fn recall_later(scene: &mut Scene, fact: &Fact) -> Outcome {
    answer(scene, fact, Skill::RecallLater)
}

fn answer(scene: &mut Scene, fact: &Fact, skill: Skill) -> Outcome {
    ask(scene, fact);
    scene.reply(skill, vec![format!("You told me that {}.", turned(&fact.text))])
}

/// The user asks for something that was never told.
pub(crate) fn ask_unknown(scene: &mut Scene, facts: &[Fact]) -> Outcome {
    let fact = draw_fact(&mut scene.draws, facts);
    ask(scene, &fact);
    let reply = "I do not know that yet. Tell me and I will remember it.".to_owned();
    scene.reply(Skill::Unknown, vec![reply])
}

fn ask(scene: &mut Scene, fact: &Fact) {
    let pattern = KINDS[fact.kind].asked.draw(&mut scene.draws);
    let subject = scene.style.cased(&fact.subject);
    scene.user(&pattern, &[("s", &subject)]);
    let query = scene.style.cased(&fact.query());
    scene.call("recall", &[("query", json!(query))]);
}

/// The user wants something forgotten.
pub(crate) fn forget(scene: &mut Scene, facts: &mut Vec<Fact>) -> Outcome {
    let fact = match facts.is_empty() || scene.draws.chance(0.15) {
        true => draw_fact(&mut scene.draws, facts),
        false => scene.draws.pick(&facts.iter().collect::<Vec<_>>()).clone(),
    };
    let pattern = FORGET.draw(&mut scene.draws);
    let named = scene.style.cased(&fact.named());
    scene.user(&pattern, &[("named", &named)]);
    let query = scene.style.cased(&fact.query());
    let answer = scene.call("forget", &[("query", json!(query))]);
    let reply = match answer.strip_prefix("forgotten: ") {
        Some(old) => format!("I have forgotten that {}.", turned(old)),
        None => "There was nothing to forget.".to_owned(),
    };
    facts.retain(|f| scene.world.memory.facts().contains(&f.text));
    scene.reply(Skill::Forget, vec![reply])
}

/// The user asks for everything.
pub(crate) fn list(scene: &mut Scene) -> Outcome {
    let pattern = LIST.draw(&mut scene.draws);
    scene.user(&pattern, &[]);
    let answer = scene.call("recall", &[("query", json!(EVERYTHING))]);
    let reply = if answer == NOTHING_FOUND {
        "I do not know anything about you yet. Tell me something and I will remember it.".to_owned()
    } else {
        let facts: Vec<String> = answer.lines().map(|f| format!("that {}", turned(f))).collect();
        match facts.split_last() {
            Some((last, rest)) if !rest.is_empty() => {
                format!("You told me {} and {last}.", rest.join(", "))
            }
            _ => format!("You told me {}.", facts.join("")),
        }
    };
    scene.reply(Skill::Recall, vec![reply])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_splits_have_something_to_tell_of() {
        for pool in [SECRETS, SIZES] {
            let held_out = pool.iter().filter(|w| crate::split::Split::Eval.owns(w)).count();
            assert!(held_out >= 3 && pool.len() - held_out >= 8, "{:?}: {held_out}", pool[0]);
        }
    }

    #[test]
    fn my_becomes_your() {
        assert_eq!(turned("My dog is called Rex"), "your dog is called Rex");
        assert_eq!(turned("I am allergic to nuts"), "you are allergic to nuts");
        assert_eq!(turned("the key is in my coat"), "the key is in your coat");
        assert_eq!(turned("Rex is my dog"), "Rex is your dog");
    }

    #[test]
    fn what_a_kind_is_asked_by_finds_what_it_was_told_as() {
        for kind in 0..KINDS.len() {
            for index in 0..50 {
                let mut draws = Draws::new(crate::split::Split::Train, 5, index);
                let subject = (KINDS[kind].subject)(&mut draws);
                let text = fact_text(&mut draws, kind, &subject);
                let fact = Fact { kind, subject, text };
                let mut memory = super::super::memory::Memory::default();
                memory.remember(&fact.text);
                assert_eq!(memory.recall(&fact.query()), [&fact.text], "{}", fact.query());
            }
        }
    }
}
