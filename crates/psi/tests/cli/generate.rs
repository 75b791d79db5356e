//! `psi generate`: the reference's text, and nothing but text on standard output.

use std::fs;

use serde_json::{Value, json};

use crate::checkpoint::{self, CONTEXT, golden, random, word};
use crate::program::{Program, Ran};

/// `psi generate --raw --temperature 0` and further arguments.
fn greedy(program: &Program, model: &str, prompt: &str, more: &[&str]) -> Ran {
    let args = ["generate", "--model", model, "--raw", "--temperature", "0", "--prompt", prompt];
    program.run(&[&args[..], more].concat())
}

#[test]
fn golden_checkpoints_continue_as_the_reference_does() {
    let program = Program::new();
    for name in ["llama3", "qwen3", "gemma2", "gpt2", "mixtral"] {
        let case = golden(&program, name);
        let n = case.greedy.len().to_string();
        let more = ["--ignore-eos", "--max-tokens", n.as_str()];
        let ran = greedy(&program, &case.model, &case.prompt, &[&more[..], &["--json"]].concat());
        let document = ran.ok().json();
        assert_eq!(document["prompt_tokens"], json!(case.ids), "{name}");
        assert_eq!(document["tokens"], json!(case.greedy), "{name}");
        assert_eq!(document["finish_reason"], "length", "{name}");
        let text = greedy(&program, &case.model, &case.prompt, &more).ok().stdout;
        assert_eq!(json!(text), document["text"], "{name}: the text and nothing else");
        let wanted: String = case.greedy.iter().map(|&id| word(id)).collect();
        assert_eq!(text.replace(' ', ""), wanted, "{name}");
    }
}

#[test]
fn the_story_is_the_reference_s_to_the_byte_from_every_form_of_the_file() {
    let Some(data) = psi_testkit::shared_data() else { return };
    let stories = data.join("models/stories260K");
    let golden = fs::read_to_string(stories.join("golden.txt")).unwrap();
    let program = Program::new();
    for form in ["hf", "stories260K-f32.gguf"] {
        let model = stories.join(form);
        let ran = greedy(&program, model.to_str().unwrap(), "", &["--max-tokens", "200"]).ok();
        assert_eq!(ran.stdout, golden, "{form}");
        assert!(ran.stderr.contains("200 tokens"), "speed is on stderr: {ran}");
    }
}

#[test]
fn a_prompt_on_standard_input_is_the_same_prompt() {
    let program = Program::new();
    let model = random(&program, "m");
    let args = ["--max-tokens", "6", "--json"];
    let given = greedy(&program, &model, "the cat\n", &args).ok().json();
    let all = ["generate", "--model", &model, "--raw", "--temperature", "0", "--prompt", "-"];
    let read = program.run_with(&[&all[..], &args].concat(), b"the cat\n").ok().json();
    assert_eq!(read["prompt_tokens"], given["prompt_tokens"]);
    assert_eq!(read["tokens"], given["tokens"]);
    program.run_with(&all, b"a\xff").failed(2, &["standard input is not UTF-8 at byte 1"]);
}

#[test]
fn the_seed_decides_what_is_drawn() {
    let program = Program::new();
    let model = random(&program, "m");
    let draw = |seed: &str| {
        let args = ["generate", "--model", &model, "--prompt", "the", "--raw", "--temperature"];
        let more = ["1.5", "--max-tokens", "16", "--ignore-eos", "--json", "--seed", seed];
        program.run(&[&args[..], &more].concat()).ok().json()["tokens"].clone()
    };
    assert_eq!(draw("7"), draw("7"));
    assert_ne!(draw("7"), draw("8"));
}

#[test]
fn a_stop_text_ends_the_answer_and_is_not_part_of_it() {
    let program = Program::new();
    let case = golden(&program, "llama3");
    let fourth = word(case.greedy[3]);
    let args = ["--ignore-eos", "--max-tokens", "24", "--stop", &fourth];
    let text = greedy(&program, &case.model, &case.prompt, &args).ok().stdout;
    assert!(!text.contains(&fourth) && text.contains(&word(case.greedy[2])), "{text:?}");
    let ran = greedy(&program, &case.model, &case.prompt, &[&args[..], &["--json"]].concat());
    let document = ran.ok().json();
    assert_eq!((&document["finish_reason"], &document["stop"]), (&json!("stop"), &json!(fourth)));
    assert_eq!(document["text"], json!(text));
    greedy(&program, &case.model, "t1", &["--stop", ""]).failed(2, &["--stop: an empty text"]);
}

#[test]
fn log_probabilities_list_the_chosen_token_first() {
    let program = Program::new();
    let case = golden(&program, "llama3");
    let args = ["--ignore-eos", "--max-tokens", "5", "--json", "--logprobs", "3"];
    let document = greedy(&program, &case.model, &case.prompt, &args).ok().json();
    let steps = document["logprobs"].as_array().unwrap();
    assert_eq!(steps.len(), 5);
    for (step, &id) in steps.iter().zip(&case.greedy) {
        let token = step["token"].as_str().unwrap();
        assert_eq!((&step["id"], token.trim()), (&json!(id), word(id).as_str()));
        assert_eq!(step["top"].as_array().unwrap().len(), 3);
        assert_eq!(
            (&step["top"][0]["id"], &step["top"][0]["logprob"]),
            (&step["id"], &step["logprob"])
        );
        assert!(step["logprob"].as_f64().unwrap() < 0.0);
    }
}

#[test]
fn what_does_not_fit_the_context_is_refused_and_never_cut() {
    let program = Program::new();
    let model = random(&program, "m");
    let n_prompt = tokens(
        &greedy(&program, &model, "the cat and the dog", &["--max-tokens", "1", "--json"]),
        "prompt_tokens",
    );
    assert!(n_prompt > 2);
    let refused = |more: &[&str], words: &[&str]| {
        greedy(&program, &model, "the cat and the dog", more).failed(2, words);
    };
    let (context, too_many) = ((n_prompt + 4).to_string(), "5");
    let room = ["--context", &context, "--max-tokens", too_many];
    refused(
        &room,
        &[
            "do not fit the context",
            "hint: ask for at most 4 tokens, or raise --context (at most 64)",
        ],
    );
    refused(
        &["--context", &n_prompt.to_string()],
        &["no room to write", "hint: shorten the prompt, or raise"],
    );
    refused(&["--context", "0"], &["no room to write"]);
    refused(&["--context", "65"], &["this model was made for 64 tokens", "hint: "]);
    let all_of_it = CONTEXT.to_string();
    refused(
        &["--max-tokens", &all_of_it],
        &["do not fit the context of 64", "hint: ask for at most"],
    );
    refused(&["--max-tokens", &u64::MAX.to_string()], &["do not fit the context"]);
    let long = "the cat and the dog ".repeat(40);
    greedy(&program, &model, &long, &[])
        .failed(2, &["the context 64: there is no room", "hint: shorten"]);

    // What just fits runs to its end; without a number the answer takes what is left.
    let fits = greedy(
        &program,
        &model,
        "the cat and the dog",
        &["--context", &context, "--max-tokens", "4", "--ignore-eos", "--json"],
    );
    assert_eq!(tokens(&fits, "tokens"), 4);
    let rest = greedy(&program, &model, "the cat and the dog", &["--ignore-eos", "--json"]);
    assert_eq!(tokens(&rest, "tokens"), CONTEXT - n_prompt);
    let rest = greedy(&program, &model, "the cat and the dog", &["--ignore-eos"]).ok();
    assert!(rest.stderr.contains("the context is full"), "{rest}");
}

/// The length of a list in the JSON document of a run.
#[track_caller]
fn tokens(ran: &Ran, key: &str) -> usize {
    assert_eq!(ran.code, Some(0), "{ran}");
    ran.json()[key].as_array().map_or(0, Vec::len)
}

#[test]
fn the_chat_template_is_used_unless_raw() {
    let program = Program::new();
    let model = random(&program, "m");
    let prompt = |more: &[&str]| {
        let args =
            ["generate", "--model", &model, "--prompt", "hat", "--max-tokens", "1", "--json"];
        let document = program.run(&[&args[..], more].concat()).ok().json();
        let ids = document["prompt_tokens"].as_array().unwrap();
        let ids = ids.iter().map(Value::to_string).collect::<Vec<_>>().join(" ");
        program.run(&["tokenize", "--model", &model, "--decode", &ids]).ok().stdout
    };
    assert_eq!(prompt(&[]), "[user] hat\n[assistant]\n");
    assert_eq!(prompt(&["--system", "Be dry."]), "[system] Be dry.\n[user] hat\n[assistant]\n");
    assert_eq!(prompt(&["--raw"]), "hat\n");
    let args = ["generate", "--model", &model, "--prompt", "refuse me"];
    program.run(&args).failed(2, &["refuses this conversation", "not this", "hint: --raw"]);
    let case = golden(&program, "llama3");
    let args = ["generate", "--model", &case.model, "--prompt", "t1", "--system", "x"];
    program.run(&args).failed(2, &["--system: this model has no chat template", "hint: "]);
}

#[test]
fn what_cannot_be_run_is_named() {
    let program = Program::new();
    let case = golden(&program, "llama3");
    let absent = program.path("absent.gguf");
    greedy(&program, absent.to_str().unwrap(), "x", &[]).failed(2, &["absent.gguf"]);
    greedy(&program, &case.model, "", &[]).failed(2, &["the prompt is empty"]);
    greedy(&program, &case.model, "t1", &["--threads", "0"]).failed(2, &["0 threads"]);
    let bias = ["--logit-bias", "96=1"];
    greedy(&program, &case.model, "t1", &bias).failed(2, &["96"]);
    greedy(&program, &case.model, "t1", &["--top-p", "7"]).failed(2, &["top_p"]);
    greedy(&program, &case.model, "t1", &["--dtype", "q4_k_m"]).failed(2, &["--dtype", "hint: "]);
    // A tokenizer that knows more tokens than the model: an error, not a crash.
    checkpoint::words(&program.path("llama3"), 200);
    greedy(&program, &case.model, "t1 t150", &[]).failed(2, &["token 150"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_a_failure_and_a_reader_that_leaves_is_not() {
    let program = Program::new();
    let case = golden(&program, "llama3");
    let args = ["generate", "--model", &case.model, "--raw", "--prompt", "t1 t2"];
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let ran = program.run_into(&args, full.into());
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("standard output cannot be written"), "{ran}");
    let mut child = program.start(&[&args[..], &["--ignore-eos"]].concat());
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
}

#[test]
#[cfg(target_os = "linux")]
fn a_mapped_file_needs_its_own_size_and_that_of_its_panels() {
    let program = Program::new();
    let peak = |name: &str, d_model: usize, d_ff: usize| {
        let model = checkpoint::llama(&program, name, d_model, d_ff);
        let file = program.path(&format!("{name}.gguf"));
        let path = file.to_str().unwrap();
        program.run(&["convert", &model, path, "--dtype", "q8_0"]).ok();
        let document = greedy(&program, path, "the", &["--max-tokens", "2", "--json"]).ok().json();
        (document["peak_memory_bytes"].as_u64().unwrap(), fs::metadata(&file).unwrap().len())
    };
    // The small model stands for what the program needs without weights.
    let (small, small_file) = peak("small", 256, 512);
    let (large, large_file) = peak("large", 1024, 3072);
    let (more, file) = (large - small, large_file - small_file);
    assert!(file > 20 << 20, "{file} bytes are too few to tell");
    // Panels are as large as the file's blocks, buffers take a part of what is left; keeping the weights as f32 would
    // take more than four times the file.
    assert!(5 * more <= 12 * file, "{more} bytes more for a file that is {file} larger");
}
