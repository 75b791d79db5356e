//! What scores mean: intervals, paired comparisons, and tests that may be looked at after every item.
//!
//! Intervals are pairs (low, high); probabilities and scores are fractions, not percent.

mod betting;
mod bootstrap;
#[cfg(test)]
mod golden;
mod mean;
mod paired;
mod share;
mod tango;

pub use betting::{Bets, Rates, Verdict};
pub use bootstrap::{Bootstrap, bootstrap};
pub use mean::Mean;
pub use paired::{Paired, detectable, items_needed};
pub use share::Share;

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// The point below which the standard normal lies with probability `p`.
pub fn normal_quantile(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p)
}

/// The same of Student's t.
fn t_quantile(p: f64, degrees: f64) -> f64 {
    match StudentsT::new(0.0, 1.0, degrees) {
        Ok(t) => t.inverse_cdf(p),
        // Without a degree of freedom nothing is known.
        Err(_) => f64::INFINITY,
    }
}
