//! Guessing ahead changes how fast an answer comes and nothing else.

use psi_infer::{SamplingParams, Speculation, service::ServiceOptions};
use psi_kernels::kv::KvDtype;

use super::{
    alone::{Alone, Answer, Ask},
    crowd::check_crowd,
    decoder, options, service,
};

#[test]
fn every_answer_is_the_same_with_guesses_from_the_prompt() {
    let speculation = Speculation::Lookup { max_draft: 8 };
    let mut n_accepted = 0;
    for (seed, (model, max_batch)) in (200..).zip([("llama3", 3), ("window", 1), ("long", 8)]) {
        let speculation = speculation.clone();
        let options = ServiceOptions { speculation, max_batch, ..options() };
        n_accepted += check_crowd(model, options, 24, seed).n_accepted_tokens;
    }
    assert!(n_accepted > 0, "no guess was ever right");
}

#[test]
fn every_answer_is_the_same_with_guesses_from_a_draft_model() {
    // A model guesses itself well and another one badly; both have a vocabulary of 96.
    for (seed, draft) in (300..).zip(["long", "window", "llama3"]) {
        let model = decoder(&super::cpu(1), draft);
        let speculation = Speculation::Draft { model, max_draft: 5 };
        let options = ServiceOptions { speculation, max_batch: 3, ..options() };
        let status = check_crowd("long", options, 40, seed);
        let (n_right, n) = (status.n_accepted_tokens, status.n_drafted_tokens);
        assert!(n > 100, "{n} guesses");
        assert!(draft != "long" || n_right * 2 > n, "{n_right} of {n}");
    }
}

#[test]
fn a_model_that_guesses_itself_is_nearly_always_right() {
    // Constraints and bans are not known to the draft model; without them guesses are the answer.
    let model = decoder(&super::cpu(1), "long");
    let speculation = Speculation::Draft { model, max_draft: 4 };
    let service = service("long", 1, ServiceOptions { speculation, ..options() });
    let mut alone = Alone::new("long", KvDtype::F32);
    for (seed, temperature) in (0..).zip([0.0, 1.0, 1.0]) {
        let sampling = SamplingParams { temperature, seed, ..SamplingParams::default() };
        let tokens = (1..30).collect();
        let ask = Ask { tokens, max_tokens: 90, sampling, ignore_eos: true, ..Ask::default() };
        let completion = service.complete(ask.request()).expect("a place");
        assert_eq!(Answer::of(&completion), alone.answer(&ask));
    }
    let status = service.status();
    assert_eq!(status.n_accepted_tokens, status.n_drafted_tokens);
    // A pass for each prompt, then at most one per five tokens and a few for the ends.
    assert!(status.n_steps <= 3 * (1 + 90 / 5 + 3), "{status:?}");
}

#[test]
fn a_draft_model_with_another_vocabulary_is_refused() {
    let cpu = super::cpu(1);
    let mut config = decoder(&cpu, "long").config().clone();
    config.vocab_size = 97;
    let other = psi_model::Decoder::from_values(&cpu, &config, psi_kernels::Format::F32, |info| {
        vec![0.5; info.n * info.k]
    });
    let speculation = Speculation::Draft { model: std::sync::Arc::new(other), max_draft: 4 };
    let options = ServiceOptions { speculation, ..options() };
    let refused = psi_infer::service::Service::start(&cpu, decoder(&cpu, "long"), options);
    assert!(refused.expect_err("a refusal").to_string().contains("97 tokens"));
}
