//! Ids and texts as Python's `tokenizers` and `sentencepiece` give them, for small tokenizers of
//! every kind (made by `golden/tokenizer_vectors.py`).
#![expect(clippy::print_stdout, reason = "says what it compared")]

#[path = "../../../fuzz/vocab_text.rs"]
mod vocab_text;

use std::path::{Path, PathBuf};

use psi_tokenizer::{Detokenizer, GgufVocab, TokenId, Tokenizer};
use serde_json::Value;

fn folder() -> PathBuf {
    // PSI_GOLDEN names a larger set made with `--many`.
    let named = std::env::var_os("PSI_GOLDEN").map(PathBuf::from);
    named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden"))
}

fn json(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&bytes).expect("JSON")
}

fn strings() -> Vec<String> {
    serde_json::from_value(json(&folder().join("strings.json"))).expect("strings")
}

fn names(suffix: &str) -> Vec<String> {
    let files = std::fs::read_dir(folder()).expect("a folder");
    let mut names: Vec<String> = files
        .filter_map(|f| f.expect("an entry").file_name().into_string().ok())
        .filter_map(|n| n.strip_suffix(suffix).map(str::to_owned))
        .collect();
    names.sort();
    names
}

fn load(name: &str) -> Tokenizer {
    let path = folder().join(format!("{name}.tokenizer.json"));
    let bytes = std::fs::read(&path).expect("a file");
    Tokenizer::from_json(&bytes, &path).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn expected_ids(expected: &Value, key: &str) -> Vec<Vec<TokenId>> {
    serde_json::from_value(expected[key].clone()).expect("ids")
}

/// Compares and prints the first differences.
fn differences<T: PartialEq + std::fmt::Debug>(
    what: &str,
    strings: &[String],
    found: impl Fn(usize) -> T,
    expected: &[T],
) -> usize {
    assert_eq!(strings.len(), expected.len(), "{what}");
    let wrong: Vec<usize> = (0..strings.len()).filter(|&i| found(i) != expected[i]).collect();
    for &i in wrong.iter().take(5) {
        println!(
            "{what}: {:?}\n  expected {:?}\n  found    {:?}",
            strings[i],
            expected[i],
            found(i)
        );
    }
    if !wrong.is_empty() {
        println!("{what}: {} of {} differ", wrong.len(), strings.len());
    }
    wrong.len()
}

#[test]
fn tokenizer_json_files_give_the_ids_and_texts_of_the_reference() {
    let strings = strings();
    let mut wrong = 0;
    let names = names(".tokenizer.json");
    assert!(names.len() >= 20, "{names:?}");
    for name in names {
        let tokenizer = load(&name);
        let expected = json(&folder().join(format!("{name}.expected.json")));
        let ids = expected_ids(&expected, "ids");
        wrong += differences(&name, &strings, |i| tokenizer.encode(&strings[i], false, true), &ids);
        let special = expected_ids(&expected, "special");
        let what = format!("{name} with special tokens");
        wrong +=
            differences(&what, &strings, |i| tokenizer.encode(&strings[i], true, true), &special);
        let texts: Vec<String> = serde_json::from_value(expected["text"].clone()).expect("texts");
        let what = format!("{name} decoded");
        wrong += differences(&what, &strings, |i| tokenizer.decode(&ids[i], false), &texts);
    }
    assert_eq!(wrong, 0);
}

#[test]
fn written_files_encode_as_the_files_they_came_from() {
    let strings = strings();
    let mut wrong = 0;
    for name in names(".tokenizer.json") {
        let first = load(&name);
        let second = Tokenizer::from_json(first.to_json().as_bytes(), Path::new("again"))
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let expected: Vec<_> = strings.iter().map(|s| first.encode(s, true, true)).collect();
        wrong +=
            differences(&name, &strings, |i| second.encode(&strings[i], true, true), &expected);
    }
    assert_eq!(wrong, 0);
}

fn gguf_vocab(name: &str) -> GgufVocab {
    let fields = json(&folder().join(format!("{name}.gguf.json")));
    let get = |key: &str| fields[key].clone();
    GgufVocab {
        model: serde_json::from_value(get("model")).expect("model"),
        tokens: serde_json::from_value(get("tokens")).expect("tokens"),
        scores: serde_json::from_value(get("scores")).expect("scores"),
        token_types: serde_json::from_value(get("token_types")).expect("types"),
        bos: serde_json::from_value(get("bos")).expect("bos"),
        eos: serde_json::from_value(get("eos")).expect("eos"),
        unk: serde_json::from_value(get("unk")).expect("unk"),
        add_space_prefix: get("add_space_prefix").as_bool(),
        remove_extra_whitespaces: get("remove_extra_whitespaces").as_bool(),
        precompiled_charsmap: base64(get("precompiled_charsmap").as_str().expect("text")),
        ..GgufVocab::default()
    }
}

fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    let (mut word, mut bits) = (0u32, 0);
    for c in text.trim_end_matches('=').chars() {
        word = word << 6 | ALPHABET.find(c).expect("base64") as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits) as u8);
        }
    }
    out
}

#[test]
fn sentencepiece_models_in_gguf_give_the_ids_of_sentencepiece() {
    let strings = strings();
    let mut wrong = 0;
    for name in names(".gguf.json") {
        let tokenizer = Tokenizer::from_gguf(&gguf_vocab(&name), Path::new(&name)).expect("valid");
        let expected = json(&folder().join(format!("{name}.expected.json")));
        let ids = expected_ids(&expected, "ids");
        wrong +=
            differences(&name, &strings, |i| tokenizer.encode(&strings[i], false, false), &ids);
        let back = tokenizer.to_gguf_vocab().expect("expressible");
        let again = Tokenizer::from_gguf(&back, Path::new("again")).expect("valid");
        let what = format!("{name} written and read");
        wrong += differences(&what, &strings, |i| again.encode(&strings[i], false, false), &ids);
    }
    assert_eq!(wrong, 0);
}

#[test]
fn detokenizing_a_stream_equals_decoding_the_whole() {
    let strings = strings();
    for name in names(".tokenizer.json") {
        let tokenizer = load(&name);
        for text in &strings {
            let ids = tokenizer.encode(text, true, true);
            for skip_special in [false, true] {
                let mut stream = Detokenizer::new(skip_special);
                let mut pieces: String =
                    ids.iter().map(|&id| stream.push(&tokenizer, id)).collect();
                pieces += &stream.finish();
                assert_eq!(pieces, tokenizer.decode(&ids, skip_special), "{name}: {text:?}");
            }
        }
    }
}

/// A template that uses most of what templates use.
const TEMPLATE: &str = r#"{%- set ns = namespace(system='') -%}
{%- for m in messages %}{% if m.role == 'system' and loop.first %}{% set ns.system = m['content'] | trim %}{% endif %}{% endfor -%}
{{ bos_token }}{% macro turn(role, text) %}<|{{ role }}|>{{ text }}{{ eos_token }}{% endmacro %}
{% if tools %}{% for tool in tools %}{{ tool | tojson(indent=2) }}{% endfor %}{% endif %}
{% for m in messages[1:] if m.content is string %}{{ turn(m.role, m.content.split('\n')[-1].strip() ~ ns.system) }}
{% for call in m.tool_calls or [] %}{{ call.function.arguments.items() | list | length }}{{ '%s:%d' % (call.id, 1) }}{% endfor %}
{% else %}{{ raise_exception('no turns') }}{% endfor %}
{% if add_generation_prompt %}<|assistant|>{{ "x" * 3 + range(2) | join(',') }}{% endif %}"#;

/// Seeds for `fuzz/fuzz_targets/tokenizer.rs`: every golden tokenizer in each form it can take, and templates.
fn fuzz_seeds() -> Vec<(String, Vec<u8>)> {
    let text = "\0Hello, w\u{f6}rld 123\n";
    let as_gguf = |vocab: &GgufVocab| {
        let lines = vocab_text::print(vocab);
        assert_eq!(&vocab_text::parse(&lines), vocab, "the lines lose nothing");
        format!("g{lines}{text}").into_bytes()
    };
    let mut seeds = Vec::new();
    for name in names(".tokenizer.json") {
        let json = std::fs::read(folder().join(format!("{name}.tokenizer.json"))).expect("a file");
        assert_eq!(json.first(), Some(&b'{'), "{name}: the target knows it by its first byte");
        seeds.push((format!("json-{name}"), [&json[..], text.as_bytes()].concat()));
        if let Ok(vocab) = load(&name).to_gguf_vocab() {
            seeds.push((format!("gguf-{name}"), as_gguf(&vocab)));
        }
    }
    for name in names(".gguf.json") {
        seeds.push((format!("gguf-{name}"), as_gguf(&gguf_vocab(&name))));
    }
    let config = serde_json::json!({"bos_token": {"content": "<s>"}, "add_bos_token": true,
        "chat_template": [{"name": "default", "template": TEMPLATE}]});
    seeds.push(("config".to_owned(), format!("c{config}{text}").into_bytes()));
    seeds.push(("template".to_owned(), format!("t{TEMPLATE}{text}").into_bytes()));
    seeds
}

#[test]
fn the_fuzzer_starts_from_these_files() {
    psi_tokenizer::ChatTemplate::new(TEMPLATE, "<s>", "</s>").expect("a template");
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/tokenizer");
    if let Err(e) = std::fs::create_dir_all(&corpus) {
        println!("skipped: cannot create {}: {e}", corpus.display());
        return;
    }
    let seeds = fuzz_seeds();
    assert!(seeds.len() > 30, "{} seeds", seeds.len());
    for (name, bytes) in seeds {
        #[expect(clippy::disallowed_methods, reason = "a torn seed is as good a seed")]
        std::fs::write(corpus.join(format!("seed-{name}")), bytes).expect("a file");
    }
}
