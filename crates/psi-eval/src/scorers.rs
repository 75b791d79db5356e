//! Judges of answers, each with its published behaviour.

mod assisted;
mod bbh;
mod calibration;
mod calls;
mod choices;
mod code;
mod instructions;
mod math;
mod numbers;
mod perplexity;
mod refusal;
mod stated;
mod words;

pub use assisted::Assisted;
pub use bbh::Bbh;
pub use calibration::{Calibration, calibration};
pub use calls::Calls;
pub use choices::{AllGreedy, By, Highest};
pub use code::{Program, pass_at_k};
pub use instructions::Instructions;
pub use math::{Math, equivalent};
pub use numbers::Gsm8k;
pub use perplexity::Perplexity;
pub use refusal::{Refusal, cohen_kappa, is_refusal};
pub use stated::Stated;
pub use words::{Exact, Words, f1};
