//! Many requests at once, arriving and leaving at random.

use std::sync::mpsc;

use psi_infer::{
    SamplingParams,
    service::{Event, Finish, Service, ServiceOptions, Status},
};
use psi_kernels::kv::KvDtype;
use psi_testkit::Rng;

use super::{
    alone::{Alone, Answer, Ask},
    options, service,
};

/// A request of any kind, for a model of 96 tokens; with its answer it has at most `limit` tokens.
pub(crate) fn any_ask(rng: &mut Rng, limit: usize) -> Ask {
    // Some prompts begin alike.
    let n_alike = rng.below(limit as u64 / 2) as usize;
    let n_own = 1 + rng.below(20);
    let mut tokens: Vec<u32> = (0..n_alike).map(|i| (i * 7 % 96) as u32).collect();
    tokens.extend((0..n_own).map(|_| rng.below(96) as u32));
    let max_tokens = rng.below((limit - tokens.len() + 1).min(40) as u64) as usize;
    let sampling = SamplingParams {
        temperature: [0.0, 0.7, 1.5][rng.below(3) as usize],
        top_k: [0, 5][rng.below(2) as usize],
        top_p: [1.0, 0.9][rng.below(2) as usize],
        repetition_penalty: [1.0, 1.2][rng.below(2) as usize],
        frequency_penalty: [0.0, 0.3][rng.below(2) as usize],
        logit_bias: (0..rng.below(3)).map(|_| (rng.below(96) as u32, rng.uniform())).collect(),
        seed: rng.below(1000),
        ..SamplingParams::default()
    };
    let staircase = (rng.below(4) == 0).then(|| 1 + rng.below(30) as usize);
    Ask {
        tokens,
        max_tokens,
        sampling,
        stop_tokens: (0..rng.below(3)).map(|_| 40 + rng.below(56) as u32).collect(),
        ignore_eos: rng.below(4) == 0,
        min_tokens: if staircase.is_none() { rng.below(max_tokens as u64 + 1) as usize } else { 0 },
        logprobs: (rng.below(3) == 0).then(|| rng.below(4) as usize),
        prompt_logprobs: (rng.below(5) == 0).then(|| rng.below(4) as usize),
        staircase,
        adapter: None,
        client: format!("client {}", rng.below(3)),
    }
}

/// An answer as it arrived, and when its asker left (after so many tokens).
struct Got {
    answer: Answer,
    left_after: Option<usize>,
}

/// Asks everything at random times; some askers leave after some tokens.
fn ask_all(service: &Service, asks: &[Ask], rng: &mut Rng) -> Vec<Got> {
    let mut waiting = Vec::new();
    for ask in asks {
        let left_after = (rng.below(4) == 0).then(|| rng.below(12) as usize);
        let (sink, events) = mpsc::channel();
        let sink = Box::new(move |event| drop(sink.send(event)));
        let ticket = service.submit(ask.request(), sink).expect("a place");
        waiting.push((ticket, events, left_after));
        if rng.below(3) == 0 {
            // Let some of them get ahead.
            std::thread::sleep(std::time::Duration::from_micros(rng.below(3000)));
        }
    }
    let gather = |(ticket, events, left_after): (_, mpsc::Receiver<Event>, Option<usize>)| {
        let mut ticket = Some(ticket);
        let mut n_tokens = 0;
        let mut all = Vec::new();
        if left_after == Some(0) {
            ticket = None;
        }
        for event in events {
            n_tokens += usize::from(matches!(event, Event::Token(_)));
            if left_after.is_some_and(|n| n_tokens >= n) {
                ticket = None;
            }
            all.push(event);
        }
        drop(ticket);
        Got { answer: gathered(&all), left_after }
    };
    // One thread per asker: they leave while the others are served.
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            waiting.into_iter().map(|one| scope.spawn(move || gather(one))).collect();
        threads.into_iter().map(|t| t.join().expect("an answer")).collect()
    })
}

/// Checks the order of events and makes them an answer.
fn gathered(events: &[Event]) -> Answer {
    let is_end = |e: &Event| matches!(e, Event::Finished { .. } | Event::Failed(_));
    assert_eq!(events.iter().filter(|e| is_end(e)).count(), 1, "one end: {events:?}");
    assert!(events.last().is_some_and(is_end), "nothing after the end: {events:?}");
    let mut completion = psi_infer::service::Completion {
        prompt: None,
        tokens: Vec::new(),
        end: Err(String::new()),
    };
    for (i, event) in events.iter().enumerate() {
        match event {
            Event::Started { .. } => assert_eq!(i, 0, "{events:?}"),
            Event::Prompt(scores) => {
                assert!(completion.tokens.is_empty() && completion.prompt.is_none(), "{events:?}");
                completion.prompt = Some(scores.clone());
            }
            Event::Token(score) => completion.tokens.push(score.clone()),
            Event::Finished { reason, usage } => completion.end = Ok((*reason, *usage)),
            Event::Failed(why) => completion.end = Err(why.clone()),
        }
    }
    Answer::of(&completion)
}

/// Whether `got` is `expected`, or the beginning of it if its asker left.
#[track_caller]
fn check(got: &Got, expected: &Answer, ask: &Ask) {
    let Got { answer, left_after } = got;
    if answer.finish != Finish::Cancelled {
        assert_eq!(answer, expected, "{ask:?}");
        return;
    }
    let n = left_after.expect("only who leaves is cancelled");
    let n_got = answer.tokens.len();
    assert!(n_got >= n.min(expected.tokens.len()), "{n_got} tokens before leaving after {n}");
    assert_eq!(answer.tokens[..], expected.tokens[..n_got], "{ask:?}");
}

/// Asks all kinds of things at once and checks every answer; returns the service's status.
#[track_caller]
pub(crate) fn check_crowd(
    model: &str,
    options: ServiceOptions,
    n_asks: usize,
    seed: u64,
) -> Status {
    let mut rng = Rng::new(seed);
    let mut alone = Alone::new(model, options.kv_dtype);
    let service = service(model, 1 + (seed % 2) as usize, options);
    let asks: Vec<Ask> = (0..n_asks).map(|_| any_ask(&mut rng, service.max_context())).collect();
    check_asks(&service, &mut alone, &asks, &mut rng);
    service.status()
}

/// Asks all of it at once and checks every answer.
#[track_caller]
pub(crate) fn check_asks(service: &Service, alone: &mut Alone, asks: &[Ask], rng: &mut Rng) {
    let got = ask_all(service, asks, rng);
    for (got, ask) in got.iter().zip(asks) {
        check(got, &alone.answer(ask), ask);
    }
    let status = service.status();
    assert_eq!((status.n_running, status.n_queued), (0, 0));
    assert_eq!((status.n_ended, status.n_blocks_used), (asks.len() as u64, 0));
}

#[test]
fn every_answer_in_a_crowd_is_the_one_it_gets_alone() {
    for (seed, model) in (0..).zip(["llama3", "mistral", "gemma2", "qwen3_moe", "dynamic"]) {
        let options = ServiceOptions { max_batch: 6, prefill_chunk: 17, ..options() };
        check_crowd(model, options, 40, seed);
    }
}

#[test]
fn every_answer_is_the_same_whatever_the_batch_the_chunk_and_the_cache() {
    for (seed, (max_batch, prefill_chunk, kv_dtype)) in
        (10..).zip([(1, 512, KvDtype::Bf16), (2, 1, KvDtype::Q8), (32, 64, KvDtype::F32)])
    {
        let options = ServiceOptions { max_batch, prefill_chunk, kv_dtype, ..options() };
        check_crowd("llama3", options, 24, seed);
    }
}
