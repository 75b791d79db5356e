//! What the page can do beside conversing: models, downloads, training runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use psi_agent::{Db, Settings};
use psi_server::{Host, Learning, ListedModel, Machine, ModelState, Pull, Run, Suggestion};
use psi_store::{Home, ModelForm, ModelName};
use serde_json::json;

use super::{
    child::{Ended, Running},
    learning::UpLearning,
    shelf::Shelf,
};
use crate::{
    bundled,
    commands::{doctor, runs::watch},
    cpu,
    error::Outcome,
    memory,
};

/// Models worth downloading: name, what for, billions of parameters, bytes to download.
const SUGGESTIONS: [(&str, &str, f64, u64); 4] = [
    (
        "Qwen/Qwen3-0.6B",
        "Small and quick: talks, sums up, calls tools; thinks before it answers.",
        0.6,
        1_520_000_000,
    ),
    ("Qwen/Qwen3-1.7B", "Knows more and slips less; still quick on a laptop.", 1.7, 4_080_000_000),
    (
        "HuggingFaceTB/SmolLM2-360M-Instruct",
        "Very small: short answers in English.",
        0.36,
        740_000_000,
    ),
    ("Qwen/Qwen3-4B", "The best of these, at the speed of reading.", 4.0, 8_060_000_000),
];

/// psi's own host.
pub(super) struct UpHost {
    home: Home,
    shelf: Arc<Shelf>,
    settings: Settings,
    pulls: Arc<Mutex<Vec<Going>>>,
    learning: UpLearning,
}

/// A download and the process that does it.
struct Going {
    pull: Pull,
    running: Option<Running>,
}

impl UpHost {
    pub(super) fn new(home: &Home, shelf: Arc<Shelf>, db: &Db) -> Outcome<Self> {
        Ok(Self {
            home: home.clone(),
            shelf,
            settings: Settings::new(db),
            pulls: Arc::default(),
            learning: UpLearning::new(home, db)?,
        })
    }

    /// Starts `psi pull` and takes note of what it says.
    fn start(&self, name: &str) -> Result<Running, String> {
        let last = Arc::new(Mutex::new(String::new()));
        let (pulls, named, line) = (Arc::clone(&self.pulls), name.to_owned(), Arc::clone(&last));
        let said = move |text: &str| match progress(text) {
            Some((done, total)) => change(&pulls, &named, |going| {
                going.pull.n_done = done;
                going.pull.n_total = Some(total);
            }),
            None => text.clone_into(&mut lock(&line)),
        };
        let (pulls, named) = (Arc::clone(&self.pulls), name.to_owned());
        let ended = move |ended: Ended| {
            change(&pulls, &named, |going| {
                going.running = None;
                if going.pull.ended.is_none() {
                    let why = lock(&last).clone();
                    going.pull.ended = Some(if ended.is_well { Ok(()) } else { Err(why) });
                }
            });
        };
        Running::start("pull", &["pull", "--progress", "--", name], Vec::new(), said, ended)
    }
}

/// `progress DONE TOTAL`.
fn progress(line: &str) -> Option<(u64, u64)> {
    let (done, total) = line.strip_prefix("progress ")?.split_once(' ')?;
    Some((done.parse().ok()?, total.parse().ok()?))
}

fn change(pulls: &Mutex<Vec<Going>>, name: &str, change: impl FnOnce(&mut Going)) {
    if let Some(going) = lock(pulls).iter_mut().find(|g| g.pull.name == name) {
        change(going);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Host for UpHost {
    fn model(&self) -> ModelState {
        self.shelf.state()
    }

    fn choose(&self, name: &str) -> Result<(), String> {
        let path = match name {
            bundled::NAME => None,
            name => Some(self.home.model_dir().resolve(name).map_err(|e| e.to_string())?),
        };
        self.settings.set("model.name", &json!(name)).map_err(|e| e.to_string())?;
        self.shelf.choose(path);
        Ok(())
    }

    fn models(&self) -> Vec<ListedModel> {
        let own = ListedModel {
            name: bundled::NAME.to_owned(),
            form: "folder".to_owned(),
            n_bytes: bundled::n_bytes(),
            needs: doctor::needs_of_file(bundled::n_bytes()),
            is_bundled: true,
        };
        let others = self.home.model_dir().list().unwrap_or_default();
        let listed = others.into_iter().map(|model| ListedModel {
            needs: doctor::needs_of_file(model.n_bytes),
            name: model.name,
            form: match model.form {
                ModelForm::Gguf => "GGUF file".to_owned(),
                ModelForm::Folder => "folder".to_owned(),
            },
            n_bytes: model.n_bytes,
            is_bundled: false,
        });
        std::iter::once(own).filter(|own| own.n_bytes > 0).chain(listed).collect()
    }

    fn suggestions(&self) -> Vec<Suggestion> {
        let suggestion = |(name, what, billions, n_bytes): &(&str, &str, f64, u64)| Suggestion {
            name: (*name).to_owned(),
            what: (*what).to_owned(),
            n_bytes: *n_bytes,
            needs: doctor::needs(*billions, 16.0),
        };
        SUGGESTIONS.iter().map(suggestion).collect()
    }

    fn pull(&self, name: &str) -> Result<(), String> {
        let name: ModelName = name.parse().map_err(|e: psi_store::StoreError| e.to_string())?;
        let name = name.to_string();
        let mut pulls = lock(&self.pulls);
        if pulls.iter().any(|g| g.pull.name == name && g.pull.ended.is_none()) {
            return Err(format!("{name} is being downloaded already"));
        }
        pulls.retain(|g| g.pull.name != name);
        let pull = Pull { name: name.clone(), n_done: 0, n_total: None, ended: None };
        pulls.push(Going { pull, running: None });
        drop(pulls);
        match self.start(&name) {
            Ok(running) => {
                change(&self.pulls, &name, |going| going.running = Some(running));
                Ok(())
            }
            Err(why) => {
                lock(&self.pulls).retain(|g| g.pull.name != name);
                Err(why)
            }
        }
    }

    fn stop_pull(&self, name: &str) {
        change(&self.pulls, name, |going| {
            if let Some(running) = &going.running {
                going.pull.ended = Some(Err("stopped: going on starts where it was".to_owned()));
                running.stop();
            }
        });
    }

    fn pulls(&self) -> Vec<Pull> {
        lock(&self.pulls).iter().map(|going| going.pull.clone()).collect()
    }

    fn machine(&self) -> Machine {
        Machine {
            processor: doctor::processor(),
            n_threads: cpu::n_threads(None).unwrap_or(1),
            memory: memory::machine()
                .map(|(total, free)| (total, free.saturating_sub(doctor::RESERVE))),
        }
    }

    fn runs(&self) -> Vec<Run> {
        watch::runs_in(&self.home.runs())
    }

    fn learning(&self) -> &dyn Learning {
        &self.learning
    }
}
