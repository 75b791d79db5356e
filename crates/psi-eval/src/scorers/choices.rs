//! Judges of likelihoods: the best of several, or every token the likeliest.

use serde_json::{Value, json};

use super::calibration;
use crate::task::{Item, LogLikelihood, Metric, Output, Request, Result, Scorer, Verdict};

/// What makes a choice the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Its whole log-likelihood.
    Sum,
    /// Its log-likelihood per token.
    Mean,
    /// Its log-likelihood per byte.
    Bytes,
}

impl By {
    const ALL: [Self; 3] = [Self::Sum, Self::Mean, Self::Bytes];

    fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Bytes => "bytes",
        }
    }

    /// A choice's score; `bytes` is its length.
    fn of(self, found: LogLikelihood, bytes: usize) -> f64 {
        match self {
            Self::Sum => found.sum,
            Self::Mean => found.mean(),
            Self::Bytes => found.sum / bytes.max(1) as f64,
        }
    }
}

/// The choice with the highest log-likelihood is the answer; of equals the first.
#[derive(Clone, Copy, Debug)]
pub struct Highest {
    /// How they are compared.
    pub by: By,
    /// What guessing reaches.
    pub baseline: f64,
}

impl Scorer for Highest {
    fn version(&self) -> &'static str {
        match self.by {
            By::Sum => "highest-sum/1",
            By::Mean => "highest-mean/1",
            By::Bytes => "highest-bytes/1",
        }
    }

    fn score(&self, item: &Item, output: &Output) -> Result<Verdict> {
        let (Output::Choices(found), Request::Choices { choices, .. }) = (output, &item.request)
        else {
            return Err(output.unfit(item));
        };
        if found.len() != choices.len() {
            return Err(output.unfit(item));
        }
        let scores = |by: By| -> Vec<f64> {
            let each = found.iter().zip(choices);
            each.map(|(&found, choice)| by.of(found, choice.continuation.len())).collect()
        };
        let own = scores(self.by);
        let picked = best(&own);
        let gold = item.reference["gold"].as_u64().unwrap_or_default() as usize;
        let mut verdict = Verdict::binary(picked == gold, Some(picked.to_string()))
            .with("scores", own.clone())
            .with("confidence", softmax(&own)[picked]);
        for by in By::ALL {
            verdict = verdict.with(by.name(), best(&scores(by)) == gold);
        }
        Ok(verdict)
    }

    fn metrics(&self, judged: &[(&Item, &Verdict)]) -> Vec<Metric> {
        let accuracy = Metric::share("accuracy", judged.iter().map(|(_, v)| v.correct));
        let centred = (accuracy.value - self.baseline) / (1.0 - self.baseline);
        let confidence = |v: &Verdict| v.detail.get("confidence").and_then(Value::as_f64);
        let pairs: Vec<(f64, bool)> =
            judged.iter().filter_map(|(_, v)| Some((confidence(v)?, v.correct))).collect();
        let calibration = calibration(&pairs);
        let n = judged.len();
        let mut metrics = vec![accuracy, Metric::new("centred", centred, n)];
        for by in By::ALL.into_iter().filter(|&by| by != self.by) {
            let hit = |v: &Verdict| v.detail.get(by.name()) == Some(&json!(true));
            let name = format!("accuracy_{}", by.name());
            metrics.push(Metric::share(name, judged.iter().map(|(_, v)| hit(v))));
        }
        metrics.push(Metric::new("calibration_error", calibration.ece, pairs.len()));
        metrics.push(Metric::new("brier", calibration.brier, pairs.len()));
        metrics
    }
}

fn best(scores: &[f64]) -> usize {
    let mut best = 0;
    for (i, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = i;
        }
    }
    best
}

fn softmax(scores: &[f64]) -> Vec<f64> {
    let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = scores.iter().map(|s| (s - top).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|w| w / sum).collect()
}

/// Right when every token of the one continuation is the likeliest.
#[derive(Clone, Copy, Debug)]
pub struct AllGreedy;

impl Scorer for AllGreedy {
    fn version(&self) -> &'static str {
        "all-greedy/1"
    }

    fn score(&self, item: &Item, output: &Output) -> Result<Verdict> {
        match output {
            Output::Choices(found) if found.len() == 1 => {
                let verdict = Verdict::binary(found[0].is_greedy, None);
                Ok(verdict.with("log_likelihood", found[0].sum).with("tokens", found[0].n_tokens))
            }
            other => Err(other.unfit(item)),
        }
    }

    fn metrics(&self, judged: &[(&Item, &Verdict)]) -> Vec<Metric> {
        let number = |v: &Verdict, key| v.detail.get(key).and_then(Value::as_f64).unwrap_or(0.0);
        let sum: f64 = judged.iter().map(|(_, v)| number(v, "log_likelihood")).sum();
        let n = judged.len();
        vec![
            Metric::share("accuracy", judged.iter().map(|(_, v)| v.correct)),
            Metric::new("perplexity", (-sum / n.max(1) as f64).exp(), n),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{Choice, Prompt, Span};

    #[test]
    fn the_rule_decides_which_choice_is_best() {
        let choice = |text: &str| Choice { context: String::new(), continuation: text.to_owned() };
        let request = Request::Choices {
            choices: vec![choice("no"), choice("yes, gladly")],
            span: Span::Continuation,
        };
        let item = Item::new("1", Prompt::default(), request, json!({ "gold": 1 }));
        let found = |sum, n_tokens| LogLikelihood { sum, n_tokens, is_greedy: false };
        let output = Output::Choices(vec![found(-2.0, 1), found(-3.0, 3)]);
        let judge = |by| Highest { by, baseline: 0.5 }.score(&item, &output).unwrap();
        assert!(!judge(By::Sum).correct);
        assert!(judge(By::Mean).correct && judge(By::Bytes).correct);
        let verdict = judge(By::Mean);
        let confidence = verdict.detail["confidence"].as_f64().unwrap();
        assert!((confidence - 1.0 / (1.0 + (-1.0_f64).exp())).abs() < 1e-12);
        let metrics = Highest { by: By::Mean, baseline: 0.5 }.metrics(&[(&item, &verdict)]);
        assert_eq!((metrics[0].value, metrics[1].value), (1.0, 1.0));
        let few = Output::Choices(vec![found(-2.0, 1)]);
        assert!(Highest { by: By::Sum, baseline: 0.5 }.score(&item, &few).is_err());
    }
}
