//! y = x Wᵀ with quantised panels: x is quantised once, panels are divided among threads.
//!
//! An output element is the same integers and the same f32 operations in the same order whichever
//! kernel of a tier computes it: alone, among eight columns, or in a tile of a large product.
#![expect(unsafe_code, reason = "threads write disjoint columns of y; kernels need their tier")]

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod columns;
mod formats;
#[cfg(target_arch = "x86_64")]
mod groups;
mod lanes;
mod plain;
mod tiers;
#[cfg(target_arch = "x86_64")]
mod vnni;

use std::ops::Range;

use super::{
    activations::{Activations, Scheme},
    panels::{QuantPanels, ROWS, share},
};
use crate::{Cpu, simd::Parts};

/// y = x Wᵀ for each output (x is (m, k), quantised once per scheme).
pub(crate) fn multiply(cpu: &Cpu, x: &[f32], m: usize, outputs: &mut [(&QuantPanels, &mut [f32])]) {
    let mut todo: Vec<Output<'_>> = outputs
        .iter_mut()
        .map(|(w, y)| Output { w, y: Parts::new(y), scheme: Scheme::of(w.block_type()) })
        .collect();
    while let Some(first) = todo.first() {
        let (scheme, k) = (first.scheme, first.w.k());
        let (now, later): (Vec<_>, Vec<_>) =
            todo.into_iter().partition(|o| (o.scheme, o.w.k()) == (scheme, k));
        let x = Activations::quantize(cpu, scheme, x, m, k);
        region(cpu, &x, &now);
        todo = later;
    }
}

/// One matrix and its place in memory.
struct Output<'a> {
    w: &'a QuantPanels,
    y: Parts<'a, f32>,
    scheme: Scheme,
}

/// A range of panels of one matrix, computed by one thread for all rows of x.
struct Task<'a> {
    x: &'a Activations,
    out: &'a Output<'a>,
    panels: Range<usize>,
}

/// Multiplies all outputs in one parallel region: the panels of all matrices in one row, cut into
/// contiguous shares (each a stream through memory).
fn region(cpu: &Cpu, x: &Activations, outputs: &[Output<'_>]) {
    /// Enough that a thread which lost its core for a while is not waited for long.
    const TASKS_PER_THREAD: usize = 4;
    let n_panels: usize = outputs.iter().map(|o| o.w.n_panels()).sum();
    let n_tasks = n_panels.min(n_panels.div_ceil(8).max(cpu.n_threads() * TASKS_PER_THREAD));
    let kernel = tiers::kernel(cpu.isa(), x.m);
    cpu.pool().run(n_tasks, &|task| {
        let mut share = share(n_panels, n_tasks, task);
        for out in outputs {
            let n = out.w.n_panels();
            let panels = share.start.min(n)..share.end.min(n);
            if !panels.is_empty() {
                // SAFETY: the kernel was chosen by an Isa that proves its tier.
                unsafe { kernel(&Task { x, out, panels }) };
            }
            share = share.start.saturating_sub(n)..share.end.saturating_sub(n);
        }
    });
}

impl Task<'_> {
    /// Writes the 16 outputs of `panel` for row `i` of x.
    #[inline(always)]
    fn put(&self, i: usize, panel: usize, values: &[f32; ROWS]) {
        let n = self.out.w.n();
        let (start, end) = (panel * ROWS, n.min((panel + 1) * ROWS));
        // SAFETY: a panel belongs to one task, so its columns of y do too.
        let y = unsafe { self.out.y.take(i * n + start..i * n + end) };
        match <&mut [f32; ROWS]>::try_from(&mut *y) {
            Ok(y) => *y = *values,
            // Value by value: with a copy of a slice both arms would become one call of memmove.
            Err(_) => y.iter_mut().zip(values).for_each(|(y, value)| *y = *value),
        }
    }
}
