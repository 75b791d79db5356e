//! The kernel of each instruction-set tier: one generic body, compiled once per tier.
#![expect(unsafe_code, reason = "functions that may run only on their tier")]

use std::ops::Range;

use super::{
    Task,
    columns::{Columns, panel_256, panels_32},
    formats::{Format32, Format256, Nibbles, Q4K, Q5K, Q6K, Q8_0},
    plain,
};
use crate::{Isa, Tier, quant::BlockType};

/// Computes a task; may be called where the tier it was chosen for exists.
pub(super) type Kernel = unsafe fn(&Task<'_>);

/// From this many rows on, tiles beat columns (though part of a tile stays empty).
#[cfg(target_arch = "x86_64")]
const AMX_ROWS: usize = 9;

/// From this many rows on, tiles of several panels beat columns.
#[cfg(target_arch = "x86_64")]
const VNNI_ROWS: usize = 9;

/// The kernel for products of `m` rows on the tier of `isa`.
pub(super) fn kernel(isa: Isa, m: usize) -> Kernel {
    match isa.tier() {
        #[cfg(target_arch = "x86_64")]
        Tier::Amx if m >= AMX_ROWS => super::amx::task,
        Tier::Portable => plain::task::<false>,
        Tier::Neon => plain::task::<true>,
        #[cfg(target_arch = "x86_64")]
        Tier::Avx2 => avx2::task,
        #[cfg(target_arch = "x86_64")]
        Tier::Avx512 => avx512::task,
        #[cfg(target_arch = "x86_64")]
        Tier::Avx512Vnni if m >= VNNI_ROWS => super::vnni::task,
        #[cfg(target_arch = "x86_64")]
        Tier::Avx512Vnni | Tier::Amx => vnni::task,
        #[cfg(not(target_arch = "x86_64"))]
        _ => plain::task::<false>,
    }
}

/// A module with `task`, which runs [`panels_32`] and [`panel_256`] on `$lanes`, up to the largest
/// of `$c` columns at a time, compiled with `$features`.
macro_rules! tier {
    ($(#[$cfg:meta])? $name:ident, $lanes:ty, [$($feature:literal)?], $($c:literal)*) => {
        $(#[$cfg])?
        mod $name {
            use super::*;

            /// # Safety
            /// The CPU has this tier.
            pub(super) unsafe fn task(task: &Task<'_>) {
                // SAFETY: the caller's contract.
                unsafe {
                    match task.out.w.block_type() {
                        BlockType::Q8_0 => run_32::<Q8_0>(task),
                        BlockType::Q4_0 => run_32::<Nibbles<false, false>>(task),
                        BlockType::Q5_0 => run_32::<Nibbles<true, false>>(task),
                        BlockType::Q4_1 => run_32::<Nibbles<false, true>>(task),
                        BlockType::Q5_1 => run_32::<Nibbles<true, true>>(task),
                        BlockType::Q4_K => run_256::<Q4K>(task),
                        BlockType::Q5_K => run_256::<Q5K>(task),
                        BlockType::Q6_K => run_256::<Q6K>(task),
                        other => unreachable!("{other:?} has no panels"),
                    }
                }
            }

            /// A single row of x takes `STREAMS` panels at once: that reads memory faster. (The K types are
            /// bound by their arithmetic and lose by it.)
            unsafe fn run_32<F: Format32>(task: &Task<'_>) {
                let mut panels = task.panels.clone();
                let mut out = [[[0.0; 16]; 1]; STREAMS];
                while task.x.m == 1 && panels.len() >= STREAMS {
                    let weights = task.out.w.panel(panels.start);
                    let weights = (weights.as_ptr(), weights.len());
                    // SAFETY: the caller's contract; so many panels follow one another.
                    unsafe {
                        kernel_32::<F, STREAMS, 1>(weights, Columns::new(task.x, 0, 1), &mut out);
                    }
                    for (i, out) in out.as_flattened().iter().enumerate() {
                        task.put(0, panels.start + i, out);
                    }
                    panels.start += STREAMS;
                }
                // SAFETY: the caller's contract.
                unsafe { run(task, panels, |w, x, c, out| columns_32::<F>(w, x, c, out)) }
            }

            unsafe fn run_256<F: Format256>(task: &Task<'_>) {
                let panels = task.panels.clone();
                // SAFETY: the caller's contract.
                unsafe { run(task, panels, |w, x, c, out| columns_256::<F>(w, x, c, out)) }
            }

            /// Panels of the task, each times all rows of x in groups of up to `MAX`.
            ///
            /// # Safety
            /// The CPU has this tier and `panel` the format.
            unsafe fn run(
                task: &Task<'_>,
                panels: Range<usize>,
                panel: impl Fn(&[u8], Columns, usize, &mut [[f32; 16]; MAX]),
            ) {
                let mut out = [[0.0; 16]; MAX];
                for p in panels {
                    let weights = task.out.w.panel(p);
                    for first in (0..task.x.m).step_by(MAX) {
                        let c = MAX.min(task.x.m - first);
                        panel(weights, Columns::new(task.x, first, c), c, &mut out);
                        for (i, out) in out[..c].iter().enumerate() {
                            task.put(first + i, p, out);
                        }
                    }
                }
            }

            /// # Safety
            /// That of [`panels_32`].
            $(#[target_feature(enable = $feature)])?
            unsafe fn kernel_32<F: Format32, const P: usize, const C: usize>(
                panels: (*const u8, usize),
                x: Columns,
                out: &mut [[[f32; 16]; C]; P],
            ) {
                // SAFETY: the caller's contract.
                unsafe { panels_32::<$lanes, F, P, C>(panels, x, out) }
            }

            /// # Safety
            /// That of [`panel_256`].
            $(#[target_feature(enable = $feature)])?
            unsafe fn kernel_256<F: Format256, const C: usize>(
                panel: *const u8,
                x: Columns,
                out: &mut [[f32; 16]; C],
            ) {
                // SAFETY: the caller's contract.
                unsafe { panel_256::<$lanes, F, C>(panel, x, out) }
            }

            /// `c` columns, by the kernel of the next size up (rows of x are padded).
            ///
            /// # Safety
            /// That of the panel's kernel.
            unsafe fn columns_32<F: Format32>(
                panel: &[u8],
                x: Columns,
                c: usize,
                out: &mut [[f32; 16]; MAX],
            ) {
                let at = (panel.as_ptr(), panel.len());
                match c {
                    $(..=$c => if let Some(out) = out.first_chunk_mut::<$c>() {
                        // SAFETY: the caller's contract.
                        unsafe { kernel_32::<F, 1, $c>(at, x, std::array::from_mut(out)) }
                    },)*
                    _ => unreachable!("{c} columns at once"),
                }
            }

            /// [`columns_32`] for the K types.
            ///
            /// # Safety
            /// That of the panel's kernel.
            unsafe fn columns_256<F: Format256>(
                panel: &[u8],
                x: Columns,
                c: usize,
                out: &mut [[f32; 16]; MAX],
            ) {
                match c {
                    $(..=$c => if let Some(out) = out.first_chunk_mut::<$c>() {
                        // SAFETY: the caller's contract.
                        unsafe { kernel_256::<F, $c>(panel.as_ptr(), x, out) }
                    },)*
                    _ => unreachable!("{c} columns at once"),
                }
            }

            const MAX: usize = { let all = [$($c),*]; all[all.len() - 1] };
        }
    };
}

/// Panels read at once for a single row of x.
#[cfg(target_arch = "x86_64")]
const STREAMS: usize = 4;

tier!(
    #[cfg(target_arch = "x86_64")]
    avx2, super::super::avx2::Avx2, ["avx2,fma,f16c"], 1 2 4
);
tier!(
    #[cfg(target_arch = "x86_64")]
    avx512, super::super::avx512::Avx512<false>,
    ["avx512f,avx512bw,avx512vl,avx512dq"], 1 2 4
);
tier!(
    #[cfg(target_arch = "x86_64")]
    vnni, super::super::avx512::Avx512<true>,
    ["avx512f,avx512bw,avx512vl,avx512dq,avx512vnni"], 1 2 4 6 8
);
