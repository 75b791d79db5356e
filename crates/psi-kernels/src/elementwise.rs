//! Sums and products element by element, and how such work is shared between threads.
#![expect(unsafe_code, reason = "every task writes its own range")]

use std::ops::Range;

use crate::{
    Cpu,
    simd::{LANES, Lanes, Parts, tiers},
};

/// Elements below which a second thread does not pay for a region (about a microsecond).
const MIN_TASK: usize = 16 << 10;

/// Runs `task` over consecutive ranges that cover `0..n`, in parallel where `n * cost` elements are
/// worth it; ranges start at multiples of `unit`.
pub(crate) fn split(
    cpu: &Cpu,
    n: usize,
    unit: usize,
    cost: usize,
    task: &(dyn Fn(Range<usize>) + Sync),
) {
    let most = if cpu.n_threads() > 1 { 4 * cpu.n_threads() } else { 1 };
    let n_tasks = (n * cost / MIN_TASK).clamp(1, most);
    if n_tasks == 1 {
        return task(0..n);
    }
    let step = n.div_ceil(n_tasks).next_multiple_of(unit);
    cpu.pool().run(n.div_ceil(step), &|i| task(i * step..n.min((i + 1) * step)));
}

/// [`split`] over `n` items of which each has an equal share of every slice in `outs`: a task also
/// gets its range's part of each.
pub(crate) fn split_mut<const N: usize>(
    cpu: &Cpu,
    n: usize,
    unit: usize,
    cost: usize,
    outs: [&mut [f32]; N],
    task: impl Fn(Range<usize>, [&mut [f32]; N]) + Sync,
) {
    if n == 0 {
        return;
    }
    let parts = outs.map(|out| (out.len() / n, Parts::new(out)));
    split(cpu, n, unit, cost, &|range| {
        let of_range = parts.each_ref().map(|(width, out)| {
            // SAFETY: the ranges of one split are disjoint.
            unsafe { out.take(range.start * width..range.end * width) }
        });
        task(range, of_range);
    });
}

/// x += y.
///
/// # Panics
/// When the lengths differ.
pub fn add_assign(cpu: &Cpu, x: &mut [f32], y: &[f32]) {
    add_scaled(cpu, x, 1.0, y);
}

/// x += a y.
///
/// # Panics
/// When the lengths differ.
pub fn add_scaled(cpu: &Cpu, x: &mut [f32], a: f32, y: &[f32]) {
    assert_eq!(x.len(), y.len(), "lengths of x and y");
    let n = x.len();
    split_mut(cpu, n, LANES, 1, [x], |range, [x]| {
        add_scaled_tier(cpu.isa(), x, a, &y[range]);
    });
}

tiers! { pub(crate) fn add_scaled_tier(x: &mut [f32], a: f32, y: &[f32]) = add_scaled_body; }

#[inline(always)]
fn add_scaled_body<L: Lanes>(x: &mut [f32], a: f32, y: &[f32]) {
    let a = L::splat(a);
    for (x, y) in x.chunks_mut(LANES).zip(y.chunks(LANES)) {
        a.madd(L::load_part(y, 0.0), L::load_part(x, 0.0)).store_part(x);
    }
}

/// x *= a.
pub fn scale(cpu: &Cpu, x: &mut [f32], a: f32) {
    let n = x.len();
    split_mut(cpu, n, LANES, 1, [x], |_, [x]| scale_tier(cpu.isa(), x, a));
}

tiers! { fn scale_tier(x: &mut [f32], a: f32) = scale_body; }

#[inline(always)]
fn scale_body<L: Lanes>(x: &mut [f32], a: f32) {
    let a = L::splat(a);
    for x in x.chunks_mut(LANES) {
        a.mul(L::load_part(x, 0.0)).store_part(x);
    }
}

/// Rounds to bf16 and back, to nearest even: what storing and reading a bf16 buffer does.
pub fn round_to_bf16(x: &mut [f32]) {
    for x in x {
        *x = crate::simd::f32_from_bf16(crate::simd::bf16_from_f32(*x));
    }
}

/// x <- c tanh(x / c): the soft cap of final logits. Gemma 2 report, section 2.
pub fn soft_cap(cpu: &Cpu, x: &mut [f32], c: f32) {
    let n = x.len();
    split_mut(cpu, n, LANES, 4, [x], |_, [x]| soft_cap_tier(cpu.isa(), x, c));
}

tiers! { fn soft_cap_tier(x: &mut [f32], c: f32) = soft_cap_body; }

#[inline(always)]
fn soft_cap_body<L: Lanes>(x: &mut [f32], c: f32) {
    let (c, inverse) = (L::splat(c), L::splat(1.0 / c));
    for x in x.chunks_mut(LANES) {
        c.mul(crate::simd::tanh(L::load_part(x, 0.0).mul(inverse))).store_part(x);
    }
}

/// Gradient of [`soft_cap`] from its output y = c tanh(x / c): d_x = d_y (1 - (y / c)²), in place of `d`.
///
/// # Panics
/// When the lengths differ.
pub fn soft_cap_backward(cpu: &Cpu, y: &[f32], c: f32, d: &mut [f32]) {
    assert_eq!(y.len(), d.len(), "lengths of y and its gradient");
    let n = d.len();
    split_mut(cpu, n, LANES, 1, [d], |range, [d]| {
        soft_cap_backward_tier(cpu.isa(), &y[range], c, d);
    });
}

tiers! { fn soft_cap_backward_tier(y: &[f32], c: f32, d: &mut [f32]) = soft_cap_backward_body; }

#[inline(always)]
fn soft_cap_backward_body<L: Lanes>(y: &[f32], c: f32, d: &mut [f32]) {
    let inverse = L::splat(1.0 / c);
    for (y, d) in y.chunks(LANES).zip(d.chunks_mut(LANES)) {
        let t = L::load_part(y, 0.0).mul(inverse);
        let slope = L::splat(1.0).sub(t.mul(t));
        L::load_part(d, 0.0).mul(slope).store_part(d);
    }
}
