//! The player behind a URL: any server with OpenAI's completions and chat completions.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use psi_store::ContentHash;
use serde_json::{Value, json};

use super::{
    local::{failed, max_tokens},
    player::{Identity, Overlong, PlayError, Played, Player, Settings, Sink},
};
use crate::task::{Choice, Generation, Item, LogLikelihood, Output, Request, Span};

/// An answer may take this long.
const PATIENCE: Duration = Duration::from_secs(600);
/// Attempts when the server is busy or unreachable.
const ATTEMPTS: u32 = 5;
/// Longest reply that is read.
const MAX_REPLY: u64 = 256 << 20;

/// What a remote player is made of.
#[derive(Clone, Debug)]
pub struct RemoteParts {
    /// The address up to and with `/v1`.
    pub url: String,
    /// The model's name on the server.
    pub model: String,
    /// Sent as the bearer token.
    pub key: Option<String>,
    /// Requests at a time.
    pub batch: usize,
}

/// A server.
#[derive(Debug)]
pub struct Remote {
    parts: RemoteParts,
    identity: Identity,
    agent: ureq::Agent,
}

impl Remote {
    /// A player; nothing is sent yet.
    pub fn new(parts: RemoteParts) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .build();
        let named = format!("{} {}", parts.url, parts.model);
        let identity = Identity {
            model: named.clone(),
            adapter: None,
            hash: ContentHash::of_bytes(named.as_bytes()),
            engine: "server".to_owned(),
        };
        let parts = RemoteParts { url: parts.url.trim_end_matches('/').to_owned(), ..parts };
        Self { parts, identity, agent: config.into() }
    }

    /// Sends `body` until the server answers it; waits longer each time it is busy.
    fn ask(&self, path: &str, body: &Value) -> Result<Value, PlayError> {
        let mut wait = Duration::from_millis(250);
        for attempt in 1.. {
            match self.ask_once(path, body) {
                Ok(answer) => return Ok(answer),
                Err((PlayError::Server { .. }, true)) if attempt < ATTEMPTS => {
                    std::thread::sleep(wait);
                    wait *= 2;
                }
                Err((error, _)) => return Err(error),
            }
        }
        unreachable!("the last attempt returns")
    }

    /// The answer, or why there is none and whether trying again may help.
    fn ask_once(&self, path: &str, body: &Value) -> Result<Value, (PlayError, bool)> {
        let url = format!("{}/{path}", self.parts.url);
        let server = |what: String| PlayError::Server { what: format!("{url}: {what}") };
        let mut request = self.agent.post(&url).header("content-type", "application/json");
        if let Some(key) = &self.parts.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let mut response =
            request.send(body.to_string()).map_err(|e| (server(e.to_string()), true))?;
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(MAX_REPLY).read_to_string();
        let text = text.map_err(|e| (server(e.to_string()), true))?;
        let answer: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if status == 200 && answer.is_object() {
            return Ok(answer);
        }
        let why = answer["error"]["message"]
            .as_str()
            .map_or_else(|| text.chars().take(200).collect::<String>(), str::to_owned);
        Err((server(format!("status {status}: {why}")), matches!(status, 429 | 500..)))
    }

    fn answer(&self, item: &Item, settings: &Settings) -> Result<Played, PlayError> {
        let started = Instant::now();
        let mut played = match &item.request {
            Request::Choices { choices, span } => self.choices(item, choices, *span)?,
            Request::Generation(limits) if settings.chat == Some(false) => {
                self.continued(item, limits, settings)?
            }
            Request::Generation(limits) => self.said(item, limits, settings)?,
            Request::Rolling { .. } => {
                let what = "a server's context is not known, so a long text cannot be cut for it";
                return Err(PlayError::Cannot { what: what.to_owned() });
            }
            Request::MultiTurn { .. } => {
                let what = "only a model of this machine plays the assistant";
                return Err(PlayError::Cannot { what: what.to_owned() });
            }
        };
        played.seconds = started.elapsed().as_secs_f64();
        Ok(played)
    }

    /// What every generation asks for.
    fn body(&self, item: &Item, limits: &Generation, settings: &Settings) -> Value {
        let sampling = settings.sampling_of(item);
        let mut body = json!({
            "model": self.parts.model,
            "max_tokens": max_tokens(limits, settings),
            "temperature": sampling.temperature,
            // JSON numbers are exact up to 2^53.
            "seed": sampling.seed >> 11,
        });
        if sampling.top_p < 1.0 {
            body["top_p"] = json!(sampling.top_p);
        }
        body
    }

    fn continued(
        &self,
        item: &Item,
        limits: &Generation,
        settings: &Settings,
    ) -> Result<Played, PlayError> {
        let prompt = item.prompt.text();
        let mut body = self.body(item, limits, settings);
        body["prompt"] = json!(prompt);
        if !limits.stop.is_empty() {
            body["stop"] = json!(limits.stop);
        }
        let answer = self.ask("completions", &body)?;
        let text = text_at(&answer, "/choices/0/text")?;
        Ok(counted(&answer, prompt, Output::Text(text)))
    }

    fn said(
        &self,
        item: &Item,
        limits: &Generation,
        settings: &Settings,
    ) -> Result<Played, PlayError> {
        let messages = item.prompt.messages();
        let mut body = self.body(item, limits, settings);
        body["messages"] = json!(messages);
        if !item.prompt.tools.is_empty() {
            body["tools"] = json!(item.prompt.tools);
        }
        let answer = self.ask("chat/completions", &body)?;
        let message = answer.pointer("/choices/0/message").cloned().unwrap_or_default();
        let output = if item.prompt.tools.is_empty() {
            Output::Text(message["content"].as_str().unwrap_or_default().to_owned())
        } else {
            Output::Messages(vec![message])
        };
        Ok(counted(&answer, Value::Array(messages).to_string(), output))
    }

    fn choices(&self, item: &Item, choices: &[Choice], span: Span) -> Result<Played, PlayError> {
        let text = item.prompt.text();
        let contexts: Vec<String> =
            choices.iter().map(|c| format!("{text}{}", c.context)).collect();
        let prompts: Vec<String> = contexts
            .iter()
            .zip(choices)
            .map(|(c, choice)| format!("{c}{}", choice.continuation))
            .collect();
        let body = json!({
            "model": self.parts.model, "prompt": prompts, "max_tokens": 1, "temperature": 0,
            "logprobs": 1, "echo": true,
        });
        let answer = self.ask("completions", &body)?;
        let mut echoed: Vec<Option<Echo>> = vec![None; prompts.len()];
        for found in answer["choices"].as_array().into_iter().flatten() {
            let index = found["index"].as_u64().unwrap_or(0) as usize;
            if let Some(place) = echoed.get_mut(index) {
                *place = Echo::read(&found["logprobs"]);
            }
        }
        let echoed: Option<Vec<Echo>> = echoed.into_iter().collect();
        let echoed = echoed.ok_or_else(|| PlayError::Server {
            what: "the server does not echo prompts with log-probabilities".to_owned(),
        })?;
        let found = scored(&echoed, &contexts, span);
        Ok(counted(&answer, text, Output::Choices(found)))
    }
}

/// The tokens of a prompt as the server echoes them.
#[derive(Clone, Debug)]
struct Echo {
    tokens: Vec<String>,
    /// Characters before each token.
    offsets: Vec<usize>,
    /// Log-probability, and whether no token was likelier; nothing for the first.
    scores: Vec<Option<(f64, bool)>>,
}

impl Echo {
    fn read(logprobs: &Value) -> Option<Self> {
        let list = |key: &str| logprobs[key].as_array();
        let mut tokens: Vec<String> =
            list("tokens")?.iter().map(|t| t.as_str().unwrap_or_default().to_owned()).collect();
        // The last token is the one that had to be generated.
        tokens.pop()?;
        let mut offset = 0;
        let mut offsets = Vec::with_capacity(tokens.len());
        for (i, token) in tokens.iter().enumerate() {
            let given = logprobs["text_offset"].get(i).and_then(Value::as_u64);
            offsets.push(given.map_or(offset, |o| o as usize));
            offset = offsets[i] + token.chars().count();
        }
        let top = list("top_logprobs")?;
        let of = |(i, own): (usize, &Value)| {
            let own = own.as_f64()?;
            let best = top.get(i)?.as_object()?.values().filter_map(Value::as_f64);
            Some((own, best.fold(f64::NEG_INFINITY, f64::max) <= own))
        };
        let own = list("token_logprobs")?;
        let scores = own.iter().take(tokens.len()).enumerate().map(of).collect();
        Some(Self { tokens, offsets, scores })
    }
}

/// The log-likelihoods of the tokens that count.
fn scored(echoed: &[Echo], contexts: &[String], span: Span) -> Vec<LogLikelihood> {
    let shortest = echoed.iter().map(|e| e.tokens.len()).min().unwrap_or(0);
    let same = |at: &dyn Fn(&Echo) -> String| echoed.windows(2).all(|w| at(&w[0]) == at(&w[1]));
    let prefix = (0..shortest).take_while(|&i| same(&|e| e.tokens[i].clone())).count();
    let suffix = (1..=shortest).take_while(|&i| same(&|e| e.tokens[e.tokens.len() - i].clone()));
    let suffix = suffix.count().min(shortest.saturating_sub(1));
    let from = |echo: &Echo, context: &str| match span {
        Span::Continuation => {
            let end = context.trim_end().chars().count();
            echo.offsets.iter().position(|&o| o >= end).unwrap_or(echo.tokens.len())
        }
        Span::AfterCommonPrefix => prefix,
        Span::CommonSuffix => echo.tokens.len() - suffix,
    };
    let total = |(echo, context): (&Echo, &String)| {
        let mut total = LogLikelihood { sum: 0.0, n_tokens: 0, is_greedy: true };
        // The first token of a prompt may have no probability.
        for (log_prob, is_best) in echo.scores.iter().skip(from(echo, context)).flatten() {
            total.sum += log_prob;
            total.n_tokens += 1;
            total.is_greedy &= is_best;
        }
        total
    };
    echoed.iter().zip(contexts).map(total).collect()
}

fn text_at(answer: &Value, pointer: &str) -> Result<String, PlayError> {
    let text = answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| PlayError::Server { what: format!("the reply has no text at {pointer}") })
}

/// An answer with the server's count of its tokens.
fn counted(answer: &Value, prompt: String, output: Output) -> Played {
    let count = |key: &str| answer["usage"][key].as_u64().unwrap_or(0) as usize;
    let (n_prompt, n_answer) = (count("prompt_tokens"), count("completion_tokens"));
    Played { prompt, output, n_prompt, n_answer, seconds: 0.0 }
}

impl Player for Remote {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn appetite(&self) -> usize {
        4 * self.parts.batch
    }

    /// The server says so itself, as an error.
    fn overlong(&self, _: &Item, _: &Settings) -> Result<Option<Overlong>, PlayError> {
        Ok(None)
    }

    fn play(
        &mut self,
        items: &[&Item],
        settings: &Settings,
        sink: &mut Sink<'_>,
    ) -> super::Result<()> {
        let next = AtomicUsize::new(0);
        let (sender, answers) = mpsc::channel();
        let sender = Mutex::new(sender);
        std::thread::scope(|scope| {
            for _ in 0..self.parts.batch.min(items.len()) {
                let sender = sender.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let (this, next) = (&*self, &next);
                scope.spawn(move || {
                    loop {
                        let i = next.fetch_add(1, Ordering::Relaxed);
                        let Some(item) = items.get(i) else { return };
                        let answer = this.answer(item, settings);
                        let is_last = answer.is_err();
                        if sender.send((i, answer)).is_err() || is_last {
                            // Nobody listens, or there is nothing more to hear.
                            next.store(items.len(), Ordering::Relaxed);
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let mut result = Ok(());
            for (i, answer) in answers {
                if result.is_ok() {
                    result = answer.map_err(|e| failed(items[i], e)).and_then(|p| sink(i, p));
                }
                if result.is_err() {
                    next.store(items.len(), Ordering::Relaxed);
                }
            }
            result
        })
    }
}
