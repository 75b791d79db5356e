//! Tasks whose answers a program can check, the suites made of them, and what scores mean.

pub mod compare;
pub mod contamination;
pub mod draws;
pub mod gate;
mod greedy;
pub mod predictions;
pub mod procedural;
mod readers;
pub mod report;
pub mod run;
pub mod scorers;
pub mod skills;
pub mod split;
pub mod stats;
pub mod task;
pub mod tasks;
pub mod votes;
mod wording;
