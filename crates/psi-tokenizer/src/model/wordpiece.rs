//! WordPiece: the longest token that starts the word, then the longest that continues it (Devlin et al. 2018).

use crate::TokenId;
use crate::vocab::Vocab;

/// A WordPiece model.
#[derive(Debug)]
pub(crate) struct WordPiece {
    pub(crate) unk: TokenId,
    pub(crate) unk_token: String,
    /// put before tokens that continue a word, `##` in BERT
    pub(crate) prefix: String,
    /// longer words are unknown
    pub(crate) max_chars: usize,
}

impl WordPiece {
    /// Appends the ids of a word, or `unk` alone if any part of it has no token.
    pub(crate) fn encode(&self, vocab: &Vocab, word: &str, out: &mut Vec<TokenId>) {
        let before = out.len();
        if word.chars().nth(self.max_chars).is_some() {
            out.push(self.unk);
            return;
        }
        let mut spelled = String::with_capacity(self.prefix.len() + word.len());
        let mut start = 0;
        while start < word.len() {
            spelled.clear();
            if start > 0 {
                spelled.push_str(&self.prefix);
            }
            let fixed = spelled.len();
            spelled.push_str(&word[start..]);
            let found = loop {
                if spelled.len() == fixed {
                    break None;
                }
                if let Some(id) = vocab.id(&spelled) {
                    break Some(id);
                }
                spelled.pop();
            };
            let Some(id) = found else {
                out.truncate(before);
                out.push(self.unk);
                return;
            };
            out.push(id);
            start += spelled.len() - fixed;
        }
    }
}
