//! A real trained checkpoint, from both formats, to the token.

use psi_model::{Checkpoint, Decoder, FileType, LoadOptions};

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

#[test]
fn stories260k_quantised_keeps_its_logits_nearly() {
    let Some(shared) = psi_testkit::shared_data() else { return };
    let source = Checkpoint::open(&shared.join("models/stories260K/hf"));
    let source = source.unwrap_or_else(|e| panic!("{e}"));
    let cpu = run::cpu();
    let scratch = tempfile::tempdir().expect("a folder");
    let prompt = [1, 403, 407, 261, 378, 432, 383, 286, 261, 376, 298, 315];
    let logits = |file_type: FileType| {
        let path = scratch.path().join(file_type.name());
        let written = source.write_gguf(&cpu, &path, file_type, &mut |_| ());
        written.unwrap_or_else(|e| panic!("{e}"));
        let model = Decoder::load(&cpu, &path, &LoadOptions::default());
        run::logits(&cpu, &model.unwrap_or_else(|e| panic!("{e}")), &prompt)
    };
    let exact = logits(FileType::F32);
    for file_type in [FileType::Q8_0, FileType::Q4_K_M, FileType::Q4_0] {
        // Rows of 64 and 172 hold no block of 256: only Q4_0 has four bits here.
        let tolerance = if file_type == FileType::Q4_0 { 0.2 } else { 0.02 };
        psi_testkit::assert_close(file_type.name(), &logits(file_type), &exact, tolerance);
    }
}
