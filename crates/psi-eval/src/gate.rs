//! The gate: whether a candidate may replace the model that is served.
//!
//! Both models answer the same items, one batch after another, until a test that may be looked at after
//! every item has decided, for each suite of a [`Profile`]. The [`Record`] of it is what a promotion needs.
//!
//! Promoting a candidate that is worse by the margin happens at most with probability α over *all*
//! candidates ever held against one incumbent: each spends a part of it ([`alpha_of`]), and generated
//! items are made after the candidate, from its hash.

mod decide;
mod error;
mod ledger;
mod profile;
mod promotion;
mod record;
pub mod simulate;
mod spending;
mod suite;
#[cfg(test)]
mod tests;

pub use decide::{Contender, GateOptions, GateProgress, decide};
pub use error::GateError;
pub use ledger::{Ledger, LedgerLine};
pub use profile::{DEFAULT_PROFILE, Profile, Role, Rule, Test};
pub use promotion::{promote, rollback};
pub use record::{Decision, Evidence, Record};
pub use spending::alpha_of;
