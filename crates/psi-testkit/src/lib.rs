//! Fixtures and tolerances that the tests of several crates share.

mod fixtures;
mod numbers;

pub use fixtures::{golden_dir, long_test, python, shared_data};
pub use numbers::{Rng, assert_close, relative_error};
