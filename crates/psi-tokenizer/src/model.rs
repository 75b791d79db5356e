//! The models that turn a piece of text into ids: byte-pair encoding, SentencePiece merges by score,
//! WordPiece, Unigram and whole words.

pub(crate) mod bpe;
pub(crate) mod spm;
pub(crate) mod unigram;
pub(crate) mod wordpiece;

use crate::TokenId;
use crate::merge::MergeBuffer;
use crate::vocab::Vocab;
use crate::word_cache::WordCache;

pub(crate) use bpe::Bpe;
pub(crate) use spm::Spm;
pub(crate) use unigram::Unigram;
pub(crate) use wordpiece::WordPiece;

/// One of the five models.
#[derive(Debug)]
pub(crate) enum Model {
    Bpe(Bpe),
    Spm(Spm),
    WordPiece(WordPiece),
    Unigram(Unigram),
    /// Every piece is a token or `unk`.
    WordLevel {
        unk: Option<TokenId>,
        unk_token: String,
    },
}

/// Storage that one encoding call uses and the next one reuses.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(crate) cache: WordCache,
    pub(crate) ids: MergeBuffer<TokenId>,
    pub(crate) spans: MergeBuffer<(u32, u32)>,
    pub(crate) lattice: Vec<unigram::Node>,
    pub(crate) ranges: Vec<(usize, usize)>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self {
            cache: WordCache::new(),
            ids: MergeBuffer::default(),
            spans: MergeBuffer::default(),
            lattice: Vec::new(),
            ranges: Vec::new(),
        }
    }
}

impl Model {
    /// Appends the ids of one piece.
    #[inline]
    pub(crate) fn encode(
        &self,
        vocab: &Vocab,
        piece: &str,
        scratch: &mut Scratch,
        out: &mut Vec<TokenId>,
    ) {
        let vacancy = match scratch.cache.get(piece.as_bytes(), out) {
            Ok(()) => return,
            Err(vacancy) => vacancy,
        };
        let before = out.len();
        match self {
            Self::Bpe(bpe) => bpe.encode(vocab, piece, &mut scratch.ids, out),
            Self::Spm(spm) => spm.encode(vocab, piece, &mut scratch.spans, out),
            Self::WordPiece(wordpiece) => wordpiece.encode(vocab, piece, out),
            Self::Unigram(unigram) => unigram.encode(piece, &mut scratch.lattice, out),
            Self::WordLevel { unk, .. } => out.extend(vocab.id(piece).or(*unk)),
        }
        if let Some(vacancy) = vacancy {
            scratch.cache.put(vacancy, &out[before..]);
        }
    }

    /// Whether text can be cut before each `▁` that follows another character without changing the
    /// result: true when no merge crosses such a place.
    pub(crate) fn cuts_at_word_marks(&self) -> bool {
        match self {
            Self::Bpe(bpe) => bpe.cuts_at_word_marks,
            Self::Spm(spm) => spm.cuts_at_word_marks,
            _ => false,
        }
    }
}

/// Whether `▁` follows another character inside `text`.
pub(crate) fn has_inner_word_mark(text: &str) -> bool {
    let mut previous = '▁';
    text.chars().any(|c| {
        let inner = c == '▁' && previous != '▁';
        previous = c;
        inner
    })
}

/// Calls `piece` for each stretch of `text` that starts with a run of `▁` and ends before the next.
pub(crate) fn each_marked_word<'t>(text: &'t str, mut piece: impl FnMut(&'t str)) {
    const MARK: &[u8] = "▁".as_bytes();
    let bytes = text.as_bytes();
    let (mut start, mut at) = (0, 0);
    while at < bytes.len() {
        if bytes[at] == MARK[0] && bytes[at..].starts_with(MARK) {
            if at > start {
                piece(&text[start..at]);
                start = at;
            }
            while bytes[at..].starts_with(MARK) {
                at += MARK.len();
            }
        } else {
            at += 1;
        }
    }
    if start < bytes.len() {
        piece(&text[start..]);
    }
}
