//! Every built-in task, and the library that opens them from folders of data.

mod bbh;
mod bfcl;
mod blimp;
mod code;
mod core18;
mod declared;
mod gsm8k;
mod ifeval;
mod locomo;
mod math500;
mod procedural;
mod product;
mod wikitext2;
mod xstest;

use std::path::{Path, PathBuf};

use psi_sandbox::{Python, SandboxError};
use serde::de::DeserializeOwned;

use crate::{
    readers::{self, Line},
    split::Split,
    task::{OutputKind, Result, Task, TaskError},
};

/// A built-in task, or a family of tasks that share everything but their data.
#[derive(Debug)]
pub struct Entry {
    /// Its name; a family's tasks are called `NAME/MEMBER`, and `NAME` alone means all of them.
    pub name: &'static str,
    /// A family's tasks; empty for a single task.
    pub members: fn() -> Vec<String>,
    /// What it asks, in one line.
    pub help: &'static str,
    /// The data's licence.
    pub licence: &'static str,
    /// Who publishes the data.
    pub source: &'static str,
    /// What its items ask for.
    pub output: OutputKind,
    /// What it may be opened for.
    pub splits: &'static [Split],
    open: fn(&Library, &Wanted<'_>) -> Result<Task>,
}

/// Every built-in task, sorted by name.
pub const TASKS: &[Entry] = &[
    bbh::ENTRY,
    bbh::DIRECT,
    bfcl::ENTRY,
    blimp::ENTRY,
    core18::ENTRY,
    gsm8k::ENTRY,
    code::HUMANEVAL,
    ifeval::ENTRY,
    locomo::ENTRY,
    math500::ENTRY,
    code::MBPP,
    procedural::ENTRY,
    product::ENTRY,
    wikitext2::ENTRY,
    xstest::ENTRY,
];

/// What may be chosen about a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskOptions {
    /// Solved examples in the prompt (default: the task's own number).
    pub shots: Option<usize>,
    /// Difficulty of a procedural task, from 0 (default: all in turn).
    pub level: Option<usize>,
}

/// What an entry is asked to open.
struct Wanted<'a> {
    /// The full name.
    name: &'a str,
    /// The part after the slash.
    member: &'a str,
    split: Split,
    options: TaskOptions,
}

impl Wanted<'_> {
    /// The error for an option that the task has no use for.
    fn refuse(&self, what: impl Into<String>) -> TaskError {
        TaskError::Option { task: self.name.to_owned(), what: what.into() }
    }

    /// An error unless every option that is set is one of those that the task knows.
    fn allow(&self, shots: bool, level: bool) -> Result<()> {
        if self.options.shots.is_some() && !shots {
            return Err(self.refuse("has no solved examples to choose from"));
        }
        if self.options.level.is_some() && !level {
            return Err(self.refuse("has no levels"));
        }
        Ok(())
    }
}

/// Where data lies and what judging may use.
#[derive(Debug)]
pub struct Library {
    folders: Vec<PathBuf>,
    python: std::result::Result<Python, String>,
    own: Vec<Task>,
}

impl Library {
    /// A library that looks for data in these folders, in order.
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self {
            folders,
            python: Err("no sandbox was made for programs".to_owned()),
            own: Vec::new(),
        }
    }

    /// Gives it the Python that runs the programs of models, or the reason why there is none: tasks that
    /// need one are then refused when they are opened, before a model has worked for them.
    #[must_use]
    pub fn with_python(mut self, python: std::result::Result<Python, SandboxError>) -> Self {
        self.python = python.map_err(|e| e.to_string());
        self
    }

    /// Adds a task that exists in memory only; it is opened by its name.
    #[must_use]
    pub fn with_task(mut self, task: Task) -> Self {
        self.own.push(task);
        self
    }

    /// [`expand`], of own tasks too.
    ///
    /// # Errors
    /// When nothing has this name.
    pub fn expand(&self, name: &str) -> Result<Vec<String>> {
        match self.own.iter().any(|task| task.name() == name) {
            true => Ok(vec![name.to_owned()]),
            false => expand(name),
        }
    }

    /// Opens one task, by its name or the path of a `.toml` file that declares it: its data is read and
    /// checked as a whole.
    ///
    /// # Errors
    /// When there is no such task, its data is missing or bad, or it does not have the split.
    pub fn open(&self, name: &str, split: Split, options: TaskOptions) -> Result<Task> {
        if let Some(task) = self.own.iter().find(|t| t.name() == name && t.split() == split) {
            return Ok(task.clone());
        }
        if is_declaration(name) {
            return declared::open(self, Path::new(name), split, options);
        }
        let (family, member) = name.split_once('/').unwrap_or((name, ""));
        let entry = TASKS.iter().find(|e| e.name == family).filter(|e| {
            let members = (e.members)();
            if member.is_empty() { members.is_empty() } else { members.iter().any(|m| m == member) }
        });
        let entry = entry.ok_or_else(|| unknown(name))?;
        if !entry.splits.contains(&split) {
            return Err(TaskError::EvaluationOnly { task: name.to_owned() });
        }
        (entry.open)(self, &Wanted { name, member, split, options })
    }

    /// The text of a data file, checked against what its publisher ships, and where it lies.
    fn text(&self, file: &str, entry: &Entry) -> Result<(PathBuf, String)> {
        let found = self.folders.iter().map(|folder| folder.join(file)).find(|p| p.exists());
        let path = found.ok_or_else(|| TaskError::Missing {
            file: file.into(),
            looked: self.folders.clone(),
            source: entry.source,
        })?;
        let text = readers::text(&path)?;
        readers::check_published(file, &path, &text)?;
        Ok((path, text))
    }

    /// The rows of a data file with a JSON object on each line.
    fn rows<T: DeserializeOwned>(&self, file: &str, entry: &Entry) -> Result<Vec<Line<T>>> {
        let (path, text) = self.text(file, entry)?;
        readers::json_lines(&path, &text)
    }

    /// The Python for a task that needs one.
    fn python(&self, task: &str) -> Result<Python> {
        let refused = |why| TaskError::NoSandbox { task: task.to_owned(), why };
        self.python.clone().map_err(refused)
    }
}

impl Default for Library {
    /// No folder: the tasks that need no data.
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

/// Whether a task's name is the path of a declaration.
fn is_declaration(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|e| e == "toml")
}

/// The names of the tasks that a name stands for: a family's members, or the task itself.
///
/// # Errors
/// When nothing has this name.
pub fn expand(name: &str) -> Result<Vec<String>> {
    let all = names();
    if is_declaration(name) || all.iter().any(|n| n == name) {
        return Ok(vec![name.to_owned()]);
    }
    let start = format!("{name}/");
    let members: Vec<String> = all.into_iter().filter(|n| n.starts_with(&start)).collect();
    if members.is_empty() { Err(unknown(name)) } else { Ok(members) }
}

/// The name of every built-in task.
pub fn names() -> Vec<String> {
    let mut names = Vec::new();
    for entry in TASKS {
        let members = (entry.members)();
        if members.is_empty() {
            names.push(entry.name.to_owned());
        }
        names.extend(members.into_iter().map(|m| format!("{}/{m}", entry.name)));
    }
    names
}

fn unknown(name: &str) -> TaskError {
    let names = names();
    let families = TASKS.iter().map(|e| e.name).filter(|name| !names.iter().any(|n| n == name));
    let mut known = names.iter().map(String::as_str).chain(families);
    let near = psi_store::nearest(name, &mut known, 3);
    TaskError::Unknown {
        name: name.to_owned(),
        near: near.into_iter().map(str::to_owned).collect(),
    }
}
