//! "Did you mean": the known names closest to what was typed.

/// The names within edit distance `max(2, len / 3)` of `typed`, nearest first, at most `n` of them.
///
/// Distance is Levenshtein's over lower-cased characters; a name that contains what was typed (of
/// three characters or more) counts as distance 1.
pub fn nearest<'a>(
    typed: &str,
    known: &mut dyn Iterator<Item = &'a str>,
    n: usize,
) -> Vec<&'a str> {
    let typed: Vec<char> = typed.chars().take(200).flat_map(char::to_lowercase).collect();
    let text: String = typed.iter().collect();
    let limit = (typed.len() / 3).max(2);
    let mut found: Vec<(usize, &str)> = known
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let chars: Vec<char> = lower.chars().collect();
            let d = if typed.len() >= 3 && lower.contains(&text) {
                1
            } else if chars.len().abs_diff(typed.len()) > limit {
                return None; // the distance is at least the difference in length
            } else {
                distance(&typed, &chars)
            };
            (d <= limit).then_some((d, name))
        })
        .collect();
    found.sort();
    found.into_iter().take(n).map(|(_, name)| name).collect()
}

/// Levenshtein distance: insertions, deletions and substitutions, one row of the table at a time.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, &ca) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_match_the_textbook() {
        let d = |a: &str, b: &str| {
            distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>())
        };
        assert_eq!(d("kitten", "sitting"), 3);
        assert_eq!(d("", "abc"), 3);
        assert_eq!(d("abc", ""), 3);
        assert_eq!(d("flaw", "lawn"), 2);
    }

    #[test]
    fn typos_and_fragments_find_their_name() {
        let known = ["Qwen/Qwen3-0.6B", "Qwen/Qwen3-1.7B", "meta/Llama-3.2-1B"];
        let ask = |s| nearest(s, &mut known.iter().copied(), 2);
        assert_eq!(ask("qwen/qwen3-0.6b")[0], "Qwen/Qwen3-0.6B");
        assert_eq!(ask("Qwen/Qwen3-06B")[0], "Qwen/Qwen3-0.6B");
        assert_eq!(ask("llama"), ["meta/Llama-3.2-1B"]);
        assert!(ask("zzzzzz").is_empty());
    }
}
