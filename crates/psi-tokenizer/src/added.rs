//! Added tokens: texts that are cut out of the input before anything else looks at it.

use aho_corasick::{AhoCorasick, MatchKind};

use crate::TokenId;
use crate::error::TokenizerError;
use crate::unicode::is_word;

/// A token that is matched in the text itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedToken {
    /// Its id.
    pub id: TokenId,
    /// Its text.
    pub content: String,
    /// Matches only where no word character touches it.
    pub single_word: bool,
    /// Takes the white space before it.
    pub lstrip: bool,
    /// Takes the white space after it.
    pub rstrip: bool,
    /// Is matched in the normalised text rather than in the input.
    pub normalized: bool,
    /// Steers the model (BOS, end of turn, ...): matched only if the caller parses special tokens.
    pub special: bool,
}

impl AddedToken {
    /// A special token without options.
    pub fn special(id: TokenId, content: impl Into<String>) -> Self {
        let content = content.into();
        Self {
            id,
            content,
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: false,
            special: true,
        }
    }
}

/// The added tokens of a tokenizer with their search automata.
#[derive(Debug, Default)]
pub(crate) struct AddedTokens {
    pub(crate) list: Vec<AddedToken>,
    /// in the input: all tokens, and without the special ones
    raw: [Option<Matcher>; 2],
    /// in the normalised text, likewise
    normalized: [Option<Matcher>; 2],
}

#[derive(Debug)]
struct Matcher {
    automaton: AhoCorasick,
    /// index in the list, by pattern
    tokens: Vec<u32>,
}

impl AddedTokens {
    /// `normalize` gives the text under which a token with `normalized` is found.
    pub(crate) fn new(
        list: Vec<AddedToken>,
        normalize: impl Fn(&str) -> String,
    ) -> Result<Self, TokenizerError> {
        let matcher = |normalized: bool, with_special: bool| {
            let chosen = (0u32..).zip(&list).filter(|(_, t)| {
                !t.content.is_empty() && t.normalized == normalized && (with_special || !t.special)
            });
            Matcher::new(chosen.map(|(i, t)| {
                let text = if normalized { normalize(&t.content) } else { t.content.clone() };
                (i, text)
            }))
        };
        let raw = [matcher(false, true)?, matcher(false, false)?];
        let normalized = [matcher(true, true)?, matcher(true, false)?];
        Ok(Self { raw, normalized, list })
    }

    /// Whether any token is looked for in normalised text.
    pub(crate) fn has_normalized(&self, parse_special: bool) -> bool {
        self.normalized[usize::from(!parse_special)].is_some()
    }

    /// Splits the input; `part` gets stretches of text with their start, and tokens.
    pub(crate) fn split_raw(&self, text: &str, parse_special: bool, part: impl FnMut(Part<'_>)) {
        self.split(&self.raw[usize::from(!parse_special)], text, part);
    }

    /// Splits normalised text.
    pub(crate) fn split_normalized(
        &self,
        text: &str,
        parse_special: bool,
        part: impl FnMut(Part<'_>),
    ) {
        self.split(&self.normalized[usize::from(!parse_special)], text, part);
    }

    fn split(&self, matcher: &Option<Matcher>, text: &str, mut part: impl FnMut(Part<'_>)) {
        let mut done = 0;
        if let Some(matcher) = matcher {
            for hit in matcher.automaton.find_iter(text) {
                let token = &self.list[matcher.tokens[hit.pattern().as_usize()] as usize];
                let (before, after) = (&text[..hit.start()], &text[hit.end()..]);
                if token.single_word
                    && (before.chars().next_back().is_some_and(is_word)
                        || after.chars().next().is_some_and(is_word))
                {
                    continue;
                }
                // A token before may have taken the same space, or this very text, already.
                let start = if token.lstrip { before.trim_end().len() } else { hit.start() };
                let start = start.max(done);
                let end =
                    if token.rstrip { text.len() - after.trim_start().len() } else { hit.end() };
                if done < start {
                    part(Part::Text(done, &text[done..start]));
                }
                part(Part::Token(token.id));
                done = end.max(done);
            }
        }
        if done < text.len() {
            part(Part::Text(done, &text[done..]));
        }
    }
}

/// A stretch of text with its start, or an added token.
pub(crate) enum Part<'t> {
    Text(usize, &'t str),
    Token(TokenId),
}

impl Matcher {
    fn new(patterns: impl Iterator<Item = (u32, String)>) -> Result<Option<Self>, TokenizerError> {
        let (tokens, texts): (Vec<u32>, Vec<String>) =
            patterns.filter(|(_, text)| !text.is_empty()).unzip();
        if texts.is_empty() {
            return Ok(None);
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&texts)
            .map_err(|e| TokenizerError::invalid("added_tokens", e.to_string()))?;
        Ok(Some(Self { automaton, tokens }))
    }
}
