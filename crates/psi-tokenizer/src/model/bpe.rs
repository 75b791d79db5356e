//! Byte-pair encoding with ranked merges (Sennrich et al. 2016; byte level: Radford et al. 2019).

use crate::TokenId;
use crate::byte_level;
use crate::error::{TokenizerError, quoted};
use crate::merge::MergeBuffer;
use crate::pair_table::PairTable;
use crate::vocab::Vocab;

/// A ranked-merge model.
#[derive(Debug)]
pub(crate) struct Bpe {
    merges: PairTable,
    /// the pairs in rank order
    pub(crate) merge_list: Vec<(TokenId, TokenId)>,
    pub(crate) symbols: Symbols,
    /// a piece that is a token as a whole is not merged
    pub(crate) ignore_merges: bool,
    pub(crate) unk: Option<TokenId>,
    pub(crate) fuse_unk: bool,
    pub(crate) cuts_at_word_marks: bool,
}

/// What a piece is made of before merging.
#[derive(Debug)]
pub(crate) enum Symbols {
    /// Bytes; the vocabulary spells them in GPT-2's alphabet.
    Bytes(Box<[Option<TokenId>; 256]>),
    /// Characters.
    Chars {
        /// put before every character but the first
        prefix: String,
        /// put after the last
        suffix: String,
        /// tokens `<0xHH>` for the bytes of unknown characters
        fallback: Option<Box<[Option<TokenId>; 256]>>,
    },
}

/// The settings of a [`Bpe`] besides its merges.
#[derive(Debug, Default)]
pub(crate) struct BpeOptions {
    pub(crate) prefix: String,
    pub(crate) suffix: String,
    pub(crate) byte_fallback: bool,
    pub(crate) byte_level: bool,
    pub(crate) ignore_merges: bool,
    pub(crate) unk: Option<TokenId>,
    pub(crate) fuse_unk: bool,
}

impl Bpe {
    /// Builds the model from merges in rank order, given as spellings.
    ///
    /// # Errors
    /// A merge of or into something that is not a token.
    pub(crate) fn new<'m>(
        vocab: &Vocab,
        merges: impl ExactSizeIterator<Item = (&'m str, &'m str)>,
        options: BpeOptions,
        place: &str,
    ) -> Result<Self, TokenizerError> {
        let mut table = PairTable::with_capacity(merges.len());
        let mut merge_list = Vec::with_capacity(merges.len());
        let mut product = String::new();
        let mut cuts_at_word_marks = true;
        for (i, (left, right)) in merges.enumerate() {
            let unknown = |text: &str| {
                TokenizerError::invalid(
                    format!("{place}[{i}]"),
                    format!("{} is not in the vocabulary", quoted(text)),
                )
            };
            product.clear();
            product.push_str(left);
            product.push_str(right.strip_prefix(options.prefix.as_str()).unwrap_or(right));
            let left_id = vocab.id(left).ok_or_else(|| unknown(left))?;
            let right_id = vocab.id(right).ok_or_else(|| unknown(right))?;
            let product_id = vocab.id(&product).ok_or_else(|| unknown(&product))?;
            // A repeated pair keeps its first rank... in llama.cpp; Hugging Face keeps the last. No
            // real file repeats one.
            if table.insert(left_id, right_id, merge_list.len() as u32, product_id) {
                merge_list.push((left_id, right_id));
            }
            cuts_at_word_marks &= !super::has_inner_word_mark(&product);
        }
        Ok(Self::assemble(vocab, table, merge_list, options, cuts_at_word_marks))
    }

    /// Builds the model from merges given as ids with their products, in rank order.
    pub(crate) fn from_ids(
        vocab: &Vocab,
        merges: impl ExactSizeIterator<Item = (TokenId, TokenId, TokenId)>,
        options: BpeOptions,
    ) -> Self {
        let mut table = PairTable::with_capacity(merges.len());
        let mut list = Vec::with_capacity(merges.len());
        for (left, right, product) in merges {
            if table.insert(left, right, list.len() as u32, product) {
                list.push((left, right));
            }
        }
        Self::assemble(vocab, table, list, options, false)
    }

    fn assemble(
        vocab: &Vocab,
        merges: PairTable,
        merge_list: Vec<(TokenId, TokenId)>,
        options: BpeOptions,
        cuts_at_word_marks: bool,
    ) -> Self {
        let symbols = if options.byte_level {
            let id = |b: usize| vocab.id(byte_level::BYTE_TO_CHAR[b].encode_utf8(&mut [0; 4]));
            Symbols::Bytes(Box::new(std::array::from_fn(id)))
        } else {
            Symbols::Chars {
                prefix: options.prefix,
                suffix: options.suffix,
                fallback: options.byte_fallback.then(|| Box::new(vocab.byte_tokens())),
            }
        };
        // Affixes and whole-piece look-ups see where a piece ends; a run of unknown characters must end
        // at the mark, which it does where the mark is a token.
        let plain = matches!(&symbols, Symbols::Chars { prefix, suffix, .. }
            if prefix.is_empty() && suffix.is_empty() && !options.ignore_merges);
        let cuts_at_word_marks = cuts_at_word_marks && plain && vocab.id("▁").is_some();
        Self {
            merges,
            merge_list,
            symbols,
            ignore_merges: options.ignore_merges,
            unk: options.unk,
            fuse_unk: options.fuse_unk,
            cuts_at_word_marks,
        }
    }

    /// Whether pieces are bytes.
    pub(crate) fn is_byte_level(&self) -> bool {
        matches!(self.symbols, Symbols::Bytes(_))
    }

    /// Appends the ids of `piece`.
    pub(crate) fn encode(
        &self,
        vocab: &Vocab,
        piece: &str,
        buffer: &mut MergeBuffer<TokenId>,
        out: &mut Vec<TokenId>,
    ) {
        if self.ignore_merges {
            let whole = match self.symbols {
                Symbols::Bytes(_) if piece.len() > vocab.longest() => None,
                Symbols::Bytes(_) => vocab.id(&byte_level::encode(piece.as_bytes())),
                Symbols::Chars { .. } => vocab.id(piece),
            };
            if let Some(id) = whole {
                out.push(id);
                return;
            }
        }
        buffer.symbols.clear();
        match &self.symbols {
            Symbols::Bytes(ids) => self.push_bytes(ids, piece.as_bytes(), &mut buffer.symbols),
            Symbols::Chars { prefix, suffix, fallback } => {
                self.push_chars(vocab, piece, (prefix, suffix), fallback.as_deref(), buffer);
            }
        }
        buffer.merge(|left, right| self.merges.get(left, right));
        out.extend_from_slice(&buffer.symbols);
    }

    fn push_bytes(&self, ids: &[Option<TokenId>; 256], bytes: &[u8], out: &mut Vec<TokenId>) {
        let mut unknown = Unknown::default();
        for &byte in bytes {
            match ids[byte as usize] {
                Some(id) => {
                    unknown.flush(out);
                    out.push(id);
                }
                None => unknown.add(self, out),
            }
        }
        unknown.flush(out);
    }

    fn push_chars(
        &self,
        vocab: &Vocab,
        piece: &str,
        (prefix, suffix): (&str, &str),
        fallback: Option<&[Option<TokenId>; 256]>,
        buffer: &mut MergeBuffer<TokenId>,
    ) {
        let out = &mut buffer.symbols;
        let mut unknown = Unknown::default();
        let mut spelled = String::new();
        for (start, c) in piece.char_indices() {
            let end = start + c.len_utf8();
            let is_last = end == piece.len();
            let affixed = (start > 0 && !prefix.is_empty()) || (is_last && !suffix.is_empty());
            let symbol = if affixed {
                spelled.clear();
                spelled.push_str(if start > 0 { prefix } else { "" });
                spelled.push(c);
                spelled.push_str(if is_last { suffix } else { "" });
                spelled.as_str()
            } else {
                &piece[start..end]
            };
            if let Some(id) = vocab.id(symbol) {
                unknown.flush(out);
                out.push(id);
                continue;
            }
            if let Some(table) = fallback
                && symbol.bytes().all(|b| table[b as usize].is_some())
            {
                unknown.flush(out);
                out.extend(symbol.bytes().filter_map(|b| table[b as usize]));
                continue;
            }
            unknown.add(self, out);
        }
        unknown.flush(out);
    }
}

/// Characters without a token, not yet written, so that a run of them can become one `unk`.
#[derive(Default)]
struct Unknown(Option<TokenId>);

impl Unknown {
    fn add(&mut self, bpe: &Bpe, out: &mut Vec<TokenId>) {
        if !bpe.fuse_unk {
            self.flush(out);
        }
        self.0 = bpe.unk;
    }

    fn flush(&mut self, out: &mut Vec<TokenId>) {
        out.extend(self.0.take());
    }
}
