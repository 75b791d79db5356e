//! `cargo xtask golden`: run the Python scripts that make the committed golden files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Outcome, run};

/// Packages that golden scripts may import; each script is checked for the ones it names.
const PACKAGES: &[&str] = &[
    "gguf",
    "jinja2",
    "lm_eval",
    "numpy",
    "safetensors",
    "scipy",
    "sentencepiece",
    "statsmodels",
    "tokenizers",
    "torch",
    "transformers",
];

/// Run every `golden/*.py` with the remaining arguments (such as `--check`); one that lacks a package is named and left out, and
/// the command then fails.
pub(crate) fn golden(root: &Path, args: &[String]) -> Outcome {
    let (python, passed_on) = match args {
        [flag] if flag == "--python" => return Err("--python needs a program".into()),
        [flag, program, rest @ ..] if flag == "--python" => (program.as_str(), rest),
        rest => ("python3", rest),
    };
    let scripts = scripts(&root.join("golden"))?;
    let absent: Vec<&str> =
        PACKAGES.iter().copied().filter(|package| !has_package(python, package)).collect();
    let mut left_out = Vec::new();
    for script in &scripts {
        let text = fs::read_to_string(script).map_err(|e| format!("{}: {e}", script.display()))?;
        let missing: Vec<&str> = absent.iter().copied().filter(|p| imports(&text, p)).collect();
        if missing.is_empty() {
            println!("== {}", script.display());
            run(Command::new(python).arg(script).args(passed_on).current_dir(root))?;
        } else {
            println!("== {}: left out, {python} lacks {}", script.display(), missing.join(", "));
            left_out.push(script.display().to_string());
        }
    }
    if left_out.is_empty() {
        return Ok(());
    }
    Err(format!("not run: {} (install what is named above)", left_out.join(", ")))
}

/// The scripts of a folder by name; one starting with `_` is imported by others, not run.
fn scripts(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let unreadable = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut scripts = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".py") && !name.starts_with('_') {
            scripts.push(path);
        }
    }
    scripts.sort();
    if scripts.is_empty() { Err(format!("{}: no scripts", folder.display())) } else { Ok(scripts) }
}

fn has_package(python: &str, package: &str) -> bool {
    let mut probe = Command::new(python);
    probe.args(["-c", &format!("import {package}")]).stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|s| s.success())
}

fn imports(script: &str, package: &str) -> bool {
    script.lines().map(str::trim_start).any(|line| {
        let mut words = line.split([' ', '.', ',']);
        matches!(words.next(), Some("import" | "from")) && words.next() == Some(package)
    })
}

#[cfg(test)]
mod tests {
    use super::imports;

    #[test]
    fn a_script_imports_the_packages_it_names() {
        let script = "import numpy as np\n    from torch.nn import Linear\nimportant = 1\n";
        assert!(imports(script, "numpy") && imports(script, "torch"));
        assert!(!imports(script, "gguf") && !imports(script, "ant"));
    }
}
