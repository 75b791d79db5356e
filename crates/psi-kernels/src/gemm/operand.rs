//! The left operand in the form a tier's kernel reads.
#![expect(unsafe_code, reason = "rows are written by several tasks through one pointer")]

use super::pack::{Dest, Elements, Rounding, Source, Words, pack_groups, round_row};
use crate::{Isa, Tier, gemm::Compute, simd};

/// How a kernel reads A.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// f32 rows as the caller has them.
    Float,
    /// f32 rows whose values are rounded to bf16.
    Rounded,
    /// bf16 rows.
    Rows,
    /// bf16 tiles of 16 rows x 32 k, those of the same rows side by side.
    Tiles,
}

impl Form {
    pub(super) fn of(isa: Isa, compute: Compute) -> Self {
        match (compute, isa.tier()) {
            (Compute::F32, _) => Self::Float,
            (Compute::Bf16, Tier::Amx) => Self::Tiles,
            (Compute::Bf16, Tier::Avx512Vnni) => Self::Rows,
            (Compute::Bf16, _) => Self::Rounded,
        }
    }

    /// Bytes between rows (between groups of 16 rows for [`Form::Tiles`]). One cache line is added
    /// to rows, and one tile to long groups, so that a power-of-two k does not put all into the same cache sets.
    pub(super) fn stride(self, k: usize) -> usize {
        let k = k.next_multiple_of(32);
        match self {
            Self::Float | Self::Rounded => k * 4 + 64,
            Self::Rows => k * 2 + 64,
            Self::Tiles => k * 32 + if k.is_multiple_of(1024) { 1024 } else { 0 },
        }
    }

    /// Bytes for `m` rows.
    pub(super) fn bytes(self, m: usize, k: usize) -> usize {
        let groups = m.div_ceil(16);
        if self == Self::Tiles { groups * self.stride(k) } else { groups * 16 * self.stride(k) }
    }
}

/// A job that brings A into a form, in groups of 16 rows.
pub(super) struct Conversion<'a> {
    isa: Isa,
    form: Form,
    source: Source<'a>,
    to: *mut u8,
}

// SAFETY: every group of rows is written by one task.
unsafe impl Sync for Conversion<'_> {}

impl<'a> Conversion<'a> {
    /// Of `source` into `to`, which `form.bytes` fit.
    pub(super) fn new(isa: Isa, form: Form, source: Source<'a>, to: &mut [u8]) -> Self {
        assert!(to.len() >= form.bytes(source.n, source.k), "scratch for {source:?}");
        Self { isa, form, source, to: to.as_mut_ptr() }
    }

    pub(super) fn groups(&self) -> usize {
        self.source.n.div_ceil(16)
    }

    /// Converts rows `16 group .. 16 group + 16`.
    ///
    /// # Safety
    /// Nobody else converts or reads the group meanwhile.
    pub(super) unsafe fn group(&self, group: usize) {
        let rows = group * 16..(group * 16 + 16).min(self.source.n);
        let stride = self.form.stride(self.source.k);
        let Elements::F32(x) = self.source.elements else { unreachable!("A is f32") };
        // SAFETY: `new` checked the room; the group is this call's alone.
        unsafe {
            if !self.source.k_inner {
                self.across(group);
            } else if matches!(self.form, Form::Rows | Form::Tiles) {
                for row in rows.clone() {
                    let x = &x[row * self.source.ld..][..self.source.k];
                    let (at, slab) = match self.form {
                        Form::Tiles => (row / 16 * stride + row % 16 * 64, 1024),
                        _ => (row * stride, 64),
                    };
                    round_row(self.isa, x, self.to.add(at), slab);
                }
            } else {
                for row in rows.clone() {
                    let x = &x[row * self.source.ld..][..self.source.k];
                    self.row(row)[..x.len()].copy_from_slice(x);
                }
            }
            if self.form == Form::Rounded {
                for row in rows {
                    let (x, rest) = self.row(row).split_at_mut(self.source.k);
                    x.iter_mut().for_each(|x| *x = simd::f32_from_bf16(simd::bf16_from_f32(*x)));
                    rest.fill(0.0);
                }
            }
        }
    }

    /// Row `row` of the f32 forms, padded to whole steps of 32.
    ///
    /// # Safety
    /// The row is used by one caller at a time.
    #[expect(clippy::mut_from_ref, reason = "rows are disjoint and each is one task's")]
    unsafe fn row(&self, row: usize) -> &mut [f32] {
        let at = row * self.form.stride(self.source.k);
        // SAFETY: inside `to` (checked in `new`), which is aligned to a cache line.
        unsafe {
            std::slice::from_raw_parts_mut(
                self.to.add(at).cast(),
                self.source.k.next_multiple_of(32),
            )
        }
    }

    /// A group of a source whose rows run across k.
    ///
    /// # Safety
    /// As for [`Self::group`].
    unsafe fn across(&self, group: usize) {
        let stride = self.form.stride(self.source.k);
        let dest = match self.form {
            Form::Tiles => {
                Dest { at: self.to, line: 64, slab: 1024, group: stride, by_vector: true }
            }
            _ => Dest { at: self.to, line: stride, slab: 64, group: 16 * stride, by_vector: true },
        };
        let words = match self.form {
            Form::Float | Form::Rounded => Words::Copy,
            Form::Rows | Form::Tiles => Words::Across(Rounding::Operand),
        };
        // SAFETY: the caller's promise.
        unsafe { pack_groups(self.isa, &self.source, words, &dest, group..group + 1, false) }
    }
}
