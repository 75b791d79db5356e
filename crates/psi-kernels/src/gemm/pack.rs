//! Copies into panels and tiles, slab by slab: 16 vectors of 64 bytes, rounded and transposed.
//!
//! A slab is 16 vectors (rows of W or A, columns of B) by 16 k (f32) or 32 k (bf16): 1 KiB. A panel
//! wants words of k side by side over its 16 vectors, a tile wants each vector's own words side by
//! side; whichever way the source runs, the slab is either in that order already or one 16 x 16
//! transposition of 32-bit words away from it.
#![expect(unsafe_code, reason = "slabs are read and written through pointers with strides")]

use std::ops::Range;

use crate::{Isa, Tier, simd};

/// What a source's elements are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Elements<'a> {
    F32(&'a [f32]),
    Bf16(&'a [u16]),
}

/// A row-major matrix seen as vectors over k.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    pub(crate) elements: Elements<'a>,
    /// Number of vectors.
    pub(crate) n: usize,
    pub(crate) k: usize,
    /// Elements between rows of the matrix.
    pub(crate) ld: usize,
    /// Whether rows of the matrix are the vectors (k runs along a row) or run across them.
    pub(crate) k_inner: bool,
}

/// How 32-bit words arise from a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// 16 rows of 64 bytes as they are: f32, or bf16 pairs along k.
    Copy,
    /// 16 rows of 32 f32, rounded to bf16 pairs along the row.
    Along(Rounding),
    /// 32 rows of 16 f32; rows 2q and 2q + 1 rounded and paired to words.
    Across(Rounding),
}

/// How f32 becomes bf16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// To nearest even, subnormals kept: weights, which can be read back.
    Exact,
    /// As the tier does it fastest: with BF16 instructions subnormals become zero (as `vdpbf16ps` and
    /// `tdpbf16ps` would read them anyway), otherwise [`Rounding::Exact`].
    Operand,
}

/// Where slabs go, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dest {
    /// First slab of the first group of 16 vectors.
    pub(crate) at: *mut u8,
    /// Between the 16 lines of a slab.
    pub(crate) line: usize,
    /// Between slabs along k.
    pub(crate) slab: usize,
    /// Between groups of 16 vectors.
    pub(crate) group: usize,
    /// Whether lines are vectors (tiles, rows of A) instead of words of k (panels).
    pub(crate) by_vector: bool,
}

impl Dest {
    /// The same places, `bytes` further on.
    pub(crate) fn moved(&self, bytes: usize) -> Self {
        Self { at: self.at.wrapping_add(bytes), ..*self }
    }
}

// SAFETY: an address; every group is written by one task.
unsafe impl Sync for Dest {}

/// One slab: `lines` of 64 bytes at `dst`, from `src` with `ld` bytes between its rows.
type SlabFn = unsafe fn(src: *const u8, ld: usize, dst: *mut u8, line: usize, Words, bool);

/// Packs the groups of 16 vectors in `groups`, padding with zeros.
///
/// `exact_k` is set where the destination has no room for k beyond the source's (f32 panels).
///
/// # Safety
/// `dest` has room for the groups; nobody else uses that room.
pub(crate) unsafe fn pack_groups(
    isa: Isa,
    source: &Source<'_>,
    words: Words,
    dest: &Dest,
    groups: Range<usize>,
    exact_k: bool,
) {
    let packer = Packer { source, words, dest, slab: slab_fn(isa), exact_k };
    let n_slabs = source.k.div_ceil(packer.k_step());
    // Along the source's rows: a row that k runs along is read to its end, rows that k runs across
    // are read side by side.
    // SAFETY: the caller's promise.
    unsafe {
        if source.k_inner {
            for group in groups {
                (0..n_slabs).for_each(|i| packer.slab(group, i));
            }
        } else {
            for i in 0..n_slabs {
                groups.clone().for_each(|group| packer.slab(group, i));
            }
        }
    }
}

struct Packer<'a> {
    source: &'a Source<'a>,
    words: Words,
    dest: &'a Dest,
    slab: SlabFn,
    exact_k: bool,
}

impl Packer<'_> {
    /// k per slab.
    fn k_step(&self) -> usize {
        match (self.source.elements, self.words) {
            (Elements::F32(_), Words::Copy) => 16,
            _ => 32,
        }
    }

    /// Packs slab `i` of `group`.
    ///
    /// # Safety
    /// The slab's place belongs to the caller.
    unsafe fn slab(&self, group: usize, i: usize) {
        let (source, dest, k_step) = (self.source, self.dest, self.k_step());
        let (base, size) = match source.elements {
            Elements::F32(x) => (x.as_ptr().cast::<u8>(), 4),
            Elements::Bf16(x) => (x.as_ptr().cast::<u8>(), 2),
        };
        let vectors = (source.n - group * 16).min(16);
        let ks = k_step.min(source.k - i * k_step);
        let (v_step, k_at) = if source.k_inner { (source.ld, 1) } else { (1, source.ld) };
        let at = group * 16 * v_step + i * k_step * k_at;
        let transpose = source.k_inner != dest.by_vector;
        // SAFETY: the `vectors` x `ks` elements from `at` on belong to the source, the slab's place
        // to `dest`; edge slabs are widened in a buffer of the full size.
        unsafe {
            let src = base.add(at * size);
            let dst = dest.at.add(group * dest.group + i * dest.slab);
            if vectors == 16 && ks == k_step {
                (self.slab)(src, source.ld * size, dst, dest.line, self.words, transpose);
                return;
            }
            let (rows, cols) = if source.k_inner { (vectors, ks) } else { (ks, vectors) };
            let width = if source.k_inner { k_step } else { 16 };
            let mut wide = [0_u32; 512];
            let wide = wide.as_mut_ptr().cast::<u8>();
            for r in 0..rows {
                let from = src.add(r * source.ld * size);
                std::ptr::copy_nonoverlapping(from, wide.add(r * width * size), cols * size);
            }
            let mut lines = [0_u32; 256];
            let to = lines.as_mut_ptr().cast();
            (self.slab)(wide, width * size, to, 64, self.words, transpose);
            let n_lines = if self.exact_k { ks } else { 16 };
            for (l, words) in lines.chunks_exact(16).take(n_lines).enumerate() {
                let to = dst.add(l * dest.line).cast::<u32>();
                std::ptr::copy_nonoverlapping(words.as_ptr(), to, 16);
            }
        }
    }
}

fn slab_fn(isa: Isa) -> SlabFn {
    #[cfg(target_arch = "x86_64")]
    {
        use super::pack_x86;
        match isa.tier() {
            Tier::Amx | Tier::Avx512Vnni => return pack_x86::slab_bf16,
            Tier::Avx512 => return pack_x86::slab_avx512,
            Tier::Avx2 => return pack_x86::slab_avx2,
            Tier::Portable | Tier::Neon => {}
        }
    }
    let _: Tier = isa.tier();
    slab_plain
}

/// The portable slab.
///
/// # Safety
/// `src` has the rows that `words` says, `dst` 16 lines of 64 bytes.
unsafe fn slab_plain(
    src: *const u8,
    ld: usize,
    dst: *mut u8,
    line: usize,
    words: Words,
    transpose: bool,
) {
    let mut slab = [0; 256];
    // SAFETY: the caller's promise.
    unsafe { read_words(src, ld, words, &mut slab) };
    for l in 0..16 {
        // SAFETY: line l of 16.
        let to = unsafe { std::slice::from_raw_parts_mut(dst.add(l * line).cast::<u32>(), 16) };
        for (j, to) in to.iter_mut().enumerate() {
            *to = if transpose { slab[j * 16 + l] } else { slab[l * 16 + j] };
        }
    }
}

/// The slab's words in the order of the source.
///
/// # Safety
/// `src` has the rows that `words` says, aligned to their elements.
#[inline(always)]
pub(crate) unsafe fn read_words(src: *const u8, ld: usize, words: Words, slab: &mut [u32; 256]) {
    // SAFETY: row r of the source has `n` f32 (the caller's promise).
    let row = |r: usize, n: usize| unsafe {
        std::slice::from_raw_parts(src.add(r * ld).cast::<f32>(), n)
    };
    let round = |x: f32| u32::from(simd::bf16_from_f32(x));
    for (r, out) in slab.chunks_exact_mut(16).enumerate() {
        match words {
            // SAFETY: 64 bytes of row r, of any alignment.
            Words::Copy => unsafe {
                let out = out.as_mut_ptr().cast::<u8>();
                std::ptr::copy_nonoverlapping(src.add(r * ld), out, 64);
            },
            Words::Along(_) => {
                for (out, x) in out.iter_mut().zip(row(r, 32).as_chunks::<2>().0) {
                    *out = round(x[0]) | round(x[1]) << 16;
                }
            }
            Words::Across(_) => {
                for ((out, &even), &odd) in
                    out.iter_mut().zip(row(2 * r, 16)).zip(row(2 * r + 1, 16))
                {
                    *out = round(even) | round(odd) << 16;
                }
            }
        }
    }
}

/// Rounds one row of A to bf16, 64 bytes (32 k) at a time, `slab` bytes apart; the last piece is
/// padded with zeros.
///
/// # Safety
/// `dst` has room for `src.len()` rounded up to 32 elements.
pub(crate) unsafe fn round_row(isa: Isa, src: &[f32], dst: *mut u8, slab: usize) {
    let mut last = [0.0; 32];
    let whole = src.len() / 32;
    last[..src.len() % 32].copy_from_slice(&src[whole * 32..]);
    // SAFETY: pieces 0 .. ceil(len / 32) have room; the tier is the machine's.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if isa.has(Tier::Avx512Vnni) {
            super::pack_x86::round_bf16(&src[..whole * 32], dst, slab);
            if !src.len().is_multiple_of(32) {
                super::pack_x86::round_bf16(&last, dst.add(whole * slab), slab);
            }
            return;
        }
        let _: Tier = isa.tier();
        let rest = (!src.len().is_multiple_of(32)).then_some(&last[..]);
        for (i, piece) in src[..whole * 32].chunks_exact(32).chain(rest).enumerate() {
            let to = std::slice::from_raw_parts_mut(dst.add(i * slab).cast::<u16>(), 32);
            for (to, &x) in to.iter_mut().zip(piece) {
                *to = simd::bf16_from_f32(x);
            }
        }
    }
}
