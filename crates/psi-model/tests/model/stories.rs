//! A real trained checkpoint, from both formats, to the token.

use psi_model::{Decoder, LoadOptions};

use crate::run;

#[test]
fn stories260k_continues_as_its_golden_tokens_from_folder_and_gguf() {
    let Some(shared) = psi_testkit::shared_data() else { return };
    let dir = shared.join("models/stories260K");
    let golden = std::fs::read_to_string(dir.join("golden_tokens.json")).expect("golden tokens");
    let golden: serde_json::Value = serde_json::from_str(&golden).expect("JSON");
    let ids: Vec<u32> = serde_json::from_value(golden["ids"].clone()).expect("ids");
    let cpu = run::cpu();
    for file in ["hf", "stories260K-f32.gguf"] {
        let options = LoadOptions::default();
        let model = Decoder::load(&cpu, &dir.join(file), &options).expect("the model loads");
        assert_eq!(run::greedy(&cpu, &model, &[1], ids.len()), ids, "{file}");
    }
}
