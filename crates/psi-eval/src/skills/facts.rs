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
};
use crate::{
    draws::Draws,
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
        false => draws.word(pools::CITIES).to_owned(),
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
    draws.until(|draws| {
        let name = draws.pick(FAVOURITES).0;
        draws.split().owns(name).then(|| name.to_owned())
    })
}

fn a_favourite(draws: &mut Draws, subject: &str) -> String {
    let pool = FAVOURITES.iter().find(|f| f.0 == subject).map_or(pools::FOODS, |f| f.1);
    draws.word(pool).to_owned()
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
        subject: |d| d.word(pools::PETS).to_owned(),
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
                "[what is|what's] my {s} called?",
                "[what is|what's] my {s}'s name?",
                "[what is|tell me] the name of my {s}[?|]",
                "[do you remember|do you know] [what my {s} is called|the name of my {s}]?",
                "[remind me|please remind me] what my {s} is called[.|]",
            ],
            eval: &["how is my {s} called again?", "i forgot the name of my {s}, what was it?"],
        },
    },
    Kind {
        subject: |d| d.word(pools::RELATIONS).to_owned(),
        value: a_name,
        told: &["my {s} is called {v}", "my {s}'s name is {v}", "the name of my {s} is {v}"],
        query: "{s}",
        named: "my {s}",
        asked: Wordings {
            train: &[
                "[what is|what's] my {s} called?",
                "[what is|what's] my {s}'s name?",
                "[what is|tell me] the name of my {s}[?|]",
                "[do you remember|do you know] [what my {s} is called|the name of my {s}]?",
                "who is my {s}?",
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
                "[what is|what's] my favourite {s}?",
                "[do you remember|do you know] my favourite {s}?",
                "which {s} is my favourite {s}?",
                "tell me my favourite {s}[ again|].",
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
                "where do I live?",
                "[which|what] city do I live in?",
                "do you [know|remember] where I live?",
            ],
            eval: &["in which place do I live?", "where was it that I live?"],
        },
    },
    Kind {
        subject: nobody,
        value: |d, _| d.word(pools::JOBS).to_owned(),
        told: &["I work as a {v}", "I now work as a {v}"],
        query: "work",
        named: "my work",
        asked: Wordings {
            train: &[
                "what do I work as?",
                "what is my work?",
                "do you [know|remember] what I work as?",
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
                "what is my name?",
                "what's my name?",
                "do you [know|remember] my name?",
                "tell me my name.",
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
                "when is my birthday?",
                "what day is my birthday?",
                "do you [know|remember] my birthday?",
            ],
            eval: &["on which day is my birthday?", "my birthday is when?"],
        },
    },
    Kind {
        subject: |d| d.word(pools::RELATIONS).to_owned(),
        value: a_birthday,
        told: &["my {s}'s birthday is on {v}", "my {s} has a birthday on {v}"],
        query: "{s}'s birthday",
        named: "my {s}'s birthday",
        asked: Wordings {
            train: &[
                "when is my {s}'s birthday?",
                "do you [know|remember] my {s}'s birthday?",
                "what day is my {s}'s birthday?",
            ],
            eval: &["on which day is my {s}'s birthday?", "my {s}'s birthday is when?"],
        },
    },
    Kind {
        subject: |d| d.word(pools::THINGS).to_owned(),
        value: |d, _| d.word(pools::PLACES).to_owned(),
        told: &["the {s} is {v}", "I put the {s} {v}", "I keep the {s} {v}", "I left the {s} {v}"],
        query: "{s}",
        named: "the {s}",
        asked: Wordings {
            train: &[
                "where is the {s}?",
                "where did I [put|leave] the {s}?",
                "do you [know|remember] where the {s} is?",
                "i need the {s}, where is it?",
            ],
            eval: &["i am looking for the {s}, any idea?", "in what place is the {s}?"],
        },
    },
    Kind {
        subject: |d| d.word(SECRETS).to_owned(),
        value: a_code,
        told: &["the {s} is {v}", "my {s} is {v}", "our {s} is {v}"],
        query: "{s}",
        named: "the {s}",
        asked: Wordings {
            train: &[
                "[what is|what's] [the|my|our] {s}?",
                "[tell me|give me] the {s}[ please|].",
                "do you [know|remember] the {s}?",
                "the {s}[ please|]?",
            ],
            eval: &["i need the {s} now.", "can you look up the {s}?"],
        },
    },
    Kind {
        subject: |d| d.word(SIZES).to_owned(),
        value: a_number,
        told: &["my {s} is {v}"],
        query: "{s}",
        named: "my {s}",
        asked: Wordings {
            train: &[
                "[what is|what's] my {s}?",
                "do you [know|remember] my {s}?",
                "tell me my {s}[.|]",
            ],
            eval: &["my {s}, what was it?", "can you give me my {s}?"],
        },
    },
    Kind {
        subject: |d| d.word(pools::EVENTS).to_owned(),
        value: a_time,
        told: &["my {s} is {v}", "the {s} is {v}", "I have a {s} {v}"],
        query: "{s}",
        named: "my {s}",
        asked: Wordings {
            train: &[
                "when is [my|the] {s}?",
                "[what time|on what day] is [my|the] {s}?",
                "do you [know|remember] when my {s} is?",
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
                "where did I park?",
                "where is my car parked?",
                "do you [know|remember] where I parked?",
            ],
            eval: &["tell me where I parked.", "i can't find my car, where have I parked?"],
        },
    },
    Kind {
        subject: nobody,
        value: |d, _| d.word(pools::FOODS).to_owned(),
        told: &["I am allergic to {v}", "I'm allergic to {v}"],
        query: "allergic",
        named: "what I am allergic to",
        asked: Wordings {
            train: &["what am I allergic to?", "do you [know|remember] what I am allergic to?"],
            eval: &["which food am I allergic to?", "what makes me allergic?"],
        },
    },
    Kind {
        subject: |d| d.word(pools::OBJECTS).to_owned(),
        value: |d, _| d.word(pools::COLOURS).to_owned(),
        told: &["my {s} is {v}", "my new {s} is {v}"],
        query: "{s}",
        named: "my {s}",
        asked: Wordings {
            train: &[
                "what colour is my {s}?",
                "[which|what] colour does my {s} have?",
                "do you [know|remember] the colour of my {s}?",
            ],
            eval: &["my {s} is of which colour?", "what is the colour of my {s}?"],
        },
    },
    Kind {
        subject: |d| d.word(pools::RELATIONS).to_owned(),
        value: a_number,
        told: &["my {s} is {v} years old", "my {s} turned {v}"],
        query: "{s}",
        named: "my {s}",
        asked: Wordings {
            train: &[
                "how old is my {s}?",
                "what is the age of my {s}?",
                "do you [know|remember] how old my {s} is?",
            ],
            eval: &["what age is my {s}?", "my {s} is how old?"],
        },
    },
    Kind {
        subject: |d| d.word(pools::RELATIONS).to_owned(),
        value: a_city,
        told: &["my {s} lives in {v}", "my {s} moved to {v}"],
        query: "{s}",
        named: "my {s}",
        asked: Wordings {
            train: &[
                "where does my {s} live?",
                "[which|what] city does my {s} live in?",
                "do you [know|remember] where my {s} lives?",
            ],
            eval: &["in which place does my {s} live?", "where is the home of my {s}?"],
        },
    },
    Kind {
        subject: |d| d.word(pools::RELATIONS).to_owned(),
        value: |d, _| d.word(pools::HOBBIES).to_owned(),
        told: &["my {s} likes {v}", "my {s} loves {v}"],
        query: "{s}",
        named: "my {s}",
        asked: Wordings {
            train: &["what does my {s} [like|love]?", "do you [know|remember] what my {s} likes?"],
            eval: &["what is it that my {s} likes?", "what would my {s} enjoy?"],
        },
    },
];

const TELL: Wordings = Wordings {
    train: &[
        "[please |can you |could you |]remember [that |this: |]{fact}.",
        "{fact}. [please |]remember [that|this|it].",
        "{fact}.",
        "[please |]note that {fact}.",
        "[please |]keep in mind that {fact}.",
        "[please |]don't forget[ that|:] {fact}.",
        "i want you to [know|remember] that {fact}.",
        "[by the way|just so you know|fyi], {fact}.",
        "[save|remember|store] this: {fact}.",
        "you should know that {fact}.",
        "[can you|could you] [remember|save] [for me |]that {fact}?",
        "i [just|also] wanted to tell you that {fact}.",
        "here is something to remember: {fact}.",
        "[hi|hello|hey], {fact}.",
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
        "[actually|no|correction|wait|sorry|oops|no wait], {fact}.",
        "[that is|that's|that was] wrong, {fact}.",
        "that [has |]changed: {fact}.",
        "[please |]correct that: {fact}.",
        "update: {fact}.",
        "i made a mistake: {fact}.",
        "not any more, {fact}.",
        "[please |]change that: {fact}.",
    ],
    eval: &[
        "i have to correct myself, {fact}.",
        "what i said is out of date: {fact}.",
        "i was mistaken, {fact}.",
    ],
};

const FORGET: Wordings = Wordings {
    train: &[
        "[please |can you |]forget {named}[.|]",
        "[please |]forget what I [told you|said] about {named}[.|]",
        "[please |]delete what you [know|remember] about {named}[.|]",
        "[please |]remove {named} from your memory[.|]",
        "you can forget {named}[ now|].",
    ],
    eval: &[
        "erase {named} from your memory.",
        "i want you to forget {named}.",
        "drop what you have on {named}.",
    ],
};

const LIST: Wordings = Wordings {
    train: &[
        "what do you [know|remember] about me?",
        "what have I told you[ so far|]?",
        "[list|show me|tell me] everything you [know|remember][.|]",
        "what is in your memory?",
        "[list|show] [all |]your memories[.|]",
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
    scene.user(pattern, &[("fact", &fact)]);
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
    scene.user(pattern, &[("s", &subject)]);
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
    scene.user(pattern, &[("named", &named)]);
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
    scene.user(pattern, &[]);
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
