//! Continuations of the recipe's prompts, by the engine that will serve the model.

use std::sync::Arc;

use psi_infer::{Engine, EngineOptions, GenerateParams, SamplingParams, generate};
use psi_kernels::{Cpu, kv::KvDtype};
use psi_model::Decoder;
use serde_json::{Value, json};

use super::text::Text;
use crate::recipe::EvalConfig;

/// What the model made of a prompt.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) step: u64,
    pub(crate) prompt: String,
    pub(crate) text: String,
}

impl Sample {
    pub(crate) fn to_json(&self) -> Value {
        json!({ "step": self.step, "prompt": self.prompt, "text": self.text })
    }
}

/// Continues every prompt; what cannot be continued says why in its text.
pub(crate) fn samples(
    cpu: &Arc<Cpu>,
    decoder: Decoder,
    text: &Text,
    config: &EvalConfig,
    step: u64,
) -> Vec<Sample> {
    if config.prompts.is_empty() {
        return Vec::new();
    }
    let model = Arc::new(decoder);
    let encode = |prompt: &str| text.tokenizer.encode(prompt, true, true);
    let longest = config.prompts.iter().map(|p| encode(p).len()).max().unwrap_or(0);
    let n_positions = longest + config.sample_tokens;
    let options = EngineOptions { kv: KvDtype::F32, n_positions, ..EngineOptions::default() };
    let mut engine = Engine::new(cpu, model, options);
    let params = GenerateParams {
        max_tokens: config.sample_tokens,
        sampling: SamplingParams {
            temperature: 0.8,
            top_p: 0.95,
            seed: step,
            ..SamplingParams::default()
        },
        stop_tokens: text.eos(),
        ..GenerateParams::default()
    };
    let one = |prompt: &String| {
        let made = generate(&mut engine, &text.tokenizer, &encode(prompt), &params, &mut |_| true);
        let text = made.map_or_else(|e| format!("({e})"), |made| made.text);
        Sample { step, prompt: prompt.clone(), text }
    };
    config.prompts.iter().map(one).collect()
}
