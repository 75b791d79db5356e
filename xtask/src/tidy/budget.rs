//! Counted rules: how much `unsafe` a crate may hold, and how long a file may be.

use std::collections::BTreeMap;

use super::rust_text::{line_of, word_offsets};
use super::{Finding, Tree};

/// Most `unsafe` tokens (blocks, functions, impls) per crate; every other crate holds none. Lower a number whenever it allows.
const UNSAFE_BUDGET: &[(&str, usize)] =
    &[("psi-kernels", 486), ("psi-store", 8), ("psi-vault", 34)];

const MAX_LINES: usize = 800;
/// Files over [`MAX_LINES`] and why.
const LONG_FILES: &[(&str, &str)] = &[];

/// Occurrences of the keyword `unsafe` outside comments and literals, per crate.
pub fn unsafe_tokens(tree: &Tree) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for file in tree.rust_files() {
        let n = word_offsets(&file.code, "unsafe").count();
        *counts.entry(file.crate_name().to_owned()).or_default() += n;
    }
    counts
}

pub(super) fn check_unsafe(tree: &Tree) -> Vec<Finding> {
    let budget = |name: &str| UNSAFE_BUDGET.iter().find(|(n, _)| *n == name).map(|&(_, max)| max);
    let mut findings = Vec::new();
    for file in tree.rust_files().filter(|f| budget(f.crate_name()).is_none()) {
        for at in word_offsets(&file.code, "unsafe") {
            let what = "unsafe lives in psi-kernels, psi-store and psi-vault only";
            findings.push(Finding::new(&file.path, line_of(&file.code, at), what));
        }
    }
    for (name, count) in unsafe_tokens(tree) {
        if let Some(max) = budget(&name).filter(|&max| count > max) {
            let what = format!("{count} unsafe, the budget is {max} (xtask/src/tidy/budget.rs)");
            findings.push(Finding::new(&format!("crates/{name}"), 0, what));
        }
    }
    findings
}

pub(super) fn check_file_sizes(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let source = [".rs", ".py", ".sh"].iter().any(|e| file.path.ends_with(e));
        let lines = file.text.lines().count();
        let reasoned = LONG_FILES.iter().any(|(path, _)| *path == file.path);
        if source && lines > MAX_LINES && !reasoned {
            let what = format!("{lines} lines, over {MAX_LINES}: split it, or give the reason");
            findings.push(Finding::new(&file.path, 0, what));
        }
        if reasoned && lines <= MAX_LINES {
            let what = "no longer long: take it off the allow-list (xtask/src/tidy/budget.rs)";
            findings.push(Finding::new(&file.path, 0, what));
        }
    }
    findings
}
