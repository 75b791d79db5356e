//! Tidy: the style rules that neither the compiler nor clippy can hold, checked over the whole tree.
//!
//! A rule reads a [`Tree`] and returns [`Finding`]s; [`RULES`] lists them all. The test beside this crate runs every rule over
//! the repository and over a snippet that breaks it.

mod borders;
mod budget;
mod layers;
mod rust_text;
mod text;

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

pub use budget::unsafe_tokens;

/// One rule: its name, what it asks, and its check.
#[derive(Debug)]
pub struct Rule {
    /// Short name, as findings print it.
    pub name: &'static str,
    /// What the rule asks, in one sentence.
    pub asks: &'static str,
    /// Returns every place where the tree breaks the rule.
    pub check: fn(&Tree) -> Vec<Finding>,
}

/// Every rule.
pub const RULES: &[Rule] = &[
    Rule {
        name: "layers",
        asks: "a crate uses only crates of lower layers, and every crate is in the table",
        check: layers::check_layers,
    },
    Rule {
        name: "manifest",
        asks: "every crate has a description and takes its lints from the workspace",
        check: layers::check_manifests,
    },
    Rule {
        name: "unsafe_budget",
        asks: "`unsafe` occurs in psi-kernels, psi-store and psi-vault only, within the committed budget",
        check: budget::check_unsafe,
    },
    Rule {
        name: "file_size",
        asks: "a source file has at most 800 lines, or a line with its reason in the allow-list",
        check: budget::check_file_sizes,
    },
    Rule {
        name: "file_name",
        asks: "no mod.rs, and no file or folder called utils, common, helpers, types or misc",
        check: text::check_file_names,
    },
    Rule {
        name: "crate_border",
        asks: "no type parameter crosses the border of an engine crate",
        check: borders::check_type_parameters,
    },
    Rule {
        name: "first_line",
        asks: "every Rust file starts with a `//!` sentence",
        check: text::check_first_line,
    },
    Rule {
        name: "words",
        asks: "no path of one machine, no package registry's host, no note on how a text was made",
        check: text::check_words,
    },
    Rule {
        name: "test_attributes",
        asks: "no ignored test, no should_panic, no assertion on elapsed time",
        check: text::check_tests,
    },
    Rule {
        name: "environment",
        asks: "the environment is read in the listed files only",
        check: text::check_environment,
    },
];

/// One place where a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Path from the repository's root, with `/`.
    pub path: String,
    /// Line from 1; 0 when the finding is about the whole file.
    pub line: usize,
    /// What is wrong and what to do.
    pub what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

/// One text file of the tree.
#[derive(Debug)]
pub struct SourceFile {
    /// Path from the repository's root, with `/`.
    pub path: String,
    /// The file as it is.
    pub text: String,
    /// For Rust files the text with comments and literals blanked, line for line; empty for others.
    pub code: String,
}

impl SourceFile {
    fn new(path: String, text: String) -> Self {
        let code = if path.ends_with(".rs") { rust_text::code_only(&text) } else { String::new() };
        Self { path, text, code }
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The crate a file belongs to: `crates/NAME/...` or the first folder.
    fn crate_name(&self) -> &str {
        let rest = self.path.strip_prefix("crates/").unwrap_or(&self.path);
        rest.split('/').next().unwrap_or(rest)
    }

    fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// The repository's text files.
#[derive(Debug)]
pub struct Tree {
    /// Sorted by path.
    pub files: Vec<SourceFile>,
}

/// Folders that hold build products or data, not sources.
const SKIPPED_FOLDERS: &[&str] =
    &[".git", "target", "shared", "corpus", "artifacts", "coverage", "__pycache__", "venv"];
/// File names' ends that mark a text a person wrote.
const TEXT_ENDINGS: &[&str] =
    &[".rs", ".toml", ".md", ".py", ".sh", ".h", ".html", ".css", ".js", ".yml", ".ci/run"];

impl Tree {
    /// Read every text file under `root`, leaving out the folders skipped and links.
    ///
    /// # Errors
    /// When a folder or file cannot be read or is not UTF-8.
    pub fn load(root: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        read_folder(root, "", &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files })
    }

    /// A tree made of the given paths and texts, for trying a rule.
    pub fn from_snippets(snippets: &[(&str, &str)]) -> Self {
        let file =
            |(path, text): &(&str, &str)| SourceFile::new((*path).to_owned(), (*text).to_owned());
        Self { files: snippets.iter().map(file).collect() }
    }

    fn rust_files(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(|f| f.is_rust())
    }
}

fn read_folder(root: &Path, relative: &str, files: &mut Vec<SourceFile>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(relative))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if relative.is_empty() { name.clone() } else { format!("{relative}/{name}") };
        let kind = entry.file_type()?;
        if kind.is_dir() && !SKIPPED_FOLDERS.contains(&name.as_str()) {
            read_folder(root, &path, files)?;
        } else if kind.is_file() && TEXT_ENDINGS.iter().any(|e| path.ends_with(e)) {
            let text = fs::read_to_string(root.join(&path))
                .map_err(|e| io::Error::new(e.kind(), format!("{path}: {e}")))?;
            files.push(SourceFile::new(path, text));
        }
    }
    Ok(())
}
