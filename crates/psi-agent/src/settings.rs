//! Settings: one list of what can be set, with its help, its default and what it accepts.

use std::path::{Path, PathBuf};

use rusqlite::OptionalExtension;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    conversation::{json_from, to_json},
    db::Db,
    error::{AgentError, Result},
    tool::GrantedFolder,
    tools::{SearchService, check_grant},
};

/// What a setting accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// On or off.
    Flag {
        /// Unless set.
        default: bool,
    },
    /// A whole number.
    Number {
        /// Unless set.
        default: i64,
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// A text.
    Text {
        /// Unless set.
        default: &'static str,
    },
    /// One of several words; the first unless set.
    Choice {
        /// The words.
        of: &'static [&'static str],
    },
}

/// Something that can be set.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Setting {
    /// Its name: a group, a dot, a word.
    pub name: &'static str,
    /// What the page calls it.
    pub title: &'static str,
    /// What it does, in a sentence.
    pub help: &'static str,
    /// What it accepts.
    #[serde(flatten)]
    pub kind: Kind,
}

/// Every setting, sorted by name.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "answer.max_steps",
        title: "Steps of an answer",
        help: "How often the model may write in one answer: each round of tools is one more.",
        kind: Kind::Number { default: 8, min: 1, max: 64 },
    },
    Setting {
        name: "answer.max_tokens",
        title: "Longest answer",
        help: "Most tokens that the model may write in one answer.",
        kind: Kind::Number { default: 4096, min: 16, max: 131_072 },
    },
    Setting {
        name: "answer.system_prompt",
        title: "Instructions",
        help: "Instructions that come before every conversation that has none of its own.",
        kind: Kind::Text { default: "" },
    },
    Setting {
        name: "answer.temperature",
        title: "Temperature",
        help: "How freely the model chooses its words, in hundredths; 0: always the likeliest.",
        kind: Kind::Number { default: 0, min: 0, max: 200 },
    },
    Setting {
        name: "answer.thinking",
        title: "Think first",
        help: "Let models that can think before they answer.",
        kind: Kind::Flag { default: true },
    },
    Setting {
        name: "answer.thinking_budget",
        title: "Longest thought",
        help: "Most tokens that a model may think before it answers; 0: as many as it likes.",
        kind: Kind::Number { default: 0, min: 0, max: 131_072 },
    },
    Setting {
        name: "answer.tools",
        title: "Use tools",
        help: "Offer tools to models that can call them.",
        kind: Kind::Flag { default: true },
    },
    Setting {
        name: "answer.votes",
        title: "Answers to vote on",
        help: "How many answers the model writes each time: what most of them say is taken. More are right more often, and cost as much more.",
        kind: Kind::Number { default: 1, min: 1, max: 16 },
    },
    Setting {
        name: "context.attached",
        title: "Attached files",
        help: "Most characters of one that the model is shown: of longer ones, the passages that fit the question.",
        kind: Kind::Number { default: 1200, min: 200, max: 200_000 },
    },
    Setting {
        name: "context.summary",
        title: "Summaries",
        help: "Who sums up older turns when a conversation outgrows the context.",
        kind: Kind::Choice { of: &["auto", "rule", "model"] },
    },
    Setting {
        name: "learning.consent",
        title: "Learn from my verdicts",
        help: "Whether ratings and corrections may be used for training on this machine.",
        kind: Kind::Flag { default: true },
    },
    Setting {
        name: "learning.schedule",
        title: "When psi learns",
        help: "Only when you ask it to, or also once a day while nobody needs the machine.",
        kind: Kind::Choice { of: &["by_hand", "when_idle"] },
    },
    Setting {
        name: "memory.extract",
        title: "Learn facts from what I say",
        help: "By rules alone, or also by the model after its answer, if it holds 4,096 tokens or more: what it writes is kept only where your words bear it out.",
        kind: Kind::Choice { of: &["rules", "rules_and_model", "off"] },
    },
    Setting {
        name: "memory.in_prompt",
        title: "Facts per answer",
        help: "Most facts that are put before the model with a question; 0: none.",
        kind: Kind::Number { default: 6, min: 0, max: 50 },
    },
    Setting {
        name: "model.name",
        title: "Model",
        help: "The model that answers unless a conversation names another.",
        kind: Kind::Text { default: "" },
    },
    Setting {
        name: "page.keys",
        title: "Keys",
        help: "Keys of the page that were changed, as JSON.",
        kind: Kind::Text { default: "" },
    },
    Setting {
        name: "page.language",
        title: "Language",
        help: "What the page speaks; auto: what the browser asks for.",
        kind: Kind::Choice { of: &["auto", "en", "de", "es", "fr"] },
    },
    Setting {
        name: "tasks.notify",
        title: "Notices of the browser",
        help: "Show what tasks and reminders have to say outside the page too, in browsers that you allow it.",
        kind: Kind::Flag { default: false },
    },
    Setting {
        name: "tasks.tools",
        title: "Let psi schedule what you ask for",
        help: "Offers tools for reminders and tasks in conversations; each new one waits for your approval. Small models answer better without.",
        kind: Kind::Flag { default: false },
    },
    Setting {
        name: "web.enabled",
        title: "Let tools use the network",
        help: "With your approval each time. Addresses of this machine and of your own network stay out of reach.",
        kind: Kind::Flag { default: false },
    },
    Setting {
        name: "web.search",
        title: "Let psi search the web",
        help: "With your approval each time, through the service below. Your words go to that service.",
        kind: Kind::Flag { default: false },
    },
    Setting {
        name: "web.search_service",
        title: "Search service",
        help: "The address of a SearXNG instance that offers JSON, or of any page of results with {query} in it: https://search.example/?q={query}. One of this machine or your network is named by its number or as localhost, NAME.local or NAME.lan.",
        kind: Kind::Text { default: "" },
    },
];

/// The setting that names the search service: what it accepts, the service says.
const SEARCH_SERVICE: &str = "web.search_service";

/// The settings of a database.
#[derive(Clone, Debug)]
pub struct Settings {
    db: Db,
}

/// Where the granted folders are kept; not in [`SETTINGS`] because they have a page of their own.
const FOLDERS: &str = "folders";

impl Setting {
    /// The setting of a name.
    ///
    /// # Errors
    /// When there is none, with the names there are.
    pub fn find(name: &str) -> Result<&'static Self> {
        SETTINGS.iter().find(|s| s.name == name).ok_or_else(|| {
            let names: Vec<&str> = SETTINGS.iter().map(|s| s.name).collect();
            let why = format!("there is no setting {name}; there are: {}", names.join(", "));
            AgentError::invalid("setting", why)
        })
    }

    /// Its value unless set.
    pub fn default(&self) -> Value {
        match self.kind {
            Kind::Flag { default } => json!(default),
            Kind::Number { default, .. } => json!(default),
            Kind::Text { default } => json!(default),
            Kind::Choice { of } => json!(of[0]),
        }
    }

    fn check(&self, value: &Value) -> Result<()> {
        let (fits, wanted) = match self.kind {
            Kind::Flag { .. } => (value.is_boolean(), "true or false".to_owned()),
            Kind::Text { .. } => (value.is_string(), "a text".to_owned()),
            Kind::Number { min, max, .. } => {
                let fits = value.as_i64().is_some_and(|n| (min..=max).contains(&n));
                (fits, format!("a whole number from {min} to {max}"))
            }
            Kind::Choice { of } => {
                let fits = value.as_str().is_some_and(|v| of.contains(&v));
                (fits, format!("one of: {}", of.join(", ")))
            }
        };
        if fits {
            return Ok(());
        }
        Err(AgentError::invalid(self.name, format!("{value} is not {wanted}")))
    }
}

impl Settings {
    /// Those of `db`.
    pub fn new(db: &Db) -> Self {
        Self { db: db.clone() }
    }

    /// The value of a setting.
    ///
    /// # Errors
    /// When there is no such setting.
    pub fn get(&self, name: &str) -> Result<Value> {
        let setting = Setting::find(name)?;
        Ok(self.stored(name)?.unwrap_or_else(|| setting.default()))
    }

    /// Sets one; `null` goes back to the default.
    ///
    /// # Errors
    /// When there is no such setting or the value does not fit it.
    pub fn set(&self, name: &str, value: &Value) -> Result<()> {
        if !value.is_null() {
            Setting::find(name)?.check(value)?;
        }
        if let Some(service) =
            value.as_str().filter(|s| name == SEARCH_SERVICE && !s.trim().is_empty())
        {
            let refuse = |why| AgentError::invalid(SEARCH_SERVICE, why);
            SearchService::parse(service).map_err(refuse)?;
        }
        self.store(name, value)
    }

    /// Every setting with its value.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn all(&self) -> Result<Vec<(&'static Setting, Value)>> {
        SETTINGS.iter().map(|s| Ok((s, self.get(s.name)?))).collect()
    }

    /// A setting that is on or off.
    ///
    /// # Errors
    /// When there is no such setting.
    pub fn flag(&self, name: &str) -> Result<bool> {
        Ok(self.get(name)?.as_bool().unwrap_or_default())
    }

    /// A setting that is a number.
    ///
    /// # Errors
    /// When there is no such setting.
    pub fn number(&self, name: &str) -> Result<usize> {
        Ok(self.get(name)?.as_u64().unwrap_or_default() as usize)
    }

    /// A setting that is a text or a word.
    ///
    /// # Errors
    /// When there is no such setting.
    pub fn text(&self, name: &str) -> Result<String> {
        Ok(self.get(name)?.as_str().unwrap_or_default().to_owned())
    }

    /// The folders that tools may use.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn folders(&self) -> Result<Vec<GrantedFolder>> {
        match self.stored(FOLDERS)? {
            Some(value) => json_from("setting.folders", &value.to_string()),
            None => Ok(Vec::new()),
        }
    }

    /// Replaces the folders that tools may use. New ones must be there and must not belong to the system or to psi;
    /// they are kept under their true paths.
    ///
    /// # Errors
    /// When one is not an absolute path, or may not be granted.
    pub fn set_folders(&self, folders: &[GrantedFolder]) -> Result<()> {
        if let Some(folder) = folders.iter().find(|f| !f.path.is_absolute()) {
            let why = format!("{} is not an absolute path", folder.path.display());
            return Err(AgentError::invalid("folder", why));
        }
        let before = self.folders()?;
        let check = |folder: &GrantedFolder| -> Result<GrantedFolder> {
            if before.iter().any(|b| b.path == folder.path) {
                return Ok(folder.clone());
            }
            Ok(GrantedFolder { path: grantable(&self.db, &folder.path)?, write: folder.write })
        };
        let checked: Vec<GrantedFolder> = folders.iter().map(check).collect::<Result<_>>()?;
        self.store(FOLDERS, &json!(checked))
    }

    fn stored(&self, name: &str) -> Result<Option<Value>> {
        let sql = "SELECT value FROM setting WHERE name = ?1";
        let text: Option<String> = self.db.read(|c| {
            Ok(c.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?)
        })?;
        text.map(|t| json_from("setting.value", &t)).transpose()
    }

    fn store(&self, name: &str, value: &Value) -> Result<()> {
        self.db.write(|t| {
            if value.is_null() {
                t.execute("DELETE FROM setting WHERE name = ?1", [name])?;
            } else {
                let sql = "INSERT OR REPLACE INTO setting (name, value) VALUES (?1, ?2)";
                t.execute(sql, (name, to_json(value)))?;
            }
            Ok(())
        })
    }
}

/// The true path of a folder that tools or the index may be given: none of the system's, and not the one that this
/// database lies in, where a tool could grant itself anything.
pub(crate) fn grantable(db: &Db, folder: &Path) -> Result<PathBuf> {
    let own: Vec<PathBuf> = db.path().parent().map(Path::to_owned).into_iter().collect();
    check_grant(folder, &own).map_err(|e| AgentError::invalid("folder", e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Clock, Timestamp};

    #[test]
    fn settings_are_sorted_and_their_defaults_fit() {
        assert!(SETTINGS.is_sorted_by_key(|s| s.name));
        for setting in SETTINGS {
            setting.check(&setting.default()).unwrap();
        }
    }

    #[test]
    fn a_value_that_does_not_fit_is_refused_and_null_goes_back() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&dir.path().join("psi.db"), Clock::fixed(Timestamp(0))).unwrap();
        let settings = Settings::new(&db);
        let error = settings.set("answer.max_steps", &json!(0)).unwrap_err();
        assert!(error.to_string().contains("0 is not a whole number from 1 to 64"), "{error}");
        let error = settings.set("answer.steps", &json!(1)).unwrap_err();
        assert!(error.to_string().contains("answer.max_steps"), "{error}");
        settings.set("answer.max_steps", &json!(3)).unwrap();
        assert_eq!(settings.number("answer.max_steps").unwrap(), 3);
        settings.set("answer.max_steps", &Value::Null).unwrap();
        assert_eq!(settings.number("answer.max_steps").unwrap(), 8);
        assert!(!settings.flag("web.enabled").unwrap());

        assert!(settings.folders().unwrap().is_empty());
        let relative = GrantedFolder { path: "notes".into(), write: false };
        assert!(settings.set_folders(std::slice::from_ref(&relative)).is_err());
        let other = tempfile::tempdir().unwrap();
        let folder = GrantedFolder { path: other.path().canonicalize().unwrap(), write: true };
        settings.set_folders(std::slice::from_ref(&folder)).unwrap();
        assert_eq!(settings.folders().unwrap(), [folder]);
        let inside = dir.path().join("notes");
        std::fs::create_dir(&inside).unwrap();
        for path in ["/".into(), dir.path().to_owned(), inside, other.path().join("none")] {
            let refused = GrantedFolder { path, write: false };
            assert!(settings.set_folders(std::slice::from_ref(&refused)).is_err(), "{refused:?}");
        }
    }
}
