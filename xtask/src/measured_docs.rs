//! `cargo xtask bench`: measure this machine, part by part, and write the tables that documents quote.
//!
//! Every part is one run of `psi bench --json` of well under a minute; its document is kept in `target/bench/`, so
//! that a busy machine can be measured in its quiet minutes. The pages are written once every part is there.

mod pages;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, cargo, run, stdout_of, write};

/// Kinds of kernel results, by the beginning of their name.
const KERNELS: &[&str] = &["gemm", "matmul", "gemv"];
/// The same on the portable tier, which takes its time: in smaller pieces, each measured once.
const KERNELS_PORTABLE: &[&str] = &[
    "gemm",
    "matmul f32",
    "matmul bf16",
    "matmul q8",
    "matmul q4",
    "matmul q5",
    "matmul q6",
    "gemv f32",
    "gemv bf16",
    "gemv q8",
    "gemv q4",
    "gemv q5",
    "gemv q6",
];
/// Kinds of results about a whole model.
const MODEL: &[&str] = &["load", "prefill", "decode"];
const USAGE: &str = "usage: cargo xtask bench [--model FILE]... [--list | --part N | --pages]";

/// Where the description of the machine is kept.
const DOCTOR: &str = "target/bench/doctor.json";

/// What one run measures.
#[derive(Debug)]
struct Part<'a> {
    /// Names the file of its document.
    name: String,
    /// Arguments of `psi bench` beside `--json`.
    args: Vec<&'a str>,
    portable: bool,
}

/// What the command line asked for.
enum Ask {
    Everything,
    List,
    One(usize),
    Pages,
}

/// Measures every part, or the one asked for, and writes both pages if all parts are there.
pub(crate) fn bench(root: &Path, args: &[String]) -> Outcome {
    let (models, ask) = parse(args)?;
    let parts = parts(&models);
    let mut wanted: Vec<&Part> = parts.iter().collect();
    match ask {
        Ask::Everything => {}
        Ask::One(n) => {
            let there_are = || format!("--part {n}: there are parts 1 to {}", parts.len());
            wanted = vec![n.checked_sub(1).and_then(|i| parts.get(i)).ok_or_else(there_are)?];
        }
        Ask::Pages => wanted.clear(),
        Ask::List => {
            for (part, n) in parts.iter().zip(1..) {
                let state = if file(root, part).exists() { "measured" } else { "-" };
                println!("{n:>3}  {state:<9} {}", part.name);
            }
            return Ok(());
        }
    }
    if !wanted.is_empty() {
        run(&mut cargo(root, &["build", "--release", "--quiet", "--package", "psi"]))?;
        write(root, DOCTOR, &stdout_of(&mut psi(root, &["doctor", "--json"]))?)?;
    }
    for part in wanted {
        measure(root, part)?;
    }
    if let Some(missing) = parts.iter().find(|part| !file(root, part).exists()) {
        println!("{} is not measured yet: the pages are written when it is", missing.name);
        return Ok(());
    }
    let document = |relative: &str| -> Result<String, String> {
        std::fs::read_to_string(root.join(relative)).map_err(|e| format!("{relative}: {e}"))
    };
    let mut measured = pages::Measurements::new(&document(DOCTOR)?)?;
    for part in &parts {
        let model = part.args.iter().skip_while(|a| **a != "--model").nth(1);
        measured.add(model.map(|m| file_name(m)), part.portable, &document(&relative(part))?)?;
    }
    write(root, "docs/kernels.md", &measured.kernels_page())?;
    write(root, "docs/benchmarks.md", &measured.benchmarks_page())
}

fn parse(args: &[String]) -> Result<(Vec<&str>, Ask), String> {
    let mut models = Vec::new();
    let mut ask = Ask::Everything;
    let mut words = args.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "--model" => models.push(words.next().ok_or(USAGE)?),
            "--list" => ask = Ask::List,
            "--pages" => ask = Ask::Pages,
            "--part" => ask = Ask::One(words.next().and_then(|n| n.parse().ok()).ok_or(USAGE)?),
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok((models, ask))
}

fn parts<'a>(models: &[&'a str]) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    for kind in KERNELS {
        let name = (*kind).to_owned();
        parts.push(Part { name, args: vec!["--only", kind], portable: false });
    }
    for kind in KERNELS_PORTABLE {
        let name = format!("{}-portable", kind.replace(' ', "-"));
        parts.push(Part { name, args: vec!["--repeat", "1", "--only", kind], portable: true });
    }
    for &model in models {
        for kind in MODEL {
            let name = format!("{}-{kind}", file_name(model));
            parts.push(Part {
                name,
                args: vec!["--model", model, "--only", kind],
                portable: false,
            });
        }
    }
    parts
}

fn file_name(path: &str) -> String {
    Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Where a part's document is kept.
fn file(root: &Path, part: &Part) -> PathBuf {
    root.join(relative(part))
}

fn relative(part: &Part) -> String {
    format!("target/bench/{}.json", part.name)
}

fn measure(root: &Path, part: &Part) -> Outcome {
    let mut args = vec!["bench", "--json"];
    args.extend(&part.args);
    let mut command = psi(root, &args);
    if part.portable {
        command.env("PSI_ISA", "portable");
    }
    let document = stdout_of(&mut command)?;
    write(root, &relative(part), &document)
}

/// The release binary cargo has just built, wherever the target folder is.
fn psi(root: &Path, args: &[&str]) -> Command {
    let mut all = vec!["run", "--release", "--quiet", "--package", "psi", "--"];
    all.extend(args);
    cargo(root, &all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_named_after_what_they_measure() {
        let args = ["--model", "a/x.gguf", "--part", "7"].map(str::to_owned);
        let (models, ask) = parse(&args).unwrap();
        assert!(matches!(ask, Ask::One(7)));
        let parts = parts(&models);
        let load = parts.len() - MODEL.len();
        assert_eq!(relative(&parts[load]), "target/bench/x.gguf-load.json");
        assert_eq!(parts[load].args, ["--model", "a/x.gguf", "--only", "load"]);
        let portable: Vec<_> = parts.iter().filter(|p| p.portable).collect();
        assert_eq!(portable[1].name, "matmul-f32-portable");
        assert_eq!(portable.len(), KERNELS_PORTABLE.len());
        assert!(parse(&["--part".to_owned()]).is_err());
    }
}
