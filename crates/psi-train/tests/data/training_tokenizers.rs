//! A tokenizer from a sample of the sources.

use psi_tokenizer::{ChatTemplate, TrainOptions};
use psi_train::data::{CHATML, DataConfig, SourceConfig, train_tokenizer};

use crate::workshop::{Workshop, chat, config};

fn options() -> TrainOptions {
    let special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
    TrainOptions {
        vocab_size: 290,
        special_tokens: special.map(str::to_owned).to_vec(),
        ..TrainOptions::default()
    }
}

#[test]
fn texts_and_conversations_are_learned_from_and_special_tokens_kept_whole() {
    let shop = Workshop::new();
    let chats =
        shop.file("a.jsonl", chat(&["zebra zebra zebra", "quagga quagga quagga"]).repeat(50));
    let texts = shop.file("a.txt", "okapi ".repeat(100));
    let config = DataConfig {
        sources: vec![SourceConfig::at(&chats), SourceConfig::at(&texts)],
        ..config("")
    };
    let template = ChatTemplate::new(CHATML, "", "").unwrap();
    let tokenizer = train_tokenizer(&config, Some(&template), &options(), 10).unwrap();
    for word in [" zebra", " quagga", " okapi"] {
        assert_eq!(tokenizer.encode(word, false, false).len(), 1, "{word}");
    }
    assert_eq!(tokenizer.encode("<|im_start|>", false, true), [1]);
    let again = train_tokenizer(&config, Some(&template), &options(), 10).unwrap();
    assert_eq!(again.to_json(), tokenizer.to_json());
}

#[test]
fn a_sample_is_taken_evenly_from_the_whole_source() {
    let shop = Workshop::new();
    // 4 MB of documents of which the later ones speak of something else.
    let line = |i: usize| match i {
        ..20_000 => format!("{{\"text\": \"{}\"}}\n", "antelope ".repeat(10)),
        _ => format!("{{\"text\": \"{}\"}}\n", "wildebeest ".repeat(10)),
    };
    let path = shop.file("a.jsonl", (0..40_000).map(line).collect::<String>());
    let tokenizer = train_tokenizer(&config(&path), None, &options(), 1).unwrap();
    for word in [" antelope", " wildebeest"] {
        assert_eq!(tokenizer.encode(word, false, false).len(), 1, "{word}");
    }
}

#[test]
fn sources_without_text_are_refused() {
    let shop = Workshop::new();
    let path = shop.file("a.jsonl", "{\"text\": 5}\n");
    let error = train_tokenizer(&config(&path), None, &options(), 10).unwrap_err();
    assert!(error.to_string().contains("no text"), "{error}");
}
