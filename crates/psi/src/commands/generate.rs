//! `psi generate`: text on standard output and nothing else; speed on standard error.

use std::{
    collections::HashMap,
    io::Read,
    time::{Duration, Instant},
};

use psi_infer::{Finish, GenerateParams, Generated, SamplingParams, Step, generate};
use serde_json::{Value, json};

use crate::{
    cli::{Generate, Sampling},
    error::{Failure, Outcome},
    memory,
    model::{Runner, Text},
    out::{out, outln},
};

/// Most tokens to write where `--max-tokens` does not say.
const DEFAULT_MAX_TOKENS: usize = 256;

pub(crate) fn run(args: &Generate) -> Outcome {
    let prompt = prompt(&args.prompt)?;
    let started = Instant::now();
    let runner = Runner::load(&args.model)?;
    let load_time = started.elapsed();
    let tokens = prompt_tokens(args, &runner.text, &prompt)?;
    let room = room(args, runner.decoder.config().max_seq_len, tokens.len())?;
    let params = params(args, &runner.text, room.max_tokens)?;
    let mut engine = runner.engine(room.n_reserved);

    let mut printer = Printer::new(args.json);
    let started = Instant::now();
    let result = generate(&mut engine, &runner.text.tokenizer, &tokens, &params, &mut |step| {
        printer.step(step, &runner.text);
        true
    });
    let time = started.elapsed();
    let mut generated = result.map_err(|e| Failure::input(e.to_string()))?;
    if room.is_rest && generated.finish == Finish::MaxTokens {
        generated.finish = Finish::ContextFull;
    }
    let speed = Speed::new(load_time, time, printer.first_token, tokens.len(), &generated);
    if args.json {
        let document = document(&tokens, &generated, &speed, printer.steps);
        outln!("{document:#}");
    } else {
        speed.print(&generated.finish);
    }
    Ok(())
}

fn prompt(text: &str) -> Outcome<String> {
    if text != "-" {
        return Ok(text.to_owned());
    }
    let mut bytes = Vec::new();
    std::io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|e| Failure::input("standard input cannot be read").because(e))?;
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Failure::input(format!("standard input is not UTF-8 at byte {at}"))
    })
}

/// The prompt's tokens: through the chat template if the model has one, unless `--raw`.
fn prompt_tokens(args: &Generate, text: &Text, prompt: &str) -> Outcome<Vec<u32>> {
    let template = if args.raw { None } else { text.chat()? };
    let Some(template) = template else {
        if args.system.is_some() {
            return Err(Failure::input("--system: this model has no chat template")
                .hint("put the text in front of the prompt"));
        }
        return Ok(text.tokenizer.encode(prompt, true, false));
    };
    let mut messages = Vec::new();
    if let Some(system) = &args.system {
        messages.push(json!({"role": "system", "content": system}));
    }
    messages.push(json!({"role": "user", "content": prompt}));
    let rendered = template
        .render(&Value::Array(messages), None, true, &serde_json::Map::new())
        .map_err(|e| {
            Failure::input("the model's chat template refuses this conversation")
                .because(e)
                .hint("--raw continues the prompt without the template")
        })?;
    Ok(text.tokenizer.encode(&rendered, false, true))
}

/// How much may be written, and the positions to reserve for prompt and answer.
#[derive(Debug, PartialEq)]
struct Room {
    max_tokens: usize,
    n_reserved: usize,
    /// Nobody gave a number, and the context ends before the usual one.
    is_rest: bool,
}

/// Prompt and answer must fit the context (`--context`, else the model's, `limit`): a number that was asked
/// for and does not fit is an error, never cut.
fn room(args: &Generate, limit: usize, n_prompt: usize) -> Outcome<Room> {
    let context = args.context.unwrap_or(limit);
    if context > limit {
        return Err(Failure::input(format!(
            "--context {context}: this model was made for {limit} tokens"
        ))
        .hint("without --context psi reserves what prompt and answer need"));
    }
    let raise = match context < limit {
        true => format!(", or raise --context (at most {limit})"),
        false => String::new(),
    };
    let Some(left) = context.checked_sub(n_prompt).filter(|&left| left > 0) else {
        return Err(Failure::input(format!(
            "the prompt is {n_prompt} tokens long and the context {context}: there is no room to write"
        ))
        .hint(format!("shorten the prompt{raise}")));
    };
    match args.max_tokens {
        Some(n) if n > left => Err(Failure::input(format!(
            "the prompt's {n_prompt} tokens and --max-tokens {n} do not fit the context of {context}"
        ))
        .hint(format!("ask for at most {left} tokens{raise}"))),
        asked => {
            let max_tokens = asked.unwrap_or(DEFAULT_MAX_TOKENS.min(left));
            let n_reserved = args.context.unwrap_or(n_prompt + max_tokens);
            let is_rest = asked.is_none() && left < DEFAULT_MAX_TOKENS;
            Ok(Room { max_tokens, n_reserved, is_rest })
        }
    }
}

fn params(args: &Generate, text: &Text, max_tokens: usize) -> Outcome<GenerateParams> {
    if args.stop.iter().any(String::is_empty) {
        return Err(Failure::input("--stop: an empty text would stop at once"));
    }
    let eos = text.tokenizer.end_of_generation();
    Ok(GenerateParams {
        max_tokens,
        sampling: sampling(&args.sampling),
        stop: args.stop.clone(),
        stop_tokens: if args.ignore_eos { Vec::new() } else { eos.to_vec() },
        logprobs: args.logprobs,
    })
}

fn sampling(args: &Sampling) -> SamplingParams {
    SamplingParams {
        temperature: args.temperature,
        top_k: args.top_k,
        top_p: args.top_p,
        min_p: args.min_p,
        typical_p: args.typical_p,
        repetition_penalty: args.repetition_penalty,
        presence_penalty: args.presence_penalty,
        frequency_penalty: args.frequency_penalty,
        penalty_window: 0,
        logit_bias: args.logit_bias.iter().copied().collect::<HashMap<_, _>>(),
        seed: args.seed,
    }
}

/// Writes text as it comes, or collects steps for the JSON document.
struct Printer {
    json: bool,
    steps: Vec<Value>,
    started: Instant,
    first_token: Option<Duration>,
}

impl Printer {
    fn new(json: bool) -> Self {
        Self { json, steps: Vec::new(), started: Instant::now(), first_token: None }
    }

    fn step(&mut self, step: &Step, text: &Text) {
        self.first_token.get_or_insert(self.started.elapsed());
        if !self.json {
            out!("{}", step.text);
        } else if let Some((logprob, top)) = &step.logprobs {
            let name =
                |id: u32| String::from_utf8_lossy(text.tokenizer.token_bytes(id)).into_owned();
            let top: Vec<_> = top
                .iter()
                .map(|t| json!({"id": t.token, "token": name(t.token), "logprob": t.logprob}))
                .collect();
            let (id, token) = (step.token, name(step.token));
            self.steps.push(json!({"id": id, "token": token, "logprob": logprob, "top": top}));
        }
    }
}

/// How long things took.
struct Speed {
    load_s: f64,
    n_prompt: usize,
    prefill_s: f64,
    n_generated: usize,
    decode_s: f64,
}

impl Speed {
    fn new(
        load: Duration,
        total: Duration,
        first: Option<Duration>,
        n_prompt: usize,
        generated: &Generated,
    ) -> Self {
        let first = first.unwrap_or(total).min(total);
        Self {
            load_s: load.as_secs_f64(),
            n_prompt,
            prefill_s: first.as_secs_f64(),
            n_generated: generated.tokens.len(),
            decode_s: (total - first).as_secs_f64(),
        }
    }

    fn prefill_rate(&self) -> f64 {
        self.n_prompt as f64 / self.prefill_s.max(1e-9)
    }

    /// Tokens after the first per second.
    fn decode_rate(&self) -> Option<f64> {
        (self.n_generated > 1).then(|| (self.n_generated - 1) as f64 / self.decode_s.max(1e-9))
    }

    fn print(&self, finish: &Finish) {
        let decode =
            self.decode_rate().map_or(String::new(), |rate| format!(" at {rate:.1} tokens/s"));
        eprintln!(
            "\n[loaded in {:.2} s; prompt {} tokens at {:.0} tokens/s; wrote {} tokens{decode}; {}]",
            self.load_s,
            self.n_prompt,
            self.prefill_rate(),
            self.n_generated,
            reason(finish).1,
        );
    }
}

/// A finish reason for programs (OpenAI's words) and for people.
fn reason(finish: &Finish) -> (&'static str, &'static str) {
    match finish {
        Finish::StopToken(_) => ("stop", "the model ended"),
        Finish::StopString(_) => ("stop", "met a stop text"),
        Finish::MaxTokens => ("length", "--max-tokens reached"),
        Finish::Complete => ("stop", "nothing more may follow"),
        Finish::ContextFull => ("length", "the context is full"),
        Finish::Cancelled => ("cancelled", "cancelled"),
    }
}

fn document(prompt: &[u32], generated: &Generated, speed: &Speed, steps: Vec<Value>) -> Value {
    let mut document = json!({
        "text": generated.text,
        "tokens": generated.tokens,
        "prompt_tokens": prompt,
        "finish_reason": reason(&generated.finish).0,
        "timings": {
            "load_s": speed.load_s,
            "prefill_s": speed.prefill_s,
            "prefill_tokens_per_s": speed.prefill_rate(),
            "decode_s": speed.decode_s,
            "decode_tokens_per_s": speed.decode_rate(),
        },
        "peak_memory_bytes": memory::peak(),
    });
    if let Finish::StopString(stop) = &generated.finish {
        document["stop"] = json!(stop);
    }
    if !steps.is_empty() {
        document["logprobs"] = Value::Array(steps);
    }
    document
}
