//! Which language a text is in: naive Bayes over character n-grams, with the profiles of langdetect.
//!
//! That one draws n-grams of the text at random until one language is certain, seven times; here every n-gram
//! counts once, which is what the draws tend to, and the same text always has the same answer. Its merging of
//! Chinese characters is left out: no instruction asks for Chinese or Japanese.

use std::{collections::HashMap, io::Read, sync::LazyLock};

use flate2::read::GzDecoder;
use regex::Regex;
use unicode_normalization::UnicodeNormalization;

static PROFILES: LazyLock<Profiles> = LazyLock::new(Profiles::load);

/// Of every n-gram, which share of a language's n-grams of that length it is.
struct Profiles {
    names: Vec<String>,
    grams: HashMap<String, Vec<(u8, f64)>>,
}

/// The text of a compressed data file of this crate.
pub(super) fn unpacked(bytes: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(bytes).read_to_string(&mut text).expect("the crate's own data is whole");
    text
}

impl Profiles {
    fn load() -> Self {
        let text = unpacked(include_bytes!("../../../data/languages.tsv.gz"));
        let (mut names, mut sizes) = (Vec::new(), Vec::new());
        let mut grams = HashMap::new();
        for line in text.lines() {
            let Some((gram, counts)) = line.split_once('\t') else {
                let mut fields = line.split(' ');
                names.extend(fields.next().map(str::to_owned));
                sizes.push(fields.filter_map(|n| n.parse().ok()).collect::<Vec<f64>>());
                continue;
            };
            let length = gram.chars().count();
            let counts: Vec<f64> = counts.split(' ').filter_map(|n| n.parse().ok()).collect();
            let (pairs, _) = counts.as_chunks::<2>();
            let share = |&[language, count]: &[f64; 2]| {
                (language as u8, count / sizes[language as usize][length - 1])
            };
            grams.insert(gram.to_owned(), pairs.iter().map(share).collect());
        }
        Self { names, grams }
    }
}

/// Smoothing: half a count in ten thousand.
const SMOOTHING: f64 = 0.5 / 10_000.0;
/// No more of a text is looked at.
const MOST_CHARS: usize = 10_000;

/// The likeliest language, or `None` where the text has nothing to tell it by.
pub(super) fn detect(text: &str) -> Option<&'static str> {
    let profiles = &*PROFILES;
    let mut scores = vec![0.0; profiles.names.len()];
    let mut n_grams = 0;
    for gram in grams(&cleaned(text)) {
        let Some(shares) = profiles.grams.get(&gram) else { continue };
        n_grams += 1;
        let mut logs = vec![SMOOTHING.ln(); scores.len()];
        for &(language, share) in shares {
            logs[usize::from(language)] = (SMOOTHING + share).ln();
        }
        scores.iter_mut().zip(&logs).for_each(|(score, log)| *score += log);
    }
    if n_grams == 0 {
        return None;
    }
    let best = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]))?;
    Some(&profiles.names[best])
}

/// Without addresses and repeated spaces; without Latin letters where another script prevails.
fn cleaned(text: &str) -> Vec<char> {
    static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
        let url = r"https?://[-_.?&~;+=/#0-9A-Za-z]{1,2076}";
        let mail = r"[-_.0-9A-Za-z]{1,64}@[-_0-9A-Za-z]{1,255}[-_.0-9A-Za-z]{1,255}";
        Regex::new(&format!("{url}|{mail}")).expect("a pattern")
    });
    let text: String = ADDRESS.replace_all(text, " ").nfc().take(MOST_CHARS).collect();
    let mut kept: Vec<char> = Vec::with_capacity(text.len());
    for c in text.chars() {
        if c != ' ' || kept.last() != Some(&' ') {
            kept.push(c);
        }
    }
    let is_latin = |c: &char| ('A'..='z').contains(c);
    let is_other = |c: &char| *c >= '\u{300}' && !('\u{1e00}'..='\u{1eff}').contains(c);
    let count = |of: &dyn Fn(&char) -> bool| kept.iter().filter(|c| of(c)).count();
    if count(&is_latin) * 2 < count(&is_other) {
        kept.retain(|c| !is_latin(c));
    }
    kept
}

/// The 1-, 2- and 3-grams of a text's words, each word with a space before and after; not those inside words
/// in capitals.
fn grams(text: &[char]) -> Vec<String> {
    let mut found = Vec::new();
    let mut last = vec![' '];
    let mut is_capital_word = false;
    for &c in text {
        let c = merged(c);
        let before = last[last.len() - 1];
        if before == ' ' {
            last = vec![' '];
            is_capital_word = false;
        } else if last.len() >= 3 {
            last.remove(0);
        }
        if before != ' ' || c != ' ' {
            last.push(c);
            if !c.is_uppercase() {
                is_capital_word = false;
            } else if before.is_uppercase() {
                is_capital_word = true;
            }
        }
        if is_capital_word {
            continue;
        }
        for n in 1..=last.len().min(3) {
            let gram: String = last[last.len() - n..].iter().collect();
            if gram != " " {
                found.push(gram);
            }
        }
    }
    found
}

/// Letters that are one for this purpose; what is no letter is a space.
fn merged(c: char) -> char {
    match c {
        'A'..='Z' | 'a'..='z' => c,
        '\0'..='\u{7f}' | '\u{a0}' | '«' | '°' | '»' | '\u{2000}'..='\u{206f}' => ' ',
        'ș' => 'ş',
        'ț' => 'ţ',
        '\u{6cc}' => '\u{64a}',
        '\u{1ea0}'..='\u{1eff}' => '\u{1ec3}',
        '\u{3040}'..='\u{309f}' => '\u{3042}',
        '\u{30a0}'..='\u{30ff}' => '\u{30a2}',
        '\u{3100}'..='\u{312f}' | '\u{31a0}'..='\u{31bf}' => '\u{3105}',
        '\u{ac00}'..='\u{d7af}' => '\u{ac00}',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_languages_are_told_apart() {
        let cases = [
            ("The quick brown fox jumps over the lazy dog and runs away.", "en"),
            ("Der schnelle braune Fuchs springt über den faulen Hund.", "de"),
            ("Il cane dorme sotto il tavolo e non vuole uscire con la pioggia.", "it"),
            ("Собака спит под столом и не хочет выходить на улицу.", "ru"),
            ("यह एक छोटी सी कहानी है जो बच्चों को बहुत पसंद आती है।", "hi"),
        ];
        for (text, expected) in cases {
            assert_eq!(detect(text), Some(expected), "{text}");
        }
        assert_eq!(detect("12345 !!"), None);
    }
}
