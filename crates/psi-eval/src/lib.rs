//! Tasks whose answers a program can check, the suites made of them, and what scores mean.

pub mod draws;
mod greedy;
pub mod predictions;
pub mod procedural;
mod readers;
pub mod scorers;
pub mod skills;
pub mod split;
pub mod stats;
pub mod task;
pub mod tasks;
mod wording;
