//! Scores: one pass against many, windows against the definition.

use psi_infer::{ScoreOptions, Sequence, Want, Work, log_probs, score};

use super::{cases, cpu, engine, f32_options};

#[test]
fn log_probabilities_are_those_of_the_full_logits() {
    let mut engine = engine(&cpu(2), "qwen3", None, f32_options());
    let ids = &cases("qwen3")[0].ids;
    let got = log_probs(&mut engine, ids).expect("scores");
    let mut sequence = Sequence::new(ids.len());
    let work = Work { sequence: &mut sequence, tokens: ids, want: Want::All };
    let logits = engine.forward(&mut [work]).expect("logits");
    assert_eq!(got.len(), ids.len() - 1);
    for (i, got) in got.iter().enumerate() {
        let row: Vec<f64> = logits.row(i).iter().map(|&x| f64::from(x)).collect();
        let lse = row.iter().map(|x| x.exp()).sum::<f64>().ln();
        assert!((f64::from(*got) - (row[ids[i + 1] as usize] - lse)).abs() < 1e-5);
    }
    assert_eq!(log_probs(&mut engine, &ids[..1]), Ok(vec![]));
    assert_eq!(log_probs(&mut engine, &[]), Ok(vec![]));
}

#[test]
fn windows_predict_every_token_once_from_the_context_they_say() {
    let mut engine = engine(&cpu(2), "llama3", None, f32_options());
    let ids = cases("llama3")[0].ids.clone();
    for prefix in [None, Some(1)] {
        for (window, overlap) in [(48, 0), (10, 0), (10, 4), (7, 5), (2, 0)] {
            let options = ScoreOptions { window, overlap };
            let mut done = 0;
            let got =
                score(&mut engine, prefix, &ids, options, &mut |n| done = n).expect("a score");
            let all: Vec<u32> = prefix.into_iter().chain(ids.iter().copied()).collect();
            assert_eq!(got.n_scored, all.len() - 1);
            assert_eq!(done, ids.len());
            let expected = by_definition(&mut engine, &all, options);
            assert!((got.nll_sum - expected).abs() < 1e-4, "{options:?}: {got:?}, {expected}");
        }
    }
}

/// Each token's score from the start of its window, one by one.
fn by_definition(engine: &mut psi_infer::Engine, all: &[u32], options: ScoreOptions) -> f64 {
    let (mut sum, mut start, mut end) = (0.0, 0, options.window);
    for i in 1..all.len() {
        if i == end {
            start = i - options.overlap - 1;
            end = start + options.window;
        }
        let scores = log_probs(engine, &all[start..=i]).expect("scores");
        sum -= f64::from(scores[scores.len() - 1]);
    }
    sum
}
