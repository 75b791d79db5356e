//! Every golden vector of the vocabularies: ids must be equal, and decoding must give the text back.

use std::path::Path;

use psi_tokenizer::{TokenId, Tokenizer};

use crate::{gguf_metadata, read, shared_data};

/// Test strings and ids: strings are separated by a marker line, ids are one line per string.
fn golden(inputs: &Path, outputs: &Path) -> Vec<(String, Vec<TokenId>)> {
    let text = String::from_utf8(read(inputs)).expect("UTF-8");
    let ids = String::from_utf8(read(outputs)).expect("UTF-8");
    let texts: Vec<&str> = text.split("\n__ggml_vocab_test__\n").collect();
    let lines: Vec<Vec<TokenId>> = ids
        .lines()
        .map(|l| l.split_whitespace().map(|id| id.parse().expect("an id")).collect())
        .collect();
    assert!(texts.len() >= lines.len() && lines.len() == 46, "{} texts", texts.len());
    texts.iter().zip(lines).map(|(t, l)| (t.to_string(), l)).collect()
}

fn check(name: &str, tokenizer: &Tokenizer, cases: &[(String, Vec<TokenId>)]) -> usize {
    let mut wrong = 0;
    for (text, expected) in cases {
        let ids = tokenizer.encode(text, false, false);
        if ids != *expected {
            wrong += 1;
            println!("{name}: {text:?}\n  expected {expected:?}\n  found    {ids:?}");
        }
    }
    println!("{name}: {} of {} equal", cases.len() - wrong, cases.len());
    wrong
}

#[test]
fn ggml_vocabularies_give_the_golden_ids() {
    let Some(data) = shared_data() else { return };
    let folder = data.join("tokenizers/ggml-vocab");
    let names = [
        "bert-bge",
        "deepseek-coder",
        "deepseek-llm",
        "falcon",
        "gpt-2",
        "mpt",
        "phi-3",
        "qwen2",
        "refact",
        "starcoder",
    ];
    let mut wrong = 0;
    for name in names {
        let path = folder.join(format!("ggml-vocab-{name}.gguf"));
        let vocab = gguf_metadata::vocab(&path);
        let tokenizer = Tokenizer::from_gguf(&vocab, &path).unwrap_or_else(|e| panic!("{e}"));
        let with = |ext: &str| folder.join(format!("ggml-vocab-{name}.gguf.{ext}"));
        wrong += check(name, &tokenizer, &golden(&with("inp"), &with("out")));
    }
    assert_eq!(wrong, 0);
}

#[test]
fn tiktoken_files_give_the_golden_ids() {
    let Some(data) = shared_data() else { return };
    let folder = data.join("tokenizers/tiktoken");
    let mut wrong = 0;
    for (name, pattern) in
        [("cl100k_base", Tokenizer::CL100K_PATTERN), ("o200k_base", Tokenizer::O200K_PATTERN)]
    {
        let path = folder.join(format!("{name}.tiktoken"));
        let tokenizer = Tokenizer::from_tiktoken(&read(&path), pattern, &[], &path).expect("valid");
        let with = |ext: &str| folder.join(format!("{name}.{ext}"));
        let cases = golden(&with("inp"), &with("out"));
        wrong += check(name, &tokenizer, &cases);
        for (text, ids) in cases {
            assert_eq!(tokenizer.decode(&ids, false), text, "{name}");
        }
    }
    assert_eq!(wrong, 0);
}
