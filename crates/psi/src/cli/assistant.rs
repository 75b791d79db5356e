//! The arguments of `psi chat`, `psi memory`, `psi feedback`, `psi users` and `psi vault`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Args, Clone, Debug)]
pub(crate) struct Chat {
    /// The model that answers: a folder, a GGUF file or a pulled model (default: the one chosen in the
    /// settings, else the one that comes with psi).
    #[arg(long, value_name = "PATH")]
    pub(crate) model: Option<PathBuf>,
    /// Go on with this conversation.
    #[arg(long, value_name = "N")]
    pub(crate) conversation: Option<i64>,
    /// Keep nothing: no history, no memory.
    #[arg(long)]
    pub(crate) temporary: bool,
    /// Number of threads (default: PSI_THREADS, else the number of cores).
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Memory {
    /// The facts, the newest first.
    List {
        /// Also those that hold no longer.
        #[arg(long)]
        all: bool,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Facts that fit a question, with scores.
    Search {
        /// The question.
        #[arg(value_name = "WORDS", required = true)]
        words: Vec<String>,
        /// Search what was said instead of the facts.
        #[arg(long)]
        said: bool,
        /// Most results.
        #[arg(long, value_name = "N", default_value_t = 10)]
        limit: usize,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Forget facts for good: their text, vectors and index entries.
    Forget {
        /// Numbers of facts.
        #[arg(value_name = "N", required_unless_present = "all")]
        ids: Vec<i64>,
        /// Forget all of them.
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
    /// Evidence recall on long dated conversations (LoCoMo): full text, vectors, both, and with time.
    Bench {
        /// The data set's file.
        #[arg(value_name = "FILE")]
        data: PathBuf,
        /// Corrections of its evidence, from the audit of the data set.
        #[arg(long, value_name = "FILE")]
        audit: Option<PathBuf>,
        /// Instead: the time of a search in this many made-up conversations of 50 messages.
        #[arg(long, value_name = "N")]
        scale: Option<usize>,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Feedback {
    /// Ratings, better answers and choices with their exact prompts, as JSON lines for training.
    Export,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Vault {
    /// Encrypt the database with a passphrase. Without it nobody can read the database again: there is no way around.
    Encrypt,
    /// Decrypt the database for good.
    Decrypt,
    /// Change the passphrase.
    Passphrase,
    /// Whether the database is encrypted, and what of the home lies outside of it.
    Status {
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Users {
    /// Let somebody sign in; asks for a password, with which the new user's database is encrypted.
    Add {
        /// Small letters, digits, - and _.
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Who can sign in beside the owner.
    List {
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Remove somebody with everything that they kept here.
    Remove {
        /// The user.
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// A new password for who forgot theirs. What they kept is lost: it was encrypted with the old one.
    Reset {
        /// The user.
        #[arg(value_name = "NAME")]
        name: String,
    },
}
