//! Grammars: what an answer must look like, held token by token.
//!
//! A [`Grammar`] is compiled for a model's vocabulary by [`Grammars`], through the `llguidance` crate; each
//! answer then gets a [`Constraint`] of its own. What cannot be held exactly is refused with its reason:
//! nothing is ever generated that only looks constrained.
//!
//! ```no_run
//! # fn f(tokenizer: &psi_tokenizer::Tokenizer) -> Result<(), psi_infer::grammar::GrammarError> {
//! use psi_infer::grammar::{Grammar, GrammarLimits, Grammars};
//!
//! let grammars = Grammars::new(tokenizer, tokenizer.vocab_size(), GrammarLimits::default())?;
//! let grammar = Grammar::Regex("[0-9]{4}-[0-9]{2}-[0-9]{2}".to_owned());
//! let constraint = grammars.compile(&grammar)?.constraint();
//! // psi_infer::service::Request { constraint: Some(constraint), .. }
//! # Ok(())
//! # }
//! ```

mod culprit;
mod error;
mod gbnf;
mod matcher;
mod regex;
mod schema;
mod vocabulary;

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use llguidance::{
    Matcher, ParserFactory,
    api::{ParserLimits, TopLevelGrammar},
    earley::SlicedBiasComputer,
    toktrie::InferenceCapabilities,
};
use psi_tokenizer::Tokenizer;
use serde_json::{Value, json};

pub use error::GrammarError;

use crate::service::Constraint;
pub(crate) use matcher::GrammarConstraint;

/// What an answer must look like.
#[derive(Clone, Debug, PartialEq)]
pub enum Grammar {
    /// A JSON text that is valid by a JSON Schema (drafts 4 to 2020-12). Properties come in the schema's
    /// order; references stay inside the schema.
    JsonSchema(Value),
    /// A JSON object, whatever it holds.
    JsonObject,
    /// A text that matches from its first to its last character (the syntax of Rust's `regex`).
    Regex(String),
    /// A context-free grammar in llguidance's variant of Lark, from its rule `start`.
    Lark(String),
    /// A context-free grammar in llama.cpp's notation, from its rule `root`.
    Gbnf(String),
}

impl Grammar {
    /// A grammar in Lark or GBNF, whichever the text is written in.
    pub fn from_text(text: &str) -> Self {
        match text.contains("::=") {
            true => Self::Gbnf(text.to_owned()),
            false => Self::Lark(text.to_owned()),
        }
    }
}

/// How large a grammar may be, and what it may take.
#[derive(Clone, Debug)]
pub struct GrammarLimits {
    /// Bytes of its text.
    pub source_bytes: usize,
    /// Schemas within each other, counting references that are followed.
    pub depth: usize,
    /// Schemas in all.
    pub n_schemas: usize,
    /// Values of an `enum`.
    pub n_enum: usize,
    /// Properties of an object, named or required; alternatives of a choice.
    pub n_members: usize,
    /// `minItems`, `maxItems`, `minLength`, ...: the largest number.
    pub count: u64,
    /// How long compiling may take.
    pub compile_time: Duration,
    /// Work of compiling the terminals (about 50,000 a millisecond).
    pub compile_fuel: u64,
    /// Work per token on terminals (about 14,000 a millisecond).
    pub step_fuel: u64,
    /// Work per token on rules (about 20,000 a millisecond).
    pub step_items: usize,
    /// States of the terminals' automaton (1 to 2 kB each).
    pub n_states: usize,
}

impl Default for GrammarLimits {
    fn default() -> Self {
        Self {
            source_bytes: 1 << 20,
            depth: 256,
            n_schemas: 20_000,
            n_enum: 10_000,
            n_members: 2_000,
            count: 1 << 20,
            compile_time: Duration::from_secs(5),
            compile_fuel: 1_000_000,
            step_fuel: 200_000,
            step_items: 50_000,
            n_states: 25_000,
        }
    }
}

/// Stack of the thread that compiles: schemas are walked recursively.
const COMPILE_STACK: usize = 256 << 20;

/// Most grammars that are compiled at once.
const MAX_COMPILING: usize = 4;

/// Compiled grammars that are kept.
const CACHED: usize = 16;

/// Compiles grammars for one vocabulary, and keeps those that come again.
pub struct Grammars {
    factory: Arc<ParserFactory>,
    limits: GrammarLimits,
    cache: Mutex<VecDeque<(Grammar, Compiled)>>,
    n_compiling: Arc<AtomicUsize>,
}

/// A grammar that is ready: every answer gets a constraint of its own.
#[derive(Clone)]
pub struct Compiled {
    matcher: Arc<Mutex<Matcher>>,
    /// its automaton has met a limit: it is compiled anew for the next answer
    is_spent: Arc<AtomicBool>,
}

impl Compiled {
    /// A constraint at the start of an answer.
    pub fn constraint(&self) -> Box<dyn Constraint> {
        Box::new(self.begin())
    }

    pub(crate) fn begin(&self) -> GrammarConstraint {
        // Answers share the automaton, which grows as it is used, so that its states are made once.
        let matcher = self.matcher.lock().unwrap_or_else(PoisonError::into_inner).clone();
        GrammarConstraint::new(matcher, Arc::clone(&self.is_spent))
    }
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Compiled")
    }
}

impl Grammars {
    /// A compiler for the tokens of `tokenizer`; `vocab_size` is the number of the model's logits.
    ///
    /// # Errors
    /// [`GrammarError::NoEnd`] where no token can end an answer.
    pub fn new(
        tokenizer: &Tokenizer,
        vocab_size: usize,
        limits: GrammarLimits,
    ) -> Result<Self, GrammarError> {
        let environment = vocabulary::environment(tokenizer, vocab_size)?;
        let slices = SlicedBiasComputer::general_slices();
        let factory = ParserFactory::new(&environment, InferenceCapabilities::default(), &slices);
        let mut factory = factory.map_err(|e| GrammarError::complex("the vocabulary", &e))?;
        factory.quiet();
        *factory.limits_mut() = ParserLimits {
            initial_lexer_fuel: limits.compile_fuel,
            step_lexer_fuel: limits.step_fuel,
            step_max_items: limits.step_items,
            max_lexer_states: limits.n_states,
            verbose_errors: false,
            ..ParserLimits::default()
        };
        let (cache, n_compiling) = (Mutex::default(), Arc::default());
        Ok(Self { factory: Arc::new(factory), limits, cache, n_compiling })
    }

    /// Compiles a grammar, or finds it among those that were compiled before.
    ///
    /// # Errors
    /// [`GrammarError`] for everything that cannot be held exactly, or takes too much.
    pub fn compile(&self, grammar: &Grammar) -> Result<Compiled, GrammarError> {
        if let Some(found) = self.cached(grammar) {
            return Ok(found);
        }
        let matcher = match grammar {
            Grammar::JsonSchema(value) => self.compile_schema(value)?,
            Grammar::JsonObject => self.compile_schema(&json!({"type": "object"}))?,
            Grammar::Regex(pattern) => {
                let pattern = regex::whole(pattern, self.limits.source_bytes)?;
                self.build(TopLevelGrammar::from_regex(&pattern)).map_err(|e| e.of("the regex"))?
            }
            Grammar::Lark(text) => self.compile_lark(text.clone(), "the grammar")?,
            Grammar::Gbnf(text) => {
                self.check_size("the grammar", text.len())?;
                self.compile_lark(gbnf::to_lark(text)?, "the grammar")?
            }
        };
        Ok(self.keep(grammar.clone(), matcher))
    }

    /// Compiles Lark that holds schemas from [`schema_text`](Self::schema_text).
    pub(crate) fn compile_own(&self, lark: String) -> Result<Compiled, GrammarError> {
        let grammar = Grammar::Lark(lark.clone());
        if let Some(found) = self.cached(&grammar) {
            return Ok(found);
        }
        let built = self.build(TopLevelGrammar::from_lark(lark));
        let matcher = built.map_err(|e| e.of("the grammar of the answer"))?;
        Ok(self.keep(grammar, matcher))
    }

    /// A schema that was looked at, as Lark's `%json` takes it.
    pub(crate) fn schema_text(&self, value: &Value) -> Result<String, GrammarError> {
        Ok(schema::prepare(value, &self.limits)?.value.to_string())
    }

    fn keep(&self, grammar: Grammar, matcher: Matcher) -> Compiled {
        let matcher = Arc::new(Mutex::new(matcher));
        let compiled = Compiled { matcher, is_spent: Arc::default() };
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.truncate(CACHED - 1);
        cache.push_front((grammar, compiled.clone()));
        compiled
    }

    fn cached(&self, grammar: &Grammar) -> Option<Compiled> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let at = cache.iter().position(|(known, _)| known == grammar)?;
        let entry = cache.remove(at)?;
        if entry.1.is_spent.load(Ordering::Relaxed) {
            return None;
        }
        let compiled = entry.1.clone();
        cache.push_front(entry);
        Some(compiled)
    }

    fn compile_schema(&self, value: &Value) -> Result<Matcher, GrammarError> {
        let schema = schema::prepare(value, &self.limits)?;
        let build = |value: &Value| self.build(TopLevelGrammar::from_json_schema(value.clone()));
        build(&schema.value).map_err(|e| match e {
            Refusal::Refused(why) => culprit::name(&schema, &why, &|value| match build(value) {
                Err(Refusal::Refused(why)) => Some(why),
                _ => None,
            }),
            other => other.of("the JSON schema"),
        })
    }

    fn compile_lark(&self, text: String, what: &'static str) -> Result<Matcher, GrammarError> {
        self.check_size(what, text.len())?;
        if text.contains("x-guidance") {
            let (keyword, path) = ("x-guidance".to_owned(), "%json".to_owned());
            let why = "options that weaken a schema cannot be set".to_owned();
            return Err(GrammarError::Unsupported { keyword, path, why });
        }
        self.build(TopLevelGrammar::from_lark(text)).map_err(|e| e.of(what))
    }

    fn check_size(&self, what: &str, n: usize) -> Result<(), GrammarError> {
        let limit = self.limits.source_bytes;
        match n <= limit {
            true => Ok(()),
            false => Err(GrammarError::TooLarge { what: format!("bytes of {what}"), n, limit }),
        }
    }

    /// Compiles on a thread with a deep stack, and stops waiting when it takes too long.
    fn build(&self, grammar: TopLevelGrammar) -> Result<Matcher, Refusal> {
        let permit = Permit::take(&self.n_compiling).ok_or(Refusal::Busy)?;
        let (factory, limit) = (Arc::clone(&self.factory), self.limits.compile_time);
        let (sender, receiver) = mpsc::channel();
        let work = move || {
            let mut matcher = Matcher::new(factory.create_parser(grammar));
            let result = match matcher.get_error() {
                Some(why) => Err(Refusal::Refused(why)),
                // A grammar that cannot begin cannot be held.
                None => match matcher.compute_mask_or_eos() {
                    Ok(_) => Ok(matcher),
                    Err(e) => Err(Refusal::Stuck(e.to_string())),
                },
            };
            drop(permit);
            // Nobody waits any more when it took too long.
            let _ = sender.send(result);
        };
        let thread = std::thread::Builder::new().name("psi-grammar".to_owned());
        let started = thread.stack_size(COMPILE_STACK).spawn(work);
        started.map_err(|e| Refusal::Refused(e.to_string()))?;
        match receiver.recv_timeout(limit) {
            Ok(result) => result,
            Err(mpsc::RecvTimeoutError::Timeout) => Err(Refusal::TimedOut(limit)),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Err(Refusal::Refused("compiling it failed".to_owned()))
            }
        }
    }
}

impl fmt::Debug for Grammars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grammars").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Why `llguidance` has not compiled a grammar.
enum Refusal {
    Refused(String),
    /// compiled, but no token can come first
    Stuck(String),
    TimedOut(Duration),
    Busy,
}

impl Refusal {
    fn of(self, what: &'static str) -> GrammarError {
        match self {
            Self::Stuck(why) if why.contains("NoExtension") => {
                GrammarError::Unsatisfiable { why: format!("{what} matches no text") }
            }
            Self::Refused(why) | Self::Stuck(why) => GrammarError::refused(what, &why),
            Self::TimedOut(limit) => GrammarError::TimedOut { limit },
            Self::Busy => GrammarError::Busy,
        }
    }
}

/// The right to compile; a compilation that nobody waits for any more keeps it until it ends.
struct Permit(Arc<AtomicUsize>);

impl Permit {
    fn take(n: &Arc<AtomicUsize>) -> Option<Self> {
        let more = |n: usize| (n < MAX_COMPILING).then_some(n + 1);
        n.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Self(Arc::clone(n)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
