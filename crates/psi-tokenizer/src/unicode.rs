//! Unicode character classes as one byte of flags per code point, built once from the tables of `regex-syntax`.

use std::sync::OnceLock;

use regex_syntax::hir::{Class, HirKind};

/// `\p{L}`
pub(crate) const LETTER: u8 = 1;
/// `\p{M}`
pub(crate) const MARK: u8 = 2;
/// `\p{N}`
pub(crate) const NUMBER: u8 = 4;
/// `\s`, the White_Space property
pub(crate) const SPACE: u8 = 8;
/// `\p{P}`
pub(crate) const PUNCTUATION: u8 = 16;
/// `\p{S}`
pub(crate) const SYMBOL: u8 = 32;
/// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`: what may start a word in o200k's cased words
pub(crate) const UPPER_OR_UNCASED: u8 = 64;
/// `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`: what may end one
pub(crate) const LOWER_OR_UNCASED: u8 = 128;

/// Two-level table: page of 256 code points, then flags; equal pages are shared.
#[derive(Debug)]
pub(crate) struct ClassTable {
    ascii: [u8; 128],
    page_of: Vec<u16>,
    pages: Vec<[u8; 256]>,
}

impl ClassTable {
    /// The flags of `c`.
    #[inline]
    pub(crate) fn of(&self, c: char) -> u8 {
        let c = c as usize;
        if c < 128 { self.ascii[c] } else { self.pages[self.page_of[c >> 8] as usize][c & 255] }
    }

    /// The flags of an ASCII byte.
    #[inline]
    pub(crate) fn of_ascii(&self, b: u8) -> u8 {
        self.ascii[(b & 127) as usize]
    }

    fn build() -> Self {
        const CLASSES: [(&str, u8); 8] = [
            (r"\p{L}", LETTER),
            (r"\p{M}", MARK),
            (r"\p{N}", NUMBER),
            (r"\s", SPACE),
            (r"\p{P}", PUNCTUATION),
            (r"\p{S}", SYMBOL),
            (r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", UPPER_OR_UNCASED),
            (r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", LOWER_OR_UNCASED),
        ];
        let mut flags = vec![0u8; 0x11_0000];
        for (pattern, bit) in CLASSES {
            for (first, last) in ranges(pattern) {
                for flag in &mut flags[first as usize..=last as usize] {
                    *flag |= bit;
                }
            }
        }
        let mut ascii = [0; 128];
        ascii.copy_from_slice(&flags[..128]);
        let mut pages: Vec<[u8; 256]> = Vec::new();
        let mut page_of = Vec::with_capacity(flags.len() / 256);
        let mut known = std::collections::HashMap::new();
        for chunk in flags.as_chunks::<256>().0 {
            let index = *known.entry(*chunk).or_insert_with(|| {
                pages.push(*chunk);
                pages.len() - 1
            });
            page_of.push(index as u16);
        }
        Self { ascii, page_of, pages }
    }
}

/// The class table of the process.
pub(crate) fn classes() -> &'static ClassTable {
    static TABLE: OnceLock<ClassTable> = OnceLock::new();
    TABLE.get_or_init(ClassTable::build)
}

/// The code point ranges of a regular expression that is one character class.
fn ranges(pattern: &str) -> Vec<(char, char)> {
    let hir = regex_syntax::parse(pattern).expect("a class written in this crate");
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().iter().map(|r| (r.start(), r.end())).collect()
        }
        _ => unreachable!("{pattern} is a Unicode class"),
    }
}

/// A rarely used class, searched in its ranges.
#[derive(Debug)]
pub(crate) struct CharSet(Vec<(char, char)>);

impl CharSet {
    /// Whether `c` is in the set.
    pub(crate) fn contains(&self, c: char) -> bool {
        let after = self.0.partition_point(|&(first, _)| first <= c);
        after > 0 && c <= self.0[after - 1].1
    }
}

macro_rules! char_set {
    ($(#[$doc:meta])* $name:ident, $pattern:expr) => {
        $(#[$doc])*
        pub(crate) fn $name(c: char) -> bool {
            static SET: OnceLock<CharSet> = OnceLock::new();
            SET.get_or_init(|| CharSet(ranges($pattern))).contains(c)
        }
    };
}

char_set!(
    /// `\p{Mn}`: the marks that BERT's accent stripping removes.
    is_nonspacing_mark,
    r"\p{Mn}"
);
char_set!(
    /// The control-like categories that BERT's text cleaning removes; unassigned characters stay.
    is_other,
    r"[\p{Cc}\p{Cf}\p{Co}]"
);
char_set!(
    /// Code points without a meaning.
    is_unassigned,
    r"\p{Cn}"
);
char_set!(
    /// Spaces, line and paragraph separators.
    is_separator,
    r"\p{Z}"
);
char_set!(
    /// `\w` as the `regex` crate defines it.
    is_word,
    r"\w"
);

/// Any mark (Mn, Mc, Me).
pub(crate) fn is_mark(c: char) -> bool {
    classes().of(c) & MARK != 0
}

/// Any punctuation category.
pub(crate) fn is_punctuation(c: char) -> bool {
    classes().of(c) & PUNCTUATION != 0
}

/// Punctuation in BERT's sense: Unicode P or any ASCII symbol.
pub(crate) fn is_bert_punctuation(c: char) -> bool {
    c.is_ascii_punctuation() || is_punctuation(c)
}

/// The ideograph blocks that BERT isolates. As in the reference implementation, the block
/// "CJK Extension E" starts at U+2B920, not at U+2B820.
pub(crate) fn is_cjk(c: char) -> bool {
    matches!(c as u32,
        0x4E00..=0x9FFF | 0x3400..=0x4DBF | 0x20000..=0x2A6DF | 0x2A700..=0x2B73F
        | 0x2B740..=0x2B81F | 0x2B920..=0x2CEAF | 0xF900..=0xFAFF | 0x2F800..=0x2FA1F)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_agrees_with_the_standard_library_where_both_define_a_class() {
        for c in (0..=0x10_FFFFu32).filter_map(char::from_u32) {
            assert_eq!(classes().of(c) & SPACE != 0, c.is_whitespace(), "{c:?}");
        }
        for c in (0..128u8).map(char::from) {
            assert_eq!(classes().of(c) & LETTER != 0, c.is_ascii_alphabetic(), "{c:?}");
            assert_eq!(classes().of(c) & NUMBER != 0, c.is_ascii_digit(), "{c:?}");
            assert_eq!(
                classes().of(c) & (PUNCTUATION | SYMBOL) != 0,
                c.is_ascii_punctuation(),
                "{c:?}"
            );
        }
        assert!(is_nonspacing_mark('\u{301}') && !is_nonspacing_mark('e'));
        assert!(is_word('_') && is_other('\u{0}') && is_cjk('本'));
    }
}
