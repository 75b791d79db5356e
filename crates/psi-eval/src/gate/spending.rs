//! Many candidates against one incumbent: the error that each may use up.

/// The α of the `j`-th candidate (from 1): 6 α / (π² j²), which sums to α over all candidates there will
/// ever be. So the chance that *any* candidate worse by the margin replaces the incumbent is at most α.
///
/// # Panics
/// When `j` is 0.
pub fn alpha_of(alpha: f64, j: u64) -> f64 {
    assert!(j > 0, "candidates are counted from 1");
    let j = j as f64;
    6.0 * alpha / (std::f64::consts::PI * j).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_candidates_together_use_up_alpha_and_no_more() {
        let spent: f64 = (1..=100_000).map(|j| alpha_of(0.05, j)).sum();
        assert!(spent < 0.05 && spent > 0.0499, "{spent}");
        assert!((alpha_of(0.05, 1) - 0.0304).abs() < 1e-4);
    }
}
