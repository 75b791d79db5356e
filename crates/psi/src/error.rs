//! What a command ends with: exit code 2 for wrong usage or unusable input, 1 for a failure.

use std::{error::Error, fmt};

use psi_agent::{AgentError, mcp::McpError};
use psi_eval::{gate::GateError, run::RunError, task::TaskError};
use psi_infer::text::TextError;
use psi_model::ModelError;
use psi_store::StoreError;
use psi_tokenizer::TokenizerError;
use psi_train::{TrainError, data::DataError};

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What a command returns.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// Wrong usage or unusable input: exit code 2.
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into(), hint: None, source: None }
    }

    /// The work itself failed: exit code 1.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into(), hint: None, source: None }
    }

    /// Adds a way out.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the cause.
    pub(crate) fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The process's exit code.
    pub(crate) fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    /// The message, the chain of causes (each once), and the hint on a line of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut said = self.message.clone();
        let mut cause = self.source.as_deref().map(|e| e as &(dyn Error + 'static));
        while let Some(error) = cause {
            let text = error.to_string();
            if !said.contains(&text) {
                write!(f, ": {text}")?;
                said.push_str(&text);
            }
            cause = error.source();
        }
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// An error that means that what the user gave cannot be used; it keeps the hint of psi's own errors.
pub(crate) fn unusable(error: impl Error + Send + Sync + 'static) -> Failure {
    let hint = hint_of(&error);
    Failure { code: 2, message: error.to_string(), hint, source: error_source(error) }
}

/// The first hint in a chain of causes.
fn hint_of(error: &(dyn Error + 'static)) -> Option<String> {
    let store = |e: &StoreError| e.hint();
    let model = |e: &ModelError| e.hint();
    let tokenizer = |e: &TokenizerError| e.hint().map(str::to_owned);
    let data = |e: &DataError| e.hint();
    let text = |e: &TextError| e.hint().map(str::to_owned);
    let own = error.downcast_ref().and_then(store);
    let own = own.or_else(|| error.downcast_ref().and_then(text));
    let own = own.or_else(|| error.downcast_ref().and_then(data));
    let own = own.or_else(|| error.downcast_ref().and_then(model));
    let own = own.or_else(|| error.downcast_ref().and_then(tokenizer));
    let own = own.or_else(|| error.downcast_ref().and_then(TrainError::hint));
    let own = own.or_else(|| error.downcast_ref().and_then(TaskError::hint));
    let own = own.or_else(|| error.downcast_ref().and_then(RunError::hint));
    let own = own.or_else(|| error.downcast_ref().and_then(GateError::hint));
    let own = own.or_else(|| error.downcast_ref().and_then(AgentError::hint));
    let own = own.or_else(|| error.downcast_ref().and_then(McpError::hint));
    own.or_else(|| error.source().and_then(hint_of))
}

fn error_source(error: impl Error + Send + Sync + 'static) -> Option<Box<dyn Error + Send + Sync>> {
    error.source()?;
    Some(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_prints_its_chain_once_and_its_hint_last() {
        let cause = std::io::Error::other("disk full");
        let failure = Failure::failed("cannot write x").because(cause).hint("free some space");
        assert_eq!(failure.to_string(), "cannot write x: disk full\nhint: free some space");
        assert_eq!(failure.code(), 1);
        assert_eq!(Failure::input("bad").code(), 2);
    }
}
