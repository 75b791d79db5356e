//! Tasks whose answers a program can check, the suites made of them, and what scores mean.

pub mod procedural;
pub mod skills;
