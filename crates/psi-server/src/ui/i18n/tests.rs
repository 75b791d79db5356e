//! Every text of the page is in every catalogue, with the same names; nothing else is.

use std::{collections::BTreeSet, fs, path::Path};

use super::*;
use crate::ui::{keys::KEYS, shell};

/// Texts that come from the program around the page: why judgements are left out, what models are good for, how a
/// gate judged a suite.
const OUTSIDE: [&str; 15] = [
    "struck out",
    "its source is forgotten",
    "says no better answer",
    "says neither good nor bad",
    "the answer is empty",
    "the conversation does not end with a question",
    "holds an address or a long number",
    "other ratings want another answer to the same",
    "promote",
    "block",
    "hold",
    "Small and quick: talks, sums up, calls tools; thinks before it answers.",
    "Knows more and slips less; still quick on a laptop.",
    "Very small: short answers in English.",
    "The best of these, at the speed of reading.",
];

/// What a literal of Rust or JavaScript means.
fn unescaped(literal: &str) -> String {
    let mut text = String::new();
    let mut rest = literal;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        rest = match after.strip_prefix("u{").and_then(|hex| hex.split_once('}')) {
            Some((hex, rest)) => {
                let code = u32::from_str_radix(hex, 16).unwrap();
                text.push(char::from_u32(code).unwrap());
                rest
            }
            None => {
                text.push_str(&after[..1]);
                &after[1..]
            }
        };
    }
    text + rest
}

/// The literals that follow a call of one of the functions.
fn literals(source: &str, calls: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for call in calls {
        for (at, _) in source.match_indices(call) {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let rest = source[at + call.len()..].trim_start();
            if source[..at].ends_with(is_word) || !rest.starts_with('"') {
                continue;
            }
            let end = rest[1..].match_indices('"').find(|(i, _)| !rest[..=*i].ends_with('\\'));
            found.push(unescaped(&rest[1..=end.unwrap().0]));
        }
    }
    found
}

/// Every text that the page can show.
fn texts() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let calls = ["t(", "tf!(", "tn!("];
    let page = fs::read_to_string(root.join("ui.rs")).unwrap();
    let mut texts: BTreeSet<String> = literals(&page, &calls).into_iter().collect();
    for entry in fs::read_dir(root.join("ui")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("i18n.rs") {
            texts.extend(literals(&fs::read_to_string(path).unwrap(), &calls));
        }
    }
    for script in ["app.js", "slash.js", "notices.js"] {
        let script = fs::read_to_string(root.join("assets").join(script)).unwrap();
        for text in literals(&script, &["t("]) {
            assert!(shell::SCRIPT_TEXTS.contains(&text.as_str()), "{text} is not in SCRIPT_TEXTS");
        }
    }
    let tables = [shell::SCRIPT_TEXTS, &OUTSIDE, &shell::names(), &crate::ui::settings::texts()]
        .concat()
        .into_iter()
        .chain(KEYS.iter().flat_map(|k| [k.does, k.place]))
        .chain(crate::ui::hello::texts())
        .chain(crate::ui::slash::texts())
        .chain(crate::ui::tasks::texts());
    texts.extend(tables.map(str::to_owned));
    texts
}

fn names(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)).collect()
}

#[test]
fn every_text_is_in_every_catalogue_with_its_names_and_forms_and_nothing_else_is() {
    let texts = texts();
    assert!(texts.len() > 400, "{} texts", texts.len());
    for lang in Lang::ALL {
        let Some(catalogue) = lang.catalogue() else { continue };
        let code = lang.code();
        let missing: Vec<_> = texts.iter().filter(|t| !catalogue.contains_key(*t)).collect();
        assert!(missing.is_empty(), "missing in {code}.toml: {missing:#?}");
        let surplus: Vec<_> = catalogue.keys().filter(|t| !texts.contains(*t)).collect();
        assert!(surplus.is_empty(), "not on the page, but in {code}.toml: {surplus:#?}");
        for (text, said) in catalogue {
            assert_eq!(names(text), names(said), "{code}: {text}");
            assert_eq!(text.matches('|').count(), said.matches('|').count(), "{code}: {text}");
            assert!(!said.trim().is_empty() && said.trim() == said, "{code}: {text}");
        }
    }
}

#[test]
fn the_browsers_favourite_of_the_languages_here_is_taken() {
    let of = |value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, value.parse().unwrap());
        Lang::of(&headers)
    };
    assert_eq!(of("de-CH,de;q=0.9,en;q=0.8"), Lang::De);
    assert_eq!(of("it,fr;q=0.5,es;q=0.7"), Lang::Es);
    assert_eq!(of("FR"), Lang::Fr);
    for other in ["", "it", "*", "de;q=0", "de;q=x", ",,;q=;"] {
        assert_eq!(of(other), Lang::En, "{other}");
    }
    assert_eq!(Lang::of(&HeaderMap::new()), Lang::En);
}

#[test]
fn forms_numbers_and_days_are_those_of_the_language() {
    let used = |lang: Lang, n: usize| lang.within(|| tn!("Used {n} memory|Used {n} memories", n));
    assert_eq!([0, 1, 2].map(|n| used(Lang::En, n))[1..], ["Used 1 memory", "Used 2 memories"]);
    assert_eq!(used(Lang::Fr, 0), "0 souvenir utilis\u{e9}");
    assert_eq!(used(Lang::De, 0), "0 Erinnerungen benutzt");
    let day = jiff::civil::date(2026, 3, 1);
    let dates = Lang::ALL.map(|lang| lang.within(|| date(day)));
    assert_eq!(dates, ["1 Mar 2026", "1. M\u{e4}rz 2026", "1 de marzo de 2026", "1er mars 2026"]);
    assert_eq!(
        Lang::De.within(|| (decimal(1.25, 1), signed(2.0, 1))),
        ("1,2".into(), "+2,0".into())
    );
    assert_eq!(Lang::Es.within(|| weekday(day)), "domingo");
    assert_eq!((decimal(1.5, 1), weekday(day), t("Send")), ("1.5".into(), "Sunday".into(), "Send"));
}

#[test]
fn values_stay_what_they_are() {
    assert_eq!(fill("{a} and {b} {c}", &[("a", &"{b}"), ("b", &2)]), "{b} and 2 {c}");
}
