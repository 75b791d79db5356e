//! Laws of sampling: frequencies, truncation sets, penalties, ranges.

use super::*;

const LOGITS: [f32; 6] = [2.0, 1.0, 0.5, 0.0, -1.0, -3.0];

fn probabilities(logits: &[f32], temperature: f32) -> Vec<f64> {
    let w: Vec<f64> = logits.iter().map(|&x| f64::from(x / temperature).exp()).collect();
    let total: f64 = w.iter().sum();
    w.into_iter().map(|w| w / total).collect()
}

/// Counts of `n` draws, each at another position.
fn counts(params: &SamplingParams, n: usize) -> Vec<usize> {
    let mut counts = vec![0; LOGITS.len()];
    let history = vec![0; n];
    for i in 0..n {
        let token = sample(params, &mut LOGITS.clone(), &history[..i], i);
        counts[token.expect("a token") as usize] += 1;
    }
    counts
}

/// The tokens that ever occur.
fn support(params: &SamplingParams) -> Vec<usize> {
    let counts = counts(params, 5000);
    (0..counts.len()).filter(|&i| counts[i] > 0).collect()
}

#[test]
fn draws_follow_the_tempered_distribution() {
    for temperature in [0.5, 1.0, 2.0] {
        let params = SamplingParams { temperature, seed: 7, ..Default::default() };
        let n = 20_000;
        let chi2: f64 = counts(&params, n)
            .iter()
            .zip(probabilities(&LOGITS, temperature))
            .filter(|&(_, p)| p * n as f64 > 5.0)
            .map(|(&c, p)| (c as f64 - p * n as f64).powi(2) / (p * n as f64))
            .sum();
        assert!(chi2 < 22.0, "temperature {temperature}: chi2 {chi2}");
    }
}

#[test]
fn truncations_keep_the_sets_their_definitions_say() {
    let base = SamplingParams { temperature: 1.5, ..Default::default() };
    assert_eq!(support(&SamplingParams { top_k: 2, ..base.clone() }), [0, 1]);
    let p = probabilities(&LOGITS, 1.5);
    let two = (p[0] + p[1]) as f32;
    assert_eq!(support(&SamplingParams { top_p: two - 0.01, ..base.clone() }), [0, 1]);
    assert_eq!(support(&SamplingParams { top_p: two + 0.01, ..base.clone() }), [0, 1, 2]);
    let ratio = (p[2] / p[0]) as f32;
    assert_eq!(support(&SamplingParams { min_p: ratio + 0.01, ..base.clone() }), [0, 1]);
    assert_eq!(support(&SamplingParams { min_p: ratio - 0.01, ..base.clone() }), [0, 1, 2]);
    assert_eq!(support(&SamplingParams { min_p: 1.0, ..base.clone() }), [0]);
}

#[test]
fn typical_sampling_keeps_what_is_as_surprising_as_the_entropy() {
    let p = probabilities(&LOGITS, 1.0);
    let entropy: f64 = -p.iter().map(|p| p * p.ln()).sum::<f64>();
    let mut order: Vec<usize> = (0..p.len()).collect();
    let distance = |i: usize| (-p[i].ln() - entropy).abs();
    order.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
    let mut expected = order[..2].to_vec();
    expected.sort_unstable();
    let typical_p = (p[order[0]] + p[order[1]]) as f32 - 1e-3;
    assert_eq!(support(&SamplingParams { typical_p, ..Default::default() }), expected);
}

#[test]
fn greedy_takes_the_lowest_id_among_equals_and_never_nan() {
    assert_eq!(argmax(&[1.0, 3.0, 3.0]), Some(1));
    assert_eq!(argmax(&[f32::NAN, -5.0]), Some(1));
    assert_eq!(argmax(&[f32::NAN, f32::NEG_INFINITY]), None);
    let none = sample(&SamplingParams::default(), &mut [f32::NEG_INFINITY; 3], &[], 0);
    assert_eq!(none, None);
}

#[test]
fn penalties_change_the_logits_as_documented() {
    let params = SamplingParams {
        repetition_penalty: 2.0,
        presence_penalty: 0.25,
        frequency_penalty: 0.5,
        ..SamplingParams::greedy()
    };
    let mut logits = [4.0, -1.0, 3.0, 1.0];
    // Prompt: token 0. Generated: 1, 1, 2.
    sample(&params, &mut logits, &[0, 1, 1, 2], 1);
    assert_eq!(logits, [2.0, -2.0 - 0.25 - 1.0, 1.5 - 0.25 - 0.5, 1.0]);

    let recent = SamplingParams { penalty_window: 1, ..params };
    let mut logits = [4.0, -1.0, 3.0, 1.0];
    sample(&recent, &mut logits, &[0, 1], 2);
    assert_eq!(logits, [4.0, -2.0, 3.0, 1.0]);
}

#[test]
fn a_bias_can_force_and_ban() {
    let bias = HashMap::from([(5, 100.0), (0, f32::NEG_INFINITY)]);
    let params = SamplingParams { logit_bias: bias, ..SamplingParams::greedy() };
    assert_eq!(sample(&params, &mut LOGITS.clone(), &[], 0), Some(5));
    let ban = HashMap::from([(0, f32::NEG_INFINITY)]);
    let params = SamplingParams { logit_bias: ban, ..SamplingParams::default() };
    assert!(!support(&params).contains(&0));
}

#[test]
fn parameters_out_of_range_are_refused_by_name() {
    let bad = |f: fn(&mut SamplingParams)| {
        let mut params = SamplingParams::default();
        f(&mut params);
        params.validate(10).map_err(|e| e.name)
    };
    assert_eq!(bad(|_| {}), Ok(()));
    assert_eq!(bad(|p| p.temperature = -1.0), Err("temperature"));
    assert_eq!(bad(|p| p.temperature = f32::NAN), Err("temperature"));
    assert_eq!(bad(|p| p.top_p = 0.0), Err("top_p"));
    assert_eq!(bad(|p| p.typical_p = 1.5), Err("typical_p"));
    assert_eq!(bad(|p| p.min_p = -0.1), Err("min_p"));
    assert_eq!(bad(|p| p.repetition_penalty = 0.0), Err("repetition_penalty"));
    assert_eq!(bad(|p| p.presence_penalty = f32::INFINITY), Err("presence_penalty"));
    assert_eq!(bad(|p| p.logit_bias = HashMap::from([(10, 1.0)])), Err("logit_bias"));
    assert_eq!(bad(|p| p.logit_bias = HashMap::from([(1, f32::NAN)])), Err("logit_bias"));
}

#[test]
fn top_logprobs_are_sorted_and_complete() {
    let lse = LOGITS.iter().map(|x| f64::from(*x).exp()).sum::<f64>().ln() as f32;
    let top = top_logprobs(&LOGITS, lse, 3);
    assert_eq!(top.iter().map(|t| t.token).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(top[1].logprob, LOGITS[1] - lse);
    assert_eq!(top_logprobs(&LOGITS, lse, 99).len(), LOGITS.len());
}
