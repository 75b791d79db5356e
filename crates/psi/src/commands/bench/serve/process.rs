//! A service in this process as the target: what the scheduler does, without a server around it.

use std::{path::Path, sync::mpsc};

use psi_infer::{
    SamplingParams, Speculation,
    service::{Event, Request, Service, ServiceOptions},
};
use serde_json::{Value, json};

use super::{Answer, Target, job::Job};
use crate::{
    cli::LoadTarget,
    cpu,
    error::{Failure, Outcome},
    model::{kv_dtype, load_decoder, resolve},
};

/// Most tokens guessed at once.
const MAX_DRAFT: usize = 8;

pub(super) struct InProcess {
    service: Service,
    n_threads: usize,
}

impl InProcess {
    pub(super) fn start(path: &Path, args: &LoadTarget) -> Outcome<Self> {
        let cpu = cpu::cpu(args.threads)?;
        let model = load_decoder(&cpu, &resolve(path)?, args.dtype)?;
        let speculation = match (&args.draft_model, args.lookup) {
            (Some(draft), _) => Speculation::Draft {
                model: load_decoder(&cpu, &resolve(draft)?, args.dtype)?,
                max_draft: MAX_DRAFT,
            },
            (None, true) => Speculation::Lookup { max_draft: MAX_DRAFT },
            (None, false) => Speculation::Off,
        };
        let defaults = ServiceOptions::default();
        let options = ServiceOptions {
            max_batch: args.max_batch,
            max_queue: 1 << 20,
            prefill_chunk: args.chunk.unwrap_or(defaults.prefill_chunk),
            kv_dtype: kv_dtype(args.kv, &model),
            speculation,
            ..defaults
        };
        let service = Service::start(&cpu, model, options).map_err(|e| {
            let failure = Failure::input(e.to_string());
            match e.hint() {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })?;
        Ok(Self { service, n_threads: cpu.n_threads() })
    }

    pub(super) fn vocab_size(&self) -> u32 {
        self.service.model().config().vocab_size as u32
    }
}

impl Target for InProcess {
    fn run(&self, job: &Job, clock: &dyn Fn() -> f64) -> Result<Answer, String> {
        let sampling = SamplingParams {
            temperature: job.temperature,
            seed: job.seed,
            ..SamplingParams::default()
        };
        let request = Request {
            tokens: job.tokens.clone(),
            max_tokens: job.max_tokens,
            sampling,
            ignore_eos: true,
            ..Request::default()
        };
        let (sink, events) = mpsc::channel();
        let sink = Box::new(move |event| drop(sink.send(event)));
        let ticket = self.service.submit(request, sink).map_err(|e| e.to_string())?;
        let mut answer = Answer::default();
        for event in events {
            match event {
                Event::Started { .. } | Event::Prompt(_) => {}
                Event::Token(score) => {
                    answer.times.push(clock());
                    answer.n_tokens += 1;
                    answer.text.push_str(&format!("{} ", score.id));
                    if job.leaves_after == Some(answer.n_tokens) {
                        return Ok(answer);
                    }
                }
                Event::Finished { .. } => answer.is_whole = true,
                Event::Failed(why) => return Err(why),
            }
        }
        drop(ticket);
        Ok(answer)
    }

    fn describe(&self) -> Vec<(&'static str, Value)> {
        let status = self.service.status();
        let n_positions = (status.n_blocks * status.block_len).max(1);
        vec![
            ("target", json!("in process")),
            ("threads", json!(self.n_threads)),
            ("cache_bytes", json!(status.cache_bytes)),
            ("cache_bytes_per_token", json!(status.cache_bytes / n_positions)),
        ]
    }
}
