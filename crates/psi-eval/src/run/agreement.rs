//! The same log-likelihoods as lm-eval's, on a real small model (`golden/lm_eval_scores.py`).

use std::{path::Path, sync::Arc};

use psi_kernels::{Cpu, Format, Isa, kv::KvDtype};
use psi_model::{Decoder, LoadOptions};
use psi_store::ContentHash;
use psi_tokenizer::{Tokenizer, TokenizerConfig};
use serde_json::Value;

use super::{Identity, Local, LocalParts, Player, Settings};
use crate::{
    split::Split,
    task::{Item, LogLikelihood, Output},
    tasks::{Library, TaskOptions},
};

fn local(folder: &Path) -> Local {
    let cpu = Arc::new(Cpu::new(Isa::from_env().unwrap(), 1));
    let options = LoadOptions { format: Some(Format::F32) };
    let decoder = Arc::new(Decoder::load(&cpu, folder, &options).unwrap());
    let file = |name: &str| (std::fs::read(folder.join(name)).unwrap(), folder.join(name));
    let (json, path) = file("tokenizer.json");
    let mut tokenizer = Tokenizer::from_json(&json, &path).unwrap();
    let (config, path) = file("tokenizer_config.json");
    tokenizer.apply_config(&TokenizerConfig::from_json(&config, &path).unwrap()).unwrap();
    let model = "stories260K".to_owned();
    let hash = ContentHash::of_bytes(model.as_bytes());
    Local::new(LocalParts {
        cpu,
        decoder,
        adapter: None,
        tokenizer: Arc::new(tokenizer),
        template: None,
        kv: KvDtype::F32,
        batch: 8,
        identity: Identity { model, adapter: None, hash, engine: String::new() },
    })
}

fn close(what: &str, got: &LogLikelihood, want: f64) {
    let off = (got.sum - want).abs() / want.abs().max(1.0);
    assert!(off <= 1e-5, "{what}: {got:?} against {want}");
}

/// Holds one choice against (sum, tokens, greedy).
fn same(what: &str, got: &LogLikelihood, want: &Value) {
    close(what, got, want[0].as_f64().unwrap());
    assert_eq!(
        (Some(got.n_tokens as u64), Some(got.is_greedy)),
        (want[1].as_u64(), want[2].as_bool()),
        "{what}"
    );
}

#[test]
fn log_likelihoods_and_greedy_flags_are_lm_evals() {
    let Some(data) = psi_testkit::shared_data() else { return };
    let path = psi_testkit::golden_dir().join("lm_eval_scores.json");
    let golden: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let library = Library::new(vec![data.join("evals")]);
    let mut local = local(&data.join("models/stories260K/hf"));
    let mut n_compared = 0;
    for (name, wanted) in golden.as_object().unwrap() {
        let shots = name.starts_with("core18/").then_some(0);
        let options = TaskOptions { shots, ..TaskOptions::default() };
        let task = library.open(name, Split::Eval, options).unwrap();
        let items = task.items(None, 0);
        let items: Vec<&Item> = items.iter().filter(|i| wanted.get(&i.id).is_some()).collect();
        assert_eq!(items.len(), wanted.as_object().unwrap().len(), "{name}");
        local
            .play(&items, &Settings::default(), &mut |i, played| {
                let what = format!("{name} {}", items[i].id);
                let wanted = &wanted[&items[i].id];
                match &played.output {
                    Output::Rolling(got) => close(&what, got, wanted.as_f64().unwrap()),
                    Output::Choices(got) => {
                        assert_eq!(got.len(), wanted.as_array().unwrap().len(), "{what}");
                        got.iter()
                            .zip(wanted.as_array().unwrap())
                            .for_each(|(g, w)| same(&what, g, w));
                    }
                    other => panic!("{what}: {other:?}"),
                }
                n_compared += 1;
                Ok(())
            })
            .unwrap();
    }
    assert!(n_compared > 100, "{n_compared}");
}
