//! Comparing and making numbers.

/// Largest difference between `got` and `want`, relative to the largest value of `want`.
///
/// # Panics
/// When the lengths differ.
#[track_caller]
pub fn relative_error(got: &[f32], want: &[f32]) -> f64 {
    assert_eq!(got.len(), want.len(), "{} values against {}", got.len(), want.len());
    let largest = want.iter().fold(f64::MIN_POSITIVE, |a, &b| a.max(f64::from(b).abs()));
    let difference = got.iter().zip(want).map(|(&g, &w)| {
        let d = (f64::from(g) - f64::from(w)).abs();
        // NaN must not hide behind `max`.
        if d.is_nan() { f64::INFINITY } else { d }
    });
    difference.fold(0.0, f64::max) / largest
}

/// Asserts that [`relative_error`] is at most `tolerance`.
///
/// # Panics
/// When it is not, with `what` and the error.
#[track_caller]
pub fn assert_close(what: &str, got: &[f32], want: &[f32], tolerance: f64) {
    let error = relative_error(got, want);
    assert!(
        error <= tolerance,
        "{what}: off by {error:.2e} of the largest, allowed {tolerance:.0e}"
    );
}

/// A small generator of reproducible test values (SplitMix64). Steele et al. 2014.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// Starts from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `n - 1`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.bits() % n
    }

    /// Uniform in [-1, 1).
    pub fn uniform(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    /// `n` values of zero mean and deviation `std`, nearly normal (a sum of four uniforms).
    pub fn normals(&mut self, n: usize, std: f32) -> Vec<f32> {
        // Four uniforms on [-1, 1) have variance 4/3.
        let scale = std * 0.75f32.sqrt();
        (0..n).map(|_| (0..4).map(|_| self.uniform()).sum::<f32>() * scale).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_relative_to_the_largest_and_nan_counts() {
        assert_eq!(relative_error(&[1.0, 2.0], &[1.0, 4.0]), 0.5);
        assert_eq!(relative_error(&[f32::NAN], &[1.0]), f64::INFINITY);
    }
}
