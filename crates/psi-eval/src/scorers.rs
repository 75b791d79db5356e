//! Judges of answers, each with its published behaviour.

mod numbers;
mod stated;

pub use numbers::Gsm8k;
pub use stated::Stated;
