//! What a completion is asked for.

use psi_infer::{SamplingParams, service::Request};
use psi_model::Decoder;
use psi_tokenizer::{TokenId, Tokenizer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::{error::ApiError, gate::Call, sampling::request_body};

/// Most log-probabilities per token.
const MAX_LOGPROBS: u32 = 100;

/// What is to be continued.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(
    untagged,
    expecting = "must be a text, a list of texts, a list of token ids or a list of such lists"
)]
pub(crate) enum Prompt {
    /// A text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// Token ids, taken as they are: nothing is added.
    Ids(Vec<TokenId>),
    /// Several lists of token ids.
    Lists(Vec<Vec<TokenId>>),
}

/// A prompt as the model sees it.
#[derive(Clone, Debug)]
pub(crate) struct PromptTokens {
    pub(crate) ids: Vec<TokenId>,
    /// The text, where the request gave one.
    pub(crate) text: Option<String>,
}

impl Prompt {
    /// The token ids of every prompt.
    pub(crate) fn tokens(
        &self,
        tokenizer: &Tokenizer,
        model: &Decoder,
    ) -> Result<Vec<PromptTokens>, ApiError> {
        let encode = |text: &String| {
            let ids = tokenizer.encode(text, true, true);
            PromptTokens { ids, text: Some(text.clone()) }
        };
        let given = |ids: &Vec<TokenId>| PromptTokens { ids: ids.clone(), text: None };
        let prompts: Vec<PromptTokens> = match self {
            Self::Text(text) => vec![encode(text)],
            // `[]` fits every list.
            Self::Texts(texts) => texts.iter().map(encode).collect(),
            Self::Ids(ids) => vec![given(ids)],
            Self::Lists(lists) => lists.iter().map(given).collect(),
        };
        if prompts.is_empty() {
            return Err(ApiError::invalid("prompt", "is an empty list"));
        }
        let vocab_size = model.config().vocab_size;
        for (i, prompt) in prompts.iter().enumerate() {
            let param =
                if prompts.len() == 1 { "prompt".to_owned() } else { format!("prompt[{i}]") };
            if prompt.ids.is_empty() {
                return Err(ApiError::invalid(param, "has no token"));
            }
            if let Some(id) = prompt.ids.iter().find(|id| **id as usize >= vocab_size) {
                let why = format!("token {id} is outside the vocabulary of {vocab_size}");
                return Err(ApiError::invalid(param, why));
            }
        }
        Ok(prompts)
    }
}

request_body! {
    /// Body of `POST /v1/completions`.
    CompletionBody {
        /// The model; the server's first one where it is not said.
        model: Option<String>,
        /// What is to be continued.
        prompt: Prompt,
        /// Most tokens of the answer; 0 only reads the prompt (with `echo`).
        #[schemars(range(max = 2_147_483_647))]
        max_tokens: Option<u32>,
        /// Give the prompt back in front of the answer, with its log-probabilities if they are asked for.
        echo: Option<bool>,
        /// Give the log-probability of each token and of so many most probable ones.
        #[schemars(range(max = 100))]
        logprobs: Option<u32>,
        /// Make so many answers and give the `n` most probable ones per token.
        #[schemars(range(min = 1, max = 64))]
        best_of: Option<u32>,
        /// Text after the gap: psi fills no gaps, so only `null` or an empty text.
        #[schemars(length(max = 0))]
        suffix: Option<String>,
    }
}

/// What every answer of a request has in common.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) max_tokens: usize,
    /// Log-probabilities that the answer shows.
    pub(crate) shown_logprobs: Option<usize>,
    /// Those that are computed.
    logprobs: Option<usize>,
    prompt_logprobs: Option<usize>,
    params: SamplingParams,
    ignore_eos: bool,
    min_tokens: usize,
    adapter: Option<String>,
    client: String,
}

impl Job {
    /// One answer's request.
    pub(crate) fn request(&self, ids: &[TokenId], seed: u64) -> Request {
        Request {
            tokens: ids.to_vec(),
            max_tokens: self.max_tokens,
            sampling: SamplingParams { seed, ..self.params.clone() },
            ignore_eos: self.ignore_eos,
            min_tokens: self.min_tokens,
            logprobs: self.logprobs,
            prompt_logprobs: self.prompt_logprobs,
            adapter: self.adapter.clone(),
            client: self.client.clone(),
            ..Request::default()
        }
    }
}

impl CompletionBody {
    /// Answers to make per prompt.
    pub(crate) fn n_made(&self, n: usize, streams: bool) -> Result<usize, ApiError> {
        let Some(best_of) = self.best_of else { return Ok(n) };
        let best_of = best_of as usize;
        if best_of < n || best_of > 64 {
            return Err(ApiError::invalid("best_of", "must be between `n` and 64"));
        }
        if streams && best_of > n {
            return Err(ApiError::invalid("best_of", "cannot be more than `n` in a stream"));
        }
        Ok(best_of)
    }

    /// What its answers have in common; `ranked` says that they will be compared.
    pub(crate) fn job(
        &self,
        params: SamplingParams,
        ranked: bool,
        adapter: &Option<String>,
        call: &Call,
    ) -> Result<Job, ApiError> {
        if self.suffix.as_ref().is_some_and(|s| !s.is_empty()) {
            return Err(ApiError::unsupported("suffix", "psi fills no gaps"));
        }
        if self.logprobs.is_some_and(|n| n > MAX_LOGPROBS) {
            return Err(ApiError::invalid("logprobs", format!("must be at most {MAX_LOGPROBS}")));
        }
        let echo = self.echo == Some(true);
        if self.max_tokens == Some(0) && !echo {
            return Err(ApiError::invalid("max_tokens", "may be 0 with `echo` only"));
        }
        let shown = self.logprobs.map(|n| n as usize);
        Ok(Job {
            max_tokens: self.max_tokens.unwrap_or(super::DEFAULT_MAX_TOKENS) as usize,
            shown_logprobs: shown,
            logprobs: shown.or(ranked.then_some(0)),
            prompt_logprobs: shown.filter(|_| echo),
            params,
            ignore_eos: self.ignore_eos == Some(true),
            min_tokens: self.min_tokens.unwrap_or(0) as usize,
            adapter: adapter.clone(),
            client: call.client(self.user.as_deref()),
        })
    }
}
