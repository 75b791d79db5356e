//! A round of learning as it lies on disk: one folder, named by its data and by the model it starts from.
//!
//! Everything that a round knows of its ratings lies in this folder: their texts, their tokens, the weights
//! that learned from them, the answers of the gate. Forgetting a source is removing folders.

use std::{
    fs,
    path::{Path, PathBuf},
};

use psi_store::{Artefact, ContentHash, Served, write_atomic};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    DataSet, Example, Rules,
    data_set::{AVOID, IMITATE, KEPT_OUT_FILE, REPLAY},
};
use crate::{Result, TrainError};

const PREFIX: &str = "learn-";
/// A folder that is being removed.
const GONE: &str = ".psi-forgotten-";

/// A round's folder and the places in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    dir: PathBuf,
}

impl Round {
    /// The round that learns from `data`, starting from `parent`; it need not have begun.
    pub fn of(runs: &Path, data: &DataSet, parent: &Served) -> Self {
        let name = format!("{PREFIX}{}-{}", data.version.short(), parent.hash().short());
        Self { dir: runs.join(name) }
    }

    /// Every round that has begun, by name.
    ///
    /// # Errors
    /// The folder of runs cannot be listed.
    pub fn all(runs: &Path) -> Result<Vec<Self>> {
        let mut rounds = Vec::new();
        for dir in folders(runs)? {
            if named(&dir).starts_with(PREFIX) {
                rounds.push(Self { dir });
            }
        }
        rounds.sort_by(|a, b| a.dir.cmp(&b.dir));
        Ok(rounds)
    }

    /// The round whose result `served` is, if it is one's.
    ///
    /// # Errors
    /// The folder of runs cannot be listed.
    pub fn that_made(runs: &Path, served: &Served) -> Result<Option<Self>> {
        Ok(Self::all(runs)?.into_iter().find(|round| round.holds(&served.model.path)))
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its data set.
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// The model's own answers that it should keep.
    pub fn replay(&self) -> PathBuf {
        self.data().join(REPLAY)
    }

    /// The run that learns what answers should be.
    pub fn imitation(&self) -> Stage {
        Stage { dir: self.dir.clone(), recipe: "recipe.toml", run: "run" }
    }

    /// The run after it that learns what they should not be.
    pub fn preference(&self) -> Stage {
        Stage { dir: self.dir.clone(), recipe: "preference.toml", run: "preference" }
    }

    /// Its runs in their order, as far as they have recipes.
    pub fn stages(&self) -> Vec<Stage> {
        let all = [self.imitation(), self.preference()];
        all.into_iter().filter(|stage| stage.recipe().exists()).collect()
    }

    /// The candidate, the result of the last run; `None` as long as there is none.
    pub fn model(&self) -> Option<PathBuf> {
        let model = self.stages().last()?.model();
        model.join("config.json").exists().then_some(model)
    }

    /// The gate's folder.
    pub fn gate(&self) -> PathBuf {
        self.dir.join("gate")
    }

    /// The gate's record.
    pub fn record(&self) -> PathBuf {
        self.gate().join("record.json")
    }

    /// Whether a path lies in it.
    pub fn holds(&self, path: &Path) -> bool {
        let absolute = |p: &Path| std::path::absolute(p).unwrap_or_else(|_| p.to_owned());
        absolute(path).starts_with(absolute(&self.dir))
    }

    /// Whether its data hold a rating that `rules` strike out or whose source they forget.
    fn has_seen(&self, rules: &Rules) -> bool {
        let is_out = |line: &Value| {
            let text = |key: &str| line[key].as_str().unwrap_or_default();
            rules.struck.contains(text("id")) || rules.forgotten.contains(text("source"))
        };
        [IMITATE, AVOID, KEPT_OUT_FILE].iter().any(|file| {
            let text = fs::read_to_string(self.data().join(file)).unwrap_or_default();
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).any(|l| is_out(&l))
        })
    }

    /// What it learns from and what tests it, as its folder has them.
    ///
    /// # Errors
    /// A line of its data is no example.
    pub fn examples(&self) -> Result<(Vec<Example>, Vec<Example>)> {
        let read = |file: &str| {
            let path = self.data().join(file);
            let text = fs::read_to_string(&path).unwrap_or_default();
            let parse = |line: &str| {
                Example::from_conversation(line)
                    .map_err(|e| TrainError::run(&path, format!("not an example: {e}")))
            };
            text.lines().map(parse).collect::<Result<Vec<_>>>()
        };
        let mut learned = read(IMITATE)?;
        learned.extend(read(AVOID)?);
        Ok((learned, read(KEPT_OUT_FILE)?))
    }

    /// The model it starts from, as the recipe of its first run says.
    fn parent(&self) -> Option<PathBuf> {
        let text = fs::read_to_string(self.stages().first()?.recipe()).ok()?;
        let recipe: toml::Table = text.parse().ok()?;
        Some(recipe.get("model")?.get("from")?.as_str()?.into())
    }

    /// Every round that has learned from what `rules` leave out, and every round that started from the
    /// result of one.
    ///
    /// # Errors
    /// The folder of runs cannot be listed.
    pub fn tainted(runs: &Path, rules: &Rules) -> Result<Vec<Self>> {
        let (mut tainted, mut clean): (Vec<Self>, Vec<Self>) =
            Self::all(runs)?.into_iter().partition(|round| round.has_seen(rules));
        loop {
            let follows = |round: &Self| {
                let parent = round.parent();
                parent.is_some_and(|parent| tainted.iter().any(|t| t.holds(&parent)))
            };
            let (next, rest): (Vec<_>, Vec<_>) = clean.into_iter().partition(follows);
            if next.is_empty() {
                return Ok(tainted);
            }
            tainted.extend(next);
            clean = rest;
        }
    }

    /// Removes the folder. Killed on the way, it is no round any more, and
    /// [`sweep`](Self::sweep) removes the rest.
    ///
    /// # Errors
    /// The folder cannot be removed.
    pub fn remove(self) -> Result<()> {
        let gone = self.dir.with_file_name(format!("{GONE}{}", named(&self.dir)));
        let fail = |e| TrainError::io(&self.dir, "removing", e);
        fs::rename(&self.dir, &gone).map_err(fail)?;
        fs::remove_dir_all(&gone).map_err(fail)
    }

    /// Removes what a killed [`remove`](Self::remove) has left.
    ///
    /// # Errors
    /// A folder cannot be removed.
    pub fn sweep(runs: &Path) -> Result<()> {
        for dir in folders(runs)? {
            if named(&dir).starts_with(GONE) {
                fs::remove_dir_all(&dir).map_err(|e| TrainError::io(&dir, "removing", e))?;
            }
        }
        Ok(())
    }

    /// Where its result comes from; `None` as long as the gate has not decided.
    ///
    /// # Errors
    /// The file is no lineage.
    pub fn lineage(&self) -> Result<Option<Lineage>> {
        let path = self.dir.join("lineage.json");
        let Ok(text) = fs::read(&path) else { return Ok(None) };
        let lineage = serde_json::from_slice(&text);
        lineage.map(Some).map_err(|e| TrainError::run(&path, format!("not a lineage: {e}")))
    }

    /// Keeps where its result comes from.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_lineage(&self, lineage: &Lineage) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(lineage)
            .map_err(|e| TrainError::run(&self.dir, e.to_string()))?;
        text.push(b'\n');
        Ok(write_atomic(&self.dir.join("lineage.json"), &text)?)
    }
}

/// One of a round's runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    dir: PathBuf,
    recipe: &'static str,
    run: &'static str,
}

impl Stage {
    /// Its recipe.
    pub fn recipe(&self) -> PathBuf {
        self.dir.join(self.recipe)
    }

    /// Its folder.
    pub fn run(&self) -> PathBuf {
        self.dir.join(self.run)
    }

    /// The model that comes out of it.
    pub fn model(&self) -> PathBuf {
        self.run().join("model")
    }
}

/// Where a model comes from, by hash: enough to find out whether any of it has changed since.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lineage {
    /// The model.
    pub model: Served,
    /// What it was trained from, and held against.
    pub parent: Served,
    /// The recipe of its run, or of the first of two.
    pub recipe: Artefact,
    /// The recipe of the second, which kept it away from what was disliked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preference: Option<Artefact>,
    /// What it has learned from.
    pub data: LearnedFrom,
    /// What the gate said of it.
    pub gate: Judged,
}

/// The data of a round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnedFrom {
    /// Hash of everything learned and tested.
    pub version: ContentHash,
    /// Ratings it has learned from.
    pub learned: Vec<String>,
    /// Ratings that tested it.
    pub kept_out: Vec<String>,
}

/// A decision of the gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judged {
    /// Its word.
    pub decision: String,
    /// The record: its file and the hash it carries.
    pub record: Artefact,
}

fn folders(runs: &Path) -> Result<Vec<PathBuf>> {
    if !runs.exists() {
        return Ok(Vec::new());
    }
    let fail = |e| TrainError::io(runs, "listing", e);
    let mut folders = Vec::new();
    for entry in fs::read_dir(runs).map_err(fail)? {
        folders.push(entry.map_err(fail)?.path());
    }
    Ok(folders)
}

fn named(dir: &Path) -> String {
    dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(runs: &Path, name: &str, source: &str, from: &Path) -> Round {
        let round = Round { dir: runs.join(format!("{PREFIX}{name}")) };
        fs::create_dir_all(round.data()).unwrap();
        let line = format!("{{\"id\": \"{name}\", \"source\": \"{source}\"}}\n");
        write_atomic(&round.data().join(IMITATE), line.as_bytes()).unwrap();
        let recipe = format!("[model]\nfrom = {:?}\n", from.display().to_string());
        write_atomic(&round.imitation().recipe(), recipe.as_bytes()).unwrap();
        round
    }

    #[test]
    fn what_started_from_a_tainted_round_is_tainted_too() {
        let dir = tempfile::tempdir().unwrap();
        let runs = dir.path();
        let first = round(runs, "a", "chat", Path::new("base"));
        let second = round(runs, "b", "other", &first.imitation().model());
        let third = round(runs, "c", "third", &second.imitation().model());
        let apart = round(runs, "d", "third", Path::new("base"));
        let tainted = |forgotten: &str| {
            let rules = Rules { forgotten: [forgotten.to_owned()].into(), ..Rules::default() };
            Round::tainted(runs, &rules).unwrap()
        };
        assert_eq!(tainted("chat"), [first.clone(), second.clone(), third.clone()]);
        assert_eq!(tainted("other"), [second, third.clone()]);
        assert_eq!(tainted("third"), [third, apart]);
        assert!(tainted("nothing").is_empty());
        first.remove().unwrap();
        assert_eq!(Round::all(runs).unwrap().len(), 3);
    }

    #[test]
    fn what_a_killed_removal_leaves_is_no_round_and_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let half = dir.path().join(format!("{GONE}learn-x"));
        fs::create_dir_all(half.join("run")).unwrap();
        assert!(Round::all(dir.path()).unwrap().is_empty());
        Round::sweep(dir.path()).unwrap();
        assert!(!half.exists());
    }
}
