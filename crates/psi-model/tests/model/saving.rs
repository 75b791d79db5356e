//! Written models: read back equal by psi, and byte for byte what the formats' own tools write.

use std::path::Path;

use psi_model::{Checkpoint, Config, Decoder, FileType, LoadOptions, stored_tensors};
use psi_store::{DType, Gguf, SafeTensors};
use psi_testkit::golden_dir;

use crate::{
    golden::{self, F32},
    run,
};

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

/// The dtype of the checkpoint's tensors.
fn stored_dtype(dir: &Path) -> DType {
    let file = SafeTensors::open(dir).expect("weights");
    file.tensors().next().expect("a tensor").dtype
}

#[test]
fn a_saved_hugging_face_folder_has_the_tensors_it_was_read_from() {
    for dir in golden::models() {
        let name = dir.file_name().expect("a name").to_string_lossy().into_owned();
        let scratch = tempfile::tempdir().expect("a folder");
        let checkpoint = Checkpoint::open(&dir).unwrap_or_else(|e| panic!("{e}"));
        let written = checkpoint.write_hf(scratch.path(), stored_dtype(&dir));
        written.unwrap_or_else(|e| panic!("{name}: {e}"));
        let (old, new) = (SafeTensors::open(&dir), SafeTensors::open(scratch.path()));
        let (old, new) = (old.expect("old"), new.expect("new"));
        assert_eq!(old.n_tensors(), new.n_tensors(), "{name}");
        for t in old.tensors() {
            let again = new.require(t.name).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!((t.dtype, t.shape), (again.dtype, again.shape), "{name}, {}", t.name);
            assert!(t.data == again.data, "{name}, {}: other bytes", t.name);
        }
        let (config, notes) = Config::read(scratch.path()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(&config, checkpoint.config(), "{name}");
        assert!(notes.is_empty(), "{name}: {notes:?}");
    }
}

#[test]
fn a_written_gguf_has_the_tensors_of_the_reference_converter() {
    let cpu = run::cpu();
    let golden = golden_dir();
    for (name, entry) in golden::json(&golden.join("gguf/index.json")).as_object().expect("index") {
        let reference = golden.join(entry["file"].as_str().expect("a path"));
        let reference = Gguf::open(&reference).unwrap_or_else(|e| panic!("{e}"));
        let file_type = match reference.get_u32("general.file_type").expect("a type") {
            0 => FileType::F32,
            1 => FileType::F16,
            32 => FileType::BF16,
            other => panic!("{name}: file type {other}"),
        };
        let scratch = tempfile::tempdir().expect("a folder");
        let path = scratch.path().join("model.gguf");
        let checkpoint = Checkpoint::open(&golden.join("models").join(name));
        let checkpoint = checkpoint.unwrap_or_else(|e| panic!("{e}"));
        let mut metadata = |w: &mut psi_store::gguf::Writer| {
            w.put_u32("tokenizer.ggml.bos_token_id", 1);
        };
        let written = checkpoint.write_gguf(&cpu, &path, file_type, &mut metadata);
        written.unwrap_or_else(|e| panic!("{name}: {e}"));
        let ours = Gguf::open(&path).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(ours.n_tensors(), reference.n_tensors(), "{name}");
        for t in reference.tensors() {
            let again = ours.require(t.name).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!((t.dtype, t.shape), (again.dtype, again.shape), "{name}, {}", t.name);
            match t.name.starts_with("rope_freqs") {
                // Computed in f32 there, in f64 here.
                true => assert_near(&f32s(t.data), &f32s(again.data)),
                false => assert!(t.data == again.data, "{name}, {}: other bytes", t.name),
            }
        }
        assert_eq!(ours.get_u32("tokenizer.ggml.bos_token_id").ok(), Some(1));
    }
}

fn f32s(data: &[u8]) -> Vec<f32> {
    data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

fn assert_near(a: &[f32], b: &[f32]) {
    let near = a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-5 * b.abs());
    assert!(near && a.len() == b.len(), "{a:?} {b:?}");
}

#[test]
fn gguf_and_back_keeps_every_logit() {
    let cpu = run::cpu();
    let prompt: Vec<u32> = (0..40).map(|i| (i * 7 + 3) % 96).collect();
    let mut n_written = 0;
    for dir in golden::models() {
        let name = dir.file_name().expect("a name").to_string_lossy().into_owned();
        let scratch = tempfile::tempdir().expect("a folder");
        let (gguf, folder) = (scratch.path().join("m.gguf"), scratch.path().join("hf"));
        let mut model = Decoder::load(&cpu, &dir, &F32).unwrap_or_else(|e| panic!("{e}"));
        let written = model.save_gguf(&cpu, &gguf, FileType::F32, &mut |_| ());
        if let Err(e) = written {
            // What GGUF has no place for is refused, and nothing is left behind.
            let known = ["llama_bias", "llama_dynamic", "qwen3_moe", "qwen3_moe_step"];
            assert!(known.contains(&&*name) && !gguf.exists(), "{e}");
            assert!(e.hint().is_some(), "{e}");
            continue;
        }
        n_written += 1;
        let want = run::logits(&cpu, &model, &prompt);
        let from_gguf = Decoder::load(&cpu, &gguf, &F32).unwrap_or_else(|e| panic!("{e}"));
        psi_testkit::assert_close(&name, &run::logits(&cpu, &from_gguf, &prompt), &want, 2e-5);
        let back = Checkpoint::open(&gguf).unwrap_or_else(|e| panic!("{e}"));
        back.write_hf(&folder, DType::F32).unwrap_or_else(|e| panic!("{name}: {e}"));
        let again = Decoder::load(&cpu, &folder, &F32).unwrap_or_else(|e| panic!("{e}"));
        psi_testkit::assert_close(&name, &run::logits(&cpu, &again, &prompt), &want, 2e-5);
    }
    assert!(n_written >= 16, "{n_written} models");
}

#[test]
fn a_model_that_was_saved_in_its_own_dtype_has_the_same_bits() {
    let cpu = run::cpu();
    let prompt: Vec<u32> = (0..30).map(|i| (i * 11 + 5) % 96).collect();
    let dir = golden_dir().join("models/qwen2_tied");
    let options = LoadOptions::default();
    let mut model = Decoder::load(&cpu, &dir, &options).unwrap_or_else(|e| panic!("{e}"));
    let scratch = tempfile::tempdir().expect("a folder");
    model.save_hf(&cpu, scratch.path(), DType::BF16).unwrap_or_else(|e| panic!("{e}"));
    let again = Decoder::load(&cpu, scratch.path(), &options).unwrap_or_else(|e| panic!("{e}"));
    let (a, b) = (run::logits(&cpu, &model, &prompt), run::logits(&cpu, &again, &prompt));
    assert_eq!(bits(&a), bits(&b));
}

#[test]
fn the_mixes_give_each_tensor_the_type_that_llama_cpp_gives() {
    let mixes = golden::json(&golden_dir().join("quants/mixes.json"));
    let mut n_compared = 0;
    for shape in mixes.as_array().expect("a list") {
        let number = |key: &str| shape[key].as_u64().expect("a number") as usize;
        let mut config = Config::llama(number("d_model"), number("layers"), number("n_heads"), 256);
        config.n_kv_heads = number("n_kv_heads");
        config.d_ff = number("d_ff");
        config.tied_embeddings = shape["tied"].as_bool().expect("a flag");
        if shape["arch"] == "qwen3" {
            config.family = psi_model::Family::Qwen3;
            config.qk_norm = psi_model::QkNorm::PerHead;
        }
        if number("experts") > 0 {
            config.family = psi_model::Family::Mixtral;
            let (n_experts, d_ff) = (number("experts"), config.d_ff);
            let moe = psi_model::Moe { n_experts, top_k: 2, norm_topk_prob: true, d_ff };
            config.moe = Some(moe);
            config.layers.iter_mut().for_each(|l| l.sparse = true);
        }
        for (mix, facts) in shape["mixes"].as_object().expect("mixes") {
            let file_type = FileType::ALL.into_iter().find(|f| f.name() == mix).expect("a mix");
            assert_eq!(Some(u64::from(file_type.number())), facts["file_type"].as_u64());
            for tensor in stored_tensors(&config, psi_model::Layout::Gguf) {
                let layer = tensor.parts().next().and_then(|t| t.id.layer);
                let key = match layer {
                    Some(i) => tensor.name.replacen(&format!("blk.{i}."), "blk.*.", 1),
                    None => tensor.name.clone(),
                };
                let want = &facts["types"][&key];
                let want = want.as_str().or(want[layer.unwrap_or(0) as usize].as_str());
                let want = match want.unwrap_or_else(|| panic!("{key}")) {
                    // Types that psi reads but does not write.
                    "Q5_0" | "Q5_1" => "Q8_0",
                    other => other,
                };
                let got = file_type.dtype(&config, &tensor).name();
                assert_eq!(got, want, "{}, {mix}: {}", shape["name"], tensor.name);
                n_compared += 1;
            }
        }
    }
    assert!(n_compared > 1000, "{n_compared} tensors");
}
