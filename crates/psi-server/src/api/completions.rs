//! `POST /v1/completions`: a text or token ids, continued.

pub(crate) mod answer;
pub(crate) mod request;
mod writer;

use std::sync::Arc;

use axum::{Json, response::IntoResponse};
use psi_infer::service::{Event, EventSink, Finish};
use psi_tokenizer::TokenId;

use super::{
    error::ApiError,
    gate::{Call, Reply, blocking},
    jobs::{Jobs, Meter, Sender, Submit, refused},
    models::Served,
    sampling, sse,
};
use request::{CompletionBody, Job};
use writer::{Stream, Writer};

/// Most tokens of an answer where the request does not say: OpenAI's number.
const DEFAULT_MAX_TOKENS: u32 = 16;

/// Serves the route.
pub(crate) async fn create(call: Call) -> Reply {
    let body: CompletionBody = call.json()?;
    let served = call.model(body.model.as_deref()).await?;
    let call = Arc::new(call);
    let (work, owner) = (Arc::clone(&call), served.clone());
    let (plan, jobs) = blocking(&call.api, move || {
        let plan = Plan::new(&body, &owner, &work)?;
        let jobs = plan.start(&work)?;
        Ok((plan, jobs))
    })
    .await?;
    let id = format!("cmpl-{}", call.record.id());
    let head = answer::Head { id, created: call.api.unix_s(), model: served.name };
    if plan.streams {
        let script = Stream::new(head, plan.writers(), plan.n_made, plan.extras);
        return Ok(sse::respond(&call.api, &call.record, jobs, script));
    }
    let completion = collect(plan, jobs, head).await?;
    Ok(Json(completion).into_response())
}

/// A request that has been checked.
struct Plan {
    served: Served,
    prompts: Vec<request::PromptTokens>,
    /// Answers that are made per prompt, and those that are given.
    n_made: usize,
    n: usize,
    job: Job,
    seed: u64,
    stop: Vec<String>,
    echo: bool,
    streams: bool,
    extras: sampling::Extras,
}

impl Plan {
    fn new(body: &CompletionBody, served: &Served, call: &Call) -> Result<Self, ApiError> {
        let tokenizer = &served.model.tokenizer;
        let prompts = body.prompt.tokens(tokenizer, served.model.service.model())?;
        let n = sampling::n_answers(body.n)?;
        let streams = body.stream == Some(true);
        let n_made = body.n_made(n, streams)?;
        let limit = call.api.limits.n_answers;
        if prompts.len().saturating_mul(n_made) > limit {
            let why = format!("asks for more than {limit} answers with this `n`");
            return Err(ApiError::invalid("prompt", why));
        }
        let vocab_size = served.model.service.model().config().vocab_size;
        let params = body.wishes().params(vocab_size, call.api.draw_seed())?;
        let stop = sampling::stops("stop", body.stop.as_ref())?;
        let extras = sampling::extras(body.stream, body.stream_options)?;
        Ok(Self {
            served: served.clone(),
            prompts,
            n_made,
            n,
            seed: params.seed,
            stop,
            echo: body.echo == Some(true),
            streams,
            extras,
            job: body.job(params, n_made > n, &served.adapter, call)?,
        })
    }

    /// Prompt and answer number of the i-th job.
    fn place(&self, index: usize) -> (usize, usize) {
        (index / self.n_made, index % self.n_made)
    }

    fn n_jobs(&self) -> usize {
        self.prompts.len() * self.n_made
    }

    fn start(&self, call: &Arc<Call>) -> Result<Jobs<Event>, ApiError> {
        let most: usize = self.prompts.iter().map(|p| p.ids.len() + self.job.max_tokens).sum();
        // All of it at once, so that a batch is taken whole or not at all.
        drop(call.key.reserve((most * self.n_made) as u64, call.api.unix_s())?);
        let requests: Vec<(Vec<TokenId>, u64)> = (0..self.n_jobs())
            .map(|index| {
                let (prompt, answer) = self.place(index);
                (self.prompts[prompt].ids.clone(), sampling::seed_of(self.seed, answer))
            })
            .collect();
        let (call, job, served) = (Arc::clone(call), self.job.clone(), self.served.clone());
        let submit: Submit<Event> = Box::new(move |index, sender| {
            let (ids, seed) = &requests[index];
            let needed = (ids.len() + job.max_tokens) as u64;
            let reservation = call.key.reserve(needed, call.api.unix_s())?;
            let meter = Meter::new(&call.api, &call.record, &served, reservation, ids.len());
            let sink = metered(meter, index, sender);
            let ticket = served.model.service.submit(job.request(ids, *seed), sink);
            ticket.map_err(|e| refused(e, "prompt"))
        });
        Jobs::start(self.n_jobs(), submit)
    }

    /// A writer for each job.
    fn writers(&self) -> Vec<Writer> {
        let writer = |index| {
            let prompt = &self.prompts[self.place(index).0];
            let scores = self.job.shown_logprobs;
            Writer::new(&self.served.model.tokenizer, prompt, &self.stop, self.echo, scores)
        };
        (0..self.n_jobs()).map(writer).collect()
    }
}

/// A sink that counts and passes on.
fn metered(mut meter: Meter, index: usize, sender: &Sender<Event>) -> EventSink {
    let sender = sender.clone();
    Box::new(move |event| {
        match &event {
            Event::Started { .. } => meter.start(),
            Event::Token(_) => meter.progress(),
            Event::Finished { usage, reason } => meter.finish(*usage, reason_name(*reason)),
            _ => {}
        }
        // Nobody reads when the client has left.
        let _ = sender.send((index, event));
    })
}

fn reason_name(reason: Finish) -> &'static str {
    match reason {
        Finish::EndOfText | Finish::Constraint => "stop",
        Finish::Length => "length",
        Finish::Cancelled => "cancelled",
    }
}

/// Waits for every answer.
async fn collect(
    plan: Plan,
    mut jobs: Jobs<Event>,
    head: answer::Head,
) -> Result<answer::Completion, ApiError> {
    let mut writers = plan.writers();
    while let Some((index, event)) = jobs.next().await? {
        if !jobs.has_ended(index) && writers[index].event(event)? {
            jobs.end(index);
        }
    }
    let usage = answer::Usage::of(&writers, plan.n_made);
    let mut choices = Vec::new();
    let mut writers = writers.into_iter();
    for _ in &plan.prompts {
        let mut of_prompt: Vec<Writer> = writers.by_ref().take(plan.n_made).collect();
        // Stable: among equals the earlier answer wins.
        if plan.n < plan.n_made {
            of_prompt.sort_by(|a, b| b.mean_logprob().total_cmp(&a.mean_logprob()));
            of_prompt.truncate(plan.n);
        }
        for writer in of_prompt {
            choices.push(writer.into_choice(choices.len() as u32));
        }
    }
    Ok(head.completion(choices, usage))
}
