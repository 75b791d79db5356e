//! Prefixes shared between requests, and a cache that is too small for all.

use psi_infer::{SamplingParams, service::ServiceOptions};
use psi_kernels::kv::{KV_BLOCK, KvArena, KvDtype};
use psi_testkit::Rng;

use super::{
    alone::{Alone, Answer, Ask},
    crowd::check_crowd,
    decoder, options, service,
};

/// A cache of so many blocks.
fn blocks(model: &str, n: usize) -> ServiceOptions {
    let shape = decoder(&super::cpu(1), model).kv_shape();
    let options = options();
    ServiceOptions { cache_bytes: n * KvArena::bytes_per_block(shape, options.kv_dtype), ..options }
}

/// A prompt of `n_same` tokens that all prompts have, and then its own.
fn ask(n_same: usize, own: &[u32], seed: u64) -> Ask {
    let mut tokens: Vec<u32> = (0..n_same).map(|i| (i * 11 % 96) as u32).collect();
    tokens.extend(own);
    let sampling = SamplingParams { seed, ..SamplingParams::default() };
    Ask { tokens, max_tokens: 12, sampling, ignore_eos: true, ..Ask::default() }
}

#[test]
fn a_prefix_that_was_computed_before_is_used_again_and_changes_no_bit() {
    for model in ["long", "window", "dynamic"] {
        for kv_dtype in [KvDtype::F32, KvDtype::Q8] {
            let service = service(model, 2, ServiceOptions { kv_dtype, ..options() });
            let mut alone = Alone::new(model, kv_dtype);
            for (i, own) in [&[1, 2, 3][..], &[1, 2, 3], &[4, 4, 4], &[5]].iter().enumerate() {
                let ask = Ask { logprobs: Some(2), ..ask(150, own, i as u64) };
                let completion = service.complete(ask.request()).expect("a place");
                assert_eq!(Answer::of(&completion), alone.answer(&ask), "{model} {i}");
                let (_, usage) = completion.end.expect("an answer");
                // The last one's frequencies are others: it is shorter.
                let is_new = i == 0 || (i == 3 && model == "dynamic");
                let expected = if is_new { 0 } else { 2 * KV_BLOCK };
                assert_eq!(usage.n_cached, expected, "{model} {i}");
            }
        }
    }
}

#[test]
fn log_probabilities_of_a_prompt_are_computed_even_if_it_is_in_the_cache() {
    let service = service("long", 1, options());
    let mut alone = Alone::new("long", KvDtype::F32);
    for prompt_logprobs in [None, Some(1)] {
        let ask = Ask { prompt_logprobs, ..ask(140, &[3], 1) };
        let completion = service.complete(ask.request()).expect("a place");
        assert_eq!(Answer::of(&completion), alone.answer(&ask));
    }
}

#[test]
fn requests_that_do_not_fit_together_take_turns_and_lose_no_token() {
    let mut n_paused = 0;
    for (seed, n_blocks) in (0..).zip([4, 5, 6, 9]) {
        let options =
            ServiceOptions { max_batch: 5, prefill_chunk: 40, ..blocks("long", n_blocks) };
        n_paused += check_crowd("long", options, 24, 100 + seed).n_paused;
    }
    assert!(n_paused > 0, "no cache was ever full");
}

#[test]
fn old_prefixes_make_room_for_new_requests() {
    let service = service("long", 1, blocks("long", 4));
    let mut alone = Alone::new("long", KvDtype::F32);
    let mut rng = Rng::new(3);
    for i in 0..12 {
        let own: Vec<u32> = (0..90).map(|_| rng.below(96) as u32).collect();
        let ask = ask(64 * (i % 2), &own, i as u64);
        let completion = service.complete(ask.request()).expect("a place");
        assert_eq!(Answer::of(&completion), alone.answer(&ask), "{i}");
    }
    let status = service.status();
    assert_eq!((status.n_blocks_used, status.n_blocks), (0, 4));
    assert!(status.n_blocks_kept > 0 && status.n_cached_tokens > 0, "{status:?}");
}
