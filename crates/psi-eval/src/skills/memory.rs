//! The memory that conversations are generated with: facts in the user's words, found by their words.

/// Words that say nothing about which fact is meant.
const EMPTY_WORDS: &[&str] = &[
    "a", "about", "am", "an", "and", "are", "at", "be", "by", "called", "do", "does", "for",
    "from", "has", "have", "her", "his", "i", "im", "in", "is", "it", "its", "just", "me", "my",
    "of", "on", "our", "that", "the", "their", "they", "this", "to", "was", "we", "were", "with",
    "you", "your",
];

/// Words that many facts share: they help only beside a better one.
const WEAK_WORDS: &[&str] = &["birthday", "favorite", "favourite", "name", "number", "code"];

/// Most facts that one search returns.
const MAX_FOUND: usize = 3;

/// What asks for all facts.
pub(crate) const EVERYTHING: &str = "everything";

/// Facts in the order they were told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    facts: Vec<String>,
}

impl Memory {
    /// Keeps a fact; one that is there already is not kept twice.
    pub fn remember(&mut self, fact: &str) {
        if !self.facts.iter().any(|f| f.eq_ignore_ascii_case(fact)) {
            self.facts.push(fact.to_owned());
        }
    }

    /// The facts that fit best, at most three, the best first (of equals the newer); all for
    /// [`EVERYTHING`].
    pub fn recall(&self, query: &str) -> Vec<&str> {
        if query.eq_ignore_ascii_case(EVERYTHING) {
            return self.facts.iter().map(String::as_str).collect();
        }
        let wanted = words(query);
        let score = |fact: &str| -> usize {
            let there = words(fact);
            let hits = wanted.iter().filter(|w| there.contains(w));
            hits.map(|w| if WEAK_WORDS.contains(&w.as_str()) { 1 } else { 4 }).sum()
        };
        let mut found: Vec<(usize, &str)> =
            self.facts.iter().rev().map(|f| (score(f), f.as_str())).filter(|x| x.0 > 0).collect();
        found.sort_by_key(|&(score, _)| std::cmp::Reverse(score));
        found.into_iter().take(MAX_FOUND).map(|(_, fact)| fact).collect()
    }

    /// Drops the fact that fits best and returns it.
    pub fn forget(&mut self, query: &str) -> Option<String> {
        let best = (*self.recall(query).first()?).to_owned();
        self.facts.retain(|f| *f != best);
        Some(best)
    }

    /// All facts.
    pub fn facts(&self) -> &[String] {
        &self.facts
    }
}

/// Lower-case words without possessive endings; a plain plural counts as its singular.
fn words(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace("'s", " ").replace('\u{2019}', "'");
    let word = |w: &str| {
        let plural = w.len() > 3 && w.ends_with('s') && !w.ends_with("ss");
        if plural { w[..w.len() - 1].to_owned() } else { w.to_owned() }
    };
    let all = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    all.filter(|w| !EMPTY_WORDS.contains(w)).map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Memory {
        let mut memory = Memory::default();
        for fact in ["my dog is called Rex", "my sister's name is Ana", "I parked on level 3"] {
            memory.remember(fact);
        }
        memory
    }

    #[test]
    fn the_best_fact_comes_first_and_strangers_do_not_come() {
        let memory = memory();
        assert_eq!(memory.recall("dog's name")[0], "my dog is called Rex");
        assert_eq!(memory.recall("sister"), ["my sister's name is Ana"]);
        assert_eq!(memory.recall("parked"), ["I parked on level 3"]);
        assert!(memory.recall("cat").is_empty());
        assert_eq!(memory.recall("everything").len(), 3);
    }

    #[test]
    fn what_is_forgotten_is_gone() {
        let mut memory = memory();
        assert_eq!(memory.forget("dog").as_deref(), Some("my dog is called Rex"));
        assert_eq!(memory.forget("dog"), None);
        assert!(memory.recall("dog").is_empty());
    }
}
