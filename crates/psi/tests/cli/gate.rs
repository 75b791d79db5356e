//! `psi gate`, `psi models promote|rollback|served`: nothing is served without the gate's record.

use std::fs;

use crate::{
    eval::Lab,
    program::{Program, write},
};

/// The small model under another name, with a file more: other content, the same answers.
fn copy(lab: &Lab, name: &str) -> String {
    let folder = lab.program.path(name);
    fs::create_dir(&folder).unwrap();
    for file in fs::read_dir(&lab.model).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), folder.join(file.file_name())).unwrap();
    }
    write(&folder.join("NOTES.md"), name.as_bytes());
    folder.display().to_string()
}

const PROFILE: &str =
    "[[suite]]\nname = \"sums\"\ntasks = [\"procedural/total\"]\nmargin = 0.1\nn = 200\n";

#[test]
fn a_candidate_that_is_as_good_is_promoted_served_and_taken_back() {
    let Some(lab) = Lab::new() else { return };
    let (program, candidate) = (&lab.program, copy(&lab, "new"));
    let (profile, out) = (lab.path("gate.toml"), lab.path("gate"));
    write(profile.as_ref(), PROFILE.as_bytes());
    let sides = ["--candidate", &candidate, "--incumbent", &lab.model];
    let rules = ["--suites", &profile, "--out", &out, "--max-tokens", "4", "--json"];
    let args = [&["gate"], &sides[..], &rules].concat();
    let record = program.run(&args).ok().json();
    assert_eq!(
        (record["decision"].as_str(), record["number"].as_u64()),
        (Some("promote"), Some(1))
    );
    let suite = &record["suites"][0];
    assert!(suite["n"].as_u64().unwrap() < 200 && suite["wins"] == 0 && suite["losses"] == 0);
    assert!(program.path("gate/report.html").exists());
    // The same candidate once more has less to spend, and the folder is taken.
    program.run(&args).failed(2, &["decided in this folder"]);
    program.run(&["models", "promote", &out]).ok();
    let served = program.run(&["models", "served", "--json"]).ok().json();
    assert_eq!(served["served"]["model"]["path"], candidate.as_str());
    // Promoting it again would not be against what is served.
    program.run(&["models", "promote", &out]).failed(2, &["served by now", "psi gate"]);
    program.run(&["models", "rollback"]).ok();
    let served = program.run(&["models", "served", "--json"]).ok().json();
    assert_eq!(served["served"]["model"]["hash"], record["incumbent"]["model"]["hash"]);
    assert_eq!(served["history"].as_array().unwrap().len(), 2);
    program.run(&["models", "rollback"]).failed(2, &["nothing was promoted"]);
}

#[test]
fn a_record_that_was_changed_or_does_not_promote_serves_nothing() {
    let Some(lab) = Lab::new() else { return };
    let (program, candidate) = (&lab.program, copy(&lab, "new"));
    let (profile, out) = (lab.path("gate.toml"), lab.path("gate"));
    write(profile.as_ref(), PROFILE.replace("n = 200", "n = 20").as_bytes());
    let sides = ["--candidate", &candidate, "--incumbent", &lab.model];
    let rules = ["--suites", &profile, "--out", &out, "--max-tokens", "4"];
    let table = program.run(&[&["gate"], &sides[..], &rules].concat()).ok().stdout;
    assert!(table.contains("hold"), "{table}");
    program.run(&["models", "promote", &out]).failed(2, &["the gate said hold"]);
    let record = program.path("gate/record.json");
    let helped = fs::read_to_string(&record).unwrap().replace("\"hold\"", "\"promote\"");
    write(&record, helped.as_bytes());
    program.run(&["models", "promote", &out]).failed(2, &["was changed after it was made"]);
    program
        .run(&["models", "promote", &lab.path("none")])
        .failed(2, &["no such record", "psi gate"]);
    let same =
        ["gate", "--candidate", &lab.model, "--incumbent", &lab.model, "--out", &lab.path("b")];
    program.run(&same).failed(2, &["is the incumbent"]);
    program.run(&["gate", "--candidate", &lab.model]).failed(2, &["--incumbent"]);
}

#[test]
fn the_gate_explains_itself_without_a_model() {
    let program = Program::new();
    let profile = program.run(&["gate", "--candidate", "x", "--show-profile"]).ok().stdout;
    assert!(profile.contains("margin") && profile.contains("[[suite]]"), "{profile}");
    let rows = program.run(&["gate", "simulate", "--runs", "3", "--json"]).ok().json();
    assert_eq!(rows.as_array().unwrap().len(), 10);
    let none = program.run(&["gate"]);
    assert!(none.code == Some(2) && none.stderr.contains("--candidate"), "{none}");
}
