//! The page in a real browser: Chromium, driven from here, against a real server with a scripted model.
//!
//! Each scene is a fresh server over a fresh database and a fresh browser context, so that nothing that one leaves
//! helps another. Where there is no Chromium this says so and passes; with `--required` it fails instead.
#![allow(clippy::print_stderr, reason = "the report of the scenes")]

mod chrome;
mod scenes;
mod script;
mod server;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
};

use chrome::Chrome;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, home, port] = &arguments[..]
        && mode == server::MODE
    {
        server::serve(home, port);
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|a| a == "--list") {
        return ExitCode::SUCCESS;
    }
    let required = arguments.iter().any(|a| a == "--required");
    let Some(chrome) = Chrome::start() else {
        eprintln!("skipped: chromium is not installed, so no page was looked at");
        return if required { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    };
    let wanted = |name: &str| {
        let filters: Vec<_> = arguments.iter().filter(|a| !a.starts_with("--")).collect();
        filters.is_empty() || filters.iter().any(|f| name.contains(f.as_str()))
    };
    let mut failed = Vec::new();
    for (name, scene) in scenes::SCENES.iter().filter(|(name, _)| wanted(name)) {
        eprintln!("scene: {name}");
        if catch_unwind(AssertUnwindSafe(|| scene(&chrome))).is_err() {
            failed.push(*name);
        }
    }
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("failed: {}", failed.join(", "));
    ExitCode::FAILURE
}
