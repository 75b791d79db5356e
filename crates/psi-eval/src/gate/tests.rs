//! The gate on published answers: four models of 2021 on all of GSM8K, judged by its own rules.

use std::{collections::HashMap, path::Path};

use psi_store::{ContentHash, Home, Served, write_atomic};

use super::*;
use crate::{
    run::{Identity, Overlong, PlayError, Played, Player, Settings, Sink},
    stats::Verdict,
    task::{Item, Output},
    tasks::Library,
};

/// Gives the answers that a model gave.
struct Published {
    identity: Identity,
    answers: HashMap<String, String>,
}

impl Published {
    fn read(data: &Path, model: &str) -> Self {
        let path = data.join("evals/gsm8k/example_model_solutions.jsonl");
        let text = std::fs::read_to_string(path).unwrap();
        let solution = |(i, line): (usize, &str)| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            (format!("test/{}", i + 1), row[model]["solution"].as_str().unwrap().to_owned())
        };
        let hash = ContentHash::of_bytes(model.as_bytes());
        Self {
            identity: Identity {
                model: model.to_owned(),
                adapter: None,
                hash,
                engine: String::new(),
            },
            answers: text.lines().enumerate().map(solution).collect(),
        }
    }
}

impl Player for Published {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn appetite(&self) -> usize {
        100
    }

    fn overlong(&self, _: &Item, _: &Settings) -> Result<Option<Overlong>, PlayError> {
        Ok(None)
    }

    fn play(
        &mut self,
        items: &[&Item],
        _: &Settings,
        sink: &mut Sink<'_>,
    ) -> crate::run::Result<()> {
        for (i, item) in items.iter().enumerate() {
            let output = Output::Text(self.answers[&item.id].clone());
            sink(
                i,
                Played { prompt: String::new(), output, n_prompt: 1, n_answer: 1, seconds: 0.0 },
            )?;
        }
        Ok(())
    }
}

fn profile(role: &str, test: &str) -> Profile {
    let text = format!(
        "[[suite]]\nname = \"maths\"\ntasks = [\"gsm8k\"]\nn = 1319\nshots = 0\n{role}\ntest = \"{test}\"\n"
    );
    Profile::parse(&text, Path::new("gate.toml")).unwrap()
}

struct Place {
    dir: tempfile::TempDir,
    data: std::path::PathBuf,
    n: std::cell::Cell<usize>,
}

impl Place {
    fn new() -> Option<Self> {
        let data = psi_testkit::shared_data()?;
        Some(Self { dir: tempfile::tempdir().unwrap(), data, n: 0.into() })
    }

    fn home(&self) -> Home {
        Home::at(&self.dir.path().join("home"))
    }

    fn served(&self, model: &str) -> Served {
        let path = self.dir.path().join(model);
        write_atomic(&path, model.as_bytes()).unwrap();
        Served::at(&path, None).unwrap()
    }

    fn gate(
        &self,
        profile: &Profile,
        incumbent: &str,
        candidate: &str,
    ) -> Result<Record, GateError> {
        self.n.set(self.n.get() + 1);
        let library = Library::new(vec![self.data.join("evals")]);
        let options = GateOptions {
            dir: self.dir.path().join(format!("gate-{}", self.n.get())),
            ledger: Some(Ledger::at(&self.home().gates())),
            goes_on: false,
            cache: None,
            settings: Settings::default(),
            now: 5,
        };
        let mut new = Published::read(&self.data, candidate);
        let mut old = Published::read(&self.data, incumbent);
        decide(
            profile,
            Contender { served: self.served(candidate), player: &mut new },
            Contender { served: self.served(incumbent), player: &mut old },
            &library,
            &options,
            &mut |_| {},
        )
    }

    fn last(&self) -> std::path::PathBuf {
        self.dir.path().join(format!("gate-{}", self.n.get()))
    }
}

#[test]
fn a_better_model_is_promoted_early_and_may_be_served() {
    let Some(place) = Place::new() else { return };
    let rules = profile("role = \"better\"", "betting");
    let record = place.gate(&rules, "175b_finetuning", "175b_verification").unwrap();
    assert_eq!(record.decision, Decision::Promote);
    let suite = &record.suites[0];
    assert!(suite.n < 200 && suite.stopped_at == Some(suite.n), "{suite:?}");
    assert!(suite.evidence_for >= 1.0 / record.alpha && suite.trace.len() == suite.n.div_ceil(32));
    let path = place.last().join("record.json");
    assert_eq!(Record::read(&path).unwrap(), record);
    promote(&place.home(), &path, 6).unwrap();
    let served = place.home().assistant().served().unwrap().unwrap();
    assert!(served.same_content(&record.candidate));
    let page = crate::report::Page::read(&place.last()).unwrap();
    assert!(page.html().contains("promote") && page.markdown().contains("maths"));
    // Decided is decided.
    let ledger = Ledger::at(&place.home().gates()).lines().unwrap();
    assert!(matches!(ledger[1], LedgerLine::Decided { decision: Decision::Promote, .. }));
}

#[test]
fn a_worse_model_is_not() {
    let Some(place) = Place::new() else { return };
    let rules = profile("margin = 0.05", "betting");
    let worse = place.gate(&rules, "175b_verification", "6b_finetuning").unwrap();
    assert_eq!(worse.decision, Decision::Reject);
    assert!(worse.suites[0].n < 100);
    let path = place.last().join("record.json");
    let error = promote(&place.home(), &path, 6).unwrap_err();
    assert!(matches!(error, GateError::NotPromoted { .. }), "{error}");
    assert_eq!(place.home().assistant().served().unwrap(), None);
    // 4.3 points worse is within the margin's reach: it is never promoted.
    let slightly = place.gate(&rules, "6b_verification", "175b_finetuning").unwrap();
    assert_ne!(slightly.decision, Decision::Promote);
    let same = place.gate(&rules, "6b_verification", "6b_verification").unwrap_err();
    assert!(matches!(same, GateError::SameModel), "{same}");
}

#[test]
fn tangos_test_uses_every_item_and_has_the_published_statistics() {
    let Some(place) = Place::new() else { return };
    let rules = profile("margin = 0.05", "tango");
    let record = place.gate(&rules, "175b_finetuning", "175b_verification").unwrap();
    let suite = &record.suites[0];
    assert_eq!(
        (suite.n, suite.wins, suite.losses, suite.verdict),
        (1319, 360, 76, Verdict::Promote)
    );
    assert!((suite.tango.unwrap() - 16.2331).abs() < 6e-5, "{suite:?}");
    let record = place.gate(&rules, "6b_verification", "175b_finetuning").unwrap();
    let suite = &record.suites[0];
    assert_eq!((suite.wins, suite.losses, suite.verdict), (152, 209, Verdict::Block));
    assert!((suite.tango.unwrap() - 0.4724).abs() < 6e-5, "{suite:?}");
}

#[test]
fn every_further_candidate_has_less_error_to_use_up() {
    let Some(place) = Place::new() else { return };
    let rules = profile("margin = 0.05", "betting");
    let alphas: Vec<f64> = ["6b_verification", "175b_finetuning", "175b_verification"]
        .iter()
        .map(|c| place.gate(&rules, "6b_finetuning", c).unwrap().alpha)
        .collect();
    for (j, alpha) in alphas.iter().enumerate() {
        assert!((alpha - alpha_of(0.05, j as u64 + 1)).abs() < 1e-9, "{alphas:?}");
    }
}
