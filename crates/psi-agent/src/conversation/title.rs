//! A title by rule: the first line of the first message, shortened at a word.

/// Longest title, in characters.
const MAX_CHARS: usize = 60;

/// The title that a first message gives.
pub(super) fn from_message(text: &str) -> String {
    let plain = |line: &&str| line.chars().any(char::is_alphanumeric);
    let line = text.lines().find(plain).unwrap_or("");
    let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = words.trim_start_matches(['#', '>', '-', '*', ' ']);
    if words.chars().count() <= MAX_CHARS {
        return words.trim_end_matches([' ', ':']).to_owned();
    }
    // One character more: a word may end just there.
    let cut: String = words.chars().take(MAX_CHARS + 1).collect();
    let last = cut.char_indices().last().map_or(0, |(at, _)| at);
    let whole = &cut[..cut.rfind(' ').filter(|&at| at > MAX_CHARS / 2).unwrap_or(last)];
    format!("{}…", whole.trim_end_matches([' ', ',', ';', ':', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_the_first_line_shortened_at_a_word() {
        let check = |text: &str, title: &str| assert_eq!(from_message(text), title);
        check("What is 17 * 23?", "What is 17 * 23?");
        check("\n---\n## Plan for  May:\nfirst", "Plan for May");
        check("", "");
        let long = "Please explain how a transformer reads a very long sentence, word by word";
        check(long, "Please explain how a transformer reads a very long sentence…");
        check(&"x".repeat(100), &format!("{}…", "x".repeat(60)));
    }
}
