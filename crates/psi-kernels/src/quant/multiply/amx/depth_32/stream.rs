//! Records of 64 k values through the tile unit, in three stages that overlap: while the tiles of one record are
//! multiplied, those of the record before are stored, and the vector units add those of the one before that
//! to the sums.
//!
//! A tile product takes 16 cycles and 28 loads; adding its 256 integers to f32 sums takes 48 vector instructions,
//! 24 cycles on two ports. One after the other they took 82 cycles (the reorder buffer holds neither whole),
//! so the instructions of the three stages alternate.
#![expect(unsafe_code, reason = "AMX and AVX-512 through asm!")]

use std::arch::{asm, x86_64::*};

use super::Record;
use crate::quant::{
    multiply::{
        amx::{TILE, TILE_ROWS},
        avx512::Avx512,
        lanes::Lanes,
    },
    panels::{B32_SCALES, ROWS},
};

type Lane = Avx512<true>;

/// Records of x that follow one another, before the next part of 256 values.
pub(super) const RECORDS_PER_PART: usize = 4;

/// Stored tiles: of two records, of the two blocks of each. Aligned so that one bit of an address tells which
/// record's they are.
#[repr(C, align(4096))]
pub(super) struct Products([[[[i32; ROWS]; TILE_ROWS]; 2]; 2]);

impl Default for Products {
    fn default() -> Self {
        Self([[[[0; _]; _]; _]; _])
    }
}

/// Some records of a panel and of 16 rows of x.
pub(super) struct Stream {
    /// At least 1.
    pub(super) n_records: usize,
    /// Records of Q8_0.
    pub(super) weights: *const u8,
    /// Values of the first row and record; the record begins a part.
    pub(super) x: *const u8,
    /// Bytes from a part of x to the next.
    pub(super) part_bytes: usize,
    /// 16 scales d_a of the first block of x.
    pub(super) x_scales: *const f32,
    /// Scales from a block to the next.
    pub(super) rows: usize,
}

/// Stores the last products of block `$b`.
macro_rules! store {
    ($b:literal) => {
        concat!("tilestored [{p} + {s}*1 + 1024*", $b, "], tmm", $b, "\n")
    };
}

/// Loads the weights of block `$b`.
macro_rules! weights {
    ($b:literal, $tile:literal) => {
        concat!(
            concat!("tilezero tmm", $b, "\n"),
            concat!("tileloadd tmm", $tile, ", [{w} + {s}*1 + 64 + 512*", $b, "]\n"),
        )
    };
}

/// Loads the activations of block `$b`.
macro_rules! activations {
    ($b:literal, $tile:literal) => {
        concat!("tileloadd tmm", $tile, ", [{x} + {s}*1 + 32*", $b, "]\n")
    };
}

/// Block `$b` in one go.
macro_rules! multiply {
    ($b:literal, $a:literal, $w:literal) => {
        concat!(
            weights!($b, $w),
            activations!($b, $a),
            concat!("tdpbssd tmm", $b, ", tmm", $a, ", tmm", $w, "\n"),
        )
    };
}

/// A record of both.
macro_rules! multiply_record {
    () => {
        concat!(multiply!(0, 4, 6), multiply!(1, 5, 7), "add {x}, 1024\n", "add {w}, 1088\n",)
    };
}

/// sums\[r\] += (d d_a\[r\]) products\[r\], zmm16 on holding the sums and zmm`$b` the weights' scales d.
macro_rules! add_rows {
    ($b:literal, $d_a:literal: $($r:literal $sum:literal),*) => {
        concat!($(
            concat!("vmulps zmm2, zmm", $b, ", dword ptr [{d_a} ", $d_a, " + 4*", $r, "]{{1to16}}\n"),
            concat!("vcvtdq2ps zmm3, zmmword ptr [{q} + 1024*", $b, " + 64*", $r, "]\n"),
            concat!("vfmadd231ps zmm", $sum, ", zmm3, zmm2\n"),
        )*)
    };
}

/// Loads the scales of a record's weights.
macro_rules! scales {
    () => {
        "vcvtph2ps zmm0, [{d}]\nvcvtph2ps zmm1, [{d} + 32]\nadd {d}, 1088\n"
    };
}

/// The stages of one block; [`add_rows`] between the tile instructions.
macro_rules! stages {
    ($b:literal, $a:literal, $w:literal, $d_a:literal) => {
        concat!(
            store!($b),
            add_rows!($b, $d_a: 0 16, 1 17, 2 18, 3 19),
            weights!($b, $w),
            add_rows!($b, $d_a: 4 20, 5 21, 6 22, 7 23),
            activations!($b, $a),
            add_rows!($b, $d_a: 8 24, 9 25, 10 26, 11 27),
            concat!("tdpbssd tmm", $b, ", tmm", $a, ", tmm", $w, "\n"),
            add_rows!($b, $d_a: 12 28, 13 29, 14 30, 15 31),
        )
    };
}

/// Adds what is stored at `q` to the sums.
macro_rules! add_record {
    () => {
        concat!(
            scales!(),
            add_rows!(0, "": 0 16, 1 17, 2 18, 3 19, 4 20, 5 21, 6 22, 7 23),
            add_rows!(0, "": 8 24, 9 25, 10 26, 11 27, 12 28, 13 29, 14 30, 15 31),
            add_rows!(1, "+ {rows}*4": 0 16, 1 17, 2 18, 3 19, 4 20, 5 21, 6 22, 7 23),
            add_rows!(1, "+ {rows}*4": 8 24, 9 25, 10 26, 11 27, 12 28, 13 29, 14 30, 15 31),
            "lea {d_a}, [{d_a} + {rows}*8]\n",
        )
    };
}

/// Exchanges the two records' places.
macro_rules! swap {
    () => {
        "xor {p}, 2048\nxor {q}, 2048\n"
    };
}

impl Stream {
    /// sums += d d_a (a w) for every block, in order of k.
    ///
    /// # Safety
    /// The CPU has the AMX tier; tiles are configured 32 deep; the stream is as long as it says.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    pub(super) unsafe fn add(
        &self,
        Products(records): &mut Products,
        sums: &mut [__m512; TILE_ROWS],
    ) {
        const { assert!(size_of::<Record>() == 1088 && TILE == 1024 && B32_SCALES == 64) };
        let p = records.as_mut_ptr().cast::<u8>();
        // SAFETY: reads `n_records` records of the weights and of x (parts of four, `part_bytes` apart) with the scales
        // of both; writes the products. Everything it changes is named. `p` is a multiple of 4096, so bit 11
        // tells the two records' places apart.
        unsafe {
            asm!(
                multiply_record!(),
                "cmp {n}, 1",
                "je 4f",
                store!(0), store!(1),
                multiply_record!(),
                swap!(),
                "mov {i}, 2",
                "jmp 3f",
                "2:",
                scales!(),
                stages!(0, 4, 6, ""),
                stages!(1, 5, 7, "+ {rows}*4"),
                "lea {d_a}, [{d_a} + {rows}*8]",
                "add {x}, 1024",
                "add {w}, 1088",
                swap!(),
                "add {i}, 1",
                "test {i}, 3",
                "jnz 3f",
                "add {x}, {jump}",
                "3:",
                "cmp {i}, {n}",
                "jb 2b",
                store!(0), store!(1),
                add_record!(),
                swap!(),
                add_record!(),
                "jmp 5f",
                "4:",
                store!(0), store!(1),
                swap!(),
                add_record!(),
                "5:",
                x = inout(reg) self.x => _,
                w = inout(reg) self.weights => _,
                d = inout(reg) self.weights => _,
                d_a = inout(reg) self.x_scales => _,
                p = inout(reg) p => _,
                q = inout(reg) p.add(2048) => _,
                i = out(reg) _,
                n = in(reg) self.n_records,
                rows = in(reg) self.rows,
                jump = in(reg) self.part_bytes - RECORDS_PER_PART * TILE,
                s = in(reg) 64_usize,
                out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _,
                out("tmm0") _, out("tmm1") _, out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                inout("zmm16") sums[0],
                inout("zmm17") sums[1],
                inout("zmm18") sums[2],
                inout("zmm19") sums[3],
                inout("zmm20") sums[4],
                inout("zmm21") sums[5],
                inout("zmm22") sums[6],
                inout("zmm23") sums[7],
                inout("zmm24") sums[8],
                inout("zmm25") sums[9],
                inout("zmm26") sums[10],
                inout("zmm27") sums[11],
                inout("zmm28") sums[12],
                inout("zmm29") sums[13],
                inout("zmm30") sums[14],
                inout("zmm31") sums[15],
                options(nostack),
            );
        }
    }

    /// [`Stream::add`] for formats whose blocks have a minimum m too: sums += d d_a (a w) + m d_a sum(a).
    ///
    /// # Safety
    /// As [`Stream::add`]; `minima` has 32 f16 m for each record, and `bias` the sums of a as the stream the scales.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    pub(super) unsafe fn add_with_minima<'a>(
        &self,
        minima: impl Iterator<Item = &'a [u8]>,
        bias: *const i32,
        Products([products, _]): &mut Products,
        sums: &mut [__m512; TILE_ROWS],
    ) {
        for (record, minima) in minima.enumerate() {
            let (part, chunk) = (record / RECORDS_PER_PART, record % RECORDS_PER_PART);
            // SAFETY: the caller's contract; reads a record of each, writes 2 KiB of products; all used tiles are named.
            unsafe {
                let weights = self.weights.add(record * size_of::<Record>());
                asm!(
                    multiply!(0, 4, 6),
                    multiply!(1, 5, 7),
                    store!(0), store!(1),
                    x = in(reg) self.x.add(part * self.part_bytes + chunk * TILE),
                    w = in(reg) weights,
                    p = in(reg) products.as_mut_ptr(),
                    s = in(reg) 64_usize,
                    out("tmm0") _, out("tmm1") _, out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
                for (b, tile) in products.iter().enumerate() {
                    let at = (2 * record + b) * self.rows;
                    let (d_a, bias) = (self.x_scales.add(at), bias.add(at));
                    let d = Lane::f16s(weights.add(b * 32));
                    let m = Lane::f16s(minima[b * 32..][..32].as_ptr());
                    for r in 0..TILE_ROWS {
                        let dots = _mm512_load_si512(tile[r].as_ptr().cast());
                        sums[r] = Lane::add_scaled(dots, Lane::scale(d, *d_a.add(r)), sums[r]);
                    }
                    for r in 0..TILE_ROWS {
                        let sum = _mm512_set1_epi32(*bias.add(r));
                        sums[r] = Lane::add_scaled(sum, Lane::scale(m, *d_a.add(r)), sums[r]);
                    }
                }
            }
        }
    }
}
