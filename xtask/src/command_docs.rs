//! `cargo xtask docs`: the command-line reference, written by the program that it describes.

use std::fs;
use std::path::Path;

use crate::{Outcome, cargo, stdout_of, write};

const PAGE: &str = "docs/reference/cli.md";

/// Write docs/reference/cli.md from the hidden command `psi help --markdown`; with `--check`, compare instead.
///
/// That command prints one `## psi NAME` section per command with its long help, and the environment's variables.
pub(crate) fn docs(root: &Path, args: &[String]) -> Outcome {
    let check = match args {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => return Err("usage: cargo xtask docs [--check]".into()),
    };
    let command = ["run", "--quiet", "--package", "psi", "--", "help", "--markdown"];
    let reference = stdout_of(&mut cargo(root, &command))?;
    if !reference.contains("## psi ") {
        return Err("`psi help --markdown` printed no `## psi NAME` section".into());
    }
    let lines: Vec<&str> = reference.trim_end().lines().map(str::trim_end).collect();
    let page = format!("{}\n", lines.join("\n"));
    if !check {
        return write(root, PAGE, &page);
    }
    let written = fs::read_to_string(root.join(PAGE)).map_err(|e| format!("{PAGE}: {e}"))?;
    if written == page {
        Ok(())
    } else {
        Err(format!("{PAGE} is not what the program says: run `cargo xtask docs`"))
    }
}
