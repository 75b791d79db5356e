//! `psi`, `psi help`, `psi doctor`, `psi models`, `psi bench`: what the program says about itself and the machine.

use std::fs;

use crate::checkpoint::random;
use crate::program::Program;

#[test]
fn help_and_version_go_to_standard_output_and_wrong_usage_does_not() {
    let program = Program::new();
    for args in [&["--help"][..], &["help"], &["--version"], &["help", "environment"]] {
        let ran = program.run(args).ok();
        assert!(!ran.stdout.is_empty() && ran.stderr.is_empty(), "{args:?}: {ran}");
    }
    let usage = |args: &[&str], words: &[&str]| {
        let ran = program.run(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}: {ran}");
        words.iter().for_each(|w| assert!(ran.stderr.contains(w), "{args:?}: no '{w}' in {ran}"));
    };
    usage(&["generat"], &["generat", "generate"]);
    usage(&["generate", "--prompt", "x"], &["--model"]);
    usage(&["generate", "--model", "x", "--max-tokns", "3"], &["--max-tokns", "--max-tokens"]);
    usage(&["generate", "--model", "x", "--max-tokens", "-3"], &["-3"]);
    usage(&["generate", "--model", "x", "--logprobs", "3"], &["--json"]);
    program.run(&["help", "generat"]).failed(2, &["no help on 'generat'", "hint: did you mean"]);
}

#[test]
fn every_command_has_help_that_fits_a_terminal() {
    let program = Program::new();
    let commands = [
        "generate", "score", "tokenize", "inspect", "convert", "pull", "models", "bench", "doctor",
    ];
    for command in commands {
        let help = program.run(&["help", command]).ok().stdout;
        assert_eq!(help, program.run(&[command, "--help"]).ok().stdout, "{command}");
        assert!(help.contains(&format!("Usage: psi {command}")), "no escape codes in: {help}");
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    }
    let variables = program.run(&["help", "environment"]).ok().stdout;
    for name in ["PSI_HOME", "PSI_ISA", "PSI_THREADS"] {
        assert!(variables.contains(name), "{variables}");
    }
}

#[test]
fn doctor_describes_the_machine() {
    let program = Program::new();
    let document = program.run(&["doctor", "--json"]).ok().json();
    let tiers = document["tiers"].as_array().unwrap();
    assert!(tiers.contains(&document["tier"]) && tiers.iter().any(|t| t == "portable"));
    assert!(document["cores"].as_u64().unwrap() >= 1);
    assert_eq!(document["home"], program.home().to_str().unwrap());
    assert!(program.run(&["doctor"]).ok().stdout.contains("Instruction sets"));

    let portable = Program::new().with("PSI_ISA", "portable").with("PSI_THREADS", "3");
    let document = portable.run(&["doctor", "--json"]).ok().json();
    assert_eq!((&document["tier"], &document["threads"]), (&"portable".into(), &3.into()));
    let wrong = Program::new().with("PSI_ISA", "avx1024");
    wrong.run(&["doctor"]).failed(2, &["avx1024", "hint: this machine has portable"]);
    let wrong = Program::new().with("PSI_THREADS", "many");
    wrong.run(&["doctor"]).failed(2, &["PSI_THREADS is 'many'"]);
}

#[test]
fn models_lists_what_the_home_folder_holds() {
    let program = Program::new();
    let none = program.run(&["models"]).ok();
    assert!(none.stdout.is_empty() && none.stderr.contains("hint: psi pull"), "{none}");
    let model = random(&program, "m");
    fs::create_dir_all(program.path("models/acme")).unwrap();
    fs::rename(&model, program.path("models/acme/tiny")).unwrap();
    let document = program.run(&["models", "--json"]).ok().json();
    let list = document["models"].as_array().unwrap();
    assert_eq!(list.len(), 1, "{document}");
    assert_eq!((&list[0]["name"], &list[0]["form"]), (&"acme/tiny".into(), &"folder".into()));
    assert!(program.run(&["models"]).ok().stdout.contains("acme/tiny"));
    let by_name = ["generate", "--model", "acme/tiny", "--prompt", "the", "--max-tokens", "2"];
    program.run(&by_name).ok();
    let near = ["generate", "--model", "acme/tinny", "--prompt", "the"];
    program.run(&near).failed(2, &["acme/tinny", "hint: ", "acme/tiny"]);
}

#[test]
fn a_measurement_that_does_not_exist_is_refused_before_measuring() {
    let program = Program::new();
    program.run(&["bench", "--only", "nothing"]).failed(2, &["nothing is called so", "hint: "]);
    program.run(&["bench", "--repeat", "0"]).failed(2, &["--repeat"]);
}
