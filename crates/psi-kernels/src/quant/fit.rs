//! Quantising to Q4_K, Q5_K and Q6_K: per sub-block least-squares fits, then the quantised scales are
//! nudged to what the rounded ones leave as error.
//!
//! All errors here are plain squared errors of the dequantised values.

use super::{
    half::{f16_from_f32, f32_from_f16},
    k::pack_scale_min_6,
    simple::{LARGEST_SCALE, cleaned, put_f16},
};

/// Trial offsets of the number of levels, in tenths.
const TRIALS: std::ops::RangeInclusive<i8> = -10..=10;

/// The finite f16 nearest to `x`.
fn through_f16(x: f32) -> f32 {
    f32_from_f16(f16_from_f32(x.clamp(-LARGEST_SCALE, LARGEST_SCALE)))
}

/// The f16 for a scale of which `top` is the largest multiple and needs at most `most` steps: among
/// subnormals the nearest can be so much too small that `most` steps of it do not reach `top`.
fn super_scale(top: f32, most: f32) -> f32 {
    let d = through_f16(top / most);
    if top == 0.0 || (top / d).abs().round() <= most.abs() || d.abs() >= LARGEST_SCALE {
        return d;
    }
    f32_from_f16(f16_from_f32(d) + 1)
}

/// `x` rounded to the nearest integer, ties to even, for |x| < 2²²: an addition that pushes the fraction
/// out of the mantissa, which vectorises on every CPU (a rounding instruction is not in x86-64's baseline).
fn round(x: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0;
    x + SHIFT - SHIFT
}

/// Level of x on the grid `scale * q - min`, q in 0..=levels.
fn level(x: f32, inverse: f32, min: f32, levels: f32) -> f32 {
    round(((x + min) * inverse).clamp(0.0, levels))
}

/// Sums over a block in eight lanes, which vectorise.
type Lanes = [f32; 8];

/// Squared error of the block on the grid `scale * q - min`.
fn affine_error(x: &[f32; 32], scale: f32, min: f32, levels: f32) -> f32 {
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let mut error: Lanes = [0.0; 8];
    for x in x.as_chunks::<8>().0 {
        for i in 0..8 {
            let e = x[i] - (scale * level(x[i], inverse, min, levels) - min);
            error[i] += e * e;
        }
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
    let x_sum = x.iter().sum();
    let mut best = (f32::INFINITY, 0.0, 0.0);
    for trial in TRIALS {
        let mut scale = (high - low) / (levels + f32::from(trial) * 0.1);
        let mut min = -low;
        for _ in 0..2 {
            let (error, refitted) = refit(x, x_sum, (scale, min), levels);
            if error < best.0 {
                best = (error, scale, min);
            }
            (scale, min) = refitted;
        }
        let error = affine_error(x, scale, min, levels);
        if error < best.0 {
            best = (error, scale, min);
        }
    }
    (best.1, best.2)
}

/// The squared error of the grid (scale, min), and the least-squares (scale, min >= 0) for its levels.
fn refit(x: &[f32; 32], x_sum: f32, (scale, min): (f32, f32), levels: f32) -> (f32, (f32, f32)) {
    let inverse = 1.0 / scale;
    let (mut l1, mut l2, mut xl): (Lanes, Lanes, Lanes) = ([0.0; 8], [0.0; 8], [0.0; 8]);
    let mut error: Lanes = [0.0; 8];
    for x in x.as_chunks::<8>().0 {
        for i in 0..8 {
            let l = level(x[i], inverse, min, levels);
            let e = x[i] - (scale * l - min);
            error[i] += e * e;
            l1[i] += l;
            l2[i] += l * l;
            xl[i] += x[i] * l;
        }
    }
    let [error, l1, l2, xl] = [error, l1, l2, xl].map(|lanes| lanes.iter().sum::<f32>());
    let n = 32.0;
    let det = n * l2 - l1 * l1;
    if det <= 0.0 {
        return (error, (scale, min));
    }
    let (s, m) = ((n * xl - x_sum * l1) / det, (l1 * xl - l2 * x_sum) / det);
    let refitted = match (s > 0.0, m >= 0.0) {
        (true, true) => (s, m),
        // The best grid through zero.
        (_, false) if l2 > 0.0 && xl > 0.0 => (xl / l2, 0.0),
        _ => (scale, min),
    };
    (error, refitted)
}

/// One super-block of Q4_K or Q5_K before its bits are laid out.
struct Affine {
    d: f32,
    dmin: f32,
    pairs: [(u8, u8); 8],
    q: [u8; 256],
}

fn quantize_affine(x: &[f32], levels: f32) -> Affine {
    let subs: [[f32; 32]; 8] =
        std::array::from_fn(|s| std::array::from_fn(|i| cleaned(x[s * 32 + i])));
    let first = subs[0][0];
    if subs.iter().flatten().all(|&x| x == first) {
        return constant_affine(first, levels as u8);
    }
    let fits = subs.map(|x| fit_affine(&x, levels));
    let top = |f: fn(&(f32, f32)) -> f32| fits.iter().map(f).fold(0.0_f32, f32::max);
    let d = super_scale(top(|f| f.0), 63.0);
    let dmin = super_scale(top(|f| f.1), 63.0);
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

/// A block of one value: of all products s * q the one for which x / (s * q) is nearest to an f16.
fn constant_affine(x: f32, levels: u8) -> Affine {
    let mut best = (f32::INFINITY, 0.0, 0, 0);
    let most = if x < 0.0 { 1 } else { levels };
    for s in 1..=63_u8 {
        for q in 1..=most {
            let d = through_f16(x.abs() / (f32::from(s) * f32::from(q)));
            let error = (d * f32::from(s) * f32::from(q) - x.abs()).abs();
            if error < best.0 {
                best = (error, d, s, q);
            }
        }
    }
    let (_, d, s, q) = best;
    if x < 0.0 {
        Affine { d: 0.0, dmin: d, pairs: [(0, s); 8], q: [0; 256] }
    } else {
        Affine { d, dmin: 0.0, pairs: [(s, 0); 8], q: [q; 256] }
    }
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

/// Level of x on the grid `scale * q`, q in -32..=31.
fn signed_level(x: f32, inverse: f32) -> f32 {
    round((x * inverse).clamp(-32.0, 31.0))
}

/// Sums of 16 values on the grid scale * q: the squared error, x * q and q * q.
fn signed_sums(x: &[f32; 16], scale: f32) -> (f32, f32, f32) {
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let (mut error, mut xl, mut ll): (Lanes, Lanes, Lanes) = ([0.0; 8], [0.0; 8], [0.0; 8]);
    for x in x.as_chunks::<8>().0 {
        for i in 0..8 {
            let l = signed_level(x[i], inverse);
            let e = x[i] - scale * l;
            error[i] += e * e;
            xl[i] += x[i] * l;
            ll[i] += l * l;
        }
    }
    (error.iter().sum(), xl.iter().sum(), ll.iter().sum())
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
        for _ in 0..3 {
            let (error, xl, ll) = signed_sums(x, scale);
            if error < best.0 {
                best = (error, scale);
            }
            scale = if xl * scale > 0.0 { xl / ll } else { scale };
        }
    }
    best.1
}

pub(super) fn quantize_q6(x: &[f32], block: &mut [u8]) {
    let subs: [[f32; 16]; 16] =
        std::array::from_fn(|s| std::array::from_fn(|i| cleaned(x[s * 16 + i])));
    let fits = subs.map(|x| fit_signed(&x));
    let extreme = fits.iter().fold(0.0_f32, |a, &s| if s.abs() > a.abs() { s } else { a });
    let d = super_scale(extreme, -128.0);
    put_f16(block, 208, d);
    block[..192].fill(0);
    for (sub, (x, &fit)) in subs.iter().zip(&fits).enumerate() {
        let centre = if d == 0.0 { 0.0 } else { (fit / d).round() };
        let error = |s: f32| signed_sums(x, d * s).0;
        let s = [centre, centre - 1.0, centre + 1.0]
            .map(|s| s.clamp(-128.0, 127.0))
            .into_iter()
            .min_by(|&a, &b| error(a).total_cmp(&error(b)))
            .unwrap_or(0.0);
        block[192 + sub] = s as i8 as u8;
        let inverse = if d * s == 0.0 { 0.0 } else { 1.0 / (d * s) };
        for (l, &x) in x.iter().enumerate() {
            let q = (signed_level(x, inverse) + 32.0) as u8;
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
