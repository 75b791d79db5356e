//! What a service refuses, and how it ends.

use std::{sync::mpsc, time::Duration};

use psi_infer::{
    SamplingParams,
    service::{
        Constraint, ConstraintError, Event, Finish, Request, ServiceError, ServiceOptions,
        SubmitError,
    },
};

use super::{options, service};

fn request(n_prompt: usize, max_tokens: usize) -> Request {
    let sampling = SamplingParams::greedy();
    Request {
        tokens: vec![5; n_prompt],
        max_tokens,
        sampling,
        ignore_eos: true,
        ..Request::default()
    }
}

#[test]
fn a_request_that_cannot_be_served_is_refused_with_the_reason() {
    let service = service("llama3", 1, ServiceOptions { max_context: Some(100), ..options() });
    let refused = |request: Request| service.complete(request).expect_err("a refusal");
    let overflow = SubmitError::ContextOverflow { n_prompt: 90, max_tokens: 11, limit: 100 };
    assert_eq!(refused(request(90, 11)), overflow);
    assert!(matches!(refused(request(1, usize::MAX)), SubmitError::ContextOverflow { .. }));
    let field = |request: Request| match refused(request) {
        SubmitError::BadRequest { field, .. } => field,
        other => panic!("{other}"),
    };
    assert_eq!(field(request(0, 1)), "prompt");
    assert_eq!(field(Request { tokens: vec![96], ..request(1, 1) }), "prompt");
    assert_eq!(field(Request { stop_tokens: vec![96], ..request(1, 1) }), "stop_tokens");
    assert_eq!(field(Request { min_tokens: 2, ..request(1, 1) }), "min_tokens");
    let sampling = SamplingParams { top_p: 0.0, ..SamplingParams::default() };
    assert_eq!(field(Request { sampling, ..request(1, 1) }), "top_p");
    assert_eq!(service.complete(request(90, 10)).expect("an answer").tokens.len(), 10);
}

#[test]
fn options_that_cannot_work_are_refused() {
    let cpu = super::cpu(1);
    let start = |options| {
        psi_infer::service::Service::start(&cpu, super::decoder(&cpu, "llama3"), options)
            .expect_err("a refusal")
    };
    let why = start(ServiceOptions { max_batch: 0, ..options() });
    assert!(matches!(why, ServiceError::Option { field: "max_batch", .. }), "{why}");
    let why = start(ServiceOptions { max_context: Some(1 << 30), ..options() });
    assert!(matches!(why, ServiceError::Option { field: "max_context", .. }), "{why}");
    let why = start(ServiceOptions { cache_bytes: 10, ..options() });
    assert!(matches!(why, ServiceError::CacheTooSmall { bytes: 10, .. }), "{why}");
}

#[test]
fn one_request_more_than_the_queue_holds_is_refused_and_a_drain_finishes_the_others() {
    let service = service("llama3", 1, ServiceOptions { max_batch: 1, max_queue: 1, ..options() });
    let (go, wait) = mpsc::channel::<()>();
    let (sink, events) = mpsc::channel();
    // The first request holds the service up until the test lets it go on.
    let first = service
        .submit(
            request(3, 5),
            Box::new(move |event| {
                if matches!(event, Event::Started { .. }) {
                    wait.recv().expect("a signal");
                }
                sink.send(event).expect("a listener");
            }),
        )
        .expect("a place");
    let second = service.submit(request(3, 5), Box::new(|_| {})).expect("a place in the queue");
    let refused = service.submit(request(3, 5), Box::new(|_| {})).expect_err("a full queue");
    assert_eq!(refused, SubmitError::QueueFull { n_open: 2 });
    go.send(()).expect("a service");
    assert!(service.drain(Duration::from_secs(60)), "both came to their end");
    assert_eq!(service.status().n_ended, 2);
    assert_eq!(events.iter().filter(|e| matches!(e, Event::Token(_))).count(), 5);
    assert_eq!(service.complete(request(3, 5)).expect_err("closed"), SubmitError::Stopped);
    drop((first, second));
}

#[test]
fn a_drain_out_of_time_cancels() {
    let service = service("llama3", 1, options());
    let (sink, events) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let sink = Box::new(move |event| {
        if matches!(event, Event::Token(_)) {
            wait.recv().ok();
        }
        sink.send(event).expect("a listener");
    });
    let _ticket = service.submit(request(3, 100), sink).expect("a place");
    let drained = std::thread::scope(|scope| {
        let drain = scope.spawn(|| service.drain(Duration::from_millis(10)));
        std::thread::sleep(Duration::from_millis(50));
        drop(go);
        drain.join().expect("a drain")
    });
    let last = events.iter().last().expect("an end");
    if !drained {
        assert!(matches!(last, Event::Finished { reason: Finish::Cancelled, .. }), "{last:?}");
    }
}

/// Does what its name says at the third token.
#[derive(Debug)]
enum Broken {
    Errs(usize),
    Panics(usize),
}

impl Constraint for Broken {
    fn mask(&mut self) -> Result<Option<&[u32]>, ConstraintError> {
        match self {
            Self::Errs(3) => Err(ConstraintError("no such rule".to_owned())),
            Self::Panics(3) => panic!("a bug in a constraint"),
            Self::Errs(_) | Self::Panics(_) => Ok(None),
        }
    }

    fn accept(&mut self, _token: u32) -> Result<(), ConstraintError> {
        let (Self::Errs(n) | Self::Panics(n)) = self;
        *n += 1;
        Ok(())
    }

    fn is_complete(&self) -> bool {
        false
    }
}

#[test]
fn a_constraint_or_listener_that_breaks_ends_its_own_request_only() {
    let service = service("llama3", 1, options());
    for (constraint, expected) in
        [(Broken::Errs(0), "no such rule"), (Broken::Panics(0), "the constraint stopped working")]
    {
        let constraint: Option<Box<dyn Constraint>> = Some(Box::new(constraint));
        let broken = service.complete(Request { constraint, ..request(3, 9) }).expect("a place");
        assert_eq!(broken.end, Err(expected.to_owned()));
        assert_eq!(broken.tokens.len(), 3);
    }
    let _ticket = service.submit(request(3, 9), Box::new(|_| panic!("a bug in a sink")));
    let banned = (0..96).map(|t| (t, f32::NEG_INFINITY)).collect();
    let sampling = SamplingParams { logit_bias: banned, ..SamplingParams::greedy() };
    let banned = service.complete(Request { sampling, ..request(3, 9) }).expect("a place");
    assert!(banned.end.expect_err("no token").contains("all are banned"));
    assert_eq!(service.complete(request(3, 9)).expect("a place").tokens.len(), 9);
}
