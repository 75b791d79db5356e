//! Tasks whose answers a program can check, the suites made of them, and what scores mean.

pub mod draws;
pub mod gate;
mod greedy;
pub mod procedural;
pub mod skills;
pub mod split;
pub mod stats;
mod wording;
