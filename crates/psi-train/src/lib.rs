//! Training: data, recipes, the loop, and runs that resume bit for bit.

pub mod answers;
pub mod data;
mod error;
pub mod learn;
mod prefer;
pub mod recipe;
pub mod refine;
pub mod run;
pub mod synth;
pub mod trainer;

pub use error::{Result, TrainError};
