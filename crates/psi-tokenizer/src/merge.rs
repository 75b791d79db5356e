//! The merge loop of byte-pair encoding: join the adjacent pair of lowest rank, leftmost first, until
//! none is left. Quadratic with small constants for short pieces, a heap for long ones; both give the
//! same result.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Rank of a pair that does not merge.
pub(crate) const NO_MERGE: u32 = u32::MAX;

/// Pieces up to this many symbols are merged by scanning.
const SCAN_LIMIT: usize = 64;

/// Reused storage of the loop; `symbols` is its input and its output.
#[derive(Debug)]
pub(crate) struct MergeBuffer<S> {
    pub(crate) symbols: Vec<S>,
    /// rank of the pair (i, i + 1) and what it becomes
    pairs: Vec<(u32, S)>,
    links: Vec<Link>,
    /// (rank, index of the left symbol)
    heap: BinaryHeap<Reverse<(u32, u32)>>,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    previous: u32,
    next: u32,
}

/// End of the list, and mark of a symbol that was merged away (as its own `previous`).
const NONE: u32 = u32::MAX;

impl<S> Default for MergeBuffer<S> {
    fn default() -> Self {
        Self { symbols: Vec::new(), pairs: Vec::new(), links: Vec::new(), heap: BinaryHeap::new() }
    }
}

impl<S: Copy> MergeBuffer<S> {
    /// Merges `symbols` in place. `pair(l, r)` gives the rank of the merge and its product, or
    /// [`NO_MERGE`] with anything.
    #[inline]
    pub(crate) fn merge(&mut self, pair: impl Fn(S, S) -> (u32, S)) {
        if self.symbols.len() < 2 {
            return;
        }
        self.pairs.clear();
        self.pairs.extend(self.symbols.windows(2).map(|w| pair(w[0], w[1])));
        if self.symbols.len() <= SCAN_LIMIT { self.scan(pair) } else { self.queue(pair) }
    }

    fn scan(&mut self, pair: impl Fn(S, S) -> (u32, S)) {
        let Self { symbols, pairs, .. } = self;
        loop {
            let (mut best, mut at) = (NO_MERGE, 0);
            for (i, &(rank, _)) in pairs.iter().enumerate() {
                if rank < best {
                    (best, at) = (rank, i);
                }
            }
            if best == NO_MERGE {
                return;
            }
            symbols[at] = pairs[at].1;
            symbols.remove(at + 1);
            pairs.remove(at);
            if at < pairs.len() {
                pairs[at] = pair(symbols[at], symbols[at + 1]);
            }
            if at > 0 {
                pairs[at - 1] = pair(symbols[at - 1], symbols[at]);
            }
        }
    }

    fn queue(&mut self, pair: impl Fn(S, S) -> (u32, S)) {
        let n = self.symbols.len();
        assert!(n < NONE as usize, "a piece of {n} symbols");
        self.links.clear();
        self.links.extend((0..n as u32).map(|i| Link {
            previous: i.wrapping_sub(1),
            next: if i as usize + 1 == n { NONE } else { i + 1 },
        }));
        self.heap.clear();
        self.heap.extend(
            (0u32..)
                .zip(&self.pairs)
                .filter(|(_, (rank, _))| *rank != NO_MERGE)
                .map(|(i, (rank, _))| Reverse((*rank, i))),
        );
        while let Some(Reverse((rank, at))) = self.heap.pop() {
            let left = at as usize;
            // Entries are not removed when a neighbour merges; a stale one no longer has its rank.
            if self.pairs.get(left).is_none_or(|p| p.0 != rank) {
                continue;
            }
            let right = self.links[left].next;
            self.symbols[left] = self.pairs[left].1;
            let after = self.links[right as usize].next;
            self.links[right as usize] = Link { previous: right, next: NONE };
            if let Some(p) = self.pairs.get_mut(right as usize) {
                p.0 = NO_MERGE;
            }
            self.links[left].next = after;
            if after == NONE {
                if let Some(p) = self.pairs.get_mut(left) {
                    p.0 = NO_MERGE;
                }
            } else {
                self.links[after as usize].previous = at;
                self.update(left, after as usize, &pair);
            }
            let before = self.links[left].previous;
            if before != NONE {
                self.update(before as usize, left, &pair);
            }
        }
        let mut kept = 0;
        for i in 0..n {
            if self.links[i].previous != i as u32 {
                self.symbols[kept] = self.symbols[i];
                kept += 1;
            }
        }
        self.symbols.truncate(kept);
    }

    fn update(&mut self, left: usize, right: usize, pair: &impl Fn(S, S) -> (u32, S)) {
        let found = pair(self.symbols[left], self.symbols[right]);
        self.pairs[left] = found;
        if found.0 != NO_MERGE {
            self.heap.push(Reverse((found.0, left as u32)));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Merges by the definition: find the lowest rank, leftmost, and start over.
    fn by_definition(mut s: Vec<u32>, pair: impl Fn(u32, u32) -> (u32, u32)) -> Vec<u32> {
        loop {
            let best = (0..s.len().saturating_sub(1)).min_by_key(|&i| pair(s[i], s[i + 1]).0);
            match best {
                Some(i) if pair(s[i], s[i + 1]).0 != NO_MERGE => {
                    let merged = pair(s[i], s[i + 1]).1;
                    s.splice(i..i + 2, [merged]);
                }
                _ => return s,
            }
        }
    }

    proptest! {
        #[test]
        fn both_loops_equal_the_definition(
            symbols in prop::collection::vec(0u32..5, 0..180),
            table in prop::collection::hash_map((0u32..12, 0u32..12), (0u32..30, 0u32..12), 0..40),
        ) {
            // A product must be longer than its parts or the loop would not be well founded in
            // real vocabularies; here any product works because every merge removes a symbol.
            let pair = |l, r| table.get(&(l, r)).copied().unwrap_or((NO_MERGE, 0));
            let expected = by_definition(symbols.clone(), pair);
            let mut buffer = MergeBuffer { symbols: symbols.clone(), ..MergeBuffer::default() };
            buffer.merge(pair);
            prop_assert_eq!(&buffer.symbols, &expected);
            if symbols.len() > 1 {
                buffer.symbols = symbols.clone();
                buffer.pairs = symbols.windows(2).map(|w| pair(w[0], w[1])).collect();
                buffer.queue(pair);
                prop_assert_eq!(&buffer.symbols, &expected);
            }
        }
    }
}
