//! What the learning loop learns from: ratings become a versioned data set, a part of which is kept out to
//! test the result, and the recipes of the runs that learn from the rest.

mod data_set;
mod kept_out;
mod memory;
mod recipe;
mod rehearse;
mod round;

pub use data_set::{DataSet, Example, LeftOut, Rating, Rules, Verdict};
pub use kept_out::kept_out_task;
pub use memory::memory;
pub use recipe::{Budget, write_recipes};
pub use rehearse::rehearse;
pub use round::{Judged, LearnedFrom, Lineage, Round, Stage};
