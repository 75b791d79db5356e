//! Quantising to Q4_K, Q5_K and Q6_K: per sub-block least-squares fits, then the quantised scales are
//! nudged to what the rounded ones leave as error.
//!
//! All errors here are plain squared errors of the dequantised values.

use super::{
    half::{f16_from_f32, f32_from_f16},
    k::pack_scale_min_6,
    simple::put_f16,
};

/// Trial offsets of the number of levels, in tenths.
const TRIALS: std::ops::RangeInclusive<i8> = -10..=10;

fn through_f16(x: f32) -> f32 {
    f32_from_f16(f16_from_f32(x))
}

/// Level of x on the grid `scale * q - min`, q in 0..=levels.
fn level(x: f32, inverse: f32, min: f32, levels: f32) -> f32 {
    ((x + min) * inverse).round_ties_even().clamp(0.0, levels)
}

/// Squared error of the block on the grid `scale * q - min`.
fn affine_error(x: &[f32; 32], scale: f32, min: f32, levels: f32) -> f32 {
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let mut error = [0.0_f32; 8];
    for (i, &x) in x.iter().enumerate() {
        let e = x - (scale * level(x, inverse, min, levels) - min);
        error[i % 8] += e * e;
    }
    error.iter().sum()
}

/// Best (scale, min >= 0) for x ~ scale * q - min: several grids, each refitted by least squares.
fn fit_affine(x: &[f32; 32], levels: f32) -> (f32, f32) {
    let low = x.iter().fold(0.0_f32, |a, &x| a.min(x));
    let high = x.iter().fold(0.0_f32, |a, &x| a.max(x));
    if high <= low {
        return (0.0, 0.0);
    }
    let mut best = (f32::INFINITY, 0.0, 0.0);
    for trial in TRIALS {
        let mut scale = (high - low) / (levels + f32::from(trial) * 0.1);
        let mut min = -low;
        for _ in 0..2 {
            let error = affine_error(x, scale, min, levels);
            if error < best.0 {
                best = (error, scale, min);
            }
            (scale, min) = refit(x, scale, min, levels);
        }
        let error = affine_error(x, scale, min, levels);
        if error < best.0 {
            best = (error, scale, min);
        }
    }
    (best.1, best.2)
}

/// Least squares for (scale, min) with the levels that (scale, min) gives; min stays >= 0.
fn refit(x: &[f32; 32], scale: f32, min: f32, levels: f32) -> (f32, f32) {
    let inverse = 1.0 / scale;
    let (mut l1, mut l2, mut x1, mut xl) = (0.0_f32, 0.0_f32, 0.0_f32, 0.0_f32);
    for &x in x {
        let l = level(x, inverse, min, levels);
        l1 += l;
        l2 += l * l;
        x1 += x;
        xl += x * l;
    }
    let n = 32.0;
    let det = n * l2 - l1 * l1;
    if det <= 0.0 {
        return (scale, min);
    }
    let (s, m) = ((n * xl - x1 * l1) / det, (l1 * xl - l2 * x1) / det);
    match (s > 0.0, m >= 0.0) {
        (true, true) => (s, m),
        // The best grid through zero.
        (_, false) if l2 > 0.0 && xl > 0.0 => (xl / l2, 0.0),
        _ => (scale, min),
    }
}

/// One super-block of Q4_K or Q5_K before its bits are laid out.
struct Affine {
    d: f32,
    dmin: f32,
    pairs: [(u8, u8); 8],
    q: [u8; 256],
}

fn quantize_affine(x: &[f32], levels: f32) -> Affine {
    let subs: Vec<[f32; 32]> = x
        .chunks_exact(32)
        .map(|c| std::array::from_fn(|i| if c[i].is_finite() { c[i] } else { 0.0 }))
        .collect();
    let fits: Vec<(f32, f32)> = subs.iter().map(|x| fit_affine(x, levels)).collect();
    let top = |f: fn(&(f32, f32)) -> f32| fits.iter().map(f).fold(0.0_f32, f32::max);
    let d = through_f16(top(|f| f.0) / 63.0);
    let dmin = through_f16(top(|f| f.1) / 63.0);
    let mut out = Affine { d, dmin, pairs: [(0, 0); 8], q: [0; 256] };
    for (i, (x, &(scale, min))) in subs.iter().zip(&fits).enumerate() {
        let (s, m) = nearest_pair(x, (scale, min), (d, dmin), levels);
        out.pairs[i] = (s, m);
        let (scale, min) = (d * f32::from(s), dmin * f32::from(m));
        let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
        for (q, &x) in out.q[i * 32..].iter_mut().zip(x) {
            *q = level(x, inverse, min, levels) as u8;
        }
    }
    out
}

/// The 6-bit (scale, min) near the fitted ones with the least error of the block.
fn nearest_pair(x: &[f32; 32], fit: (f32, f32), d: (f32, f32), levels: f32) -> (u8, u8) {
    let index = |v: f32, d: f32| if d > 0.0 { (v / d).round().clamp(0.0, 63.0) as i8 } else { 0 };
    let centre = (index(fit.0, d.0), index(fit.1, d.1));
    let mut best = (f32::INFINITY, 0, 0);
    for ds in -1..=1 {
        for dm in -2..=2 {
            let (s, m) = (centre.0 + ds, centre.1 + dm);
            if !(0..=63).contains(&s) || !(0..=63).contains(&m) {
                continue;
            }
            let error = affine_error(x, d.0 * f32::from(s), d.1 * f32::from(m), levels);
            if error < best.0 {
                best = (error, s as u8, m as u8);
            }
        }
    }
    (best.1, best.2)
}

pub(super) fn quantize_q4(x: &[f32], block: &mut [u8]) {
    let a = quantize_affine(x, 15.0);
    put_f16(block, 0, a.d);
    put_f16(block, 2, a.dmin);
    pack_scale_min_6(&a.pairs, &mut block[4..16]);
    for (pair, bytes) in block[16..].chunks_exact_mut(32).enumerate() {
        for (l, byte) in bytes.iter_mut().enumerate() {
            *byte = a.q[pair * 64 + l] | a.q[pair * 64 + 32 + l] << 4;
        }
    }
}

pub(super) fn quantize_q5(x: &[f32], block: &mut [u8]) {
    let a = quantize_affine(x, 31.0);
    put_f16(block, 0, a.d);
    put_f16(block, 2, a.dmin);
    pack_scale_min_6(&a.pairs, &mut block[4..16]);
    let (high, nibbles) = block[16..].split_at_mut(32);
    high.fill(0);
    for (i, &q) in a.q.iter().enumerate() {
        high[i % 32] |= (q >> 4) << (i / 32);
    }
    for (pair, bytes) in nibbles.chunks_exact_mut(32).enumerate() {
        for (l, byte) in bytes.iter_mut().enumerate() {
            *byte = a.q[pair * 64 + l] & 15 | (a.q[pair * 64 + 32 + l] & 15) << 4;
        }
    }
}

/// Squared error of 16 values on the grid scale * q, q in -32..=31.
fn signed_error(x: &[f32; 16], scale: f32) -> f32 {
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let mut error = [0.0_f32; 8];
    for (i, &x) in x.iter().enumerate() {
        let e = x - scale * (x * inverse).round_ties_even().clamp(-32.0, 31.0);
        error[i % 8] += e * e;
    }
    error.iter().sum()
}

/// Best scale (of either sign: -32 has no mirror image) for x ~ scale * q.
fn fit_signed(x: &[f32; 16]) -> f32 {
    let extreme = x.iter().fold(0.0_f32, |a, &x| if x.abs() > a.abs() { x } else { a });
    if extreme == 0.0 {
        return 0.0;
    }
    let mut best = (f32::INFINITY, 0.0);
    for trial in TRIALS {
        let mut scale = extreme / -(32.0 + f32::from(trial) * 0.1);
        for _ in 0..2 {
            let error = signed_error(x, scale);
            if error < best.0 {
                best = (error, scale);
            }
            let (mut xl, mut ll) = (0.0, 0.0);
            for &x in x {
                let l = (x / scale).round_ties_even().clamp(-32.0, 31.0);
                xl += x * l;
                ll += l * l;
            }
            scale = if xl * scale > 0.0 { xl / ll } else { scale };
        }
        let error = signed_error(x, scale);
        if error < best.0 {
            best = (error, scale);
        }
    }
    best.1
}

pub(super) fn quantize_q6(x: &[f32], block: &mut [u8]) {
    let subs: Vec<[f32; 16]> = x
        .chunks_exact(16)
        .map(|c| std::array::from_fn(|i| if c[i].is_finite() { c[i] } else { 0.0 }))
        .collect();
    let fits: Vec<f32> = subs.iter().map(fit_signed).collect();
    let extreme = fits.iter().fold(0.0_f32, |a, &s| if s.abs() > a.abs() { s } else { a });
    let d = through_f16(extreme / -128.0);
    put_f16(block, 208, d);
    block[..192].fill(0);
    for (sub, (x, &fit)) in subs.iter().zip(&fits).enumerate() {
        let centre = if d == 0.0 { 0.0 } else { (fit / d).round() };
        let error = |s: f32| signed_error(x, d * s);
        let s = [centre, centre - 1.0, centre + 1.0]
            .map(|s| s.clamp(-128.0, 127.0))
            .into_iter()
            .min_by(|&a, &b| error(a).total_cmp(&error(b)))
            .unwrap_or(0.0);
        block[192 + sub] = s as i8 as u8;
        let inverse = if d * s == 0.0 { 0.0 } else { 1.0 / (d * s) };
        for (l, &x) in x.iter().enumerate() {
            let q = ((x * inverse).round_ties_even().clamp(-32.0, 31.0) + 32.0) as u8;
            put_q6(block, sub * 16 + l, q);
        }
    }
}

/// Writes the biased 6-bit value `i` into zeroed bits.
fn put_q6(block: &mut [u8], i: usize, q: u8) {
    let (half, quarter, l) = (i / 128, i % 128 / 32, i % 32);
    block[half * 64 + quarter % 2 * 32 + l] |= (q & 15) << (quarter / 2 * 4);
    block[128 + half * 32 + l] |= (q >> 4) << (quarter * 2);
}
