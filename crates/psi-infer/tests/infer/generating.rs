//! Generation: golden tokens, stops, seeds, cancelling, full contexts.

use std::{borrow::Cow, collections::HashMap};

use psi_infer::{Finish, GenerateError, GenerateParams, Generated, SamplingParams, Step, generate};
use psi_tokenizer::{TokenId, Tokenizer, TrainOptions, train_bpe};

use super::{cases, cpu, engine, f32_options};

/// A tokenizer for vocabularies of 96: one token per printable ASCII character is not what byte-level
/// BPE has, so ids 33.. are bytes '!'.. and everything generated is printable or a control byte.
fn tokenizer() -> Tokenizer {
    let options = TrainOptions { vocab_size: 257, ..TrainOptions::default() };
    train_bpe(&mut [Cow::Borrowed("bytes")].into_iter(), &options).expect("a tokenizer")
}

fn greedy(max_tokens: usize) -> GenerateParams {
    GenerateParams { max_tokens, sampling: SamplingParams::greedy(), ..Default::default() }
}

fn run(
    prompt: &[TokenId],
    params: &GenerateParams,
) -> (Result<Generated, GenerateError>, Vec<Step>) {
    let mut engine = engine(&cpu(2), "llama3", None, f32_options());
    let mut steps = Vec::new();
    let n_free = engine.n_free();
    let result = generate(&mut engine, &tokenizer(), prompt, params, &mut |step| {
        steps.push(step.clone());
        true
    });
    assert_eq!(engine.n_free(), n_free, "all blocks are given back");
    (result, steps)
}

#[test]
fn greedy_tokens_are_those_of_transformers() {
    let models = ["llama2", "llama3", "mistral", "qwen2", "qwen3", "gemma2", "gemma3", "olmo2"];
    for model in models.into_iter().chain(["smollm3", "gpt2", "mixtral", "qwen3_moe"]) {
        let mut engine = engine(&cpu(2), model, None, f32_options());
        for case in cases(model).into_iter().filter(|c| !c.needs_recompute) {
            let params = greedy(case.greedy.len());
            let result = generate(&mut engine, &tokenizer(), &case.ids, &params, &mut |_| true);
            assert_eq!(result.expect("an answer").tokens, case.greedy, "{model}");
        }
    }
}

#[test]
fn an_answer_ends_where_it_should_and_says_why() {
    let case = &cases("llama3")[0];
    let all = run(&case.ids, &greedy(24)).0.expect("an answer");
    assert_eq!((all.finish, all.tokens.len()), (Finish::MaxTokens, 24));

    let stop_tokens = vec![case.greedy[5]];
    let first = case.greedy.iter().position(|t| *t == case.greedy[5]).expect("it is there");
    let stopped = run(&case.ids, &GenerateParams { stop_tokens, ..greedy(24) }).0.expect("one");
    assert_eq!(stopped.finish, Finish::StopToken(case.greedy[5]));
    assert_eq!(stopped.tokens, case.greedy[..first]);

    let mut engine = engine(&cpu(1), "llama3", None, f32_options());
    let mut n = 0;
    let cancelled = generate(&mut engine, &tokenizer(), &case.ids, &greedy(24), &mut |_| {
        n += 1;
        n < 3
    });
    let cancelled = cancelled.expect("an answer");
    assert_eq!((cancelled.finish, cancelled.tokens.len()), (Finish::Cancelled, 3));

    let limit = engine.model().config().max_seq_len;
    let full = run(&case.ids, &greedy(10 * limit)).0.expect("an answer");
    assert_eq!(full.finish, Finish::ContextFull);
    assert_eq!(full.tokens.len(), limit - case.ids.len() + 1);
}

#[test]
fn a_stop_string_ends_the_text_in_front_of_it() {
    let case = &cases("llama3")[0];
    let all = run(&case.ids, &greedy(24)).0.expect("an answer");
    let start = (all.text.len() / 2..).find(|&i| all.text.is_char_boundary(i)).expect("a place");
    let end = (start + 2..).find(|&i| all.text.is_char_boundary(i)).expect("a place");
    let stop = all.text[start..end].to_owned();
    let params = GenerateParams { stop: vec![stop.clone()], ..greedy(24) };
    let (stopped, steps) = run(&case.ids, &params);
    let stopped = stopped.expect("an answer");
    assert_eq!(stopped.finish, Finish::StopString(stop.clone()));
    assert_eq!(Some(stopped.text.as_str()), all.text.split(&stop).next());
    assert_eq!(steps.iter().map(|s| s.text.as_str()).collect::<String>(), stopped.text);
}

#[test]
fn a_seed_decides_the_text_and_another_seed_another_text() {
    let case = &cases("llama3")[0];
    let with = |seed| {
        let sampling = SamplingParams { seed, temperature: 1.5, ..Default::default() };
        let params = GenerateParams { max_tokens: 20, sampling, ..Default::default() };
        run(&case.ids, &params).0.expect("an answer").tokens
    };
    assert_eq!(with(1), with(1));
    assert_ne!(with(1), with(2));
}

#[test]
fn log_probabilities_are_the_models_whatever_the_sampling() {
    let case = &cases("llama3")[0];
    let plain = GenerateParams { logprobs: Some(3), ..greedy(5) };
    let (_, steps) = run(&case.ids, &plain);
    for step in &steps {
        let (logprob, top) = step.logprobs.clone().expect("asked for");
        assert_eq!((top[0].token, top[0].logprob), (step.token, logprob));
        assert!(top.len() == 3 && top[0].logprob >= top[1].logprob && logprob < 0.0);
    }
    // A bias changes the choice, not the numbers that are reported.
    let other = steps[0].logprobs.as_ref().expect("asked for").1[1];
    let logit_bias = HashMap::from([(other.token, 100.0)]);
    let sampling = SamplingParams { logit_bias, ..SamplingParams::greedy() };
    let (_, biased) = run(&case.ids, &GenerateParams { sampling, ..plain });
    assert_eq!(biased[0].token, other.token);
    assert_eq!(biased[0].logprobs.as_ref().expect("asked for").0, other.logprob);
}

#[test]
fn what_cannot_be_generated_is_refused() {
    assert_eq!(run(&[], &greedy(1)).0, Err(GenerateError::EmptyPrompt));
    let sampling = SamplingParams { temperature: -1.0, ..Default::default() };
    let refused = run(&[1], &GenerateParams { sampling, ..Default::default() }).0;
    assert!(matches!(refused, Err(GenerateError::Sampling(e)) if e.name == "temperature"));
    let banned = (0..96).map(|t| (t, f32::NEG_INFINITY)).collect();
    let sampling = SamplingParams { logit_bias: banned, ..SamplingParams::greedy() };
    let refused = run(&[1], &GenerateParams { sampling, ..Default::default() }).0;
    assert_eq!(refused, Err(GenerateError::NoToken));
    assert!(matches!(run(&[1; 500], &greedy(1)).0, Err(GenerateError::Engine(_))));
}
