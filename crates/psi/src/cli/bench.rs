//! The arguments of `psi bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::*;

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Bench {
    #[command(subcommand)]
    pub(crate) command: Option<BenchCommand>,
    /// Measure prefill and decode of this model too.
    #[arg(long, value_name = "PATH")]
    pub(crate) model: Option<PathBuf>,
    /// Keep the weights in this type (default: as stored).
    #[arg(long, value_name = "TYPE", requires = "model")]
    pub(crate) dtype: Option<Dtype>,
    /// Only results whose name contains this (e.g. gemm, train, prefill, decode).
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Option<String>,
    /// Prompt tokens of the prefill measurement.
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub(crate) prompt: usize,
    /// Tokens of the decode measurement.
    #[arg(long = "gen", value_name = "N", default_value_t = 64)]
    pub(crate) generate: usize,
    /// Positions already in the cache before prefill and decode are measured.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) depth: usize,
    /// Repetitions; the median is printed.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) repeat: usize,
    /// Type of the key/value cache.
    #[arg(long, value_name = "TYPE")]
    pub(crate) kv: Option<Kv>,
    /// Number of threads.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// A server under load: time to the first token, between tokens, throughput.
    Serve(BenchServe),
    /// A server under load for long, with clients that leave; every answer is checked.
    Soak(BenchSoak),
}

/// What a load is sent to.
#[derive(Args, Debug)]
pub(crate) struct LoadTarget {
    /// Serve this model in this process: a folder, a GGUF file, or a pulled model's name.
    #[arg(long, value_name = "PATH", conflicts_with = "url")]
    pub(crate) model: Option<PathBuf>,
    /// A server that offers OpenAI's /v1/completions with token ids as prompt.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The model to name in requests to the server.
    #[arg(long, value_name = "NAME", default_value = "default", requires = "url")]
    pub(crate) model_name: String,
    /// A file with the key that the server asks for.
    #[arg(long, value_name = "FILE", requires = "url")]
    pub(crate) key_file: Option<PathBuf>,
    /// Prompts are random token ids below this (default: the model's vocabulary; 1000 with --url).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) vocab: Option<u32>,
    /// Keep the weights in this type (default: as stored).
    #[arg(long, value_name = "TYPE", requires = "model")]
    pub(crate) dtype: Option<Dtype>,
    /// Type of the key/value cache.
    #[arg(long, value_name = "TYPE", requires = "model")]
    pub(crate) kv: Option<Kv>,
    /// Number of threads.
    #[arg(long, value_name = "N", requires = "model")]
    pub(crate) threads: Option<usize>,
    /// Most requests that run at once.
    #[arg(long, value_name = "N", default_value_t = 32, requires = "model")]
    pub(crate) max_batch: usize,
    /// Most prompt tokens per step.
    #[arg(long, value_name = "N", requires = "model")]
    pub(crate) chunk: Option<usize>,
    /// Guess tokens from what the prompt and the answer say already.
    #[arg(long, requires = "model", conflicts_with = "draft_model")]
    pub(crate) lookup: bool,
    /// Guess tokens with this smaller model.
    #[arg(long, value_name = "PATH", requires = "model")]
    pub(crate) draft_model: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct BenchServe {
    #[command(flatten)]
    pub(crate) target: LoadTarget,
    /// Requests at once: each client sends its next one when the last is answered.
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [1, 8, 32])]
    pub(crate) concurrency: Vec<usize>,
    /// Send requests at random moments instead, so many per second on average.
    #[arg(long, value_name = "X,...", value_delimiter = ',', conflicts_with = "concurrency")]
    pub(crate) rate: Vec<f64>,
    /// Requests per level (default: 2 per client, 32 with --rate).
    #[arg(long, value_name = "N")]
    pub(crate) requests: Option<usize>,
    /// Tokens of each prompt.
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub(crate) prompt: usize,
    /// Tokens that all prompts begin with, beside those.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) prefix: usize,
    /// Tokens of each answer.
    #[arg(long = "gen", value_name = "N", default_value_t = 128)]
    pub(crate) generate: usize,
    /// Send one request before each level that does not count.
    #[arg(long)]
    pub(crate) warmup: bool,
    /// Which random prompts.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Draw the levels into this SVG file.
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct BenchSoak {
    #[command(flatten)]
    pub(crate) target: LoadTarget,
    /// How long, in seconds.
    #[arg(long, value_name = "N", default_value_t = 1800, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
    /// Clients.
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub(crate) concurrency: usize,
    /// Share of requests whose client leaves before the end.
    #[arg(long, value_name = "X", default_value_t = 0.3)]
    pub(crate) leave: f64,
    /// Most tokens of a prompt's own part.
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub(crate) prompt: usize,
    /// Most tokens of an answer.
    #[arg(long = "gen", value_name = "N", default_value_t = 64)]
    pub(crate) generate: usize,
    /// Which random requests.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}
