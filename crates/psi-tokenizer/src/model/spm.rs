//! SentencePiece's BPE: any two neighbours whose text is a token merge, highest score first.

use crate::TokenId;
use crate::merge::{MergeBuffer, NO_MERGE};
use crate::vocab::Vocab;

/// A score-merge model.
#[derive(Debug)]
pub(crate) struct Spm {
    /// by id: 0 for the highest score; [`NO_MERGE`] for tokens that text never forms (control,
    /// unknown, byte), as in SentencePiece, so that no text can spell a control token
    rank: Vec<u32>,
    bytes: Box<[Option<TokenId>; 256]>,
    /// by id, as in the file
    pub(crate) scores: Vec<f32>,
    pub(crate) unk: Option<TokenId>,
    pub(crate) cuts_at_word_marks: bool,
}

impl Spm {
    /// `forms(id)` says whether text can form the token.
    pub(crate) fn new(
        vocab: &Vocab,
        scores: Vec<f32>,
        forms: impl Fn(TokenId) -> bool,
        unk: Option<TokenId>,
    ) -> Self {
        let mut by_score: Vec<(f32, TokenId)> = vocab
            .iter()
            .filter(|&(id, _)| forms(id))
            .map(|(id, _)| (scores[id as usize], id))
            .collect();
        by_score.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut rank = vec![NO_MERGE; vocab.size()];
        let mut cuts_at_word_marks = true;
        let (mut current, mut previous) = (0, None);
        for (i, &(score, id)) in (0u32..).zip(&by_score) {
            if previous.is_some_and(|p: f32| p.total_cmp(&score).is_ne()) {
                current = i;
            }
            previous = Some(score);
            rank[id as usize] = current;
            let text = vocab.text(id).unwrap_or_default();
            cuts_at_word_marks &= !super::has_inner_word_mark(text);
        }
        Self { rank, bytes: Box::new(vocab.byte_tokens()), scores, unk, cuts_at_word_marks }
    }

    /// The rank of a token: lower merges first; equal scores have equal ranks.
    pub(crate) fn rank(&self, id: TokenId) -> Option<u32> {
        self.rank.get(id as usize).copied().filter(|&r| r != NO_MERGE)
    }

    /// Appends the ids of `piece`; symbols are spans of it.
    pub(crate) fn encode(
        &self,
        vocab: &Vocab,
        piece: &str,
        buffer: &mut MergeBuffer<(u32, u32)>,
        out: &mut Vec<TokenId>,
    ) {
        let bytes = piece.as_bytes();
        buffer.symbols.clear();
        buffer
            .symbols
            .extend(piece.char_indices().map(|(i, c)| (i as u32, (i + c.len_utf8()) as u32)));
        let id_of =
            |(start, end): (u32, u32)| vocab.id_of_bytes(&bytes[start as usize..end as usize]);
        buffer.merge(|left, right| {
            let span = (left.0, right.1);
            (id_of(span).map_or(NO_MERGE, |id| self.rank[id as usize]), span)
        });
        for &span in &buffer.symbols {
            match id_of(span).filter(|&id| self.rank[id as usize] != NO_MERGE) {
                Some(id) => out.push(id),
                None => {
                    for &byte in &bytes[span.0 as usize..span.1 as usize] {
                        out.extend(self.bytes[byte as usize].or(self.unk));
                    }
                }
            }
        }
    }
}
