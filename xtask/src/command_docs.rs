//! `cargo xtask docs`: the command-line reference, written by the program that it describes.

use std::path::Path;

use crate::{Outcome, cargo, stdout_of, write};

/// Write docs/reference/cli.md from the hidden command `psi help --markdown`.
///
/// That command prints one `## psi NAME` section per command with its long help, and the environment's variables.
pub(crate) fn docs(root: &Path) -> Outcome {
    let args = ["run", "--quiet", "--package", "psi", "--", "help", "--markdown"];
    let reference = stdout_of(&mut cargo(root, &args))?;
    if !reference.contains("## psi ") {
        return Err("`psi help --markdown` printed no `## psi NAME` section".into());
    }
    write(root, "docs/reference/cli.md", &format!("{}\n", reference.trim_end()))
}
