//! What a forward pass is given, and which rows of it are wanted.

use std::ops::Range;

use psi_kernels::kv::Segment;

use crate::Adapter;

/// Tokens of several sequences, a run of consecutive positions of each.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// One token per row.
    pub tokens: &'a [u32],
    /// Which rows belong to which sequence, at which positions, in which cache blocks. Segments cover
    /// the rows in order, without gaps.
    pub segments: &'a [Segment<'a>],
    /// The length that counts for RoPE scalings which depend on it (`dynamic`, `longrope`), one per
    /// segment: a sequence's prompt and what it may still grow to, fixed while its cache lives, so that
    /// how the prompt is cut does not matter. Empty: the positions given so far.
    pub rope_lens: &'a [usize],
    /// The adapter that each segment runs with. Empty: none has one.
    pub adapters: &'a [Option<&'a Adapter>],
}

impl<'a> Batch<'a> {
    /// A batch whose RoPE lengths are the positions given so far.
    pub fn new(tokens: &'a [u32], segments: &'a [Segment<'a>]) -> Self {
        Self { tokens, segments, rope_lens: &[], adapters: &[] }
    }

    /// The length that decides segment `i`'s RoPE.
    pub(crate) fn rope_len(&self, i: usize) -> usize {
        let segment = &self.segments[i];
        self.rope_lens.get(i).copied().unwrap_or(segment.pos0 + segment.n_rows)
    }

    /// The position of every row.
    pub(crate) fn positions(&self) -> Vec<u32> {
        let of = |s: &Segment<'_>| s.pos0 as u32..(s.pos0 + s.n_rows) as u32;
        self.segments.iter().flat_map(of).collect()
    }

    /// The rows that have an adapter; neighbours with the same one together.
    pub(crate) fn adapted_rows(&self) -> Vec<(Range<usize>, &'a Adapter)> {
        let mut parts: Vec<(Range<usize>, &'a Adapter)> = Vec::new();
        for (s, adapter) in self.segments.iter().zip(self.adapters) {
            let Some(adapter) = adapter else { continue };
            let rows = s.row0..s.row0 + s.n_rows;
            match parts.last_mut() {
                Some((last, same)) if last.end == rows.start && same.id() == adapter.id() => {
                    last.end = rows.end;
                }
                _ => parts.push((rows, adapter)),
            }
        }
        parts.retain(|(rows, _)| !rows.is_empty());
        parts
    }

    #[track_caller]
    pub(crate) fn assert_covered(&self) {
        let mut next = 0;
        for s in self.segments {
            assert_eq!(s.row0, next, "segments must cover the rows in order: {:?}", self.segments);
            next += s.n_rows;
        }
        assert_eq!(next, self.tokens.len(), "segments cover {next} rows of {}", self.tokens.len());
        let lens = self.rope_lens.len();
        assert!(lens == 0 || lens == self.segments.len(), "{lens} RoPE lengths");
        let n = self.adapters.len();
        assert!(n == 0 || n == self.segments.len(), "{n} adapters");
    }
}

/// Which rows need logits; the others end before the output head.
#[derive(Clone, Copy, Debug)]
pub enum Want<'a> {
    /// Every row.
    All,
    /// The last row of each segment.
    Last,
    /// These rows.
    Rows(&'a [u32]),
}

impl Want<'_> {
    /// The rows, or `None` for all.
    pub(crate) fn rows(&self, batch: &Batch<'_>) -> Option<Vec<u32>> {
        match self {
            Self::All => None,
            Self::Last => {
                let filled = batch.segments.iter().filter(|s| s.n_rows > 0);
                Some(filled.map(|s| (s.row0 + s.n_rows - 1) as u32).collect())
            }
            Self::Rows(rows) => Some(rows.to_vec()),
        }
    }
}
