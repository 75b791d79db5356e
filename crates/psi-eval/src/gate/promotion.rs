//! Switching the assistant: only on the record of a gate, only to the very files it compared.

use std::path::Path;

use psi_store::{Artefact, Home, Reason, Served, Switch};

use super::{Decision, GateError, Record};

/// Serves the candidate of a record from here on.
///
/// # Errors
/// When the record is none, does not promote, compared other files than lie there now, or compared with
/// something else than what is served. Then nothing has changed.
pub fn promote(home: &Home, record_path: &Path, now: u64) -> Result<Switch, GateError> {
    let record = Record::read(record_path)?;
    if record.decision != Decision::Promote {
        let (path, decision) = (record_path.to_owned(), record.decision);
        return Err(GateError::NotPromoted { path, decision });
    }
    unchanged(&record.candidate)?;
    let assistant = home.assistant();
    if let Some(served) = assistant.served()?
        && !served.same_content(&record.incumbent)
    {
        let (compared, served) = (record.incumbent.model.path, served.model.path);
        return Err(GateError::Stale { compared, served });
    }
    let path = std::path::absolute(record_path)
        .map_err(|e| psi_store::StoreError::io(record_path, "finding", e))?;
    let switch = Switch {
        at: now,
        reason: Reason::Promotion,
        to: record.candidate,
        from: record.incumbent,
        record: Artefact { path, hash: record.hash },
    };
    assistant.switch(&switch)?;
    Ok(switch)
}

/// Serves again what was served before the last promotion that still stands.
///
/// # Errors
/// When there is none, or the model from before is no longer what it was.
pub fn rollback(home: &Home, now: u64) -> Result<Switch, GateError> {
    let assistant = home.assistant();
    let history = assistant.history()?;
    // Every rollback takes back the newest promotion before it that is not taken back yet.
    let mut standing: Vec<&Switch> = Vec::new();
    for switch in &history {
        match switch.reason {
            Reason::Promotion => standing.push(switch),
            Reason::Rollback => _ = standing.pop(),
        }
    }
    let last = standing.pop().ok_or(GateError::NothingToRollBack)?;
    unchanged(&last.from)?;
    let switch = Switch {
        at: now,
        reason: Reason::Rollback,
        to: last.from.clone(),
        from: last.to.clone(),
        record: last.record.clone(),
    };
    assistant.switch(&switch)?;
    Ok(switch)
}

/// The files of a model hold what they held.
fn unchanged(served: &Served) -> Result<(), GateError> {
    for artefact in std::iter::once(&served.model).chain(&served.adapter) {
        let path = artefact.path.clone();
        if !path.exists() {
            return Err(GateError::Changed { path, what: "is gone" });
        }
        if Artefact::at(&path)?.hash != artefact.hash {
            return Err(GateError::Changed { path, what: "was changed" });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use psi_store::{ContentHash, write_atomic};

    use super::*;
    use crate::{
        gate::{Role, record::tests::evidence},
        stats::Verdict,
    };

    struct Place {
        dir: tempfile::TempDir,
        home: Home,
    }

    impl Place {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let home = Home::at(&dir.path().join("home"));
            Self { dir, home }
        }

        fn model(&self, name: &str) -> Served {
            let folder = self.dir.path().join(name);
            std::fs::create_dir_all(&folder).unwrap();
            write_atomic(&folder.join("model.safetensors"), name.as_bytes()).unwrap();
            Served::at(&folder, None).unwrap()
        }

        fn record(&self, from: &str, to: &str, verdict: Verdict) -> std::path::PathBuf {
            let suites = vec![evidence(Role::NotWorse, verdict)];
            let record = Record {
                version: 0,
                psi: "1".to_owned(),
                at: 1,
                candidate: self.model(to),
                incumbent: self.model(from),
                profile: ContentHash::of_bytes(b"p"),
                number: 1,
                alpha: 0.03,
                beta: 0.05,
                decision: Decision::of(&suites),
                suites,
                hash: ContentHash::of_bytes(b""),
            };
            let path = self.dir.path().join(format!("{from}-{to}.json"));
            record.signed().write(&path).unwrap();
            path
        }

        fn served(&self) -> Option<String> {
            let served = self.home.assistant().served().unwrap()?;
            Some(served.model.path.file_name().unwrap().to_str().unwrap().to_owned())
        }
    }

    #[test]
    fn promotions_follow_each_other_and_are_taken_back_in_turn() {
        let place = Place::new();
        promote(&place.home, &place.record("a", "b", Verdict::Promote), 1).unwrap();
        promote(&place.home, &place.record("b", "c", Verdict::Promote), 2).unwrap();
        assert_eq!(place.served().unwrap(), "c");
        rollback(&place.home, 3).unwrap();
        assert_eq!(place.served().unwrap(), "b");
        rollback(&place.home, 4).unwrap();
        assert_eq!(place.served().unwrap(), "a");
        let error = rollback(&place.home, 5).unwrap_err();
        assert!(matches!(error, GateError::NothingToRollBack), "{error}");
        promote(&place.home, &place.record("a", "d", Verdict::Promote), 6).unwrap();
        rollback(&place.home, 7).unwrap();
        assert_eq!(place.served().unwrap(), "a");
    }

    #[test]
    fn nothing_is_served_without_a_record_that_promotes_it() {
        let place = Place::new();
        let home = &place.home;
        for verdict in [Verdict::Hold, Verdict::Block] {
            let error = promote(home, &place.record("a", "b", verdict), 1).unwrap_err();
            assert!(matches!(error, GateError::NotPromoted { .. }), "{error}");
        }
        // A record that was helped along.
        let path = place.record("a", "b", Verdict::Hold);
        let text = std::fs::read_to_string(&path).unwrap().replace("\"hold\"", "\"promote\"");
        write_atomic(&path, text.as_bytes()).unwrap();
        let error = promote(home, &path, 1).unwrap_err();
        assert!(error.to_string().contains("was changed"), "{error}");
        // A candidate that was trained on.
        let path = place.record("a", "b", Verdict::Promote);
        write_atomic(&place.dir.path().join("b/model.safetensors"), b"other").unwrap();
        let error = promote(home, &path, 1).unwrap_err();
        assert!(matches!(error, GateError::Changed { .. }), "{error}");
        // A comparison with something that is not served.
        promote(home, &place.record("a", "b", Verdict::Promote), 1).unwrap();
        let error = promote(home, &place.record("a", "c", Verdict::Promote), 2).unwrap_err();
        assert!(matches!(error, GateError::Stale { .. }), "{error}");
        assert_eq!(place.served().unwrap(), "b");
        let missing = promote(home, &place.dir.path().join("none.json"), 1).unwrap_err();
        assert!(matches!(missing, GateError::Store(_)), "{missing}");
        // A model from before that is gone.
        std::fs::remove_dir_all(place.dir.path().join("a")).unwrap();
        let error = rollback(home, 3).unwrap_err();
        assert!(error.to_string().contains("is gone"), "{error}");
        assert_eq!(place.served().unwrap(), "b");
    }
}
