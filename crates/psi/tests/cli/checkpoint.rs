//! Checkpoints to run the program on: the golden ones, and a random one that every type of weight fits.

use std::{fs, path::Path};

use psi_store::{DType, TensorSpec, safetensors::Writer};
use psi_testkit::{Rng, golden_dir};
use psi_tokenizer::{TrainOptions, train_bpe};
use serde_json::{Value, json};

use crate::program::{Program, write};

/// A golden checkpoint with its reference answers.
pub(crate) struct Golden {
    pub(crate) model: String,
    /// The first case's prompt, as text of [`word`]s, and its ids.
    pub(crate) prompt: String,
    pub(crate) ids: Vec<u32>,
    /// The ids that follow.
    pub(crate) greedy: Vec<u32>,
}

/// The text of a token of a golden checkpoint, whose tokenizer has a word for each.
pub(crate) fn word(id: u32) -> String {
    format!("t{id}")
}

/// Copies a golden checkpoint to the home folder and puts a tokenizer of [`word`]s beside it.
pub(crate) fn golden(program: &Program, name: &str) -> Golden {
    let (from, to) = (golden_dir().join("models").join(name), program.path(name));
    fs::create_dir(&to).unwrap();
    for file in ["config.json", "model.safetensors"] {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
    let read = |file: &str| -> Value {
        serde_json::from_slice(&fs::read(from.join(file)).unwrap()).unwrap()
    };
    words(&to, read("config.json")["vocab_size"].as_u64().unwrap() as u32);
    let case = &read("golden.json")["cases"][0];
    let numbers = |key: &str| serde_json::from_value::<Vec<u32>>(case[key].clone()).unwrap();
    let ids = numbers("ids");
    let prompt = ids.iter().map(|&id| word(id)).collect::<Vec<_>>().join(" ");
    let model = to.to_str().unwrap().to_owned();
    Golden { model, prompt, ids, greedy: numbers("greedy") }
}

/// Writes a tokenizer of `n` [`word`]s into a model's folder.
pub(crate) fn words(folder: &Path, n: u32) {
    let vocab: serde_json::Map<String, Value> = (0..n).map(|id| (word(id), json!(id))).collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": null,
        "decoder": null, "model": {"type": "WordLevel", "vocab": vocab, "unk_token": word(0)},
    });
    write(&folder.join("tokenizer.json"), tokenizer.to_string().as_bytes());
}

/// A chat template that shows what it was given.
const TEMPLATE: &str = "{% for m in messages %}{% if m.content == 'refuse me' %}\
    {{ raise_exception('not this') }}{% endif %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant]";

/// Context of [`random`]'s model.
pub(crate) const CONTEXT: usize = 64;

/// Makes a small Llama of random weights, wide enough for blocks of 256, with a byte-level tokenizer and a chat
/// template; returns its folder.
pub(crate) fn random(program: &Program, name: &str) -> String {
    llama(program, name, 256, 512)
}

/// [`random`] of another width and feed-forward width.
pub(crate) fn llama(program: &Program, name: &str, d_model: usize, d_ff: usize) -> String {
    let folder = program.path(name);
    fs::create_dir(&folder).unwrap();
    let options = TrainOptions {
        vocab_size: 272,
        special_tokens: vec!["<s>".to_owned(), "</s>".to_owned()],
        ..TrainOptions::default()
    };
    let text = "the cat and the dog and the hat and the end ".repeat(8);
    let tokenizer = train_bpe(&mut std::iter::once(text.into()), &options).unwrap();
    write(&folder.join("tokenizer.json"), tokenizer.to_json().as_bytes());
    let config = json!({"bos_token": "<s>", "eos_token": "</s>", "chat_template": TEMPLATE});
    write(&folder.join("tokenizer_config.json"), config.to_string().as_bytes());
    let vocab_size = tokenizer.vocab_size();
    let config = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": d_model, "intermediate_size": d_ff, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": vocab_size,
        "max_position_embeddings": CONTEXT, "rms_norm_eps": 1e-5, "rope_theta": 1e4,
        "tie_word_embeddings": true, "bos_token_id": 0, "eos_token_id": 1,
    });
    write(&folder.join("config.json"), config.to_string().as_bytes());
    weights(&folder, &shapes(vocab_size, d_model, d_ff));
    folder.to_str().unwrap().to_owned()
}

/// Names and shapes of the tensors.
fn shapes(vocab_size: usize, d_model: usize, d_ff: usize) -> Vec<(String, Vec<usize>)> {
    let mut shapes = vec![
        ("model.embed_tokens.weight".to_owned(), vec![vocab_size, d_model]),
        ("model.norm.weight".to_owned(), vec![d_model]),
    ];
    for layer in 0..2 {
        let parts = [
            ("input_layernorm", vec![d_model]),
            ("post_attention_layernorm", vec![d_model]),
            ("self_attn.q_proj", vec![d_model, d_model]),
            ("self_attn.k_proj", vec![d_model / 2, d_model]),
            ("self_attn.v_proj", vec![d_model / 2, d_model]),
            ("self_attn.o_proj", vec![d_model, d_model]),
            ("mlp.gate_proj", vec![d_ff, d_model]),
            ("mlp.up_proj", vec![d_ff, d_model]),
            ("mlp.down_proj", vec![d_model, d_ff]),
        ];
        let name = |part: &str| format!("model.layers.{layer}.{part}.weight");
        shapes.extend(parts.map(|(part, shape)| (name(part), shape)));
    }
    shapes
}

fn weights(folder: &Path, shapes: &[(String, Vec<usize>)]) {
    let mut writer = Writer::new();
    for (name, shape) in shapes {
        writer.add(TensorSpec::new(name, DType::F32, shape));
    }
    let mut sink = writer.create(&folder.join("model.safetensors")).unwrap();
    let mut rng = Rng::new(7);
    for (name, shape) in shapes {
        let n = shape.iter().product();
        let values = if shape.len() == 1 { vec![1.0; n] } else { rng.normals(n, 0.1) };
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        sink.write(name, &bytes).unwrap();
    }
    sink.finish().unwrap();
}
