//! Whether a model's confidence means anything: expected calibration error and Brier score.

/// How confidence and being right go together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// Expected calibration error over ten equal bins. Naeini et al. 2015; Guo et al. 2017, arXiv 1706.04599.
    pub ece: f64,
    /// Mean squared distance of confidence from 1 (right) or 0 (wrong). Brier 1950.
    pub brier: f64,
}

const BINS: usize = 10;

/// Of pairs (confidence in 0..=1, right). Bins are (0, 0.1], (0.1, 0.2], ...; 0 is in the first.
pub fn calibration(answers: &[(f64, bool)]) -> Calibration {
    let mut bins = [(0.0, 0.0, 0_usize); BINS];
    let mut brier = 0.0;
    for &(confidence, right) in answers {
        let right = f64::from(u8::from(right));
        let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        let (confidences, rights, n) = &mut bins[bin];
        *confidences += confidence;
        *rights += right;
        *n += 1;
        brier += (confidence - right) * (confidence - right);
    }
    let n = answers.len().max(1) as f64;
    // Each bin's |mean confidence - accuracy|, weighted by its share.
    let gap: f64 = bins.iter().map(|(confidences, rights, _)| (confidences - rights).abs()).sum();
    Calibration { ece: gap / n, brier: brier / n }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidence_that_is_right_as_often_as_it_says_has_no_error() {
        let honest: Vec<(f64, bool)> = (0..10).map(|i| (0.7, i < 7)).collect();
        let found = calibration(&honest);
        assert!(found.ece < 1e-12);
        assert!((found.brier - 0.21).abs() < 1e-12);
        let boastful: Vec<(f64, bool)> = (0..10).map(|i| (1.0, i < 5)).collect();
        assert_eq!(calibration(&boastful), Calibration { ece: 0.5, brier: 0.5 });
        // Two bins by hand: |0.15 - 0| * 1/3 and |0.95 - 0.5| * 2/3.
        let mixed = [(0.15, false), (0.95, true), (0.95, false)];
        assert!((calibration(&mixed).ece - (0.15 + 0.9) / 3.0).abs() < 1e-12);
    }
}
