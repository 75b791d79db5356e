//! Unigram: the segmentation with the greatest sum of token scores (Kudo 2018), by Viterbi over a trie.

use crate::TokenId;
use crate::error::TokenizerError;
use crate::vocab::Vocab;

/// A unigram model.
#[derive(Debug)]
pub(crate) struct Unigram {
    trie: Trie,
    /// by id
    pub(crate) scores: Vec<f64>,
    pub(crate) unk: Option<TokenId>,
    unk_score: f64,
    /// tokens `<0xHH>` for the bytes of unknown characters
    fallback: Option<Box<[Option<TokenId>; 256]>>,
}

/// The score of an unknown character lies this far below the lowest token score (as in SentencePiece).
const UNK_PENALTY: f64 = 10.0;

/// The best way to reach a byte position.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    score: f64,
    start: u32,
    id: TokenId,
}

const UNREACHED: u32 = u32::MAX;
/// Stands for "unknown" in the lattice, where the model may have no token for it.
const UNKNOWN: TokenId = TokenId::MAX;

impl Unigram {
    /// `matches(id)` says whether text may form the token; scores are indexed by id.
    ///
    /// # Errors
    /// A score that is not finite.
    pub(crate) fn new(
        vocab: &Vocab,
        scores: Vec<f64>,
        unk: Option<TokenId>,
        byte_fallback: bool,
        matches: impl Fn(TokenId) -> bool,
    ) -> Result<Self, TokenizerError> {
        if let Some(i) = scores.iter().position(|s| !s.is_finite()) {
            return Err(TokenizerError::invalid(
                format!("model.vocab[{i}]"),
                format!("the score {} is not finite", scores[i]),
            ));
        }
        let lowest = scores.iter().copied().fold(f64::INFINITY, f64::min);
        let mut words: Vec<(&[u8], TokenId)> = vocab
            .iter()
            .filter(|&(id, text)| !text.is_empty() && matches(id))
            .map(|(id, text)| (text.as_bytes(), id))
            .collect();
        words.sort_unstable();
        Ok(Self {
            trie: Trie::new(&words),
            unk,
            unk_score: if lowest.is_finite() { lowest } else { 0.0 } - UNK_PENALTY,
            scores,
            fallback: byte_fallback.then(|| Box::new(vocab.byte_tokens())),
        })
    }

    /// Whether unknown characters become bytes.
    pub(crate) fn has_byte_fallback(&self) -> bool {
        self.fallback.is_some()
    }

    /// Appends the ids of `text`; runs of unknown characters are one `unk`, or bytes.
    pub(crate) fn encode(&self, text: &str, lattice: &mut Vec<Node>, out: &mut Vec<TokenId>) {
        self.search(text, lattice);
        let before = out.len();
        let mut end = text.len();
        let mut unknown_end = None;
        while end > 0 {
            let node = lattice[end];
            if node.id == UNKNOWN || Some(node.id) == self.unk {
                unknown_end.get_or_insert(end);
            } else {
                if let Some(to) = unknown_end.take() {
                    self.push_unknown(&text[end..to], out);
                }
                out.push(node.id);
            }
            end = node.start as usize;
        }
        if let Some(to) = unknown_end {
            self.push_unknown(&text[..to], out);
        }
        out[before..].reverse();
    }

    /// In reverse order, like the walk through the lattice.
    fn push_unknown(&self, text: &str, out: &mut Vec<TokenId>) {
        match &self.fallback {
            Some(table) if text.bytes().all(|b| table[b as usize].is_some()) => {
                out.extend(text.bytes().rev().filter_map(|b| table[b as usize]));
            }
            _ => out.extend(self.unk),
        }
    }

    fn search(&self, text: &str, lattice: &mut Vec<Node>) {
        lattice.clear();
        lattice.resize(text.len() + 1, Node { score: 0.0, start: UNREACHED, id: UNKNOWN });
        let bytes = text.as_bytes();
        for (start, c) in text.char_indices() {
            let here = lattice[start].score;
            let char_end = start + c.len_utf8();
            let mut has_single = false;
            self.trie.each_prefix(&bytes[start..], |len, id| {
                has_single |= start + len == char_end;
                relax(&mut lattice[start + len], here + self.scores[id as usize], start, id);
            });
            if !has_single {
                relax(&mut lattice[char_end], here + self.unk_score, start, UNKNOWN);
            }
        }
    }
}

#[inline]
fn relax(node: &mut Node, score: f64, start: usize, id: TokenId) {
    if node.start == UNREACHED || score > node.score {
        *node = Node { score, start: start as u32, id };
    }
}

/// A byte trie with the children of each node side by side, sorted.
#[derive(Debug)]
struct Trie {
    /// the first byte's node, or 0
    root: Box<[u32; 256]>,
    nodes: Vec<TrieNode>,
}

#[derive(Debug, Clone, Copy)]
struct TrieNode {
    byte: u8,
    n_children: u8,
    first_child: u32,
    /// [`UNKNOWN`] if no token ends here
    id: TokenId,
}

impl Trie {
    /// From sorted, distinct words.
    fn new(words: &[(&[u8], TokenId)]) -> Self {
        let empty = TrieNode { byte: 0, n_children: 0, first_child: 0, id: UNKNOWN };
        let mut trie = Self { root: Box::new([0; 256]), nodes: vec![empty] };
        // Breadth first: the words of a node are a range that share their first `depth` bytes.
        let mut pending = std::collections::VecDeque::new();
        for group in words.chunk_by(|a, b| a.0[0] == b.0[0]) {
            let byte = group[0].0[0];
            trie.root[byte as usize] = trie.nodes.len() as u32;
            pending.push_back((trie.nodes.len(), group, 1));
            trie.nodes.push(TrieNode { byte, ..empty });
        }
        while let Some((node, mut group, depth)) = pending.pop_front() {
            if let Some(&(word, id)) = group.first()
                && word.len() == depth
            {
                trie.nodes[node].id = id;
                group = &group[1..];
            }
            trie.nodes[node].first_child = trie.nodes.len() as u32;
            for children in group.chunk_by(|a, b| a.0[depth] == b.0[depth]) {
                pending.push_back((trie.nodes.len(), children, depth + 1));
                trie.nodes.push(TrieNode { byte: children[0].0[depth], ..empty });
            }
            // 256 children do not fit a byte, but no node of UTF-8 text has more than 192.
            trie.nodes[node].n_children =
                (trie.nodes.len() - trie.nodes[node].first_child as usize).min(255) as u8;
        }
        trie
    }

    /// Calls `found(length, id)` for every token that starts `bytes`, shortest first.
    #[inline]
    fn each_prefix(&self, bytes: &[u8], mut found: impl FnMut(usize, TokenId)) {
        let Some(&first) = bytes.first() else { return };
        let mut node = self.root[first as usize];
        let mut depth = 1;
        while node != 0 {
            let here = self.nodes[node as usize];
            if here.id != UNKNOWN {
                found(depth, here.id);
            }
            let Some(&byte) = bytes.get(depth) else { return };
            let children =
                here.first_child as usize..here.first_child as usize + here.n_children as usize;
            node = match self.nodes[children.clone()].binary_search_by_key(&byte, |n| n.byte) {
                Ok(i) => (children.start + i) as u32,
                Err(_) => 0,
            };
            depth += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_sum_wins_and_unknown_runs_are_one() {
        let mut vocab = Vocab::default();
        let tokens = [("<unk>", 0.0), ("a", -1.0), ("b", -1.0), ("ab", -1.5), ("aba", -4.0)];
        for (id, (text, _)) in (0..).zip(tokens) {
            vocab.insert(text, id, 5, "v").expect("valid");
        }
        let scores = tokens.iter().map(|t| t.1).collect();
        let model = Unigram::new(&vocab, scores, Some(0), false, |id| id != 0).expect("valid");
        let encode = |text: &str| {
            let (mut lattice, mut out) = (Vec::new(), Vec::new());
            model.encode(text, &mut lattice, &mut out);
            out
        };
        assert_eq!(encode("ab"), [3]);
        assert_eq!(encode("aba"), [3, 1]);
        assert_eq!(encode("éèab日"), [0, 3, 0]);
        assert!(encode("").is_empty());
    }

    #[test]
    fn scores_must_be_finite() {
        let mut vocab = Vocab::default();
        vocab.insert("a", 0, 1, "v").expect("valid");
        assert!(Unigram::new(&vocab, vec![f64::NAN], None, false, |_| true).is_err());
    }
}
