//! One file per command.

pub(crate) mod bench;
pub(crate) mod chat;
pub(crate) mod convert;
pub(crate) mod data;
mod database;
pub(crate) mod doctor;
pub(crate) mod eval;
pub(crate) mod feedback;
pub(crate) mod gate;
pub(crate) mod generate;
pub(crate) mod help;
pub(crate) mod inspect;
pub(crate) mod learn;
pub(crate) mod lineage;
pub(crate) mod mcp;
pub(crate) mod memory;
pub(crate) mod models;
pub(crate) mod pull;
pub(crate) mod refine;
pub(crate) mod runs;
pub(crate) mod score;
pub(crate) mod serve;
mod served;
pub(crate) mod tokenize;
pub(crate) mod train;
pub(crate) mod up;
pub(crate) mod vault;
