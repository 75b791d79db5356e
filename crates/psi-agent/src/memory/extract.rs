//! Facts by rule: what a person says of themselves in plain sentences, without any model.
//!
//! The rules would rather miss a fact than make one up: questions, suppositions, quotations and code
//! are left alone.

use super::{FactKind, NewFact, Origin, when};
use crate::time::Timestamp;

/// What a sentence says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found {
    /// Something to keep.
    Fact(NewFact),
    /// What filled a slot does no longer; an empty value: whatever it was.
    Over { slot: String, value: String },
    /// The user wants what holds these words forgotten.
    Forget(String),
}

/// What may stand before the sentence proper.
const OPENERS: &[&str] = &[
    "actually",
    "also",
    "and",
    "anyway",
    "btw",
    "but",
    "correction",
    "fyi",
    "hello",
    "hey",
    "hi",
    "no",
    "oh",
    "ok",
    "okay",
    "please",
    "so",
    "sorry",
    "thanks",
    "wait",
    "well",
    "yes",
];
/// The same, of several words.
const LONG_OPENERS: &[&str] =
    &["by the way", "just so you know", "for the record", "as i said", "to be clear"];
/// A sentence that begins so says nothing of what is.
const SUPPOSITIONS: &[&str] =
    &["if", "suppose", "imagine", "assume", "pretend", "say", "let", "what", "unless", "when"];
/// `my X is ...` says nothing about the person for these X.
const NOT_MINE: &[&str] = &[
    "question",
    "questions",
    "problem",
    "issue",
    "point",
    "guess",
    "code",
    "understanding",
    "idea",
    "mistake",
    "bad",
    "concern",
    "program",
    "script",
    "function",
    "answer",
    "request",
    "task",
    "hope",
    "opinion",
    "impression",
    "error",
    "input",
    "output",
    "text",
    "prompt",
];
/// One may have several of these: another one does not end the first.
const SHARED: &[&str] = &[
    "friend",
    "colleague",
    "child",
    "kid",
    "son",
    "daughter",
    "brother",
    "sister",
    "cousin",
    "hobby",
    "pet",
    "neighbor",
    "neighbour",
    "aunt",
    "uncle",
    "friends",
    "kids",
    "children",
];
/// `I have a X` is worth keeping for these X.
const OWNED: &[&str] = &[
    "dog",
    "cat",
    "pet",
    "son",
    "daughter",
    "brother",
    "sister",
    "child",
    "children",
    "kid",
    "kids",
    "wife",
    "husband",
    "partner",
    "girlfriend",
    "boyfriend",
    "car",
    "bike",
    "bicycle",
    "garden",
    "house",
    "flat",
    "boat",
    "allergy",
    "parrot",
    "horse",
    "rabbit",
    "hamster",
    "twins",
    "dogs",
    "cats",
    "sons",
    "daughters",
    "brothers",
    "sisters",
    "roommate",
];
/// What one likes must be a thing.
const NO_THING: &[&str] =
    &["it", "this", "that", "you", "them", "him", "her", "to", "how", "the way", "when", "what"];
/// Longest value, in words.
const MAX_VALUE: usize = 10;

/// A word as written and as compared.
#[derive(Clone, Debug)]
struct Word<'a> {
    text: &'a str,
    key: String,
}

/// Everything that a text says about the person who says it.
pub(super) fn from_text(text: &str, said_at: Timestamp) -> Vec<Found> {
    let plain = text.replace(['’', '‘'], "'");
    sentences(&plain).iter().filter_map(|s| from_sentence(s, said_at)).collect()
}

/// Whether a slot can hold several values at once.
pub(super) fn is_shared(slot: &str) -> bool {
    slot.split(' ').next_back().is_some_and(|head| SHARED.contains(&head))
}

/// The statements of a text: no questions, no quotations, no code.
fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code && !line.trim_start().starts_with('>') {
            let mut start = 0;
            let ends = line.match_indices(['.', '!', '?', ';']);
            let ends =
                ends.filter(|(i, _)| line[i + 1..].chars().next().is_none_or(char::is_whitespace));
            for (end, mark) in ends {
                if mark != "?" {
                    found.push(line[start..end].trim());
                }
                start = end + 1;
            }
            found.push(line[start..].trim());
        }
    }
    found.retain(|s| !s.is_empty());
    found
}

fn words_of(sentence: &str) -> Vec<Word<'_>> {
    let key = |w: &str| {
        let key = w.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        match key.as_str() {
            "favourite" => "favorite".to_owned(),
            "don't" | "dont" => "do-not".to_owned(),
            _ => key,
        }
    };
    sentence.split_whitespace().map(|text| Word { text, key: key(text) }).collect()
}

fn from_sentence(sentence: &str, said_at: Timestamp) -> Option<Found> {
    let words = words_of(sentence);
    let mut rest = without_openers(&words);
    let asked = match keys(rest, 2)[..] {
        ["forget", "that" | "about"] => return forget(&rest[2..]),
        ["forget", _] => return forget(&rest[1..]),
        ["remember" | "note", "that"] => 2,
        ["remember", _] => 1,
        _ => 0,
    };
    rest = &rest[asked..];
    let first = rest.first()?;
    if SUPPOSITIONS.contains(&first.key.as_str()) || sentence.contains('"') {
        return None;
    }
    let text = statement(rest);
    let found = from_words(&expand(rest));
    let fact = |slot: String, value: String, kind: FactKind| NewFact {
        text: text.clone(),
        slot,
        value,
        kind,
        origin: Origin::Rule,
        source: None,
        said_at: Some(said_at),
        valid_from: None,
        valid_to: None,
    };
    let mut fact = match found {
        Some(Rule::Over { slot, value }) => return Some(Found::Over { slot, value }),
        Some(Rule::Slot { slot, value, kind }) => fact(slot, value, kind),
        None if asked > 0 => fact(String::new(), String::new(), FactKind::Other),
        None => return plan(rest, said_at).map(Found::Fact),
    };
    if let Some(period) = since(rest, said_at) {
        fact.valid_from = Some(Timestamp::at_start_of(period.start));
    }
    Some(Found::Fact(fact))
}

fn without_openers<'a, 'b>(words: &'a [Word<'b>]) -> &'a [Word<'b>] {
    let mut rest = words;
    loop {
        let long = LONG_OPENERS.iter().find(|o| {
            let n = o.split(' ').count();
            keys(rest, n).join(" ") == **o
        });
        if let Some(long) = long {
            rest = &rest[long.split(' ').count()..];
        } else if rest
            .first()
            .is_some_and(|w| OPENERS.contains(&w.key.as_str()) || w.key.is_empty())
        {
            rest = &rest[1..];
        } else {
            return rest;
        }
    }
}

fn keys<'a>(words: &'a [Word<'_>], n: usize) -> Vec<&'a str> {
    words.iter().take(n).map(|w| w.key.as_str()).collect()
}

/// The words as they stand, without the sentence's last comma or colon.
fn statement(words: &[Word<'_>]) -> String {
    let text = words.iter().map(|w| w.text).collect::<Vec<_>>().join(" ");
    text.trim_end_matches([',', ':', ';', '.', '!', ' ']).to_owned()
}

/// The words compared, with short forms written out: `i'm` as `i am`, `my name's` as `my name is`.
fn expand(words: &[Word<'_>]) -> Vec<String> {
    let mut out = Vec::new();
    let has_verb = words.iter().any(|w| matches!(w.key.as_str(), "is" | "are" | "was"));
    for word in words.iter().filter(|w| !w.key.is_empty()) {
        let whole = |parts: &[&str]| parts.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
        match word.key.as_str() {
            "i'm" => out.extend(whole(&["i", "am"])),
            "i've" => out.extend(whole(&["i", "have"])),
            "can't" => out.extend(whole(&["can", "not"])),
            "do-not" => out.extend(whole(&["do", "not"])),
            key if key.ends_with("'s") && !has_verb && out.first().is_some_and(|w| w == "my") => {
                out.push(key.trim_end_matches("'s").to_owned());
                out.push("is".to_owned());
            }
            key => out.push(key.to_owned()),
        }
    }
    out
}

enum Rule {
    Slot { slot: String, value: String, kind: FactKind },
    Over { slot: String, value: String },
}

fn slot(slot: &str, value: &str, kind: FactKind) -> Option<Rule> {
    let n_words = value.split(' ').filter(|w| !w.is_empty()).count();
    let fits = (1..=MAX_VALUE).contains(&n_words);
    fits.then(|| Rule::Slot { slot: slot.to_owned(), value: value.to_owned(), kind })
}

fn from_words(words: &[String]) -> Option<Rule> {
    use FactKind::Profile;
    let word = |i: usize| words.get(i).map_or("", String::as_str);
    let after = |i: usize| value_of(words.get(i..).unwrap_or_default());
    if word(0) == "my" {
        return mine(words);
    }
    if word(0) == "call" && word(1) == "me" {
        return slot("name", &after(2), Profile);
    }
    if word(0) != "i" {
        return None;
    }
    // An adverb says how much, not what.
    let at = 1 + usize::from(matches!(word(1), "really" | "absolutely" | "now" | "also" | "still"));
    if let Some(over) = over(words) {
        return Some(over);
    }
    match (word(at), word(at + 1)) {
        ("am", "called" | "named") => slot("name", &after(at + 2), Profile),
        ("am", "from") => slot("origin", &after(at + 2), Profile),
        ("am", "allergic") if word(at + 2) == "to" => {
            slot(&format!("allergic to {}", after(at + 3)), "yes", Profile)
        }
        ("am", "living") if word(at + 2) == "in" => slot("home", &after(at + 3), Profile),
        ("am", "vegetarian" | "vegan") => slot("diet", word(at + 1), Profile),
        ("am", "a" | "an") if !matches!(word(at + 2), "bit" | "little" | "lot" | "") => {
            slot(&format!("is {}", after(at + 2)), "yes", Profile)
        }
        ("am", age)
            if age.parse::<u8>().is_ok()
                && (word(at + 2) == "years" || word(at + 2).is_empty()) =>
        {
            slot("age", age, Profile)
        }
        ("live", "in") | ("moved", "to") => slot("home", &after(at + 2), Profile),
        ("have", "moved") if word(at + 2) == "to" => slot("home", &after(at + 3), Profile),
        ("work", "at" | "for") => slot("employer", &after(at + 2), Profile),
        ("work", "as") => slot("job", &after(at + 2), Profile),
        ("study", "at") => slot("school", &after(at + 2), Profile),
        ("study", _) => slot("studies", &after(at + 1), Profile),
        ("speak", _) => slot(&format!("speaks {}", after(at + 1)), "yes", Profile),
        ("was", "born") if word(at + 2) == "on" => {
            slot("birthday", &value(&words[at + 3..]), Profile)
        }
        ("was", "born") if word(at + 2) == "in" => {
            slot("born in", &value(&words[at + 3..]), Profile)
        }
        ("like" | "love" | "enjoy" | "prefer", _) => likes(&after(at + 1), "yes"),
        ("hate" | "dislike", _) => likes(&after(at + 1), "no"),
        ("do" | "can", "not") if matches!(word(at + 2), "like" | "stand" | "enjoy") => {
            likes(&after(at + 3), "no")
        }
        ("have", "a" | "an" | "two" | "three" | "four") => owned(words, at + 2),
        _ => None,
    }
}

/// `my dog is called Rex`, `my favorite color is blue`.
fn mine(words: &[String]) -> Option<Rule> {
    let verb = words.iter().position(|w| matches!(w.as_str(), "is" | "are"))?;
    let noun = &words[1..verb];
    if !(1..=5).contains(&noun.len()) || NOT_MINE.contains(&noun.last()?.as_str()) {
        return None;
    }
    let mut value_at = verb + 1;
    if matches!(words.get(value_at).map(String::as_str), Some("called" | "named")) {
        value_at += 1;
    }
    if matches!(words.get(value_at).map(String::as_str), Some("not" | "that" | "to" | "how")) {
        return None;
    }
    let mut name = noun.join(" ");
    if let Some(whose) = name.strip_suffix("'s name") {
        name = whose.to_owned();
    }
    let kind = if name.starts_with("favorite") { FactKind::Preference } else { FactKind::Profile };
    slot(&name, &value_of(&words[value_at..]), kind)
}

/// `I have a dog called Rex`, `I have two cats`.
fn owned(words: &[String], at: usize) -> Option<Rule> {
    let noun = words.get(at..)?.iter().take(3).position(|w| OWNED.contains(&w.as_str()))? + at;
    let name = words.get(noun + 1..).unwrap_or_default();
    match name.first().map(String::as_str) {
        Some("called" | "named") => slot(&words[noun], &value_of(&name[1..]), FactKind::Profile),
        _ => slot(&format!("has {}", words[at..=noun].join(" ")), "yes", FactKind::Profile),
    }
}

fn likes(thing: &str, value: &str) -> Option<Rule> {
    let first = thing.split(' ').next().unwrap_or("");
    if NO_THING.contains(&first) || thing.split(' ').count() > 6 {
        return None;
    }
    (!thing.is_empty()).then(|| Rule::Slot {
        slot: format!("likes {thing}"),
        value: value.to_owned(),
        kind: FactKind::Preference,
    })
}

/// `I no longer live in Paris`, `I do not work at Acme any more`.
fn over(words: &[String]) -> Option<Rule> {
    let text = words.join(" ");
    let text = text.trim_end_matches(" anymore").trim_end_matches(" any more");
    let has_ended = text.len() < words.join(" ").len();
    let rest = match text.strip_prefix("i no longer ") {
        Some(rest) => rest,
        None if has_ended => text.strip_prefix("i do not ")?,
        None => return None,
    };
    let rules = [
        ("live in ", "home"),
        ("work at ", "employer"),
        ("work for ", "employer"),
        ("work as ", "job"),
        ("study at ", "school"),
    ];
    rules.iter().find_map(|(verb, slot)| {
        let value = rest.strip_prefix(verb)?;
        Some(Rule::Over { slot: (*slot).to_owned(), value: without_article(value).to_owned() })
    })
}

fn forget(words: &[Word<'_>]) -> Option<Found> {
    let text = statement(words);
    (!super::words::content_words(&text).is_empty()).then_some(Found::Forget(text))
}

/// `I have a dentist appointment on Friday`: something of the speaker's that is still to come, with the
/// day written out.
fn plan(words: &[Word<'_>], said_at: Timestamp) -> Option<NewFact> {
    let mine = words.iter().any(|w| matches!(w.key.as_str(), "i" | "i'm" | "i'll" | "my" | "we"));
    if !mine || words.len() > 24 {
        return None;
    }
    let text = statement(words);
    let period = when::period(&text, said_at)?;
    let (start, end) = (Timestamp::at_start_of(period.start), Timestamp::at_start_of(period.end));
    let is_short = end.0 - start.0 <= 31 * 86_400_000;
    (end > said_at && is_short).then(|| NewFact {
        text: format!("{text} ({})", period.start),
        slot: String::new(),
        value: String::new(),
        kind: FactKind::Event,
        origin: Origin::Rule,
        source: None,
        said_at: Some(said_at),
        valid_from: Some(start),
        valid_to: Some(end),
    })
}

/// The time that `since ...` or `in ...` at the end of a sentence names.
fn since(words: &[Word<'_>], said_at: Timestamp) -> Option<when::Period> {
    let at = words.iter().position(|w| w.key == "since")?;
    let text = words[at + 1..].iter().map(|w| w.text).collect::<Vec<_>>().join(" ");
    when::period(&text, said_at)
}

/// A value up to what only qualifies it: `paris since 2019` is `paris`.
fn value_of(words: &[String]) -> String {
    let ends = ["since", "now", "and", "but", "because", "so", "which", "who", "though", "anymore"];
    let end = words.iter().position(|w| ends.contains(&w.as_str())).unwrap_or(words.len());
    value(&words[..end])
}

fn value(words: &[String]) -> String {
    without_article(&words.join(" ")).to_owned()
}

fn without_article(text: &str) -> &str {
    ["a ", "an ", "the "].iter().find_map(|a| text.strip_prefix(a)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Sunday.
    fn now() -> Timestamp {
        Timestamp::at_start_of(jiff::civil::date(2026, 11, 22))
    }

    /// `slot=value` of every fact, `-slot=value` of what is over, `?words` of what is to be forgotten.
    fn found(text: &str) -> Vec<String> {
        let show = |found: Found| match found {
            Found::Fact(f) if f.slot.is_empty() => f.text,
            Found::Fact(f) => format!("{}={}", f.slot, f.value),
            Found::Over { slot, value } => format!("-{slot}={value}"),
            Found::Forget(words) => format!("?{words}"),
        };
        from_text(text, now()).into_iter().map(show).collect()
    }

    #[test]
    fn what_people_say_of_themselves_is_found() {
        let check = |text: &str, want: &[&str]| assert_eq!(found(text), want, "{text}");
        check("Hi, my name is Ada. I live in Paris!", &["name=ada", "home=paris"]);
        check("My name's Ada Lovelace", &["name=ada lovelace"]);
        check("I’m called Bo", &["name=bo"]);
        check("my dog's name is Rex", &["dog=rex"]);
        check("I have a dog named Rex and he barks", &["dog=rex"]);
        check("My favourite color is dark green.", &["favorite color=dark green"]);
        check("I'm 42 years old", &["age=42"]);
        check("I really love strong coffee", &["likes strong coffee=yes"]);
        check("I don't like mushrooms", &["likes mushrooms=no"]);
        check("I can't stand loud music", &["likes loud music=no"]);
        check("I am allergic to nuts", &["allergic to nuts=yes"]);
        check("I work as a nurse", &["job=nurse"]);
        check("I moved to the Hague", &["home=hague"]);
        check("I no longer live in Paris", &["-home=paris"]);
        check("I don't work at Acme anymore", &["-employer=acme"]);
        check("Actually, no, my birthday is 3 May", &["birthday=3 may"]);
        check(
            "Please remember that the spare key is under the pot",
            &["the spare key is under the pot"],
        );
        check("I was born on 3 May 1990", &["birthday=3 may 1990"]);
    }

    #[test]
    fn questions_suppositions_quotations_and_code_say_nothing() {
        for text in [
            "What is my name?",
            "Is my dog is Rex?",
            "If my name is Bob, what then",
            "> my name is Eve",
            "```\nmy name is Eve\n```",
            "He said \"my name is Eve\"",
            "My question is simple",
            "my code is broken",
            "I like it",
            "I would like some tea",
            "I am a bit tired",
            "I have a question",
            "forget it",
            "The weather is nice",
        ] {
            assert_eq!(found(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn times_are_resolved_from_the_day_of_saying() {
        let facts = from_text("I live in Rome since May 2020", now());
        let [Found::Fact(fact)] = &facts[..] else { panic!("{facts:?}") };
        assert_eq!((fact.slot.as_str(), fact.value.as_str()), ("home", "rome"));
        assert_eq!(fact.valid_from.unwrap().to_string(), "2020-05-01T00:00:00Z");

        let facts = from_text("I have a dentist appointment on Tuesday", now());
        let [Found::Fact(fact)] = &facts[..] else { panic!("{facts:?}") };
        assert_eq!(fact.text, "I have a dentist appointment on Tuesday (2026-11-24)");
        assert_eq!(fact.kind, FactKind::Event);
        assert_eq!(fact.valid_to.unwrap().to_string(), "2026-11-25T00:00:00Z");
        assert_eq!(found("I went to the sea yesterday"), Vec::<String>::new());
    }

    #[test]
    fn what_is_to_be_forgotten_is_named() {
        assert_eq!(found("Please forget that my dog is Rex"), ["?my dog is Rex"]);
        assert_eq!(found("forget my birthday."), ["?my birthday"]);
    }
}
