//! The psi program: parses the command line, runs one command, prints failures, sets the exit code.
#![allow(clippy::print_stderr, reason = "remarks for people go to standard error")]

mod bundled;
mod cli;
mod clock;
mod commands;
mod cpu;
mod env;
mod error;
mod memory;
mod model;
mod out;
mod progress;
mod table;
mod toolbox;

use std::{io::Write, process::ExitCode};

use clap::{Parser, error::ErrorKind};
use cli::{Cli, Command};
use error::Outcome;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|mode| mode == psi_sandbox::MODE) {
        return ExitCode::from(psi_sandbox::confined(&arguments.collect::<Vec<_>>()));
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe while printing help is nobody's problem.
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return ExitCode::from(if asked { 0 } else { 2 });
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "psi: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

fn run(cli: Cli) -> Outcome {
    let command = cli.command.unwrap_or_else(|| Command::Up(cli::Up::default()));
    match command {
        Command::Up(args) => commands::up::run(&args),
        Command::Chat(args) => commands::chat::run(&args),
        Command::Memory(command) => commands::memory::run(&command),
        Command::Feedback(command) => commands::feedback::run(&command),
        Command::Generate(args) => commands::generate::run(&args),
        Command::Score(args) => commands::score::run(&args),
        Command::Tokenize(args) => commands::tokenize::run(&args),
        Command::Inspect(args) => commands::inspect::run(&args),
        Command::Convert(args) => commands::convert::run(&args),
        Command::Train(args) => commands::train::run(&args),
        Command::Learn(args) => commands::learn::run(&args),
        Command::Lineage { json } => commands::lineage::run(json),
        Command::Refine(args) => commands::refine::run(&args),
        Command::Runs(args) => commands::runs::run(&args),
        Command::Serve(args) => commands::serve::run(&args),
        Command::Mcp(args) => commands::mcp::run(&args),
        Command::Pull(args) => commands::pull::run(&args),
        Command::Models(args) => commands::models::run(&args),
        Command::Data(args) => commands::data::run(&args),
        Command::Eval(args) => commands::eval::run(&args),
        Command::Gate(args) => commands::gate::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Users(command) => commands::users::run(&command),
        Command::Vault(command) => commands::vault::run(&command),
        Command::Doctor(args) => commands::doctor::run(&args),
        Command::Help(args) => commands::help::run(&args),
    }
}
