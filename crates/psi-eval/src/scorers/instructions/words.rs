//! Words of English text as the Penn Treebank cuts them: sentence by sentence, with signs and clitics apart.

use std::{borrow::Cow, sync::LazyLock};

use fancy_regex::Regex;

use super::sentences;

/// Patterns and what replaces their matches, in order.
static STEPS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    const STEPS: &[(&str, &str)] = &[
        // opening quotes
        (r"([«“‘„]|[`]+)", " ${1} "),
        (r#"^""#, "``"),
        (r"(``)", " ${1} "),
        (r#"([ (\[{<])("|'{2})"#, "${1} `` "),
        (r"(?i)(?<!\w)(')(?!(?:re|ve|ll|m|t|s|d|n)\b)(?=\w)", "${1} "),
        // signs
        (r#"([^.])(\.)([\])}>"'»”’ ]*+)\s*$"#, "${1} ${2} ${3} "),
        (r"([:,])([^\d])", " ${1} ${2}"),
        (r"([:,])$", " ${1} "),
        (r"\.{2,}", " ${0} "),
        (r"[;@#$%&]", " ${0} "),
        (r"[\u{2012}-\u{2015}]", " ${0} "),
        (r#"([^.])(\.)([\])}>"']*)\s*$"#, "${1} ${2}${3} "),
        (r"[?!]", " ${0} "),
        (r"([^'])' ", "${1} ' "),
        (r"[*]", " ${0} "),
        (r"[\]\[(){}<>]", " ${0} "),
        (r"--", " -- "),
        // A space at both ends makes the rest easier.
        (r"\A([\s\S]*)\z", " ${1} "),
        // closing quotes
        (r"([»”’])", " ${1} "),
        (r"''", " '' "),
        (r#"""#, " '' "),
        (r"\s+", " "),
        (r"([^' ])('[sS]|'[mM]|'[dD]|') ", "${1} ${2} "),
        (r"([^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) ", "${1} ${2} "),
        // words that were two
        (r"(?i)\b(can)(not)\b", " ${1} ${2} "),
        (r"(?i)\b(d)('ye)\b", " ${1} ${2} "),
        (r"(?i)\b(gim)(me)\b", " ${1} ${2} "),
        (r"(?i)\b(gon)(na)\b", " ${1} ${2} "),
        (r"(?i)\b(got)(ta)\b", " ${1} ${2} "),
        (r"(?i)\b(lem)(me)\b", " ${1} ${2} "),
        (r"(?i)\b(more)('n)\b", " ${1} ${2} "),
        (r"(?i)\b(wan)(na)(?=\s)", " ${1} ${2} "),
        (r"(?i) ('t)(is)\b", " ${1} ${2} "),
        (r"(?i) ('t)(was)\b", " ${1} ${2} "),
    ];
    STEPS.iter().map(|&(from, to)| (Regex::new(from).expect("a pattern"), to)).collect()
});

/// The words of a text.
pub(super) fn split(text: &str) -> Vec<String> {
    sentences::split(text).into_iter().flat_map(of_sentence).collect()
}

fn of_sentence(sentence: &str) -> Vec<String> {
    let mut text = Cow::Borrowed(sentence);
    for (pattern, with) in STEPS.iter() {
        text = Cow::Owned(pattern.replace_all(&text, *with).into_owned());
    }
    text.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_and_clitics_stand_apart() {
        let cases = [
            ("I CAN'T go, U.S. citizen!", "I|CA|N'T|go|,|U.S.|citizen|!"),
            ("\"NASA's plan (v2): 3,000 cats.\"", "``|NASA|'s|plan|(|v2|)|:|3,000|cats|.|''"),
            ("You CANNOT say 'tis gonna work...", "You|CAN|NOT|say|'|tis|gon|na|work|..."),
        ];
        for (text, expected) in cases {
            assert_eq!(split(text).join("|"), expected);
        }
    }
}
