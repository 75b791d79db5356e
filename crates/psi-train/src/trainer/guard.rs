//! The outlier guard: how far a step's loss or gradient norm lies above those before it.

use serde::{Deserialize, Serialize};

/// Values that are remembered, as in llm.c.
const WINDOW: usize = 128;

/// The last values of one quantity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outliers {
    /// The values' bits (exact in JSON), oldest first.
    bits: Vec<u64>,
}

impl Outliers {
    /// How many deviations `value` lies above the mean of the last 128 values, which it then joins; 0 until
    /// there are so many.
    pub(crate) fn score(&mut self, value: f64) -> f64 {
        let z = if self.bits.len() < WINDOW { 0.0 } else { self.z(value) };
        if self.bits.len() == WINDOW {
            self.bits.remove(0);
        }
        self.bits.push(value.to_bits());
        z
    }

    fn z(&self, value: f64) -> f64 {
        let n = self.bits.len() as f64;
        let values = || self.bits.iter().map(|&b| f64::from_bits(b));
        let mean = values().sum::<f64>() / n;
        let deviation = (values().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
        if deviation > 0.0 { (value - mean) / deviation } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spike_is_seen_once_the_window_is_full_and_the_state_survives_json() {
        let mut seen = Outliers::default();
        assert_eq!(seen.score(1e9), 0.0, "too few values to judge");
        for i in 0..WINDOW {
            assert_eq!(seen.score(f64::from(i as u32 % 2)).max(0.0), 0.0, "value {i}");
        }
        let text = serde_json::to_string(&seen).unwrap();
        let mut again: Outliers = serde_json::from_str(&text).unwrap();
        assert_eq!(again, seen);
        assert_eq!(again.score(10.5), 20.0); // mean and deviation are 1/2
        assert_eq!(again.bits.len(), WINDOW);
    }
}
