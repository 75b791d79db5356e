//! Which of several prompts is computed first, and which is not computed at all.

use std::sync::mpsc;

use psi_infer::{
    SamplingParams,
    service::{Event, Finish, Request, Service, ServiceOptions, Status, Ticket},
};

use super::{options, service};

fn request(tokens: Vec<u32>, max_tokens: usize) -> Request {
    let sampling = SamplingParams::greedy();
    Request { tokens, max_tokens, sampling, ignore_eos: true, ..Request::default() }
}

/// Submits requests that all begin in the same step; returns their numbers in the order in which they
/// finished.
fn at_once(service: &Service, requests: Vec<Request>) -> Vec<usize> {
    // Holds the service's thread until all have been submitted.
    let (go, wait) = mpsc::channel::<()>();
    let hold = move |event| {
        if matches!(event, Event::Started { .. }) {
            wait.recv().expect("a signal");
        }
    };
    let holder = service.submit(request(vec![1], 1), Box::new(hold)).expect("a place");
    let (sink, finished) = mpsc::channel();
    let submit = |(i, request): (usize, Request)| -> Ticket {
        let sink = sink.clone();
        let on_event = move |event| {
            if let Event::Finished { reason, .. } = event {
                assert_eq!(reason, Finish::Length);
                sink.send(i).expect("a listener");
            }
        };
        service.submit(request, Box::new(on_event)).expect("a place")
    };
    let tickets: Vec<Ticket> = requests.into_iter().enumerate().map(submit).collect();
    drop(sink);
    go.send(()).expect("a service");
    let order = finished.iter().collect();
    drop((holder, tickets));
    order
}

#[test]
fn a_prompt_that_several_requests_begin_with_at_once_is_computed_once() {
    let service = service("long", 1, ServiceOptions { prefill_chunk: 100, ..options() });
    let prompt = |i: u32| -> Vec<u32> { (0..200).map(|t| t % 96).chain([i]).collect() };
    let order = at_once(&service, (0..6).map(|i| request(prompt(i), 3)).collect());
    assert_eq!(order.len(), 6);
    let Status { n_cached_tokens, .. } = service.status();
    assert_eq!(n_cached_tokens, 5 * 192);
}

#[test]
fn a_short_prompt_passes_a_long_one_which_still_goes_on() {
    let service = service("long", 1, ServiceOptions { prefill_chunk: 16, ..options() });
    let long = request((0..400).map(|t| t % 96).collect(), 1);
    let short = |i: u32| request((0..30).map(|t| (t * i) % 96).collect(), 1);
    let requests = vec![long, short(5), short(7), short(11)];
    assert_eq!(at_once(&service, requests), [1, 2, 3, 0]);
}
