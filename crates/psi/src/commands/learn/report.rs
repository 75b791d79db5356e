//! What `psi learn` says in the end.

use psi_eval::gate::{Decision, Record};
use psi_store::Served;
use psi_train::learn::{DataSet, Round};
use serde_json::json;

use crate::{memory, out::outln};

/// What has become of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The assistant serves its result.
    Promoted,
    /// It would be served, but was only to be judged.
    OnlyJudged,
    /// The gate did not let it through.
    NotPromoted,
    /// It was promoted before, and its owner took it back.
    TakenBack,
}

pub(super) fn show_data(data: &DataSet, incumbent: &Served, json: bool) {
    if json {
        let document = json!({
            "data": data.version, "learned": data.train.len(), "kept_out": data.kept_out.len(),
            "left_out": data.left_out, "from": incumbent.model.path,
        });
        outln!("{document:#}");
        return;
    }
    let (n, k) = (data.train.len(), data.kept_out.len());
    outln!(
        "{n} corrections to learn from, {k} kept out for the test (data {})",
        data.version.short()
    );
    for left in &data.left_out {
        outln!("left out {}: {}", left.id, left.why);
    }
    outln!("starts from {}", incumbent.model.path.display());
}

/// Nothing was rated since what is served was trained.
pub(super) fn nothing_new(data: &DataSet, served: &Served, json: bool) {
    let path = served.model.path.display();
    if json {
        let document = json!({ "data": data.version, "decision": null, "served": true });
        outln!("{document:#}");
        return;
    }
    outln!("nothing new to learn: {path}, which is served, has learned from these ratings");
}

pub(super) fn show_round(
    round: &Round,
    data: &DataSet,
    record: &Record,
    ending: Ending,
    json: bool,
) {
    if json {
        let document = json!({
            "round": round.dir(), "data": data.version, "learned": data.train.len(),
            "kept_out": data.kept_out.len(), "decision": record.decision.name(),
            "served": ending == Ending::Promoted, "memory_peak_bytes": memory::peak(), "record": record,
        });
        outln!("{document:#}");
        return;
    }
    outln!("{} corrections learned, {} kept out", data.train.len(), data.kept_out.len());
    for suite in &record.suites {
        let (old, new) = suite.means;
        let verdict = format!("{:?}", suite.verdict).to_lowercase();
        outln!("{}: {old:.3} before, {new:.3} after ({} items): {verdict}", suite.suite, suite.n);
    }
    let words = match (ending, record.decision) {
        (Ending::Promoted, _) => {
            "promoted: the assistant serves it; psi models rollback takes it back"
        }
        (Ending::OnlyJudged, _) => "would be promoted (--hold)",
        (Ending::TakenBack, _) => "was promoted and taken back: new ratings make a new candidate",
        (Ending::NotPromoted, Decision::Hold) => "not promoted: too few items to be sure",
        (Ending::NotPromoted, _) => "not promoted",
    };
    outln!("{}: {words}", record.decision);
    outln!("{}", round.dir().display());
}
