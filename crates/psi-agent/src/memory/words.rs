//! Words as retrieval sees them: lower case, without those that say nothing, by their stems.

/// Words that are in every text.
const EMPTY: &[&str] = &[
    "a", "about", "am", "an", "and", "are", "as", "at", "be", "been", "but", "by", "can", "could",
    "did", "do", "does", "for", "from", "had", "has", "have", "he", "her", "hers", "him", "his",
    "how", "i", "if", "in", "is", "it", "its", "just", "like", "me", "my", "not", "of", "on", "or",
    "our", "she", "should", "so", "some", "than", "that", "the", "their", "them", "then", "there",
    "these", "they", "this", "to", "up", "us", "was", "we", "were", "what", "when", "where",
    "which", "who", "whom", "why", "will", "with", "would", "you", "your",
];

/// Every word of a text in lower case.
pub(super) fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    words.map(str::to_lowercase).collect()
}

/// The words that say something.
pub(super) fn content_words(text: &str) -> Vec<String> {
    let mut words = words(text);
    words.retain(|w| EMPTY.binary_search(&w.as_str()).is_err());
    words
}

/// A word without its ending, roughly: enough for `painted` to meet `painting`.
pub(super) fn stem(word: &str) -> &str {
    let endings = ["ing", "edly", "ed", "ies", "es", "s", "ly"];
    let cut = endings.iter().find_map(|e| word.strip_suffix(e).filter(|w| w.len() >= 3));
    cut.unwrap_or(word)
}

/// A query in FTS5's language for texts that hold any of the words. `None` when there is none.
pub(super) fn any_of(words: &[String]) -> Option<String> {
    let mut terms: Vec<String> = words.iter().map(|w| format!("\"{w}\"")).collect();
    terms.sort();
    terms.dedup();
    (!terms.is_empty()).then(|| terms.join(" OR "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_say_nothing_are_left_out() {
        assert!(EMPTY.is_sorted());
        assert_eq!(content_words("What did Ann's dog DO?"), ["ann", "s", "dog"]);
        assert_eq!(stem("painting"), stem("painted"));
        assert_eq!(stem("is"), "is");
        assert_eq!(any_of(&content_words("the cat, the hat")).unwrap(), r#""cat" OR "hat""#);
        assert_eq!(any_of(&[]), None);
    }
}
