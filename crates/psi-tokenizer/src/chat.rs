//! Chat templates: the Jinja programs of model files, run as `transformers` runs them, and contained.
//!
//! `minijinja` parses and executes; psi rewrites the syntax tree between the two (see [`rewrite`]) so
//! that operators, methods and output follow Python, and so that everything that makes data is charged
//! to a budget. A template is a program from a stranger: it gets fuel, a budget of bytes, a depth, and
//! no way to load anything.

mod budget;
mod filters;
mod methods;
mod operators;
mod python;
mod renderer;
mod rewrite;
mod time;

use std::fmt;
use std::sync::Arc;

use minijinja::{Error, ErrorKind};
use serde_json::Map;

use budget::Budget;
pub use budget::TemplateLimits;
pub use renderer::Renderer;

/// A chat template, checked when it is made.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    source: String,
    bos: String,
    eos: String,
    limits: TemplateLimits,
}

/// Why a template cannot be used or a conversation not be rendered.
#[derive(Debug)]
pub struct TemplateError {
    kind: TemplateErrorKind,
    message: String,
    line: Option<usize>,
}

/// The class of a [`TemplateError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TemplateErrorKind {
    /// The template is not valid Jinja, or uses what chat templates may not (`include`, `import`, ...).
    Syntax,
    /// The template called `raise_exception`: it refuses this conversation.
    Raised,
    /// An operation failed, as it would in Python.
    Runtime,
    /// Fuel, depth or the budget of bytes ran out.
    Limit,
}

impl TemplateError {
    /// The class.
    pub fn kind(&self) -> TemplateErrorKind {
        self.kind
    }

    /// The message alone; for [`TemplateErrorKind::Raised`] what the template said.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The line of the template, where known.
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    fn from_engine(error: &Error) -> Self {
        let raised = std::error::Error::source(error).and_then(|s| s.downcast_ref::<Raised>());
        if let Some(Raised(message)) = raised {
            let line = error.line();
            return Self { kind: TemplateErrorKind::Raised, message: message.clone(), line };
        }
        let detail = error.detail().unwrap_or_default();
        let kind = match error.kind() {
            ErrorKind::SyntaxError => TemplateErrorKind::Syntax,
            ErrorKind::OutOfFuel => TemplateErrorKind::Limit,
            _ if detail.contains("recursion limit") => TemplateErrorKind::Limit,
            _ => TemplateErrorKind::Runtime,
        };
        let mut message = error.kind().to_string();
        if !detail.is_empty() {
            message = format!("{message}: {detail}");
        }
        // An error inside a macro or block names the place; the cause is one level down.
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            message = format!("{message} ({inner})");
            cause = inner.source();
        }
        Self { kind, message, line: error.line() }
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TemplateErrorKind::Raised => write!(f, "the chat template refuses: {}", self.message)?,
            _ => write!(f, "chat template: {}", self.message)?,
        }
        match self.line {
            Some(line) => write!(f, " (line {line})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for TemplateError {}

/// The source of an error made by `raise_exception`.
#[derive(Debug)]
struct Raised(String);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Raised {}

/// The key of [`ChatTemplate::render`]'s `extra` that holds the time `strftime_now` formats, as
/// `YYYY-MM-DDTHH:MM:SS`. A template that asks for the time without it gets an error.
pub const NOW: &str = "strftime_now";

impl ChatTemplate {
    /// Checks a template. `bos` and `eos` are the texts of those tokens, which templates write.
    ///
    /// # Errors
    /// [`TemplateErrorKind::Syntax`] or, for a monstrous source, [`TemplateErrorKind::Limit`].
    pub fn new(source: &str, bos: &str, eos: &str) -> Result<Self, TemplateError> {
        let template = Self {
            source: rewrite::prepare(source)?,
            bos: bos.to_owned(),
            eos: eos.to_owned(),
            limits: TemplateLimits::default(),
        };
        let budget = Arc::new(Budget::new(&template.limits));
        template.compile(&budget).map_err(|e| TemplateError::from_engine(&e))?;
        Ok(template)
    }

    /// The same template with other limits.
    pub fn with_limits(mut self, limits: TemplateLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The Jinja source.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The prompt of a conversation.
    ///
    /// `messages` is a list of objects (`role`, `content`, `tool_calls`, `reasoning_content`, ...) as in
    /// OpenAI's API; `tools` the tool definitions; `add_generation_prompt` opens the assistant's turn;
    /// `extra` are further variables (`enable_thinking`, [`NOW`]).
    ///
    /// # Errors
    /// The template refuses the conversation, fails on it, or runs out of its limits.
    pub fn render(
        &self,
        messages: &serde_json::Value,
        tools: Option<&serde_json::Value>,
        add_generation_prompt: bool,
        extra: &Map<String, serde_json::Value>,
    ) -> Result<String, TemplateError> {
        self.renderer(extra)?.render(messages, tools, add_generation_prompt)
    }
}
