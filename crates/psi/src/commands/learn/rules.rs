//! What the owner keeps out of learning, and forgetting what has learned from it already.

use std::{collections::BTreeSet, path::PathBuf};

use psi_eval::gate;
use psi_store::{Home, Served, write_atomic};
use psi_train::learn::{Round, Rules};
use serde::{Deserialize, Serialize};

use crate::{
    cli::Learn,
    clock,
    commands::train::failure,
    error::{Failure, Outcome, unusable},
    model::read,
};

/// The owner's rules, kept beside the rounds.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    /// Judgements that are never learned from.
    pub(crate) struck: BTreeSet<String>,
    /// Conversations that are forgotten.
    pub(crate) forgotten: BTreeSet<String>,
}

impl Kept {
    pub(crate) fn read(home: &Home) -> Outcome<Self> {
        let path = Self::path(home);
        if !path.exists() {
            return Ok(Self::default());
        }
        serde_json::from_slice(&read(&path)?).map_err(|e| {
            Failure::input(format!("{}: not the rules of psi learn: {e}", path.display()))
        })
    }

    pub(crate) fn write(&self, home: &Home) -> Outcome {
        home.create().map_err(unusable)?;
        let text = serde_json::to_vec_pretty(self).map_err(|e| Failure::input(e.to_string()))?;
        write_atomic(&Self::path(home), &text).map_err(unusable)
    }

    fn path(home: &Home) -> PathBuf {
        home.root().join("learning-rules.json")
    }

    /// As psi-train takes them.
    pub(crate) fn rules(self, private: bool) -> Rules {
        Rules { struck: self.struck, forgotten: self.forgotten, private }
    }
}

/// The kept rules with those of the command line, which are kept from now on.
pub(super) fn rules(home: &Home, args: &Learn) -> Outcome<Rules> {
    let mut kept = Kept::read(home)?;
    kept.struck.extend(args.strike.iter().cloned());
    kept.struck.retain(|id| !args.restore.contains(id));
    kept.forgotten.extend(args.forget.iter().cloned());
    if !args.strike.is_empty() || !args.restore.is_empty() || !args.forget.is_empty() {
        kept.write(home)?;
    }
    Ok(kept.rules(args.private))
}

/// Removes every round that has learned from what the rules leave out, its weights included, after the
/// assistant serves something else. Whatever a killed process has left of this is done here too.
pub(crate) fn forget(home: &Home, rules: &Rules) -> Outcome {
    Round::sweep(&home.runs()).map_err(failure)?;
    let tainted = Round::tainted(&home.runs(), rules).map_err(failure)?;
    let is_tainted = |served: &Served| tainted.iter().any(|round| round.holds(&served.model.path));
    let mut taken_back: Option<PathBuf> = None;
    while let Some(served) = home.assistant().served().map_err(unusable)?
        && is_tainted(&served)
    {
        let switch = gate::rollback(home, clock::now()).map_err(unusable)?;
        taken_back = Some(switch.to.model.path);
    }
    if let Some(path) = taken_back {
        eprintln!("psi: the assistant serves {} again", path.display());
    }
    for round in tainted {
        let dir = round.dir().to_owned();
        round.remove().map_err(failure)?;
        eprintln!("psi: removed {}, which had learned from it", dir.display());
    }
    Ok(())
}
