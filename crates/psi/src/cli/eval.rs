//! The arguments of `psi eval` and `psi gate`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{ModelArgs, SplitName};

#[derive(Debug, Subcommand)]
pub(crate) enum Eval {
    /// Tool calls, memory, reading, reasoning and small talk on held-out conversations.
    Skills(EvalSkills),
    /// Put tasks to a model; every answer is judged and kept at once.
    Run(EvalRun),
    /// What more answers to the same question buy: accuracy against tokens, by majority and by a verifier.
    Votes(EvalVotes),
    /// Score answers that were made elsewhere.
    Score(EvalScore),
    /// Two runs item by item: wins, losses, and whether they mean anything.
    Compare(EvalCompare),
    /// A page about a run or a comparison that opens without a network.
    Report(EvalReport),
    /// Whether training data holds the items of a task.
    Contamination(EvalContamination),
    /// The tasks: what they ask, where their data comes from, whether it is here.
    Tasks(EvalTasks),
}

#[derive(Args, Debug)]
pub(crate) struct EvalSkills {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Conversations of each kind (twice as many notes, four times as many problems).
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) n: u32,
    /// Which names, numbers and wordings to use: `eval` to judge a model, `validation` to choose between models.
    #[arg(long, value_name = "SPLIT", default_value = "eval")]
    pub(crate) split: SplitName,
    /// Seed of the conversations.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Conversations at a time.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) batch: u32,
    /// Show the first N wrong answers of each skill.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) show_wrong: usize,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct EvalRun {
    /// Tasks, or families of them (`blimp`, `procedural/parity`).
    #[arg(value_name = "TASK", required = true)]
    pub(crate) tasks: Vec<String>,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// An adapter on the model, a folder as psi train writes it.
    #[arg(long, value_name = "DIR")]
    pub(crate) adapter: Option<PathBuf>,
    /// The model's name on the server, where --model is an address.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The folder of the run.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Items of each task (default: all; 100 of a generator).
    #[arg(long, value_name = "N")]
    pub(crate) n: Option<usize>,
    /// Seed that chooses or generates the items, and of the draws.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Go on with the run in --out, or start it there.
    #[arg(long)]
    pub(crate) resume: bool,
    #[command(flatten)]
    pub(crate) tasks_from: TasksFrom,
    #[command(flatten)]
    pub(crate) answers: Answers,
    /// What to do with items that do not fit the context.
    #[arg(long, value_name = "WHAT", default_value = "stop")]
    pub(crate) overlong: Overlong,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct EvalVotes {
    /// Answers to each question; draws differ where the temperature is above 0.
    #[arg(long, value_name = "K", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) draws: u32,
    #[command(flatten)]
    pub(crate) run: EvalRun,
}

#[derive(Args, Debug)]
pub(crate) struct EvalTasks {
    #[command(flatten)]
    pub(crate) tasks_from: TasksFrom,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct EvalScore {
    /// A task, a family of tasks, or a .toml file that declares a task (`psi eval tasks` lists them).
    #[arg(long, value_name = "TASK")]
    pub(crate) task: String,
    /// A file with an answer on each line, or a folder with such a file for each task.
    #[arg(long, value_name = "PATH")]
    pub(crate) predictions: PathBuf,
    /// Path of the answer in a row, as in `model.solution` (default: the usual names).
    #[arg(long, value_name = "FIELD")]
    pub(crate) field: Option<String>,
    /// What items without an answer are: an error, wrong, or left out.
    #[arg(long, value_name = "WHAT", default_value = "refuse")]
    pub(crate) missing: MissingItems,
    /// Score this many items, chosen by the seed (default: all; 100 of a generator).
    #[arg(long, value_name = "N")]
    pub(crate) n: Option<usize>,
    /// Seed of the choice, or of a generator's items.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) tasks_from: TasksFrom,
    /// Print the first N wrong answers of each task.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) show_wrong: usize,
    /// Print one JSON document, with the verdict on every answer.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What becomes of items that have no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MissingItems {
    Refuse,
    Wrong,
    Skip,
}

/// Where tasks come from.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Tasks")]
pub(crate) struct TasksFrom {
    /// A folder of data sets as their publishers ship them (default: datasets in PSI_HOME).
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Vec<PathBuf>,
    /// Solved examples in the prompt (default: the task's own number).
    #[arg(long, value_name = "N")]
    pub(crate) shots: Option<usize>,
    /// Level of generated problems (default: all in turn).
    #[arg(long, value_name = "L")]
    pub(crate) level: Option<usize>,
}

/// How answers are made.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Answers")]
pub(crate) struct Answers {
    /// Most tokens of an answer (default: the task's own number).
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<usize>,
    /// 0 always takes the most probable token.
    #[arg(long, value_name = "T", default_value_t = 0.0)]
    pub(crate) temperature: f32,
    /// Keep the most probable tokens that together have probability P.
    #[arg(long, value_name = "P", default_value_t = 1.0)]
    pub(crate) top_p: f32,
    /// Continue prompts as text even if the model has a chat template.
    #[arg(long, conflicts_with = "chat")]
    pub(crate) raw: bool,
    /// Use the chat template; a model without one is refused.
    #[arg(long)]
    pub(crate) chat: bool,
    /// Answers at a time.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) batch: u32,
    /// Compute every answer, even if an earlier run has it.
    #[arg(long)]
    pub(crate) no_cache: bool,
}

/// What to do with items that do not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Overlong {
    /// Name them and stop before anything is computed.
    Stop,
    /// Count them as wrong.
    Wrong,
}

#[derive(Args, Debug)]
pub(crate) struct EvalCompare {
    /// The run before: what B is held against.
    #[arg(value_name = "DIR_A")]
    pub(crate) a: PathBuf,
    /// The run after.
    #[arg(value_name = "DIR_B")]
    pub(crate) b: PathBuf,
    /// Also write the page: report.html, report.md and report.json in this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct EvalReport {
    /// A run, or a gate.
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Where to write report.html, report.md and report.json (default: DIR).
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct EvalContamination {
    /// Tasks, or families of them.
    #[arg(value_name = "TASK", required = true)]
    pub(crate) tasks: Vec<String>,
    /// Training data: text files and JSON lines, or folders of them.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) training: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) tasks_from: TasksFrom,
    /// Items of each generated task.
    #[arg(long, value_name = "N")]
    pub(crate) n: Option<usize>,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Gate {
    #[command(subcommand)]
    pub(crate) command: Option<GateCommand>,
    /// The model that would be served.
    #[arg(long, value_name = "PATH", required = true)]
    pub(crate) candidate: Option<PathBuf>,
    /// An adapter on the candidate.
    #[arg(long, value_name = "DIR")]
    pub(crate) candidate_adapter: Option<PathBuf>,
    /// The model that is served (default: what the assistant serves).
    #[arg(long, value_name = "PATH")]
    pub(crate) incumbent: Option<PathBuf>,
    /// An adapter on the incumbent.
    #[arg(long, value_name = "DIR", requires = "incumbent")]
    pub(crate) incumbent_adapter: Option<PathBuf>,
    /// The suites and margins (default: generated reasoning problems; --show-profile prints them).
    #[arg(long, value_name = "FILE")]
    pub(crate) suites: Option<PathBuf>,
    /// The folder of the gate (default: a new one in PSI_HOME/evals).
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tasks_from: TasksFrom,
    #[command(flatten)]
    pub(crate) answers: Answers,
    /// Number of threads (default: PSI_THREADS, else the number of cores).
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Print the profile and stop.
    #[arg(long)]
    pub(crate) show_profile: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GateCommand {
    /// How often the gate is right: thousands of simulated candidates of known quality.
    Simulate {
        /// Simulated gates per cell.
        #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
        runs: u64,
        /// Seed of the simulation.
        #[arg(long, value_name = "S", default_value_t = 0)]
        seed: u64,
        /// Print the page docs/gate.md.
        #[arg(long, conflicts_with = "json")]
        markdown: bool,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
}
