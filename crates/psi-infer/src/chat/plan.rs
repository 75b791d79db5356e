//! What a request asks of its answer, made into tokens that are banned and a constraint.

use std::sync::{Arc, atomic::AtomicBool};

use psi_tokenizer::TokenId;

use super::{
    ChatError, ChatModel, ChatRequest, ToolSyntax,
    messages::{self, Tool},
    request::{ResponseFormat, ToolChoice},
    steering::{Answer, Marked, Steering, ThoughtState, Thoughts},
    tool_grammar::CallGrammar,
};
use crate::grammar::{Compiled, Grammar, GrammarError};

/// How an answer is held to what was asked.
pub(super) struct Plan {
    /// The tools that may be called.
    pub(super) tools: Vec<Tool>,
    /// Tokens that never come.
    pub(super) banned: Vec<TokenId>,
    /// The prompt has opened the thoughts.
    pub(super) in_reasoning: bool,
    thoughts: Option<Thoughts>,
    answer: Format,
}

enum Format {
    Free,
    Grammar(Compiled),
    Marked { mark: TokenId, body: Compiled, text: Option<Compiled>, single: bool },
}

impl Plan {
    pub(super) fn new(
        model: &ChatModel,
        request: &ChatRequest,
        prompt: &str,
    ) -> Result<Self, ChatError> {
        let mut tools = messages::check_tools(&request.tools)?;
        if let ToolChoice::Named(name) = &request.tool_choice {
            tools.retain(|tool| tool.name == *name);
        }
        let in_reasoning = model.format.opens_reasoning(prompt);
        let answer = answer(model, request, &tools)?;
        let mut plan = Self { tools, banned: Vec::new(), in_reasoning, thoughts: None, answer };
        plan.think(model, request)?;
        if request.tool_choice == ToolChoice::None {
            plan.banned.extend(model.format.tools.mark().and_then(|mark| single(model, mark)));
        }
        Ok(plan)
    }

    /// The constraint.
    pub(super) fn steering(self, model: &ChatModel, is_over: Arc<AtomicBool>) -> Steering {
        let answer = match self.answer {
            Format::Free => Answer::Free,
            Format::Grammar(compiled) => Answer::Grammar(compiled.begin()),
            Format::Marked { mark, body, text, single } => Answer::Marked(Box::new(Marked {
                mark,
                body,
                text: text.map(|text| text.begin()),
                single,
                inside: None,
                n_calls: 0,
                is_fresh: true,
            })),
        };
        let vocab_size = model.service.model().config().vocab_size;
        Steering::new(self.thoughts, answer, is_over, Arc::clone(&model.tokenizer), vocab_size)
    }

    /// Thoughts: whether there are any, and how long.
    fn think(&mut self, model: &ChatModel, request: &ChatRequest) -> Result<(), ChatError> {
        let refuse = |why: &str| Err(ChatError::bad("reasoning", why));
        let budget = match request.reasoning.enabled {
            Some(false) => Some(0),
            _ => request.reasoning.budget,
        };
        let Some(tags) = &model.format.reasoning else {
            return match request.reasoning.budget {
                Some(_) => refuse("has a budget, but this model does not think"),
                None => Ok(()),
            };
        };
        let is_held = budget.is_some() || !matches!(self.answer, Format::Free);
        let (Some(open), Some(close)) = (single(model, &tags.open), single(model, &tags.close))
        else {
            return match self.in_reasoning && is_held || request.reasoning.budget.is_some() {
                true => refuse("cannot be limited: this model marks it by several tokens"),
                false => Ok(()),
            };
        };
        let is_off = request.reasoning.enabled == Some(false);
        if is_off && !self.in_reasoning {
            self.banned.push(open);
            return Ok(());
        }
        if !is_held {
            return Ok(());
        }
        let call = match &model.format.tools {
            ToolSyntax::Tagged { open, close } => single(model, open).zip(single(model, close)),
            _ => None,
        };
        let state = match self.in_reasoning {
            true => ThoughtState::Inside { n: 0, in_call: false },
            false if request.continue_last => ThoughtState::After,
            false => ThoughtState::Before,
        };
        self.thoughts = Some(Thoughts { open, close, budget, call, state });
        Ok(())
    }
}

/// The token of a tag, if it is a single one.
fn single(model: &ChatModel, tag: &str) -> Option<TokenId> {
    let added = model.tokenizer.added_tokens().iter().find(|t| t.content == tag)?;
    ((added.id as usize) < model.service.model().config().vocab_size).then_some(added.id)
}

/// The format of what follows the thoughts.
fn answer(model: &ChatModel, request: &ChatRequest, tools: &[Tool]) -> Result<Format, ChatError> {
    let grammars = &model.grammars;
    let in_field = |field: &'static str| {
        move |error: GrammarError| ChatError::Grammar { field: field.to_owned(), error }
    };
    let text = match &request.response_format {
        ResponseFormat::Text => None,
        ResponseFormat::JsonObject => Some(Grammar::JsonObject),
        ResponseFormat::JsonSchema(schema) => Some(Grammar::JsonSchema(schema.clone())),
        ResponseFormat::Regex(pattern) => Some(Grammar::Regex(pattern.clone())),
        ResponseFormat::Grammar(text) => Some(Grammar::from_text(text)),
    };
    let compiled = text.as_ref().map(|grammar| grammars.compile(grammar)).transpose();
    let compiled = compiled.map_err(in_field("response_format"))?;
    let calls = CallGrammar {
        grammars,
        tokenizer: &model.tokenizer,
        syntax: &model.format.tools,
        tools,
        parallel: request.parallel_tool_calls,
    };
    let own = |lark: String| grammars.compile_own(lark).map_err(in_field("tools"));
    match &request.tool_choice {
        ToolChoice::Named(name) if tools.is_empty() => Err(ChatError::bad(
            "tool_choice",
            format!("names '{name}', which is none of the tools"),
        )),
        ToolChoice::Required if tools.is_empty() => {
            Err(ChatError::bad("tool_choice", "is 'required', but there are no tools"))
        }
        ToolChoice::Required | ToolChoice::Named(_) if compiled.is_some() => {
            let why = "cannot be held together with a tool_choice that demands a call";
            Err(ChatError::bad("response_format", why))
        }
        ToolChoice::Required | ToolChoice::Named(_) => Ok(Format::Grammar(own(calls.calls()?)?)),
        ToolChoice::None => Ok(compiled.map_or(Format::Free, Format::Grammar)),
        ToolChoice::Auto => {
            let is_strict = tools.iter().any(|tool| tool.is_strict);
            if tools.is_empty() || (compiled.is_none() && !is_strict) {
                return Ok(compiled.map_or(Format::Free, Format::Grammar));
            }
            if let Some(mark) = calls.mark()
                && *calls.syntax != ToolSyntax::Llama3
            {
                let body = own(calls.after_mark()?)?;
                let single = !request.parallel_tool_calls;
                return Ok(Format::Marked { mark, body, text: compiled, single });
            }
            let schema = match &text {
                None => None,
                Some(Grammar::JsonObject) => Some(serde_json::json!({"type": "object"})),
                Some(Grammar::JsonSchema(schema)) => Some(schema.clone()),
                Some(_) => {
                    let why = "a regex or grammar cannot be held beside this model's tool calls";
                    return Err(ChatError::bad("response_format", why));
                }
            };
            let schema = schema.map(|s| grammars.schema_text(&s)).transpose();
            let schema = schema.map_err(in_field("response_format"))?;
            Ok(Format::Grammar(own(calls.calls_or(schema.as_deref())?)?))
        }
    }
}
