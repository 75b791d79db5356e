//! bf16 panels in 12 bits per weight, without loss: decoding waits for memory, not for arithmetic.
//!
//! The high byte of a bf16 is its sign and seven of its eight exponent bits. The weights of a matrix lie
//! within a few powers of two, so that few high bytes occur: the sixteen most frequent ones become codes of
//! 4 bits, low bytes stay as they are, and the rare weight with another high byte (a stray; one in ten
//! thousand of normally distributed weights) is kept beside. A product unpacks a few KiB at a time into
//! the first-level cache and runs the tier's kernel on them, so that results are those of plain panels to
//! the bit, for a quarter less memory and reading.
#![cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "vector loads, stores and prefetches")
)]

use std::{cell::Cell, ops::Range};

use super::NR;
#[cfg(target_arch = "x86_64")]
use crate::Tier;
use crate::{AlignedBuf, Isa};

/// Weights that are squeezed together: 128 low bytes, then 64 bytes of codes.
const GROUP: usize = 128;
/// Bytes of a group.
const GROUP_BYTES: usize = GROUP + GROUP / 2;
/// Weights of a slab: 32 k of a panel.
const SLAB: usize = 32 * NR;
/// Bytes of a slab.
const SLAB_BYTES: usize = SLAB / GROUP * GROUP_BYTES;
/// Panels whose slabs take turns in memory: decoding multiplies as many at once and so reads without a jump.
pub(super) const ABREAST: usize = 8;
/// Share of strays beyond which squeezing is not worth it: one in this many.
const STRAYS: usize = 512;
/// Weights that are looked at for the choice of codes.
const SAMPLE: usize = 1 << 16;

/// Where the slabs of panels with `slabs` slabs each lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    pub(super) panels: usize,
    pub(super) slabs: usize,
}

impl Places {
    pub(super) fn bytes(self) -> usize {
        self.panels * self.slabs * SLAB_BYTES
    }

    /// Panels that take turns with `panel`.
    fn abreast(self, panel: usize) -> usize {
        ABREAST.min(self.panels - panel / ABREAST * ABREAST)
    }

    /// The bytes of slab `slab` of `panel`.
    pub(super) fn slab(self, panel: usize, slab: usize) -> Range<usize> {
        let first = panel / ABREAST * ABREAST;
        let at = (first * self.slabs + slab * self.abreast(panel) + panel - first) * SLAB_BYTES;
        at..at + SLAB_BYTES
    }
}

/// The sixteen high bytes of a matrix that have codes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Codes([u8; 16]);

impl Codes {
    /// The sixteen most frequent high bytes of some of `words`; `None` where too many others occur.
    pub(super) fn choose(words: &[u16]) -> Option<Self> {
        let mut counts = [0_usize; 256];
        // An odd step, so that all columns are seen of a matrix whose width is a power of two.
        let step = (words.len() / SAMPLE) | 1;
        for word in words.iter().step_by(step) {
            counts[usize::from(word >> 8)] += 1;
        }
        let mut by_count: Vec<u8> = (0..=255).collect();
        by_count.sort_by_key(|&high| std::cmp::Reverse(counts[usize::from(high)]));
        let (coded, others) = by_count.split_first_chunk()?;
        let strays: usize = others.iter().map(|&high| counts[usize::from(high)]).sum();
        (strays * STRAYS <= words.len().div_ceil(step)).then_some(Self(*coded))
    }

    /// Squeezes the `words` of a panel into the places of its slabs and returns the strays among them.
    pub(super) fn squeeze<'a>(
        &self,
        words: &[u16],
        slab: impl Fn(usize) -> &'a mut [u8],
    ) -> Vec<Stray> {
        let mut strays = Vec::new();
        for (s, words) in words.as_chunks::<SLAB>().0.iter().enumerate() {
            let groups = words.as_chunks::<GROUP>().0.iter();
            for (g, (words, to)) in groups.zip(slab(s).as_chunks_mut::<GROUP_BYTES>().0).enumerate()
            {
                if self.squeeze_group(words, to) {
                    continue;
                }
                let found =
                    words.iter().enumerate().filter(|(_, w)| !self.0.contains(&((*w >> 8) as u8)));
                let at = |i| (s * SLAB + g * GROUP + i) as u32;
                strays.extend(found.map(|(i, &word)| Stray { at: at(i), word }));
            }
        }
        strays
    }

    /// Squeezes a group, and returns whether all of its weights have codes.
    fn squeeze_group(&self, words: &[u16; GROUP], to: &mut [u8; GROUP_BYTES]) -> bool {
        let (mut low, mut high, mut codes, mut coded) =
            ([0; GROUP], [0; GROUP], [0; GROUP], [0; GROUP]);
        for (word, (low, high)) in words.iter().zip(low.iter_mut().zip(&mut high)) {
            [*low, *high] = word.to_le_bytes();
        }
        for (code, &of) in self.0.iter().enumerate() {
            for (high, (codes, coded)) in high.iter().zip(codes.iter_mut().zip(&mut coded)) {
                let same = if *high == of { 0xff } else { 0 };
                *codes |= same & code as u8;
                *coded |= same;
            }
        }
        let (bytes, pairs) = to.split_at_mut(GROUP);
        for (i, (low, codes)) in low.chunks_exact(8).zip(codes.chunks_exact(8)).enumerate() {
            let (at, shift) = place(8 * i);
            bytes[GROUP / 2 * (shift / 4) + at..][..8].copy_from_slice(low);
            for (pair, code) in pairs[at..].iter_mut().zip(codes) {
                *pair = if shift == 0 { *code } else { *pair | code << 4 };
            }
        }
        coded.iter().fold(0xff, |all, coded| all & coded) == 0xff
    }
}

/// Where weight `i` of a group lies: the byte of its half, and by how much its code is shifted.
///
/// Interleaving the low and the high halves of 16 bytes with what their codes stand for, as every vector unit
/// does it, gives the weights in order: so each 16 bytes hold 8 weights of one vector and 8 of the next.
fn place(i: usize) -> (usize, usize) {
    let (half, i) = (i / 64, i % 64);
    let (vector, lane, word) = (i / 32, i % 32 / 8, i % 8);
    (16 * lane + 8 * vector + word, 4 * half)
}

/// A weight whose high byte has no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stray {
    /// Its place within the panel, in the order of plain panels.
    at: u32,
    word: u16,
}

/// bf16 panels, squeezed.
#[derive(Clone, Debug)]
pub(super) struct Squeezed {
    high: [u8; 16],
    places: Places,
    slabs: AlignedBuf,
    strays: Vec<Stray>,
    /// Where the strays of every panel begin, and where the last panel's end.
    starts: Vec<usize>,
}

impl Squeezed {
    /// From slabs and the strays of every panel.
    pub(super) fn new(
        codes: &Codes,
        places: Places,
        slabs: AlignedBuf,
        panels: impl IntoIterator<Item = Vec<Stray>>,
    ) -> Self {
        let (strays, starts) = (Vec::new(), vec![0]);
        let mut squeezed = Self { high: codes.0, places, slabs, strays, starts };
        for strays in panels {
            squeezed.strays.extend(strays);
            squeezed.starts.push(squeezed.strays.len());
        }
        squeezed
    }

    pub(super) fn bytes(&self) -> usize {
        self.slabs.len() + size_of_val(&*self.strays) + size_of_val(&*self.starts)
    }

    /// The weight at `at` of `panel`, in the order of plain panels.
    pub(super) fn word(&self, panel: usize, at: usize) -> u16 {
        if let [stray] = self.strays_in(panel, at, at + 1) {
            return stray.word;
        }
        let slab = &self.slabs.bytes()[self.places.slab(panel, at / SLAB)];
        let group = &slab[at % SLAB / GROUP * GROUP_BYTES..][..GROUP_BYTES];
        let (byte, shift) = place(at % GROUP);
        let code = group[GROUP + byte] >> shift & 15;
        u16::from_le_bytes([group[GROUP / 2 * (shift / 4) + byte], self.high[usize::from(code)]])
    }

    fn strays_in(&self, panel: usize, from: usize, to: usize) -> &[Stray] {
        let strays = &self.strays[self.starts[panel]..self.starts[panel + 1]];
        let at = |place: usize| strays.partition_point(|s| (s.at as usize) < place);
        if strays.is_empty() { strays } else { &strays[at(from)..at(to)] }
    }

    /// Unpacks `k` steps from `k0` on of `panels` panels from `p` on, and fetches the slabs after these meanwhile.
    pub(super) fn unpack(
        &self,
        isa: Isa,
        (p, panels): (usize, usize),
        (k0, k): (usize, usize),
        to: &mut [u16],
    ) {
        let (p, slabs) = (p..p + panels, k0 * NR / SLAB..(k0 + k) * NR / SLAB);
        match isa.tier() {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: an `Isa` of these tiers proves that the CPU has the features.
            tier if tier >= Tier::Avx2 => unsafe {
                if tier == Tier::Avx2 {
                    x86::unpack_256(self, p.clone(), slabs, to);
                } else {
                    x86::unpack_512(self, p.clone(), slabs, to);
                }
            },
            _ => self.unpack_slabs(p.clone(), slabs, to, |group, out, _| {
                unpack_plain(&self.high, group, out);
            }),
        }
        for (p, to) in p.zip(to.chunks_exact_mut(k * NR)) {
            for stray in self.strays_in(p, k0 * NR, (k0 + k) * NR) {
                to[stray.at as usize - k0 * NR] = stray.word;
            }
        }
    }

    /// What [`Squeezed::unpack`] will read next, to be fetched by kernels of more than a few rows: they run so long
    /// that memory would stand still meanwhile.
    pub(super) fn soon(
        &self,
        rows: usize,
        (p, panels): (usize, usize),
        (k0, k): (usize, usize),
    ) -> Option<Soon<'_>> {
        let panels = panels.min(self.places.panels.saturating_sub(p));
        let slab0 = k0 * NR / SLAB;
        let slabs = (k * NR / SLAB).min(self.places.slabs - slab0);
        (rows > STREAMED && panels > 0).then_some(Soon { of: self, p, panels, slab0, slabs })
    }

    /// Calls `unpack` for all groups of `slabs` of `panels`, with the address of the group that follows some time later.
    #[inline(always)]
    fn unpack_slabs(
        &self,
        panels: Range<usize>,
        slabs: Range<usize>,
        to: &mut [u16],
        unpack: impl Fn(&[u8; GROUP_BYTES], &mut [u16; GROUP], *const u8),
    ) {
        let panel = slabs.len() * SLAB;
        for (s, slab) in slabs.enumerate() {
            for (p, to) in panels.clone().zip(to.chunks_exact_mut(panel)) {
                let groups = self.slabs.bytes()[self.places.slab(p, slab)].as_chunks().0;
                let ahead = self.places.abreast(p) * SLAB_BYTES;
                for (group, to) in groups.iter().zip(to[s * SLAB..].as_chunks_mut().0) {
                    unpack(group, to, group.as_ptr().wrapping_add(ahead));
                }
            }
        }
    }
}

/// Slabs that are needed soon.
pub(super) struct Soon<'a> {
    of: &'a Squeezed,
    p: usize,
    panels: usize,
    slab0: usize,
    slabs: usize,
}

impl Soon<'_> {
    /// Fetches part `part` of `parts` into the second-level cache.
    pub(super) fn fetch(&self, part: usize, parts: usize) {
        let all = self.panels * self.slabs;
        for i in all * part / parts..all * (part + 1) / parts {
            let (panel, slab) = (self.p + i % self.panels, self.slab0 + i / self.panels);
            let bytes = &self.of.slabs.bytes()[self.of.places.slab(panel, slab)];
            #[cfg(target_arch = "x86_64")]
            x86::fetch(bytes);
            #[cfg(not(target_arch = "x86_64"))]
            let _ = bytes;
        }
    }
}

/// Unpacking in plain Rust.
fn unpack_plain(high: &[u8; 16], group: &[u8; GROUP_BYTES], out: &mut [u16; GROUP]) {
    for (i, out) in out.iter_mut().enumerate() {
        let (at, shift) = place(i);
        let code = group[GROUP + at] >> shift & 15;
        *out = u16::from_le_bytes([group[GROUP / 2 * (shift / 4) + at], high[usize::from(code)]]);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::{arch::x86_64::*, ops::Range};

    use super::{GROUP, Squeezed};

    pub(super) fn fetch(bytes: &[u8]) {
        for line in bytes.chunks(64) {
            // SAFETY: a prefetch changes nothing.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) }
        }
    }

    /// Defines [`Squeezed::unpack_slabs`] with vectors of `$bytes` bytes.
    macro_rules! unpack {
        ($name:ident, $feature:literal, $bytes:literal, $load:ident, $store:ident, $table:expr, $low:expr,
         $and:ident, $shift:ident, $shuffle:ident, $unpack_low:ident, $unpack_high:ident) => {
            #[target_feature(enable = $feature)]
            pub(super) fn $name(
                squeezed: &Squeezed,
                panels: Range<usize>,
                slabs: Range<usize>,
                to: &mut [u16],
            ) {
                // SAFETY: loads and stores stay inside a group: a vector has `$bytes` bytes, and 64 bytes stand for
                // 64 weights; prefetches may touch any address.
                squeezed.unpack_slabs(panels, slabs, to, |group, out, ahead| unsafe {
                    let table = $table(_mm_loadu_si128(squeezed.high.as_ptr().cast()));
                    let low = $low(15);
                    let (from, to) = (group.as_ptr(), out.as_mut_ptr());
                    for line in 0..3 {
                        _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(64 * line).cast());
                    }
                    for i in (0..64).step_by($bytes) {
                        let codes = $load(from.add(GROUP + i).cast());
                        let halves = [$and(codes, low), $and($shift::<4>(codes), low)];
                        for (half, codes) in halves.into_iter().enumerate() {
                            let words = $load(from.add(64 * half + i).cast());
                            let high = $shuffle(table, codes);
                            let to = to.add(64 * half + i / 2);
                            $store(to.cast(), $unpack_low(words, high));
                            $store(to.add(32).cast(), $unpack_high(words, high));
                        }
                    }
                });
            }
        };
    }

    unpack!(
        unpack_512,
        "avx512f,avx512bw",
        64,
        _mm512_loadu_si512,
        _mm512_storeu_si512,
        _mm512_broadcast_i32x4,
        _mm512_set1_epi8,
        _mm512_and_si512,
        _mm512_srli_epi16,
        _mm512_shuffle_epi8,
        _mm512_unpacklo_epi8,
        _mm512_unpackhi_epi8
    );
    unpack!(
        unpack_256,
        "avx2",
        32,
        _mm256_loadu_si256,
        _mm256_storeu_si256,
        _mm256_broadcastsi128_si256,
        _mm256_set1_epi8,
        _mm256_and_si256,
        _mm256_srli_epi16,
        _mm256_shuffle_epi8,
        _mm256_unpacklo_epi8,
        _mm256_unpackhi_epi8
    );
}

thread_local! {
    static KEPT: Cell<Option<AlignedBuf>> = const { Cell::new(None) };
}

/// Room for unpacked panels, kept by the thread between tasks.
pub(super) struct Unpacked(AlignedBuf);

impl Unpacked {
    /// Room for `len` bytes.
    pub(super) fn new(len: usize) -> Self {
        let kept = KEPT.take().filter(|buf| buf.len() >= len);
        Self(kept.unwrap_or_else(|| AlignedBuf::zeroed(len.next_power_of_two())))
    }

    pub(super) fn words(&mut self) -> &mut [u16] {
        self.0.u16s_mut()
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        KEPT.set(Some(std::mem::replace(&mut self.0, AlignedBuf::zeroed(0))));
    }
}

/// Rows up to which kernels are so short that unpacking alone keeps memory busy.
pub(super) const STREAMED: usize = 4;
/// Rows up to which a product mostly waits for memory.
pub(super) const FEW_ROWS: usize = 32;

/// k to unpack at a time for `rows` rows: for few of them it stays in the first-level cache beside what is read, for
/// many the sums that are stored and loaded again weigh more.
pub(super) fn k_step(rows: usize) -> usize {
    if rows <= STREAMED {
        32
    } else if rows <= FEW_ROWS {
        64
    } else {
        1024
    }
}
