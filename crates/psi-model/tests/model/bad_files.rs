//! Configurations and weights that must be refused: quickly, with the path, the place and the reason.

use std::{error::Error, path::Path};

use psi_model::{Checkpoint, Decoder, LoadOptions, ModelError};
use psi_store::{DType, TensorSpec, gguf::Writer};
use psi_testkit::golden_dir;
use serde_json::{Value, json};

use crate::{golden, run};

/// A copy of a golden model whose `config.json` is `text`.
fn with_config(model: &str, text: &str) -> tempfile::TempDir {
    let scratch = tempfile::tempdir().expect("a folder");
    let from = golden_dir().join("models").join(model);
    for file in std::fs::read_dir(from).expect("a model") {
        let path = file.expect("an entry").path();
        if path.extension().is_some_and(|e| e == "safetensors") {
            let name = path.file_name().expect("a name");
            std::fs::copy(&path, scratch.path().join(name)).expect("a copy");
        }
    }
    let _ = std::fs::remove_file(scratch.path().join("golden.safetensors"));
    write(&scratch.path().join("config.json"), text.as_bytes());
    scratch
}

fn write(path: &Path, bytes: &[u8]) {
    psi_store::write_atomic(path, bytes).expect("written");
}

/// The error of loading, which must name `path`.
fn refusal(path: &Path) -> ModelError {
    let cpu = run::cpu();
    let error = match Decoder::load(&cpu, path, &LoadOptions::default()) {
        Ok(_) => panic!("{}: loaded", path.display()),
        Err(e) => e,
    };
    assert!(error.to_string().contains(&*path.to_string_lossy()), "no path in: {error}");
    error
}

/// Loads `model` with one key of its configuration replaced and checks the message.
fn check_key(model: &str, pointer: &str, value: Value, expected: &[&str]) {
    let mut config = golden::json(&golden_dir().join("models").join(model).join("config.json"));
    match pointer.rsplit_once('/') {
        Some((parent, key)) => {
            let parent = config.pointer_mut(parent).expect("the parent").as_object_mut();
            parent.expect("an object").insert(key.into(), value);
        }
        None => panic!("{pointer} is no pointer"),
    }
    let folder = with_config(model, &config.to_string());
    let message = refusal(folder.path()).to_string();
    for part in expected {
        assert!(message.contains(part), "{pointer}: no '{part}' in: {message}");
    }
}

#[test]
fn a_config_with_an_unusable_value_is_refused_by_key_and_value() {
    let cases: &[(&str, &str, Value, &[&str])] = &[
        ("llama2", "/model_type", json!("bert"), &["model_type", "bert", "no such architecture"]),
        ("llama2", "/model_type", json!(7), &["model_type", "should be a string"]),
        ("llama2", "/model_type", json!(null), &["model_type", "missing"]),
        ("llama2", "/hidden_size", json!(0), &["hidden_size", "at least 1"]),
        ("llama2", "/hidden_size", json!("32"), &["hidden_size", "should be an integer"]),
        ("llama2", "/hidden_size", json!(-32), &["hidden_size", "-32"]),
        ("llama2", "/hidden_size", json!(null), &["hidden_size", "missing"]),
        ("llama2", "/num_hidden_layers", json!(1e9 as u64), &["num_hidden_layers", "1000000000"]),
        ("llama2", "/num_hidden_layers", json!(5000), &["num_hidden_layers", "5000"]),
        ("llama2", "/num_hidden_layers", json!(3), &["model.layers.2.input_layernorm.weight"]),
        ("llama2", "/num_hidden_layers", json!(1), &["model.layers.1.", "no place"]),
        ("llama2", "/num_attention_heads", json!(0), &["num_attention_heads"]),
        ("llama2", "/num_key_value_heads", json!(3), &["n_kv_heads", "does not divide"]),
        ("llama2", "/num_attention_heads", json!(64), &["q_proj", "[32, 32]", "[512, 32]"]),
        ("llama2", "/head_dim", json!(7), &["head_dim", "pairs"]),
        ("llama2", "/intermediate_size", json!(80), &["mlp.", "[88, 32]", "[80, 32]"]),
        ("llama2", "/vocab_size", json!(97), &["embed_tokens", "[96, 32]", "[97, 32]"]),
        ("llama2", "/vocab_size", json!(1u64 << 40), &["vocab_size"]),
        ("llama2", "/max_position_embeddings", json!(0), &["max_position_embeddings"]),
        ("llama2", "/rms_norm_eps", json!(-1e-5), &["rms_norm_eps", "above 0"]),
        ("llama2", "/hidden_act", json!("mish"), &["hidden_act", "mish", "silu"]),
        ("llama2", "/quantization_config", json!({"bits": 4}), &["quantization_config"]),
        ("llama2", "/is_encoder_decoder", json!(true), &["is_encoder_decoder"]),
        ("llama2", "/eos_token_id", json!("</s>"), &["eos_token_id", "token id"]),
        ("llama2", "/tie_word_embeddings", json!("yes"), &["tie_word_embeddings", "true or false"]),
        ("llama2", "/rope_parameters/rope_type", json!("magic"), &["rope_type", "magic", "yarn"]),
        ("llama2", "/rope_parameters/rope_theta", json!(0), &["rope_theta", "above 0"]),
        ("llama2", "/rope_parameters/mrope_section", json!([2]), &["mrope_section", "unknown"]),
        ("llama2", "/rope_parameters", json!([1]), &["rope_parameters", "an object"]),
        ("llama3", "/rope_parameters/factor", json!(null), &["rope_parameters.factor", "missing"]),
        ("llama3", "/rope_parameters/low_freq_factor", json!(4.0), &["low_freq_factor", "below"]),
        ("llama_yarn", "/rope_parameters/factor", json!(-2), &["factor", "above 0"]),
        ("phi3", "/rope_parameters/long_factor", json!([1.0]), &["long_factor", "8 numbers"]),
        ("phi3", "/rope_parameters/short_factor", json!("x"), &["short_factor", "list of numbers"]),
        ("gemma2", "/layer_types", json!(["full_attention"]), &["layer_types", "1 entries"]),
        ("gemma2", "/layer_types", json!(["a", "b"]), &["layer_types", "sliding_attention"]),
        ("gemma2", "/sliding_window", json!(0), &["sliding_window", "at least 1"]),
        ("gemma2", "/query_pre_attn_scalar", json!(0), &["query_pre_attn_scalar", "above 0"]),
        ("smollm3", "/no_rope_layers", json!([1, 0]), &["no_rope_layers", "4 numbers"]),
        ("mixtral", "/num_local_experts", json!(1 << 22), &["n_experts", "4194304"]),
        ("mixtral", "/num_local_experts", json!(5), &["gate.weight", "[4, 24]", "[5, 24]"]),
        ("mixtral", "/num_experts_per_tok", json!(9), &["top_k", "of 4 experts"]),
        ("qwen3_moe", "/mlp_only_layers", json!(["1"]), &["mlp_only_layers"]),
        ("gpt2", "/n_head", json!(5), &["n_head", "does not divide"]),
        ("gpt2", "/n_layer", json!(1 << 20), &["n_layer", "1048576"]),
        ("gpt2", "/scale_attn_weights", json!(false), &["scale_attn_weights"]),
        ("gpt2", "/n_positions", json!(81), &["wpe.weight", "[80, 24]", "[81, 24]"]),
    ];
    for (model, pointer, value, expected) in cases {
        check_key(model, pointer, value.clone(), expected);
    }
}

#[test]
fn a_config_that_is_no_json_object_is_refused() {
    for (text, why) in [("{\"a\": ", "not JSON"), ("[1]", "not a JSON object"), ("", "not JSON")] {
        let folder = with_config("llama2", text);
        let message = refusal(folder.path()).to_string();
        assert!(message.contains(why) && message.contains("config.json"), "{message}");
    }
}

#[test]
fn an_unknown_architecture_is_answered_with_those_psi_reads() {
    let folder = with_config("llama2", r#"{"model_type": "mamba"}"#);
    let hint = refusal(folder.path()).hint().expect("a hint");
    assert!(hint.contains("qwen3") && hint.contains("gemma2"), "{hint}");
}

#[test]
fn a_folder_without_config_or_weights_is_refused() {
    let empty = tempfile::tempdir().expect("a folder");
    let error = refusal(empty.path());
    assert!(error.to_string().contains("config.json"), "{error}");
    assert!(error.source().is_some(), "the cause is kept");
    let text = golden::json(&golden_dir().join("models/llama2/config.json")).to_string();
    write(&empty.path().join("config.json"), text.as_bytes());
    refusal(empty.path());
}

#[test]
fn keys_without_effect_are_remarked_and_not_refused() {
    let dir = golden_dir().join("models/llama2");
    let mut config = golden::json(&dir.join("config.json"));
    config["a_key_of_tomorrow"] = json!(1);
    let folder = with_config("llama2", &config.to_string());
    let checkpoint = Checkpoint::open(folder.path()).unwrap_or_else(|e| panic!("{e}"));
    assert!(checkpoint.notes()[0].contains("a_key_of_tomorrow"), "{:?}", checkpoint.notes());
    assert_eq!(checkpoint.notes().len(), 1);
}

#[test]
fn weights_of_a_wrong_dtype_or_with_nan_in_a_norm_are_refused() {
    let config = golden::json(&golden_dir().join("models/llama2/config.json")).to_string();
    let old = psi_store::SafeTensors::open(&golden_dir().join("models/llama2")).expect("weights");
    for (dtype, bytes, why) in [
        (DType::I32, 7i32.to_le_bytes(), "dtype I32"),
        (DType::F32, f32::NAN.to_le_bytes(), "NaN"),
        (DType::F32, f32::INFINITY.to_le_bytes(), "inf"),
    ] {
        let folder = with_config("llama2", &config);
        let norm = bytes.repeat(32);
        let mut tensors = old.tensors().map(|t| match t.name {
            "model.norm.weight" => psi_store::TensorView { dtype, data: &norm, ..t },
            _ => t,
        });
        let path = folder.path().join("model.safetensors");
        psi_store::safetensors::write(&path, &mut tensors, &[]).expect("written");
        let message = refusal(folder.path()).to_string();
        assert!(message.contains("model.norm.weight") && message.contains(why), "{message}");
    }
}

/// A GGUF of the golden llama3 with keys changed by `f`, tensors dropped or reshaped by `g`, and every
/// value `fill`.
fn gguf(
    fill: f32,
    f: impl Fn(&mut Writer),
    g: impl Fn(&mut TensorSpec) -> bool,
) -> tempfile::TempDir {
    let scratch = tempfile::tempdir().expect("a folder");
    let old = psi_store::Gguf::open(&golden_dir().join("gguf/llama3.gguf")).expect("golden");
    let mut writer = Writer::new();
    for (key, value) in old.metadata().filter(|(key, _)| !key.starts_with("tokenizer")) {
        writer.put(key, value);
    }
    f(&mut writer);
    let mut specs: Vec<TensorSpec> = old.tensors().map(|t| t.spec()).collect();
    specs.retain_mut(|t| g(t));
    specs.iter().for_each(|t| {
        writer.add(t.clone());
    });
    let mut sink = writer.create(&scratch.path().join("model.gguf")).expect("a file");
    for t in &specs {
        let bytes: Vec<u8> = fill.to_le_bytes().repeat(t.n_bytes().expect("a size").div_ceil(4));
        let bytes = &bytes[..t.n_bytes().expect("a size")];
        sink.write(&t.name, bytes).expect("written");
    }
    sink.finish().expect("a whole file");
    scratch
}

fn check_gguf(f: impl Fn(&mut Writer), g: impl Fn(&mut TensorSpec) -> bool, expected: &[&str]) {
    let folder = gguf(1.0, f, g);
    let message = refusal(&folder.path().join("model.gguf")).to_string();
    for part in expected {
        assert!(message.contains(part), "no '{part}' in: {message}");
    }
}

#[test]
fn gguf_metadata_with_an_unusable_value_is_refused_by_key() {
    let number = |key: &'static str, n: u32, expected: &[&str]| {
        check_gguf(
            |w| {
                w.put_u32(key, n);
            },
            |_| true,
            expected,
        );
    };
    number("llama.block_count", 0, &["llama.block_count", "at least 1"]);
    number("llama.block_count", u32::MAX, &["llama.block_count", "4294967295"]);
    number("llama.block_count", 70_000, &["llama.block_count", "70000"]);
    number("llama.block_count", 3, &["blk.2.attn_norm.weight"]);
    number("llama.block_count", 1, &["blk.1.", "no place"]);
    number("llama.attention.head_count", 0, &["head_count"]);
    number("llama.attention.head_count_kv", 3, &["n_kv_heads", "does not divide"]);
    number("llama.attention.head_count_kv", 0, &["n_kv_heads"]);
    number("llama.attention.value_length", 8, &["value_length", "16"]);
    number("llama.attention.key_length", 1 << 30, &["key_length"]);
    number("llama.embedding_length", 48, &["token_embd.weight", "[96, 48]"]);
    number("llama.feed_forward_length", 0, &["feed_forward_length"]);
    number("llama.context_length", 0, &["context_length"]);
    number("llama.rope.dimension_count", 7, &["dimension_count", "even"]);
    number("llama.rope.dimension_count", 32, &["dimension_count"]);
    number("llama.rope.dimension_count", 0, &["dimension_count", "whole heads"]);
    number("llama.rope.dimension_count", 8, &["dimension_count", "whole heads, of 16"]);
    number("llama.expert_count", 4, &["expert_used_count", "missing"]);
    number("llama.expert_shared_count", 2, &["expert_shared_count"]);
    number("llama.attention.layer_norm_rms_epsilon", 1, &["epsilon", "a float"]);
}

#[test]
fn gguf_text_and_lists_that_make_no_sense_are_refused() {
    let text = |key: &'static str, value: &'static str, expected: &[&str]| {
        check_gguf(
            |w| {
                w.put_str(key, value);
            },
            |_| true,
            expected,
        );
    };
    text("general.architecture", "mamba", &["general.architecture", "mamba"]);
    text("llama.block_count", "two", &["llama.block_count", "integer"]);
    check_gguf(
        |w| {
            w.put_u32s("llama.feed_forward_length", &[56, 40]);
        },
        |_| true,
        &["feed_forward_length", "differs between layers"],
    );
    check_gguf(
        |w| {
            w.put_u32("llama.attention.sliding_window", 8);
            w.put_bools("llama.attention.sliding_window_pattern", &[true]);
        },
        |_| true,
        &["sliding_window_pattern", "one entry per layer"],
    );
    check_gguf(
        |w| {
            w.put_str("llama.rope.scaling.type", "magic");
            w.put_f32("llama.rope.scaling.factor", 2.0);
        },
        |t| t.name != "rope_freqs.weight",
        &["rope.scaling.type", "magic"],
    );
}

#[test]
fn gguf_tensors_that_do_not_fit_are_refused_by_name() {
    let nothing = |_: &mut Writer| ();
    check_gguf(nothing, |t| t.name != "token_embd.weight", &["token_embd.weight"]);
    check_gguf(nothing, |t| t.name != "blk.1.attn_v.weight", &["blk.1.attn_v.weight"]);
    let reshape = |name: &'static str, shape: &'static [usize]| {
        move |t: &mut TensorSpec| {
            if t.name == name {
                t.shape = shape.to_vec();
            }
            true
        }
    };
    check_gguf(nothing, reshape("output_norm.weight", &[31]), &["output_norm.weight", "[31]"]);
    check_gguf(nothing, reshape("token_embd.weight", &[96]), &["token_embd.weight", "[96]"]);
    let zeros = gguf(0.0, nothing, |_| true);
    let message = refusal(&zeros.path().join("model.gguf")).to_string();
    assert!(message.contains("rope_freqs.weight") && message.contains("not above 0"), "{message}");
    check_gguf(nothing, reshape("rope_freqs.weight", &[7]), &["rope_freqs.weight", "[7]"]);
    let i8 = |t: &mut TensorSpec| {
        if t.name == "blk.0.attn_q.weight" {
            t.dtype = DType::I8;
        }
        t.name != "rope_freqs.weight"
    };
    check_gguf(nothing, i8, &["blk.0.attn_q.weight", "I8"]);
}
