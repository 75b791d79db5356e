//! A text in passages: short enough to read, cut where the text itself has a seam.

/// A passage seeks to be about this long ...
const TARGET_BYTES: usize = 1_000;
/// ... and is never longer.
const MAX_BYTES: usize = 2_000;

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub(super) text: &'a str,
    /// Where it begins in the text, in bytes.
    pub(super) first_byte: usize,
    /// Its first and last line in the text, from 1.
    pub(super) lines: (usize, usize),
}

/// Cuts a text into parts that together are the text.
pub(super) fn cut(text: &str) -> Vec<Part<'_>> {
    let (mut parts, mut start, mut line) = (Vec::new(), 0, 1);
    while start < text.len() {
        let end = start + end_of_part(&text[start..]);
        let part = &text[start..end];
        let n_newlines = part.bytes().filter(|&b| b == b'\n').count();
        let last = line + n_newlines - usize::from(part.ends_with('\n'));
        parts.push(Part { text: part, first_byte: start, lines: (line, last.max(line)) });
        line += n_newlines;
        start = end;
    }
    parts
}

/// The best seam within the limit: the last blank line before the target, else the first after it, else a line's end, a sentence's end,
/// a space.
fn end_of_part(rest: &str) -> usize {
    if rest.len() <= TARGET_BYTES {
        return rest.len();
    }
    let limit = rest.floor_char_boundary(MAX_BYTES);
    let target = rest.floor_char_boundary(TARGET_BYTES);
    let least = rest.floor_char_boundary(TARGET_BYTES / 3);
    let window = &rest[..limit];
    for seam in ["\n\n", "\n", ". ", " "] {
        let before = window[least..target].rfind(seam).map(|at| least + at + seam.len());
        let after = window[target..].find(seam).map(|at| target + at + seam.len());
        if let Some(end) = before.or(after) {
            return end;
        }
    }
    limit
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_end_at_the_texts_own_seams_and_know_their_lines() {
        let paragraph = "All work and no play. ".repeat(20);
        let text = format!("{paragraph}\n\n{paragraph}\n\n{paragraph}\n");
        let parts = cut(&text);
        assert_eq!(parts.len(), 2);
        assert!(parts[0].text.ends_with("\n\n"));
        assert_eq!((parts[0].lines, parts[1].lines), ((1, 4), (5, 5)));
        assert!(cut("").is_empty());
        assert_eq!(cut("one\ntwo").first().map(|p| p.lines), Some((1, 2)));
    }

    proptest! {
        #[test]
        fn parts_together_are_the_text(text in "(\\PC|\n|  |\n\n|long words without an end){0,400}") {
            let parts = cut(&text);
            prop_assert_eq!(parts.iter().map(|p| p.text).collect::<String>(), text.as_str());
            for part in parts {
                prop_assert!(part.text.len() <= MAX_BYTES);
                prop_assert_eq!(&text[part.first_byte..part.first_byte + part.text.len()], part.text);
                let before = text[..part.first_byte].matches('\n').count();
                prop_assert_eq!(part.lines.0, before + 1);
                prop_assert!(part.lines.1 >= part.lines.0);
            }
        }
    }
}
