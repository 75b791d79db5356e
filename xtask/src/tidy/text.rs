//! Rules on names and words: files, first lines, tests, the environment, and what must not be written down.

use super::rust_text::{line_of, word_offsets};
use super::{Finding, SourceFile, Tree};

/// Names that say nothing about what a file holds.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "types", "misc"];

/// Files that may read the environment; all else gets values passed in.
const ENVIRONMENT_READERS: &[&str] = &[
    "crates/psi/src/env.rs",
    "crates/psi-kernels/src/isa.rs",
    "crates/psi-testkit/src/fixtures.rs",
    "crates/psi-tokenizer/tests/golden.rs", // PSI_GOLDEN: a larger set of vectors than is committed
];

/// Text that must not be in the repository, and why. In halves, so that this list is not a finding itself.
const FORBIDDEN: &[(&str, &str)] = &[
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("/tm", "p/wt"), "a path of one machine"),
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("/ho", "me/"), "a path of one machine"),
    (concat!("/Us", "ers/"), "a path of one machine"),
    (concat!("pypi", ".org"), "a package registry's host"),
    (concat!("python", "hosted.org"), "a package registry's host"),
    (concat!("crates", ".io"), "a package registry's host"),
    (concat!("npm", "js.com"), "a package registry's host"),
    (concat!("co-auth", "ored-by"), "a note on how a text was made"),
    (concat!("as an a", "i "), "a note on how a text was made"),
    (concat!("ai-gen", "erated"), "a note on how a text was made"),
];

pub(super) fn check_file_names(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust_files() {
        if file.file_name() == "mod.rs" {
            findings.push(Finding::new(&file.path, 0, "write foo.rs beside foo/, not foo/mod.rs"));
        }
        let empty = file
            .path
            .split('/')
            .find(|part| EMPTY_NAMES.contains(&part.strip_suffix(".rs").unwrap_or(part)));
        if let Some(part) = empty {
            let what = format!("`{part}` does not say what it holds: name it after that");
            findings.push(Finding::new(&file.path, 0, what));
        }
    }
    findings
}

pub(super) fn check_first_line(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust_files() {
        let first = file.text.lines().next().unwrap_or("");
        let sentence = first.strip_prefix("//!").map(str::trim).unwrap_or("");
        if sentence.len() < 10 || sentence.starts_with('(') {
            let what = "the first line is a `//!` sentence: what this is and why it exists";
            findings.push(Finding::new(&file.path, 1, what));
        }
    }
    findings
}

pub(super) fn check_words(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        for (i, line) in file.text.lines().enumerate() {
            let lower = line.to_lowercase();
            for (word, why) in FORBIDDEN {
                if lower.contains(&word.to_lowercase()) {
                    findings.push(Finding::new(&file.path, i + 1, format!("{why}: `{word}`")));
                }
            }
        }
    }
    findings
}

pub(super) fn check_tests(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust_files() {
        let mut report = |word: &str, what: &str| {
            for at in word_offsets(&file.code, word).filter(|&at| in_attribute(file, at)) {
                findings.push(Finding::new(&file.path, line_of(&file.code, at), what));
            }
        };
        report("ignore", "no ignored tests: print `skipped: why` and return");
        report("should_panic", "no should_panic: catch the panic and check its message");
        for (i, line) in file.code.lines().enumerate() {
            if line.contains("assert") && line.contains(".elapsed()") {
                let what = "no timed asserts: a busy machine would break them";
                findings.push(Finding::new(&file.path, i + 1, what));
            }
        }
    }
    findings
}

/// Whether the identifier at `at` opens an attribute: `#[ignore]`, `#[ignore = "..."]`, `#[cfg_attr(x, ignore)]`.
fn in_attribute(file: &SourceFile, at: usize) -> bool {
    let line_start = file.code[..at].rfind('\n').map_or(0, |n| n + 1);
    file.code[line_start..at].trim_start().starts_with("#[")
}

pub(super) fn check_environment(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let outside = |f: &&SourceFile| {
        !ENVIRONMENT_READERS.contains(&f.path.as_str()) && !f.path.starts_with("xtask/")
    };
    for file in tree.rust_files().filter(outside) {
        for name in ["var", "var_os", "vars", "vars_os", "set_var", "remove_var"] {
            let call = format!("env::{name}");
            for at in word_offsets(&file.code, &call) {
                let what = format!("{call}: the environment is read in one place, pass the value");
                findings.push(Finding::new(&file.path, line_of(&file.code, at), what));
            }
        }
    }
    findings
}
