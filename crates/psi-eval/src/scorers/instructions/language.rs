//! Which language a text is in: naive Bayes over character n-grams, with the profiles and the reading of letters of
//! langdetect.
//!
//! That one draws n-grams of the text at random until one language is certain, seven times; here every n-gram
//! counts once, which is what the draws tend to, and the same text always has the same answer.

use std::{collections::HashMap, sync::LazyLock};

use langdetect_rs::{detector_factory::DetectorFactory, utils::ngram::NGram};
use regex::Regex;
use serde::Deserialize;

static PROFILES: LazyLock<Profiles> = LazyLock::new(Profiles::load);

/// Of every n-gram, which share of a language's n-grams of that length it is.
struct Profiles {
    names: Vec<String>,
    grams: HashMap<String, Vec<(usize, f64)>>,
}

/// A language as the crate ships it.
#[derive(Deserialize)]
struct Profile {
    name: String,
    /// How many n-grams of each length there are.
    n_words: [f64; NGram::N_GRAM],
    freq: HashMap<String, f64>,
}

/// A profile of the crate that the reference does not have.
const NOT_IN_THE_REFERENCE: &str = "uz";

impl Profiles {
    fn load() -> Self {
        let mut profiles = Self { names: Vec::new(), grams: HashMap::new() };
        for json in DetectorFactory::get_default_profiles_json() {
            let profile: Profile = serde_json::from_str(json).expect("the crate's own profile");
            if profile.name == NOT_IN_THE_REFERENCE {
                continue;
            }
            let language = profiles.names.len();
            profiles.names.push(profile.name);
            for (gram, count) in profile.freq {
                let Some(n) = profile.n_words.get(gram.chars().count() - 1) else { continue };
                profiles.grams.entry(gram).or_default().push((language, count / n));
            }
        }
        profiles
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
    let mut window = NGram::new();
    for c in cleaned(text) {
        window.add_char(c);
        for gram in (1..=NGram::N_GRAM).filter_map(|n| window.get(n)) {
            let Some(shares) = profiles.grams.get(&gram) else { continue };
            n_grams += 1;
            let mut logs = vec![SMOOTHING.ln(); scores.len()];
            for &(language, share) in shares {
                logs[language] = (SMOOTHING + share).ln();
            }
            scores.iter_mut().zip(&logs).for_each(|(score, log)| *score += log);
        }
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
    let text = NGram::normalize_vi(&ADDRESS.replace_all(text, " "));
    let mut kept: Vec<char> = Vec::with_capacity(text.len());
    for c in text.chars().take(MOST_CHARS) {
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
            ("これは小さな物語です。農夫は毎日畑で働いていました。", "ja"),
        ];
        for (text, expected) in cases {
            assert_eq!(detect(text), Some(expected), "{text}");
        }
        assert_eq!(detect("12345 !!"), None);
    }
}
