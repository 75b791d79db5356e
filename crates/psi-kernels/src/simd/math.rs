//! exp, tanh, erf and the logistic function on lanes: polynomials, no table and no library call.
//!
//! The coefficients are minimax fits in f64 (Lawson's iteration on Chebyshev nodes), rounded to f32.

use super::Lanes;

/// e^x to 2 units in the last place over the whole range; e^-inf = 0, e^inf = inf, NaN stays NaN.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2 (ln 2 in two parts, so that n times the first is exact; Cody
/// and Waite 1980), e^r by a polynomial of degree 6, then a scaling by 2^n.
#[inline(always)]
pub(crate) fn exp<L: Lanes>(x: L) -> L {
    // Below the first bound e^x is 0, above the second inf. The constant comes first so that a NaN passes. What is
    // below is computed for 0 and replaced at the end: a scaling that underflows is left to microcode, 200 ns a
    // vector, and masked scores are all of that kind.
    let (lowest, zero) = (L::splat(-104.0), L::splat(0.0));
    let given = x;
    let x = L::splat(89.0).min(x.select_lt(lowest, zero, x));
    let n = x.mul(L::splat(std::f32::consts::LOG2_E)).round();
    let r = n.madd(L::splat(-0.693_359_4), x);
    let r = n.madd(L::splat(2.121_944_4e-4), r);
    let p = L::splat(0.001_381_444_6).madd(r, L::splat(0.008_368_785));
    let p = p.madd(r, L::splat(0.041_668_396));
    let p = p.madd(r, L::splat(0.166_665_2));
    let p = p.madd(r, L::splat(0.499_999_94));
    let p = p.madd(r.mul(r), r).add(L::splat(1.0));
    given.select_lt(lowest, zero, p.scale2(n))
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub(crate) fn sigmoid<L: Lanes>(x: L) -> L {
    let one = L::splat(1.0);
    one.div(one.add(exp(L::splat(0.0).sub(x))))
}

/// tanh x: an odd polynomial near zero, 1 - 2 / (e^2|x| + 1) beyond.
#[inline(always)]
pub(crate) fn tanh<L: Lanes>(x: L) -> L {
    let a = x.abs();
    let one = L::splat(1.0);
    let far = one.sub(L::splat(2.0).div(exp(a.add(a)).add(one)));
    let s = a.mul(a);
    let p = L::splat(0.002_142_962).madd(s, L::splat(-0.008_177_399));
    let p = p.madd(s, L::splat(0.021_700_703));
    let p = p.madd(s, L::splat(-0.053_946_763));
    let p = p.madd(s, L::splat(0.133_332_06));
    let p = p.madd(s, L::splat(-0.333_333_3));
    let near = p.madd(s.mul(a), a);
    a.select_lt(L::splat(0.625), near, far).copysign(x)
}

/// erf x = 2/sqrt(pi) times the integral of e^-t² from 0 to x: an odd polynomial up to 0.9, beyond it
/// 1 - e^P(x) with P a fit of ln(1 - erf x), whose error vanishes against 1.
#[inline(always)]
pub(crate) fn erf<L: Lanes>(x: L) -> L {
    let a = x.abs();
    let s = a.mul(a);
    let p = L::splat(8.513_123e-5).madd(s, L::splat(-8.175_644e-4));
    let p = p.madd(s, L::splat(0.005_203_86));
    let p = p.madd(s, L::splat(-0.026_860_51));
    let p = p.madd(s, L::splat(0.112_837_15));
    let p = p.madd(s, L::splat(-0.376_126_35));
    let near = p.madd(s.mul(a), a.mul(L::splat(std::f32::consts::FRAC_2_SQRT_PI)));
    // Above 4, erf is 1 in f32. The constant comes first so that a NaN passes.
    let b = L::splat(4.0).min(a);
    let q = L::splat(-2.090_946_3e-5).madd(b, L::splat(4.323_023e-4));
    let q = q.madd(b, L::splat(-0.004_160_522_5));
    let q = q.madd(b, L::splat(0.025_091_486));
    let q = q.madd(b, L::splat(-0.108_236_6));
    let q = q.madd(b, L::splat(-0.633_386_7));
    let q = q.madd(b, L::splat(-1.129_495_1));
    let q = q.madd(b, L::splat(1.705_507_7e-4));
    let far = L::splat(1.0).sub(exp(q));
    a.select_lt(L::splat(0.9), near, far).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::super::tiers;
    use super::*;
    use crate::Isa;

    macro_rules! on_arrays {
        ($name:ident, $body:ident, $function:ident) => {
            #[inline(always)]
            fn $body<L: Lanes>(x: [f32; 16]) -> [f32; 16] {
                $function(L::from_array(x)).to_array()
            }
            tiers! { fn $name(x: [f32; 16]) -> [f32; 16] = $body; }
        };
    }
    on_arrays!(exp_array, exp_body, exp);
    on_arrays!(tanh_array, tanh_body, tanh);
    on_arrays!(erf_array, erf_body, erf);
    on_arrays!(sigmoid_array, sigmoid_body, sigmoid);

    /// Size of the last place of `x` in f32, in f64.
    fn ulp(x: f64) -> f64 {
        let e = x.abs().max(2f64.powi(-126)).log2().floor() as i32;
        2f64.powi(e - 23)
    }

    /// The largest error of `f` in units of the last place over every 977th float.
    fn worst(f: impl Fn([f32; 16]) -> [f32; 16], exact: fn(f64) -> f64) -> f64 {
        let mut worst = 0.0f64;
        for first in (0..=u32::MAX - 16 * 977).step_by(16 * 977) {
            let x: [f32; 16] = std::array::from_fn(|i| f32::from_bits(first + 977 * i as u32));
            for (&x, y) in x.iter().zip(f(x)) {
                let want = exact(f64::from(x));
                if want.is_nan() {
                    assert!(y.is_nan(), "f({x}) = {y}");
                } else if want.abs() > f64::from(f32::MAX) {
                    assert_eq!(f64::from(y), want.signum() * f64::INFINITY, "f({x})");
                } else {
                    worst = worst.max((f64::from(y) - want).abs() / ulp(want));
                }
            }
        }
        worst
    }

    fn on_every_tier(f: fn(Isa, [f32; 16]) -> [f32; 16], exact: fn(f64) -> f64, bound: f64) {
        for isa in Isa::available() {
            let error = worst(|x| f(isa, x), exact);
            assert!(error <= bound, "{error} ulp on {}", isa.tier());
        }
    }

    #[test]
    fn exp_is_within_two_ulp_everywhere_and_right_at_the_edges() {
        on_every_tier(exp_array, f64::exp, 2.0);
        for isa in Isa::available() {
            let mut x = [0.0; 16];
            x[..6].copy_from_slice(&[
                f32::NEG_INFINITY,
                f32::INFINITY,
                f32::NAN,
                -0.0,
                -104.5,
                88.7,
            ]);
            let y = exp_array(isa, x);
            assert_eq!((y[0], y[1], y[3], y[4], y[15]), (0.0, f32::INFINITY, 1.0, 0.0, 1.0));
            assert!(y[2].is_nan() && y[5].is_finite());
        }
    }

    #[test]
    fn tanh_and_the_logistic_function_are_within_a_few_ulp() {
        on_every_tier(tanh_array, f64::tanh, 3.0);
        // Where e^-x overflows the result is 0 instead of a number below 3e-39.
        let exact = |x: f64| if x < -88.7228 { 0.0 } else { 1.0 / (1.0 + (-x).exp()) };
        on_every_tier(sigmoid_array, exact, 4.0);
    }

    #[test]
    fn erf_is_within_a_few_ulp() {
        on_every_tier(erf_array, crate::reference::activation::erf, 4.0);
    }

    #[test]
    fn tiers_that_fuse_multiply_and_add_agree_to_the_bit() {
        type Function = fn(Isa, [f32; 16]) -> [f32; 16];
        let functions: [Function; 4] = [exp_array, tanh_array, erf_array, sigmoid_array];
        let fused: Vec<Isa> =
            Isa::available().into_iter().filter(|i| i.tier() > crate::Tier::Neon).collect();
        for f in functions {
            for i in 0..4096u32 {
                let x: [f32; 16] =
                    std::array::from_fn(|j| ((i * 16 + j as u32) as f32 - 32768.0) / 256.0);
                let first = fused.first().map(|&isa| f(isa, x).map(f32::to_bits));
                for &isa in &fused {
                    assert_eq!(Some(f(isa, x).map(f32::to_bits)), first, "{x:?} on {}", isa.tier());
                }
            }
        }
    }
}
