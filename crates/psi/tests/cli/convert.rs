//! `psi convert` and `psi inspect`: files that are what was asked for, whole or not there.

use std::{collections::BTreeMap, fs};

use psi_store::{Gguf, SafeTensors};

use crate::checkpoint::{golden, random};
use crate::program::{Program, Ran};

fn convert(program: &Program, from: &str, to: &str, more: &[&str]) -> Ran {
    let to = program.path(to);
    program.run(&[&["convert", from, to.to_str().unwrap()], more].concat())
}

/// What the model at `name` writes.
fn text(program: &Program, name: &str) -> String {
    let model = program.path(name);
    let args = ["generate", "--raw", "--temperature", "0", "--max-tokens", "12", "--ignore-eos"];
    let more = ["--prompt", "the cat", "--model", model.to_str().unwrap()];
    program.run(&[&args[..], &more].concat()).ok().stdout
}

#[test]
fn a_folder_becomes_every_type_of_gguf_and_speaks() {
    let program = Program::new();
    let model = random(&program, "m");
    let types = [
        ("f32", "F32"),
        ("f16", "F16"),
        ("bf16", "BF16"),
        ("q8_0", "Q8_0"),
        ("q4_0", "Q4_0"),
        ("q4_k", "Q4_K"),
        ("q5_k", "Q5_K"),
        ("q6_k", "Q6_K"),
        ("q4_k_m", "Q4_K"),
    ];
    for (dtype, stored) in types {
        let name = format!("{dtype}.gguf");
        let ran = convert(&program, &model, &name, &["--dtype", dtype]).ok();
        assert_eq!(ran.stdout, "", "{dtype}: {ran}");
        assert!(ran.stderr.contains("[wrote "), "{dtype}: {ran}");
        let file = Gguf::open(&program.path(&name)).unwrap();
        let gate = file.tensor("blk.0.ffn_gate.weight").unwrap();
        assert_eq!(gate.dtype.name(), stored, "{dtype}");
        assert_eq!(file.tensor("output_norm.weight").unwrap().dtype.name(), "F32", "{dtype}");
        assert!(!text(&program, &name).is_empty(), "{dtype}");
    }
}

#[test]
fn there_and_back_changes_nothing() {
    let program = Program::new();
    let model = random(&program, "m");
    convert(&program, &model, "there.gguf", &[]).ok();
    let there = program.path("there.gguf");
    convert(&program, there.to_str().unwrap(), "back", &[]).ok();
    let bytes = |folder: &str| -> BTreeMap<String, Vec<u8>> {
        let file = SafeTensors::open(&program.path(folder)).unwrap();
        file.tensors().map(|t| (t.name.to_owned(), t.data.to_vec())).collect()
    };
    assert_eq!(bytes("back"), bytes("m"), "f32 weights are the same to the bit");
    assert_eq!(text(&program, "back"), text(&program, "m"));
    assert_eq!(text(&program, "there.gguf"), text(&program, "m"));
    let prompt = |model: &str| {
        let model = program.path(model);
        let args = ["generate", "--prompt", "hat", "--max-tokens", "1", "--json", "--model"];
        let ran = program.run(&[&args[..], &[model.to_str().unwrap()]].concat()).ok();
        ran.json()["prompt_tokens"].clone()
    };
    assert_eq!(prompt("back"), prompt("m"), "the chat template went along");
}

#[test]
fn a_quantised_file_becomes_a_folder_of_its_values() {
    let program = Program::new();
    let model = random(&program, "m");
    convert(&program, &model, "q.gguf", &["--dtype", "q4_k"]).ok();
    let quantised = program.path("q.gguf");
    let quantised = quantised.to_str().unwrap();
    convert(&program, quantised, "plain", &["--dtype", "f32"]).ok();
    convert(&program, quantised, "plain.gguf", &["--dtype", "f32"]).ok();
    assert_eq!(text(&program, "plain"), text(&program, "plain.gguf"));
    let refused = convert(&program, quantised, "folder", &["--dtype", "q8_0"]);
    refused.failed(2, &["f32, f16 or bf16", "hint: end OUT in .gguf"]);
    assert!(!program.path("folder").exists());
}

#[test]
fn what_exists_is_kept_unless_forced() {
    let program = Program::new();
    let model = random(&program, "m");
    convert(&program, &model, "out.gguf", &["--dtype", "bf16"]).ok();
    let before = fs::read(program.path("out.gguf")).unwrap();
    let again = convert(&program, &model, "out.gguf", &["--dtype", "q8_0"]);
    again.failed(2, &["out.gguf exists already", "hint: --force replaces it"]);
    assert_eq!(fs::read(program.path("out.gguf")).unwrap(), before);
    convert(&program, &model, "out.gguf", &["--dtype", "q8_0", "--force"]).ok();
    assert_ne!(fs::read(program.path("out.gguf")).unwrap(), before);

    fs::create_dir(program.path("folder")).unwrap();
    let folder = convert(&program, &model, "folder", &["--force"]);
    folder.failed(2, &["folder exists already", "hint: delete it first"]);
    convert(&program, &model, "m", &["--force"]).failed(2, &["IN and OUT are the same"]);
    convert(&program, &model, "no/x.gguf", &[]).failed(2, &["no such folder", "hint: make it"]);
}

#[test]
fn a_refused_conversion_leaves_nothing() {
    let program = Program::new();
    let case = golden(&program, "llama3");
    let before = files(&program);
    convert(&program, &case.model, "x.gguf", &[])
        .failed(2, &["cannot hold this model's tokenizer"]);
    let unknown = convert(&program, &case.model, "x.gguf", &["--dtype", "q3_x"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(2), ""));
    assert!(unknown.stderr.contains("q3_x") && unknown.stderr.contains("q4_k_m"), "{unknown}");
    convert(&program, "no/such/model", "x.gguf", &[]).failed(2, &["no/such/model"]);
    assert_eq!(files(&program), before);
}

/// The names in the home folder.
fn files(program: &Program) -> Vec<String> {
    let entries = fs::read_dir(program.home()).unwrap();
    let mut names: Vec<String> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn inspect_tells_what_a_file_holds() {
    let program = Program::new();
    let model = random(&program, "m");
    convert(&program, &model, "q.gguf", &["--dtype", "q8_0"]).ok();
    let file = program.path("q.gguf");
    let (file, n_bytes) = (file.to_str().unwrap(), fs::metadata(&file).unwrap().len());
    let document = program.run(&["inspect", file, "--json"]).ok().json();
    assert_eq!(
        (document["format"].as_str(), document["bytes"].as_u64()),
        (Some("GGUF v3"), Some(n_bytes))
    );
    assert_eq!(document["metadata"]["general.architecture"], "llama");
    let tensors = document["tensors"].as_array().unwrap();
    assert_eq!(tensors.len(), 2 + 2 * 9);
    let n: u64 = tensors
        .iter()
        .flat_map(|t| {
            t["shape"].as_array().unwrap().iter().map(|d| d.as_u64().unwrap()).reduce(|a, b| a * b)
        })
        .sum();
    assert_eq!(document["parameters"].as_u64(), Some(n));
    let folder = program.run(&["inspect", &model, "--json"]).ok().json();
    assert_eq!(folder["parameters"], document["parameters"]);
    assert_eq!(folder["metadata"]["hidden_size"], 256);
    let text = program.run(&["inspect", file]).ok().stdout;
    assert!(text.contains("Q8_0") && !text.contains("blk.0.ffn_gate.weight"), "{text}");
    let text = program.run(&["inspect", file, "--tensors"]).ok().stdout;
    assert!(text.contains("blk.0.ffn_gate.weight"), "{text}");
}

#[test]
fn broken_files_are_refused_by_every_command_that_opens_them() {
    let program = Program::new();
    let model = random(&program, "m");
    convert(&program, &model, "good.gguf", &[]).ok();
    let good = fs::read(program.path("good.gguf")).unwrap();
    crate::program::write(&program.path("cut.gguf"), &good[..good.len() / 2]);
    let cut = program.path("cut.gguf");
    let cut = cut.to_str().unwrap();
    program.run(&["inspect", cut]).failed(2, &["cut.gguf"]);
    program.run(&["generate", "--model", cut, "--prompt", "x"]).failed(2, &["cut.gguf"]);
    convert(&program, cut, "x.gguf", &[]).failed(2, &["cut.gguf"]);
    assert!(!program.path("x.gguf").exists());
    crate::program::write(&program.path("m/config.json"), b"{\"model_type\": ");
    program.run(&["inspect", &model]).failed(2, &["config.json"]);
    let score = ["score", "--model", &model, "--input", "-"];
    program.run_with(&score, b"x").failed(2, &["config.json"]);
}
