//! A model that talks: its service, its tokenizer, its chat template and its way of writing.

use std::{
    fmt,
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use psi_kernels::Cpu;
use psi_model::{Decoder, LoadOptions};
use psi_tokenizer::{ChatTemplate, TokenId, Tokenizer};
use serde_json::Value;

use super::{
    ChatError, ChatFormat, ChatRequest, ChatSink, OpenError, OutputParser, ParseOptions,
    TemplateOptions,
    plan::Plan,
    prompt::{Guard, Maker, Prompt},
    request::ToolChoice,
    session::Session,
};
use crate::{
    StopMatcher,
    grammar::{GrammarLimits, Grammars},
    rng,
    service::{Request, Service, ServiceOptions, Ticket, Usage},
    text::{ModelText, TextStream},
};

/// How a model is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// What it is called; `None`: the name of its folder or file.
    pub name: Option<String>,
    /// How its weights are loaded.
    pub load: LoadOptions,
    /// How its service is set up.
    pub service: ServiceOptions,
    /// A chat template instead of its own.
    pub template: Option<String>,
    /// How large grammars may be.
    pub grammar: GrammarLimits,
}

/// A model that answers conversations.
///
/// ```no_run
/// # fn f(cpu: &std::sync::Arc<psi_kernels::Cpu>) -> Result<(), Box<dyn std::error::Error>> {
/// use psi_infer::chat::{ChatEvent, ChatModel, ChatRequest, OpenOptions, ResponseFormat};
/// use serde_json::json;
///
/// let model = ChatModel::open("model".as_ref(), cpu, OpenOptions::default())?;
/// let request = ChatRequest {
///     messages: vec![json!({"role": "user", "content": "Name a colour as JSON."})],
///     response_format: ResponseFormat::JsonSchema(json!({
///         "type": "object",
///         "properties": {"colour": {"enum": ["red", "green", "blue"]}},
///         "required": ["colour"],
///     })),
///     ..ChatRequest::default()
/// };
/// let (sender, events) = std::sync::mpsc::channel();
/// // The ticket keeps the request alive: dropping it cancels.
/// let ticket = model.chat(request, Box::new(move |event| drop(sender.send(event))))?;
/// for event in events {
///     if let ChatEvent::Content(text) = event {
///         // show `text`
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct ChatModel {
    /// What it is called.
    pub name: String,
    /// What runs it.
    pub service: Service,
    /// Its tokenizer.
    pub tokenizer: Arc<Tokenizer>,
    /// Its chat template.
    pub template: Option<ChatTemplate>,
    /// How it marks thoughts and tool calls.
    pub format: ChatFormat,
    /// Compiles grammars for its vocabulary.
    pub grammars: Grammars,
    guard: Guard,
    shown: Vec<TokenId>,
}

impl ChatModel {
    /// Opens the model in a Hugging Face folder or a GGUF file and starts its service.
    ///
    /// # Errors
    /// [`OpenError`] for weights, tokenizer or template that cannot be used, and options that cannot work.
    pub fn open(path: &Path, cpu: &Arc<Cpu>, options: OpenOptions) -> Result<Self, OpenError> {
        let mut text = ModelText::open(path).map_err(OpenError::Text)?;
        text.template = options.template.or(text.template);
        let template = text.chat_template();
        let template = template.map_err(|e| OpenError::Template(path.to_owned(), e))?;
        let decoder = Decoder::load(cpu, path, &options.load).map_err(OpenError::Model)?;
        let service = Service::start(cpu, Arc::new(decoder), options.service);
        let service = service.map_err(OpenError::Service)?;
        let name = options.name.unwrap_or_else(|| {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
            name.unwrap_or_else(|| path.display().to_string())
        });
        Self::new(name, service, Arc::new(text.tokenizer), template, options.grammar)
    }

    /// A model from its parts.
    ///
    /// # Errors
    /// The tokenizer cannot guide grammars.
    pub fn new(
        name: String,
        service: Service,
        tokenizer: Arc<Tokenizer>,
        template: Option<ChatTemplate>,
        limits: GrammarLimits,
    ) -> Result<Self, OpenError> {
        let source = template.as_ref().map(ChatTemplate::source);
        let format = ChatFormat::detect(source, &tokenizer);
        let vocab_size = service.model().config().vocab_size;
        let grammars = Grammars::new(&tokenizer, vocab_size, limits).map_err(OpenError::Grammar)?;
        let guard = Guard::new(&tokenizer);
        let shown = format.shown_tokens(&tokenizer);
        Ok(Self { name, service, tokenizer, template, format, grammars, guard, shown })
    }

    /// The tokens of a conversation's prompt. Special tokens that messages or tools spell out stay text.
    ///
    /// # Errors
    /// [`ChatError`] for messages or tools that are not what they should be, or that the template refuses.
    pub fn prompt(
        &self,
        messages: &[Value],
        tools: &[Value],
        options: &TemplateOptions,
    ) -> Result<Vec<TokenId>, ChatError> {
        Ok(self.render(messages, tools, options)?.tokens)
    }

    fn render(
        &self,
        messages: &[Value],
        tools: &[Value],
        options: &TemplateOptions,
    ) -> Result<Prompt, ChatError> {
        let Some(template) = &self.template else { return Err(ChatError::NoTemplate) };
        let (tokenizer, format, guard) = (self.tokenizer.as_ref(), &self.format, &self.guard);
        Maker { tokenizer, template, format, guard }.prompt(messages, tools, options)
    }

    /// Answers a conversation: the events go to `sink`.
    ///
    /// # Errors
    /// [`ChatError`]; then `sink` is never called. What is asked for is held or refused, never left out.
    pub fn chat(&self, request: ChatRequest, sink: ChatSink) -> Result<Ticket, ChatError> {
        let options = TemplateOptions {
            enable_thinking: request.reasoning.enabled,
            kwargs: request.template_kwargs.clone(),
            add_generation_prompt: !request.continue_last,
            continue_last: request.continue_last,
        };
        let prompt = self.render(&request.messages, &request.tools, &options)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let plan = Plan::new(self, &request, &prompt.text)?;
        let mut sampling = request.sampling;
        sampling.logit_bias.extend(plan.banned.iter().map(|&token| (token, f32::NEG_INFINITY)));
        let seed = prompt.tokens.iter().fold(sampling.seed, |s, &t| rng::mix(s ^ u64::from(t)));
        let tools = request.tool_choice != ToolChoice::None && !plan.tools.is_empty();
        let parse = ParseOptions {
            in_reasoning: plan.in_reasoning,
            tools: tools.then(|| plan.tools.iter().map(|t| t.name.clone()).collect()),
            single_call: !request.parallel_tool_calls,
            seed,
        };
        let mut session = Session {
            sink,
            tokenizer: Arc::clone(&self.tokenizer),
            text: TextStream::new(Arc::clone(&self.tokenizer), &[]).showing(&self.shown),
            parser: OutputParser::new(self.format.clone(), parse),
            stops: StopMatcher::new(request.stop),
            usage: Usage { n_prompt: prompt.tokens.len(), ..Usage::default() },
            wants_logprobs: request.logprobs.is_some(),
            is_over: Arc::clone(&is_over),
            has_ended: false,
        };
        let asked = Request {
            tokens: prompt.tokens,
            max_tokens: request.max_tokens,
            sampling,
            stop_tokens: self.end_tokens(),
            ignore_eos: request.ignore_eos,
            min_tokens: request.min_tokens,
            logprobs: request.logprobs,
            prompt_logprobs: None,
            adapter: request.adapter,
            constraint: Some(Box::new(plan.steering(self, is_over))),
            client: request.client,
        };
        Ok(self.service.submit(asked, Box::new(move |event| session.take(event)))?)
    }

    /// The tokens that end an answer.
    pub fn end_tokens(&self) -> Vec<TokenId> {
        let vocab_size = self.service.model().config().vocab_size;
        let ends = self.tokenizer.end_of_generation().iter().copied();
        ends.filter(|&end| (end as usize) < vocab_size).collect()
    }
}

impl fmt::Debug for ChatModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatModel")
            .field("name", &self.name)
            .field("service", &self.service)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}
