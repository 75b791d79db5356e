//! `psi` without a command: where to start.

use crate::{env, error::Outcome, out::outln};

pub(crate) fn run() -> Outcome {
    outln!("psi {}: language models on your own machine\n", env!("CARGO_PKG_VERSION"));
    outln!("The assistant's page is not part of this version yet. What works now:\n");
    for (command, what) in [
        ("psi doctor", "what this machine can do, and which models fit"),
        ("psi pull Qwen/Qwen3-0.6B", "download a model"),
        ("psi generate --model Qwen/Qwen3-0.6B --prompt 'Why is the sky blue?'", ""),
        ("psi convert IN OUT.gguf --dtype q4_k_m", "quantise a model"),
        ("psi bench --model IN", "how fast it runs, as a share of this machine's roof"),
        ("psi help", "every command"),
    ] {
        outln!("  {command}");
        if !what.is_empty() {
            outln!("      {what}");
        }
    }
    if let Some(home) = env::home() {
        outln!("\nModels live in {}", home.join("models").display());
    }
    Ok(())
}
