//! The command line: every command, argument and default, declared once.

mod assistant;
mod bench;
mod eval;
pub(crate) mod mcp;

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use psi_eval::split::Split;

pub(crate) use assistant::*;
pub(crate) use bench::*;
pub(crate) use eval::*;

/// psi: run, inspect, convert and measure language models on your own machine.
#[derive(Debug, Parser)]
#[command(name = "psi", version, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The assistant's page, in the browser; what `psi` alone does.
    Up(Up),
    /// The assistant in the terminal.
    Chat(Chat),
    /// What the assistant remembers: list, search, forget, measure.
    #[command(subcommand)]
    Memory(Memory),
    /// What you said of answers.
    #[command(subcommand)]
    Feedback(Feedback),
    /// Write text: the model's continuation of a prompt, on standard output.
    Generate(Generate),
    /// Log-likelihood of a text under a model.
    Score(Score),
    /// Text to token ids, and back.
    Tokenize(Tokenize),
    /// What a checkpoint or GGUF file holds.
    Inspect(Inspect),
    /// Hugging Face folder to GGUF and back, quantising on the way.
    Convert(Convert),
    /// Train a model: pre-training, fine-tuning, adapters, as a recipe says.
    Train(Train),
    /// Improve a chat model by reinforcement learning on tasks with verifiers, as a recipe says.
    Refine(RunArgs),
    /// Learn from ratings and corrections: train, hold the result against the model in use, promote it or not.
    Learn(Learn),
    /// Where the models that were learned come from: parent, data, recipe and gate of each, by hash.
    Lineage {
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Training runs: list them, look at one, compare several.
    Runs(Runs),
    /// Serve models over HTTP, for OpenAI's and Anthropic's clients.
    Serve(Serve),
    /// psi's tools for other programs (MCP), and the servers of other programs.
    Mcp(mcp::Mcp),
    /// Download a model from the Hugging Face Hub.
    Pull(Pull),
    /// The models in PSI_HOME.
    Models(Models),
    /// Training data: look at what files hold, or make conversations.
    #[command(subcommand)]
    Data(Data),
    /// How good a model is.
    #[command(subcommand)]
    Eval(Eval),
    /// Decide whether a model may replace the one that is served.
    Gate(Gate),
    /// This machine's roof, then kernels, prefill and decode as a share of it.
    Bench(Bench),
    /// The people who use this psi beside its owner: each with conversations and memory of their own.
    #[command(subcommand)]
    Users(Users),
    /// Encryption of the database: turn it on or off, change the passphrase.
    #[command(subcommand)]
    Vault(Vault),
    /// What this machine can do: instruction sets, threads, memory, which models fit.
    Doctor(Doctor),
    /// Help on a command or a topic (`psi help environment`).
    Help(Help),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Up {
    /// The model that answers: a folder, a GGUF file or a pulled model (default: the one chosen on the
    /// page, else what was promoted, else the one that comes with psi).
    #[arg(long, value_name = "PATH")]
    pub(crate) model: Option<PathBuf>,
    /// Where to listen. Anything but this machine's own address needs a password (PSI_PASSWORD, or set on the page).
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) host: IpAddr,
    /// The port; 0 takes a free one.
    #[arg(long, value_name = "N", default_value_t = 7340)]
    pub(crate) port: u16,
    /// Another name by which the page may be asked for (may be given several times).
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Vec<String>,
    /// Do not open the browser.
    #[arg(long)]
    pub(crate) no_open: bool,
    /// Number of threads (default: PSI_THREADS, else the number of cores).
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

impl Default for Up {
    /// What `psi` alone does.
    fn default() -> Self {
        let psi = Cli::parse_from(["psi", "up"]);
        match psi.command {
            Some(Command::Up(up)) => up,
            _ => unreachable!("that is the command"),
        }
    }
}

/// Which model, and how it is run.
#[derive(Args, Clone, Debug)]
pub(crate) struct ModelArgs {
    /// A checkpoint folder, a GGUF file, or the name of a pulled model.
    #[arg(long, value_name = "PATH")]
    pub(crate) model: PathBuf,
    /// Keep the weights in this type (default: as stored; f16 as bf16).
    #[arg(long, value_name = "TYPE")]
    pub(crate) dtype: Option<Dtype>,
    /// Type of the key/value cache (default: f32 for f32 weights, else bf16).
    #[arg(long, value_name = "TYPE")]
    pub(crate) kv: Option<Kv>,
    /// Number of threads (default: PSI_THREADS, else the number of cores).
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

/// Element types of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dtype {
    F32,
    F16,
    Bf16,
    #[value(name = "q8_0")]
    Q8_0,
    #[value(name = "q4_0")]
    Q4_0,
    #[value(name = "q4_k")]
    Q4K,
    #[value(name = "q5_k")]
    Q5K,
    #[value(name = "q6_k")]
    Q6K,
    #[value(name = "q4_k_m")]
    Q4KM,
}

/// Element types of the key/value cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kv {
    F32,
    Bf16,
    Q8,
}

#[derive(Args, Debug)]
pub(crate) struct Generate {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// The prompt; `-` reads standard input.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) prompt: String,
    /// A system message in front of the prompt (models with a chat template).
    #[arg(long, value_name = "TEXT", conflicts_with = "raw")]
    pub(crate) system: Option<String>,
    /// Continue the prompt as it is, without the model's chat template.
    #[arg(long)]
    pub(crate) raw: bool,
    /// Most tokens to write (default: 256, or what the context leaves).
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<usize>,
    /// Context to reserve for prompt and answer (default: what they need).
    #[arg(long, value_name = "N")]
    pub(crate) context: Option<usize>,
    #[command(flatten)]
    pub(crate) sampling: Sampling,
    /// Stop at this text (may be given several times); it is not printed.
    #[arg(long, value_name = "TEXT")]
    pub(crate) stop: Vec<String>,
    /// Do not stop at the model's end-of-text tokens.
    #[arg(long)]
    pub(crate) ignore_eos: bool,
    /// Report the N most probable tokens at each step (with --json).
    #[arg(long, value_name = "N", requires = "json")]
    pub(crate) logprobs: Option<usize>,
    /// Write JSON that is valid by the JSON Schema in this file.
    #[arg(long, value_name = "FILE", group = "held")]
    pub(crate) json_schema: Option<PathBuf>,
    /// Write a text that matches this regular expression as a whole.
    #[arg(long, value_name = "REGEX", group = "held")]
    pub(crate) regex: Option<String>,
    /// Write a text of the grammar in this file (Lark, or llama.cpp's GBNF).
    #[arg(long, value_name = "FILE", group = "held")]
    pub(crate) grammar: Option<PathBuf>,
    /// Print one JSON document instead of the text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How tokens are chosen; the defaults are the model's own wishes replaced by plain sampling.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Sampling")]
pub(crate) struct Sampling {
    /// 0 always takes the most probable token.
    #[arg(long, value_name = "T", default_value_t = 0.7)]
    pub(crate) temperature: f32,
    /// Seed of the draws: the same seed gives the same text.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Keep the K most probable tokens (0: all).
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub(crate) top_k: usize,
    /// Keep the most probable tokens that together have probability P.
    #[arg(long, value_name = "P", default_value_t = 0.95)]
    pub(crate) top_p: f32,
    /// Drop tokens less probable than P times the most probable one.
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    pub(crate) min_p: f32,
    /// Keep the tokens whose surprise is nearest to the entropy.
    #[arg(long, value_name = "P", default_value_t = 1.0)]
    pub(crate) typical_p: f32,
    /// Divide the logits of tokens already seen.
    #[arg(long, value_name = "R", default_value_t = 1.0)]
    pub(crate) repetition_penalty: f32,
    /// Subtract from the logit of a token already written.
    #[arg(long, value_name = "X", default_value_t = 0.0, allow_hyphen_values = true)]
    pub(crate) presence_penalty: f32,
    /// Subtract from the logit of a token per time it was written.
    #[arg(long, value_name = "X", default_value_t = 0.0, allow_hyphen_values = true)]
    pub(crate) frequency_penalty: f32,
    /// Add to the logit of a token: ID=VALUE, `-inf` bans it (may be given several times).
    #[arg(long, value_name = "ID=X", value_parser = logit_bias, allow_hyphen_values = true)]
    pub(crate) logit_bias: Vec<(u32, f32)>,
}

fn logit_bias(text: &str) -> Result<(u32, f32), String> {
    let (id, value) = text.split_once('=').ok_or("expected ID=VALUE, for example 13=-inf")?;
    let id = id.parse().map_err(|_| format!("'{id}' is not a token id"))?;
    let value = value.parse().map_err(|_| format!("'{value}' is not a number"))?;
    Ok((id, value))
}

#[derive(Args, Debug)]
pub(crate) struct Score {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// The text; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Tokens per window (default: the model's context, at most 2048).
    #[arg(long, value_name = "N")]
    pub(crate) context: Option<usize>,
    /// Tokens of each window that were already scored, as context for the rest.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) overlap: usize,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Tokenize {
    /// A model, or a `tokenizer.json`.
    #[arg(long, value_name = "PATH")]
    pub(crate) model: PathBuf,
    /// The text; `-` reads standard input. With --decode: token ids.
    #[arg(value_name = "TEXT")]
    pub(crate) text: String,
    /// Turn token ids into text.
    #[arg(long)]
    pub(crate) decode: bool,
    /// Leave out the beginning- and end-of-text tokens.
    #[arg(long)]
    pub(crate) no_special: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// A checkpoint folder, a GGUF or safetensors file, or the name of a pulled model.
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// List every tensor.
    #[arg(long)]
    pub(crate) tensors: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Convert {
    /// A checkpoint folder, a GGUF file, or the name of a pulled model.
    #[arg(value_name = "IN")]
    pub(crate) input: PathBuf,
    /// A GGUF file (name ends in .gguf) or a folder, which must not exist yet.
    #[arg(value_name = "OUT")]
    pub(crate) output: PathBuf,
    /// Type of the weight matrices (default: the smallest of f16, bf16 and f32 that loses nothing).
    #[arg(long, value_name = "TYPE")]
    pub(crate) dtype: Option<Dtype>,
    /// Replace OUT if it exists.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Train {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Print what the run would be, and stop.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Learn {
    /// Judgements as `psi feedback export` prints them, - for standard input (default: those in the
    /// assistant's database).
    #[arg(long, value_name = "FILE")]
    pub(crate) feedback: Option<PathBuf>,
    /// The model in use, as long as nothing was promoted (default: the one that comes with psi).
    #[arg(long, value_name = "PATH")]
    pub(crate) model: Option<PathBuf>,
    /// The gate's suites beside the kept-out feedback (default: those that come with psi).
    #[arg(long, value_name = "FILE")]
    pub(crate) suites: Option<PathBuf>,
    /// Never learn from this judgement (may be given several times; kept).
    #[arg(long, value_name = "ID")]
    pub(crate) strike: Vec<String>,
    /// Learn from a judgement again that was struck out (may be given several times).
    #[arg(long, value_name = "ID", conflicts_with = "strike")]
    pub(crate) restore: Vec<String>,
    /// Forget a conversation: remove what has learned from it, and learn without it from now on (may be given several times; kept).
    #[arg(long, value_name = "CONVERSATION")]
    pub(crate) forget: Vec<String>,
    /// Learn from texts with addresses and telephone or card numbers too.
    #[arg(long)]
    pub(crate) private: bool,
    /// Learn now (the default).
    #[arg(long, conflicts_with = "when_idle")]
    pub(crate) now: bool,
    /// Compute only while nobody needs the machine: pause within a second when its owner is back.
    #[arg(long)]
    pub(crate) when_idle: bool,
    /// How many cores other programs may use while the machine still counts as idle.
    #[arg(long, value_name = "CORES", default_value_t = 0.5, requires = "when_idle")]
    pub(crate) idle_load: f64,
    /// How long nobody must have needed the machine.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "when_idle")]
    pub(crate) idle_after: u64,
    /// Only say what would be learned.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Decide, but do not promote.
    #[arg(long)]
    pub(crate) hold: bool,
    /// Number of threads (default: PSI_THREADS, else the number of cores).
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A recipe and where it runs.
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// The recipe, a TOML file (`psi help recipe` lists its keys); may be left out with --resume.
    #[arg(value_name = "RECIPE", required_unless_present = "resume")]
    pub(crate) recipe: Option<PathBuf>,
    /// Set a key of the recipe (may be given several times).
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Go on with the run in DIR, or start it there.
    #[arg(long, value_name = "DIR")]
    pub(crate) resume: Option<PathBuf>,
    /// Show the run in the browser while it goes: curves, speed, samples.
    #[arg(long)]
    pub(crate) watch: bool,
    /// Port of that page on this machine; 0: a free one.
    #[arg(long, value_name = "N", default_value_t = 7070, requires = "watch")]
    pub(crate) port: u16,
    /// Number of threads (default: PSI_THREADS, else the number of cores).
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Runs {
    #[command(subcommand)]
    pub(crate) command: RunsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// The runs in PSI_HOME, or in a folder.
    List {
        /// The folder that holds them.
        #[arg(value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// One run: how it stands, its settings with their origins.
    Show {
        /// A run folder, or the name of a run in PSI_HOME.
        #[arg(value_name = "RUN")]
        run: PathBuf,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// The runs in the browser, while they go.
    Watch {
        /// The folder that holds them.
        #[arg(value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Port of the page on this machine; 0: a free one.
        #[arg(long, value_name = "N", default_value_t = 7070)]
        port: u16,
    },
    /// Several runs side by side: results, and the settings in which they differ.
    Compare {
        /// Run folders, or names of runs in PSI_HOME.
        #[arg(value_name = "RUN", num_args = 2..)]
        runs: Vec<PathBuf>,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// A checkpoint folder, a GGUF file or the name of a pulled model; NAME=PATH gives it a name (may be
    /// given several times; the first answers requests that name none). `assistant` is what the assistant
    /// serves, also after a promotion or rollback while psi serve runs.
    #[arg(long, value_name = "PATH", required = true)]
    pub(crate) model: Vec<String>,
    /// Address to listen on; one that others can reach needs --keys.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) host: std::net::IpAddr,
    /// Port to listen on; 0: a free one.
    #[arg(long, value_name = "N", default_value_t = 8080)]
    pub(crate) port: u16,
    /// Who may ask: a TOML file of `[[key]]` entries (see the guide on serving).
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<PathBuf>,
    /// Most answers that are written at once, per model.
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub(crate) max_batch: usize,
    /// Most answers that wait beside them; one more is refused with 429.
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub(crate) max_queue: usize,
    /// Most tokens of prompt and answer (default: what the model was made for).
    #[arg(long, value_name = "N")]
    pub(crate) context: Option<usize>,
    /// Memory for keys and values, in MiB, per model.
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    pub(crate) cache: usize,
    /// Type of the key/value cache (default: f32 for f32 weights, else bf16).
    #[arg(long, value_name = "TYPE")]
    pub(crate) kv: Option<Kv>,
    /// Keep the weights in this type (default: as stored; f16 as bf16).
    #[arg(long, value_name = "TYPE")]
    pub(crate) dtype: Option<Dtype>,
    /// Number of threads (default: PSI_THREADS, else the number of cores).
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// A chat template to use instead of the models' own.
    #[arg(long, value_name = "FILE")]
    pub(crate) chat_template: Option<PathBuf>,
    /// Load models when they are first asked for, also the first one.
    #[arg(long)]
    pub(crate) lazy: bool,
    /// Drop a model from memory when nobody has asked for it so long.
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) idle_unload: Option<u64>,
    /// Folder that LoRA adapters may be loaded from.
    #[arg(long, value_name = "DIR")]
    pub(crate) adapters: Option<PathBuf>,
    /// Folder for completions and responses that clients ask to be stored (default: in memory only).
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// File that each answer's token counts are appended to; daily quotas survive a restart with it.
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// File that a line per request is appended to, without its contents; `-`: standard error.
    #[arg(long, value_name = "FILE")]
    pub(crate) access_log: Option<PathBuf>,
    /// A name by which the server may be called, beside localhost (may be given several times).
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_host: Vec<String>,
    /// A site whose pages may ask, e.g. `https://app.example` (may be given several times).
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<String>,
    /// Longest request, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 16)]
    pub(crate) max_body: usize,
    /// Time for running answers to end when the server is ended.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) drain: u64,
}

#[derive(Args, Debug)]
pub(crate) struct Pull {
    /// ORG/NAME or ORG/NAME@revision.
    #[arg(value_name = "MODEL")]
    pub(crate) model: String,
    /// The files to fetch by pattern, e.g. '*Q4_K_M.gguf' (default: weights, config, tokenizer).
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<String>,
    /// The Hub's address (default: HF_ENDPOINT, else the public one).
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// Attempts after a connection that failed without progress.
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(crate) retries: u32,
    /// Give up on a server that is silent for so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) timeout: u64,
    /// Say how far it is on standard error, for a program.
    #[arg(long, hide = true)]
    pub(crate) progress: bool,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Models {
    #[command(subcommand)]
    pub(crate) command: Option<ModelsCommand>,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelsCommand {
    /// Serve the candidate that the gate promoted; refused without its record.
    Promote {
        /// The record of the gate, or the folder that holds it.
        #[arg(value_name = "RECORD")]
        record: PathBuf,
    },
    /// Serve again what was served before the last promotion.
    Rollback,
    /// What the assistant serves, and every switch before.
    Served {
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Data {
    /// What files hold as training data: documents, tokens, rows that cannot be used.
    Inspect(DataInspect),
    /// Generate conversations that teach a small model to use tools, remember, read and reason.
    Synth(DataSynth),
    /// Answers of a model to prompts: a teacher's conversations, for another model to learn from.
    Answer(DataAnswer),
}

#[derive(Args, Debug)]
pub(crate) struct DataInspect {
    /// Files, folders or patterns: text, Markdown, JSON lines, CSV, Parquet.
    #[arg(value_name = "FILES", required = true)]
    pub(crate) files: Vec<String>,
    /// A model or a `tokenizer.json` (default: count bytes, show conversations as ChatML).
    #[arg(long, value_name = "PATH")]
    pub(crate) tokenizer: Option<PathBuf>,
    /// The key or column that holds the text (default: text).
    #[arg(long, value_name = "NAME")]
    pub(crate) column: Option<String>,
    /// Text files: the line that separates documents, '' for an empty line (default: one per file).
    #[arg(long, value_name = "LINE")]
    pub(crate) split_at: Option<String>,
    /// Tokens of a row.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seq_len: u32,
    /// Learn each turn of a conversation by itself.
    #[arg(long)]
    pub(crate) each_turn: bool,
    /// Do not show the first packed row.
    #[arg(long)]
    pub(crate) no_sample: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct DataAnswer {
    /// Lines of JSON: messages that end with a question, perhaps tools, perhaps a hint that only the
    /// answering model sees.
    #[arg(value_name = "PROMPTS")]
    pub(crate) prompts: PathBuf,
    /// The model that answers.
    #[arg(long, value_name = "PATH")]
    pub(crate) model: PathBuf,
    /// The file to write: one conversation per line.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Longest answer that is kept, in tokens.
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub(crate) max_tokens: usize,
    /// 0 takes the likeliest answer.
    #[arg(long, value_name = "T", default_value_t = 0.0)]
    pub(crate) temperature: f32,
    /// Seed of the draws.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Number of threads (default: PSI_THREADS, else the number of cores).
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

#[derive(Args, Debug)]
pub(crate) struct DataSynth {
    /// The file to write: one conversation per line.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Number of conversations.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) n: u64,
    /// Seed: the same seed gives the same conversations.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Which names, numbers and wordings to use; training and evaluation share none.
    #[arg(long, value_name = "SPLIT", default_value = "train")]
    pub(crate) split: SplitName,
    /// Weight of a kind of exchange, e.g. reading=30 (may be given several times).
    #[arg(long, value_name = "KIND=WEIGHT")]
    pub(crate) mix: Vec<String>,
    /// Only single problems of this family, without tools (may be given several times).
    #[arg(long, value_name = "NAME", conflicts_with = "mix")]
    pub(crate) family: Vec<String>,
    /// With --family: the share of the problems whose answer is thought through first; the others are answered at once.
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    pub(crate) thoughts: f64,
    /// Replace FILE if it exists.
    #[arg(long)]
    pub(crate) force: bool,
}

/// The parts of generated data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SplitName {
    Train,
    /// The names and numbers of training in wordings of its own.
    Validation,
    Eval,
}

impl SplitName {
    pub(crate) fn split(self) -> Split {
        match self {
            Self::Train => Split::Train,
            Self::Validation => Split::Validation,
            Self::Eval => Split::Eval,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Help {
    /// A command or topic.
    #[arg(value_name = "TOPIC")]
    pub(crate) topic: Option<String>,
    /// Every command's help as one Markdown document.
    #[arg(long, hide = true)]
    pub(crate) markdown: bool,
}
