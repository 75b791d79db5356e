//! Automation for people and for continuous integration: `cargo xtask check|tidy|bench|golden|docs`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]

mod check;
mod command_docs;
mod golden;
mod measured_docs;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use xtask::tidy::{RULES, Tree, unsafe_tokens};

const HELP: &str = "\
cargo xtask COMMAND

  check                       formatting, lints, tidy, tests: what continuous integration runs first
  tidy [FOLDER]               the style rules alone, in a second, with the unsafe count of each crate
  bench [--model FILE]... [--list | --part N | --pages]
                              run psi bench in parts, kept in target/bench/, and write docs/benchmarks.md and
                              docs/kernels.md when all are there; --part N measures one, --pages none
  golden [--python PROGRAM] [--check]
                              make the golden files again with the scripts in golden/, or compare
  docs [--check]              write docs/reference/cli.md from the program's own help, or compare
";

/// What a command ends with: nothing to say, or why it failed.
type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let root = root();
    let rest = args.get(1..).unwrap_or_default();
    let outcome = match args.first().map(String::as_str) {
        Some("check") => check::check(&root),
        Some("tidy") => tidy(&rest.first().map_or(root, PathBuf::from)),
        Some("bench") => measured_docs::bench(&root, rest),
        Some("golden") => golden::golden(&root, rest),
        Some("docs") => command_docs::docs(&root, rest),
        Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            Ok(())
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

/// The repository's root: the folder above this crate.
fn root() -> PathBuf {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_folder.parent().unwrap_or(crate_folder).to_owned()
}

/// `cargo ARGS` in the repository, with the cargo that runs this program.
fn cargo(root: &Path, args: &[&str]) -> Command {
    let program = option_env!("CARGO").unwrap_or("cargo");
    let mut command = Command::new(program);
    command.current_dir(root).args(args);
    command
}

/// Run a command to its end, its output going where ours goes.
fn run(command: &mut Command) -> Outcome {
    let shown = shown(command);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{shown}` ended with {status}")),
        Err(e) => Err(format!("`{shown}` did not start: {e}")),
    }
}

/// Run a command and return what it printed on stdout.
fn stdout_of(command: &mut Command) -> Result<String, String> {
    let shown = shown(command);
    let done = command.stderr(std::process::Stdio::inherit()).output();
    let done = done.map_err(|e| format!("`{shown}` did not start: {e}"))?;
    if !done.status.success() {
        return Err(format!("`{shown}` ended with {}", done.status));
    }
    String::from_utf8(done.stdout).map_err(|_| format!("`{shown}` printed no UTF-8"))
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|w| w.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Write a generated document, making its folder first.
fn write(root: &Path, relative: &str, text: &str) -> Outcome {
    let path = root.join(relative);
    let folder = path.parent().unwrap_or(root);
    #[expect(
        clippy::disallowed_methods,
        reason = "a generated document under version control: a torn write shows in the diff"
    )]
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text));
    written.map_err(|e| format!("{}: {e}", path.display()))?;
    println!("wrote {relative}");
    Ok(())
}

fn tidy(root: &Path) -> Outcome {
    let tree = Tree::load(root).map_err(|e| e.to_string())?;
    let mut broken = 0;
    for rule in RULES {
        for finding in (rule.check)(&tree) {
            println!("[{}] {finding}", rule.name);
            broken += 1;
        }
    }
    for (name, count) in unsafe_tokens(&tree).into_iter().filter(|(_, n)| *n > 0) {
        println!("unsafe in {name}: {count}");
    }
    if broken > 0 { Err(format!("tidy: {broken} findings")) } else { Ok(()) }
}
