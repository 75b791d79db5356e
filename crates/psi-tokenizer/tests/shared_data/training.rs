//! Training on tinyshakespeare makes the merges of Hugging Face's trainer.

use std::borrow::Cow;
use std::path::Path;

use psi_tokenizer::{Tokenizer, TrainOptions, train_bpe};

use crate::{read, shared_data};

#[test]
fn training_makes_the_merges_of_the_reference_trainer() {
    let Some(data) = shared_data() else { return };
    let text =
        String::from_utf8(read(&data.join("corpus/tinyshakespeare/input.txt"))).expect("UTF-8");
    // The reference saw one document; lines would lose the pieces that span them.
    let mut documents = std::iter::once(Cow::Borrowed(text.as_str()));
    let options = TrainOptions { vocab_size: 2048, ..TrainOptions::default() };
    let tokenizer = train_bpe(&mut documents, &options).expect("trained");
    let golden =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tinyshakespeare_2048.merges.txt");
    let expected = String::from_utf8(read(&golden)).expect("UTF-8");
    let json = tokenizer.to_json();
    let file: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let merges = file["model"]["merges"].as_array().expect("merges");
    let found: Vec<String> = merges
        .iter()
        .map(|m| format!("{} {}", m[0].as_str().expect("text"), m[1].as_str().expect("text")))
        .collect();
    assert_eq!(found, expected.lines().collect::<Vec<_>>());
    assert_eq!(tokenizer.vocab_size(), 2048);

    let ids = tokenizer.encode(&text, false, false);
    assert_eq!(tokenizer.decode(&ids, false), text);
    let again = Tokenizer::from_json(json.as_bytes(), Path::new("trained")).expect("readable");
    assert_eq!(again.encode(&text, false, false), ids);
}
