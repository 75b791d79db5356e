//! What a user who is not psi's owner can do with the machine: look at the model that answers.

use std::sync::Arc;

use super::{Host, Learning, LearningState, ListedModel, Machine, ModelState, Pull, Suggestion};
use crate::{Run, ui::i18n::t};

/// The owner's host, without what is the owner's to decide.
pub(crate) struct Guest(pub(crate) Arc<dyn Host>);

fn refused<T>() -> Result<T, String> {
    Err(t("only the owner of this psi can do that").to_owned())
}

impl Host for Guest {
    fn model(&self) -> ModelState {
        self.0.model()
    }
    fn choose(&self, _: &str) -> Result<(), String> {
        refused()
    }
    fn models(&self) -> Vec<ListedModel> {
        let now = self.0.model();
        self.0.models().into_iter().filter(|model| model.name == now.name()).collect()
    }
    fn suggestions(&self) -> Vec<Suggestion> {
        Vec::new()
    }
    fn pull(&self, _: &str) -> Result<(), String> {
        refused()
    }
    fn stop_pull(&self, _: &str) {}
    fn pulls(&self) -> Vec<Pull> {
        Vec::new()
    }
    fn machine(&self) -> Machine {
        self.0.machine()
    }
    fn runs(&self) -> Vec<Run> {
        Vec::new()
    }
    fn learning(&self) -> &dyn Learning {
        self
    }
}

impl Learning for Guest {
    fn state(&self) -> Result<LearningState, String> {
        refused()
    }
    fn start(&self, _: bool) -> Result<(), String> {
        refused()
    }
    fn stop(&self) {}
    fn roll_back(&self) -> Result<(), String> {
        refused()
    }
    fn strike(&self, _: &str, _: bool) -> Result<(), String> {
        refused()
    }
    fn forget(&self, _: &str) -> Result<(), String> {
        refused()
    }
}
