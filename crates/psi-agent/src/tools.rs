//! The built-in tools: one list of names, arguments, effects and what each one answers.
//!
//! Every answer is a whole statement ("12 km = 7.4565 miles"): a small model can repeat it word for word, and a person can
//! read it. The first ten entries have the names, arguments and wording that psi's own model was trained with.

mod address;
mod code;
mod dates;
mod files;
mod folders;
mod memory;
mod notes;
mod pager;
mod sandboxed;
mod search;
mod web;

use std::{fmt, path::PathBuf, sync::Arc};

use jiff::{Zoned, tz::TimeZone};
use psi_tools::{
    arguments::{
        self, Argument, Arguments,
        Kind::{Integer, Number, Text},
        optional, required,
    },
    calculate, convert,
};
use serde_json::Value;

pub use self::{
    folders::{Folder, FolderEntry, FolderError, MAX_FILE_BYTES, check_grant, locate, open_all},
    memory::Facts,
    sandboxed::Programs,
    search::SearchService,
    web::Web,
};
use crate::{CallContext, Effect, Tool, ToolError, ToolOutput};

/// What tools answer when there is nothing that fits.
pub const NOTHING_FOUND: &str = "nothing found";

/// What a group of tools is about; the user turns groups on and off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Arithmetic, units and dates.
    Basics,
    /// Facts to keep.
    Memory,
    /// Clocks of other places.
    Places,
    /// Notes.
    Notes,
    /// Files in granted folders.
    Files,
    /// Programs in the embedded language.
    Code,
    /// Shell commands and Python programs, where the kernel has a sandbox for them.
    Programs,
    /// Pages of the web; off until the user turns it on.
    Web,
    /// Finding pages of the web; off until the user turns it on and names a service.
    Search,
}

impl Group {
    /// Every group with its name and whether it is on unless the user says otherwise.
    pub const ALL: &[(Self, &str, bool)] = &[
        (Self::Basics, "basics", true),
        (Self::Memory, "memory", true),
        (Self::Places, "places", true),
        (Self::Notes, "notes", true),
        (Self::Files, "files", true),
        (Self::Code, "code", true),
        (Self::Programs, "programs", true),
        (Self::Web, "web", false),
        (Self::Search, "search", false),
    ];

    /// The group of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, n, _)| *n == name).map(|(group, ..)| *group)
    }

    /// The groups that are on by default.
    pub fn default_set() -> Vec<Self> {
        Self::ALL.iter().filter(|(.., on)| *on).map(|(group, ..)| *group).collect()
    }
}

/// What the built-in tools act on.
#[derive(Clone)]
pub struct Toolkit {
    /// The user's time zone.
    pub zone: TimeZone,
    /// The assistant's memory.
    pub facts: Arc<dyn Facts>,
    /// The folder of notes; it is made with the first note.
    pub notes: PathBuf,
    /// The way to the web.
    pub web: Web,
    /// The service that searches the web; none unless the user named one.
    pub search: Option<SearchService>,
    /// What runs programs; none where nothing can confine them.
    pub programs: Option<Programs>,
}

impl fmt::Debug for Toolkit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Toolkit").field("notes", &self.notes).finish_non_exhaustive()
    }
}

impl Toolkit {
    fn now(&self, context: &CallContext) -> Zoned {
        context.now.to_jiff().to_zoned(self.zone.clone())
    }

    fn programs(&self) -> Result<&Programs, ToolError> {
        let none = || ToolError::Failed("this machine has no sandbox for programs".to_owned());
        self.programs.as_ref().ok_or_else(none)
    }

    fn notes(&self) -> Result<Folder, ToolError> {
        let fail = |e| ToolError::Failed(format!("{}: {e}", self.notes.display()));
        std::fs::create_dir_all(&self.notes).map_err(fail)?;
        Ok(Folder::open("notes", &self.notes, true)?)
    }
}

/// The built-in tools of some groups.
pub fn built_in(kit: &Toolkit, groups: &[Group]) -> Vec<Arc<dyn Tool>> {
    let can_run = |t: &Entry| match t.name {
        SEARCH_WEB => kit.search.is_some(),
        RUN_SHELL => kit.programs.is_some(),
        RUN_PYTHON => kit.programs.as_ref().is_some_and(Programs::has_python),
        _ => true,
    };
    let chosen = TOOLS.iter().filter(|t| groups.contains(&t.group) && can_run(t));
    chosen.map(|entry| Arc::new(BuiltIn { entry, kit: kit.clone() }) as Arc<dyn Tool>).collect()
}

/// A tool of the list.
struct Entry {
    name: &'static str,
    description: &'static str,
    arguments: &'static [Argument],
    group: Group,
    effect: Effect,
    run: fn(&Toolkit, Arguments<'_>, &CallContext) -> Result<ToolOutput, ToolError>,
}

/// Every built-in tool.
const TOOLS: &[Entry] = &[
    Entry {
        name: "calculate",
        description: "Evaluate arithmetic: + - * / ^ % sqrt().",
        arguments: &[required("expression", Text)],
        group: Group::Basics,
        effect: Effect::None,
        run: |_, a, _| statement(calculate(a.text("expression"))),
    },
    Entry {
        name: "convert",
        description: "Convert a number from one unit to another.",
        arguments: &[required("value", Number), required("from", Text), required("to", Text)],
        group: Group::Basics,
        effect: Effect::None,
        run: |_, a, _| statement(convert(a.number("value"), a.text("from"), a.text("to"))),
    },
    Entry {
        name: "now",
        description: "The weekday, date and time on this machine.",
        arguments: &[],
        group: Group::Basics,
        effect: Effect::None,
        run: |kit, _, context| Ok(ToolOutput::text(dates::moment(&kit.now(context)))),
    },
    Entry {
        name: "date_add",
        description: "The date a number of days after a date (YYYY-MM-DD); negative: before.",
        arguments: &[required("date", Text), required("days", Integer)],
        group: Group::Basics,
        effect: Effect::None,
        run: |_, a, _| statement(dates::add(a.text("date"), a.integer("days"))),
    },
    Entry {
        name: "date_diff",
        description: "Days from one date to another (YYYY-MM-DD).",
        arguments: &[required("from", Text), required("to", Text)],
        group: Group::Basics,
        effect: Effect::None,
        run: |_, a, _| statement(dates::difference(a.text("from"), a.text("to"))),
    },
    Entry {
        name: "weekday",
        description: "The weekday of a date (YYYY-MM-DD).",
        arguments: &[required("date", Text)],
        group: Group::Basics,
        effect: Effect::None,
        run: |_, a, _| {
            let day = dates::parse(a.text("date"));
            statement(day.map(|d| format!("{d} is a {}", dates::weekday(d))))
        },
    },
    Entry {
        name: "remember",
        description: "Keep a fact, in the user's words.",
        arguments: &[required("fact", Text)],
        group: Group::Memory,
        effect: Effect::Writes,
        run: |kit, a, context| {
            let saved = kit.facts.remember(a.text("fact"), context);
            statement(saved.map(|()| SAVED.to_owned()))
        },
    },
    Entry {
        name: "recall",
        description: "Find kept facts by a word or two; `everything` lists them all.",
        arguments: &[required("query", Text)],
        group: Group::Memory,
        effect: Effect::None,
        run: |kit, a, context| {
            let found = kit.facts.recall(a.text("query"), context).map(|f| f.join("\n"));
            statement(found.map(|f| if f.is_empty() { NOTHING_FOUND.to_owned() } else { f }))
        },
    },
    Entry {
        name: "correct",
        description: "Replace the fact that fits the query best by a new one.",
        arguments: &[required("query", Text), required("fact", Text)],
        group: Group::Memory,
        effect: Effect::Writes,
        run: |kit, a, context| {
            let old = kit.facts.correct(a.text("query"), a.text("fact"), context);
            statement(old.map(|o| o.map_or_else(|| SAVED.to_owned(), |o| format!("replaced: {o}"))))
        },
    },
    Entry {
        name: "forget",
        description: "Drop the fact that fits the query best.",
        arguments: &[required("query", Text)],
        group: Group::Memory,
        effect: Effect::Writes,
        run: |kit, a, context| {
            let old = kit.facts.forget(a.text("query"), context);
            let nothing = || NOTHING_FOUND.to_owned();
            statement(old.map(|o| o.map_or_else(nothing, |o| format!("forgotten: {o}"))))
        },
    },
    Entry {
        name: "time_in",
        description: "The date and time in a time zone such as Europe/Berlin.",
        arguments: &[required("zone", Text)],
        group: Group::Places,
        effect: Effect::None,
        run: |kit, a, context| statement(dates::time_in(&kit.now(context), a.text("zone"))),
    },
    Entry {
        name: "convert_time",
        description: "What a clock (HH:MM) in one time zone shows in another.",
        arguments: &[required("time", Text), required("from", Text), required("to", Text)],
        group: Group::Places,
        effect: Effect::None,
        run: |kit, a, context| {
            let now = kit.now(context);
            statement(dates::convert_time(&now, a.text("time"), a.text("from"), a.text("to")))
        },
    },
    Entry {
        name: "write_note",
        description: "Keep a note under a title; a note of that title is replaced.",
        arguments: &[required("title", Text), required("text", Text)],
        group: Group::Notes,
        effect: Effect::Writes,
        run: |kit, a, _| notes::write(&kit.notes()?, a.text("title"), a.verbatim("text")),
    },
    Entry {
        name: "find_notes",
        description: "Find notes by words; `everything` lists their titles.",
        arguments: &[required("query", Text)],
        group: Group::Notes,
        effect: Effect::None,
        run: |kit, a, _| notes::find(&kit.notes()?, a.text("query")),
    },
    Entry {
        name: "list_files",
        description: "List a folder that the user granted; without a path, the granted folders.",
        arguments: &[optional("path", Text)],
        group: Group::Files,
        effect: Effect::Reads,
        run: |_, a, context| files::list(a.optional_text("path"), context),
    },
    Entry {
        name: "read_file",
        description: "Read a text file of a granted folder, from a line on.",
        arguments: &[required("path", Text), optional("from_line", Integer)],
        group: Group::Files,
        effect: Effect::Reads,
        run: |_, a, context| files::read(a.text("path"), a.optional_integer("from_line"), context),
    },
    Entry {
        name: "search_files",
        description: "Find lines that hold a text in the files of granted folders.",
        arguments: &[required("query", Text), optional("path", Text)],
        group: Group::Files,
        effect: Effect::Reads,
        run: |_, a, context| files::search(a.text("query"), a.optional_text("path"), context),
    },
    Entry {
        name: "write_file",
        description: "Write a text file in a granted folder, whole.",
        arguments: &[required("path", Text), required("text", Text)],
        group: Group::Files,
        effect: Effect::Writes,
        run: |_, a, context| files::write(a.text("path"), a.verbatim("text"), context),
    },
    Entry {
        name: "run_code",
        description: code::DESCRIPTION,
        arguments: &[required("code", Text)],
        group: Group::Code,
        effect: Effect::None,
        run: |_, a, context| code::run(a.verbatim("code"), context),
    },
    Entry {
        name: RUN_SHELL,
        description: "Run a shell command without network, in an empty folder and the granted ones.",
        arguments: &[required("command", Text)],
        group: Group::Programs,
        effect: Effect::Runs,
        run: |kit, a, context| kit.programs()?.shell(a.verbatim("command"), context),
    },
    Entry {
        name: RUN_PYTHON,
        description: "Run a Python program without network and files; what it prints is the result.",
        arguments: &[required("code", Text)],
        group: Group::Programs,
        effect: Effect::Runs,
        run: |kit, a, context| kit.programs()?.python(a.verbatim("code"), context),
    },
    Entry {
        name: "read_page",
        description: "Read a page of the web as text, from a line on.",
        arguments: &[required("url", Text), optional("from_line", Integer)],
        group: Group::Web,
        effect: Effect::Network,
        run: |kit, a, context| {
            kit.web.fetch(a.text("url"), a.optional_integer("from_line"), context)
        },
    },
    Entry {
        name: SEARCH_WEB,
        description: "Search the web: titles, addresses, excerpts. Cite results by number.",
        arguments: &[required("query", Text)],
        group: Group::Search,
        effect: Effect::Network,
        run: |kit, a, context| {
            let none = || ToolError::NotAllowed("no search service is named".to_owned());
            let service = kit.search.as_ref().ok_or_else(none)?;
            service.search(&kit.web, a.text("query"), context)
        },
    },
];

const SEARCH_WEB: &str = "search_web";
const SAVED: &str = "saved";
const RUN_SHELL: &str = "run_shell";
const RUN_PYTHON: &str = "run_python";

/// Longest whole of a call's arguments in bytes.
const MAX_ARGUMENT_BYTES: usize = 1 << 20;

/// A tool of [`TOOLS`] with what it acts on.
struct BuiltIn {
    entry: &'static Entry,
    kit: Toolkit,
}

impl Tool for BuiltIn {
    fn name(&self) -> &str {
        self.entry.name
    }

    fn definition(&self) -> Value {
        arguments::definition(self.entry.name, self.entry.description, self.entry.arguments)
    }

    fn effect(&self, _: &Value) -> Effect {
        self.entry.effect
    }

    /// Memory and notes: psi's own, shown on their pages and undone there.
    fn is_granted_by_default(&self) -> bool {
        matches!(self.entry.group, Group::Memory | Group::Notes)
    }

    fn call(&self, value: &Value, context: &CallContext) -> Result<ToolOutput, ToolError> {
        context.check()?;
        let checked = Arguments::check(self.entry.name, self.entry.arguments, value);
        let arguments = checked.map_err(ToolError::BadArguments)?;
        if arguments.n_bytes() > MAX_ARGUMENT_BYTES {
            let why = format!("the arguments have more than {MAX_ARGUMENT_BYTES} bytes");
            return Err(ToolError::BadArguments(why));
        }
        (self.entry.run)(&self.kit, arguments, context)
    }
}

fn statement(answer: Result<String, String>) -> Result<ToolOutput, ToolError> {
    answer.map(ToolOutput::text).map_err(ToolError::Failed)
}

#[cfg(test)]
pub(crate) mod tests;
