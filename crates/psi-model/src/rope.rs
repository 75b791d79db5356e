//! Rotary embedding's frequencies: the base and the published ways to stretch it.

use std::f64::consts::{E, PI};

/// A rotary embedding. Su et al. 2021.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// Base b: pair i turns by b^(-2 i / d_rotary) per position.
    pub theta: f64,
    /// How many values of a head turn (even); the rest stay as they are.
    pub d_rotary: usize,
    /// How frequencies are stretched for longer contexts.
    pub scaling: RopeScaling,
}

/// Ways to stretch RoPE to longer contexts.
#[derive(Clone, Debug, PartialEq)]
pub enum RopeScaling {
    /// As trained.
    None,
    /// All frequencies divided by `factor`. Chen et al. 2023, equation 4.
    Linear {
        /// s.
        factor: f64,
    },
    /// A larger base once a sequence is longer than `original`: b (s n / L - (s - 1))^(d / (d - 2)).
    /// "NTK-aware", dynamic.
    Dynamic {
        /// s.
        factor: f64,
        /// L.
        original: f64,
    },
    /// Low frequencies divided, high ones kept, the band between blended. Llama 3.1.
    Llama3 {
        /// s.
        factor: f64,
        /// Wavelengths above `original / low` are divided by s.
        low: f64,
        /// Wavelengths below `original / high` stay.
        high: f64,
        /// Context length of the first training.
        original: f64,
    },
    /// Peng et al. 2023 (YaRN), section 3.
    Yarn(Yarn),
    /// Searched factors per frequency, one list for short and one for long sequences. Ding et al. 2024.
    LongRope {
        /// Divisors up to `original`.
        short: Vec<f64>,
        /// Divisors beyond.
        long: Vec<f64>,
        /// The length that separates the two.
        original: f64,
        /// Factor on cosines and sines.
        attention_factor: f64,
    },
    /// Divisors per frequency as GGUF's `rope_freqs.weight` stores them (llama3 scaling, evaluated).
    Divisors(Vec<f64>),
}

/// YaRN's numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Yarn {
    /// s.
    pub factor: f64,
    /// Context length of the first training.
    pub original: f64,
    /// Rotations over `original` above which a frequency stays.
    pub beta_fast: f64,
    /// Rotations below which it is divided by s.
    pub beta_slow: f64,
    /// Whether the band's ends are rounded to whole pairs.
    pub truncate: bool,
    /// Factor on cosines and sines.
    pub attention_factor: f64,
}

impl Rope {
    /// Unscaled RoPE that turns `d_rotary` values of every head.
    pub fn plain(theta: f64, d_rotary: usize) -> Self {
        Self { theta, d_rotary, scaling: RopeScaling::None }
    }

    /// Angles per position of each pair, in radians, for a sequence of `seq_len` tokens, and the factor on
    /// cosines and sines.
    pub fn frequencies(&self, seq_len: usize) -> (Vec<f64>, f64) {
        let d = self.d_rotary as f64;
        let base = |b: f64| -> Vec<f64> {
            (0..self.d_rotary / 2).map(|i| b.powf(-2.0 * i as f64 / d)).collect()
        };
        let plain = base(self.theta);
        let divided = |by: &[f64]| plain.iter().zip(by).map(|(f, s)| f / s).collect();
        match &self.scaling {
            RopeScaling::None => (plain, 1.0),
            RopeScaling::Linear { factor } => (plain.iter().map(|f| f / factor).collect(), 1.0),
            RopeScaling::Dynamic { factor, original } => {
                let n = (seq_len as f64).max(*original);
                let stretch = factor * n / original - (factor - 1.0);
                (base(self.theta * stretch.powf(d / (d - 2.0))), 1.0)
            }
            RopeScaling::Llama3 { factor, low, high, original } => {
                let scaled = plain.iter().map(|&f| {
                    let turns = original * f / (2.0 * PI);
                    let keep = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                    (1.0 - keep) * f / factor + keep * f
                });
                (scaled.collect(), 1.0)
            }
            RopeScaling::Yarn(yarn) => {
                (yarn.frequencies(&plain, self.theta), yarn.attention_factor)
            }
            RopeScaling::LongRope { short, long, original, attention_factor } => {
                let by = if seq_len as f64 > *original { long } else { short };
                (divided(by), *attention_factor)
            }
            RopeScaling::Divisors(by) => (divided(by), 1.0),
        }
    }

    /// Whether [`Rope::frequencies`] depends on its argument.
    pub fn depends_on_length(&self) -> bool {
        matches!(self.scaling, RopeScaling::Dynamic { .. } | RopeScaling::LongRope { .. })
    }
}

impl Yarn {
    /// YaRN's blend of kept and divided frequencies, equations 23 to 25.
    fn frequencies(&self, plain: &[f64], theta: f64) -> Vec<f64> {
        let d = 2.0 * plain.len() as f64;
        let pair = |turns: f64| d * (self.original / (2.0 * PI * turns)).ln() / (2.0 * theta.ln());
        let (mut low, mut high) = (pair(self.beta_fast), pair(self.beta_slow));
        if self.truncate {
            (low, high) = (low.floor(), high.ceil());
        }
        (low, high) = (low.max(0.0), high.min(d - 1.0));
        if low == high {
            high += 0.001;
        }
        let blend = |(i, f): (usize, &f64)| {
            let ramp = ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
            ramp * f / self.factor + (1.0 - ramp) * f
        };
        plain.iter().enumerate().map(blend).collect()
    }

    /// 0.1 k ln s + 1: the paper's temperature, equation 22, as a factor on both q and k.
    pub(crate) fn mscale(factor: f64, k: f64) -> f64 {
        if factor <= 1.0 { 1.0 } else { 0.1 * k * factor.log(E) + 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llama3_keeps_high_divides_low_and_blends_between() {
        let scaling = RopeScaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 8192.0 };
        let rope = Rope { scaling, ..Rope::plain(500_000.0, 128) };
        let (scaled, factor) = rope.frequencies(1);
        let plain = Rope::plain(500_000.0, 128).frequencies(1).0;
        assert_eq!((scaled[0], factor), (plain[0], 1.0));
        assert!((scaled[63] / plain[63] - 0.125).abs() < 1e-12);
        let ratios: Vec<f64> = scaled.iter().zip(&plain).map(|(s, p)| s / p).collect();
        assert!(ratios.is_sorted_by(|a, b| a >= b));
    }

    #[test]
    fn only_dynamic_and_longrope_depend_on_the_length() {
        let dynamic = RopeScaling::Dynamic { factor: 2.0, original: 32.0 };
        let rope = Rope { scaling: dynamic, ..Rope::plain(10_000.0, 8) };
        assert_eq!(rope.frequencies(5), rope.frequencies(32));
        assert_ne!(rope.frequencies(32), rope.frequencies(33));
        assert!(rope.depends_on_length() && !Rope::plain(1e4, 8).depends_on_length());
    }
}
