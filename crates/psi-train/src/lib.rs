//! Training: data, recipes, the loop, and runs that resume bit for bit.

pub mod data;
pub mod recipe;
pub mod run;
pub mod synth;
pub mod trainer;
