//! Rust text with comments and literals blanked, so that rules see code and nothing else.

/// Replace the inside of comments, strings and character literals by spaces; newlines stay, so that line numbers hold.
///
/// Covers nested block comments, escapes, raw and byte strings with any number of `#`, and tells a character literal from a
/// lifetime. Reference: The Rust Reference, "Tokens" and "Comments".
pub(super) fn code_only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// The end of the comment or literal that starts at `at`, or `at` itself where none does.
fn literal_end(chars: &[char], at: usize) -> usize {
    let next = chars.get(at + 1).copied();
    match chars[at] {
        '/' if next == Some('/') => find(chars, at, |c, i| c[i] == '\n'),
        '/' if next == Some('*') => block_comment_end(chars, at),
        '"' => quoted_end(chars, at + 1, '"'),
        '\'' => char_end(chars, at),
        'r' | 'b' | 'c' if !follows_identifier(chars, at) => prefixed_end(chars, at),
        _ => at,
    }
}

fn find(chars: &[char], from: usize, found: impl Fn(&[char], usize) -> bool) -> usize {
    (from..chars.len()).find(|&i| found(chars, i)).unwrap_or(chars.len())
}

fn block_comment_end(chars: &[char], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut i = at;
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                i += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                i += 2;
                if depth == 0 {
                    return i;
                }
            }
            _ => i += 1,
        }
    }
    chars.len()
}

/// The end of a quoted literal whose inside starts at `from`.
fn quoted_end(chars: &[char], from: usize, quote: char) -> usize {
    let mut i = from;
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 2,
            c if c == quote => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

/// A character literal's end; a lifetime or label (`'a` with no closing quote) is code.
fn char_end(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => quoted_end(chars, at + 1, '\''),
        (Some(_), Some('\'')) => at + 3,
        _ => at,
    }
}

/// `b"…"`, `b'…'`, `c"…"`, `r"…"`, `r#"…"#`, `br#"…"#`; `at` for an identifier that merely starts with these letters.
fn prefixed_end(chars: &[char], at: usize) -> usize {
    let mut i = at;
    while i < at + 2 && matches!(chars.get(i), Some('r' | 'b' | 'c')) {
        i += 1;
    }
    let raw = chars[at..i].contains(&'r');
    let hashes = chars[i..].iter().take_while(|&&c| raw && c == '#').count();
    match chars.get(i + hashes) {
        Some('"') if raw => find_raw_end(chars, i + hashes + 1, hashes),
        Some('"') => quoted_end(chars, i + 1, '"'),
        Some('\'') if chars[at] == 'b' && i == at + 1 => quoted_end(chars, i + 1, '\''),
        _ => at,
    }
}

fn find_raw_end(chars: &[char], from: usize, hashes: usize) -> usize {
    let closes = |c: &[char], i: usize| {
        c[i] == '"' && c[i + 1..].iter().take(hashes).filter(|&&h| h == '#').count() == hashes
    };
    (find(chars, from, closes) + 1 + hashes).min(chars.len())
}

fn follows_identifier(chars: &[char], at: usize) -> bool {
    at > 0 && is_identifier(chars[at - 1])
}

fn is_identifier(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Byte offsets of `word` in `code` where it stands alone as an identifier.
pub(super) fn word_offsets<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(is_identifier) && !after.is_some_and(is_identifier)
    })
}

/// Line number, from 1, of a byte offset.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `expected` writes a blanked character as a dot.
    fn check(input: &str, expected: &str) {
        let blanked = |(i, o): (char, char)| if o == ' ' && i != ' ' { '.' } else { o };
        let seen: String = input.chars().zip(code_only(input).chars()).map(blanked).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn comments_and_literals_become_spaces_and_code_stays() {
        check("a //unsafe\nb", "a ........\nb");
        check("a /*x/*y*/z*/ b", "a ........... b");
        check(r#"f("a\"b", 'c', '\'')"#, "f(......, ..., ....)");
        check("r#\"un\"safe\"# x", "............ x");
        check("br\"a\" b'x' c\"y\"", "..... .... ....");
        check("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)");
        check("bar(\"s\")", "bar(...)");
        check("\"a\nb\"", "..\n..");
        check("r#fn + 1", "r#fn + 1");
        check("/*open", "......");
        check("\"open", ".....");
    }

    #[test]
    fn a_word_inside_another_does_not_count() {
        let code = "unsafe_code unsafe x_unsafe unsafe{";
        assert_eq!(word_offsets(code, "unsafe").collect::<Vec<_>>(), [12, 28]);
    }
}
