//! Saved prompts: a name that is typed after `/`, and a text whose `{{placeholders}}` are asked for.

mod template;

use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use self::template::{fill, placeholders};
use crate::{
    commands,
    conversation::found,
    db::Db,
    error::{AgentError, Result},
    time::Timestamp,
};

/// Most characters of a name.
pub const MAX_NAME: usize = 40;
/// Most bytes of a text.
pub const MAX_TEXT: usize = 32 << 10;
/// Most prompts: the list is shown whole while one types.
const MAX_PROMPTS: usize = 1000;
/// What the files call themselves.
const FORMAT: &str = "psi-prompts";
/// The version written, and the only one read.
const VERSION: u64 = 1;

/// A saved prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SavedPrompt {
    /// Its number.
    pub id: i64,
    /// What is typed after the slash.
    pub name: String,
    /// What it stands for.
    pub text: String,
    /// What its text asks for, in the order in which it comes up.
    pub placeholders: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Prompts that are new.
    pub n_new: usize,
    /// Those whose name was taken: they are kept beside the other, with a number behind their name.
    pub n_renamed: usize,
    /// Those that were there already, word for word.
    pub n_known: usize,
}

/// The prompts of a database.
#[derive(Clone, Debug)]
pub struct Prompts {
    db: Db,
}

/// A prompt in a file.
#[derive(Debug, Serialize, Deserialize)]
struct Exported {
    name: String,
    text: String,
}

impl SavedPrompt {
    /// Its text with what the user gave for its placeholders; `rest` is what stood behind its name: the value of the
    /// first placeholder, or more text where there is none.
    ///
    /// # Errors
    /// The placeholders that have no value yet.
    pub fn filled(
        &self,
        rest: &str,
        given: impl Fn(&str) -> Option<String>,
    ) -> Result<String, Vec<String>> {
        let rest = Some(rest.trim()).filter(|r| !r.is_empty());
        let Some(first) = self.placeholders.first() else {
            return Ok(match rest {
                Some(rest) => format!("{}\n\n{rest}", self.text),
                None => self.text.clone(),
            });
        };
        let value = |name: &str| {
            given(name).or_else(|| rest.filter(|_| name == first.as_str()).map(str::to_owned))
        };
        let missing: Vec<String> =
            self.placeholders.iter().filter(|p| value(p).is_none()).cloned().collect();
        if missing.is_empty() { Ok(fill(&self.text, value)) } else { Err(missing) }
    }
}

impl Prompts {
    /// Those of `db`.
    pub fn new(db: &Db) -> Self {
        Self { db: db.clone() }
    }

    /// All of them, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn list(&self) -> Result<Vec<SavedPrompt>> {
        self.db.read(|c| {
            let sql = format!("{SELECT} ORDER BY name");
            let mut statement = c.prepare_cached(&sql)?;
            let all = statement.query_map([], read)?;
            Ok(all.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// One of them.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn get(&self, id: i64) -> Result<SavedPrompt> {
        let sql = format!("{SELECT} WHERE id = ?1");
        let prompt = self.db.read(|c| Ok(c.query_row(&sql, [id], read).optional()?))?;
        prompt.ok_or(AgentError::NotFound { what: "prompt", id })
    }

    /// The one of a name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn named(&self, name: &str) -> Result<Option<SavedPrompt>> {
        self.db.read(|c| named(c, name))
    }

    /// Saves a new one.
    ///
    /// # Errors
    /// When the name is taken, is a command's or cannot be typed; when the text is empty or too long.
    pub fn add(&self, name: &str, text: &str) -> Result<SavedPrompt> {
        let (name, text) = checked(name, text)?;
        let now = self.db.now();
        let id = self.db.write(|t| {
            free(t, &name, None)?;
            insert(t, &name, &text, now)
        })?;
        self.get(id)
    }

    /// Changes one.
    ///
    /// # Errors
    /// As [`Self::add`], and when there is none of that number.
    pub fn edit(&self, id: i64, name: &str, text: &str) -> Result<SavedPrompt> {
        let (name, text) = checked(name, text)?;
        let now = self.db.now();
        self.db.write(|t| {
            free(t, &name, Some(id))?;
            let sql = "UPDATE prompt SET name = ?2, content = ?3, updated_at = ?4 WHERE id = ?1";
            found(t.execute(sql, (id, &name, &text, now.0))?, "prompt", id)
        })?;
        self.get(id)
    }

    /// Deletes one.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn delete(&self, id: i64) -> Result<()> {
        self.db.write(|t| found(t.execute("DELETE FROM prompt WHERE id = ?1", [id])?, "prompt", id))
    }

    /// All of them as a document that [`Self::import`] reads.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn export(&self) -> Result<Value> {
        let all = self.list()?.into_iter();
        let prompts: Vec<Exported> = all.map(|p| Exported { name: p.name, text: p.text }).collect();
        Ok(json!({"format": FORMAT, "version": VERSION, "prompts": prompts}))
    }

    /// Adds the prompts of a document that [`Self::export`] or Open WebUI made. None is overwritten.
    ///
    /// # Errors
    /// When the document is neither, or one of its prompts cannot be kept: then none is.
    pub fn import(&self, document: &Value) -> Result<Imported> {
        let read = exported(document)?;
        let now = self.db.now();
        self.db.write(|t| {
            let mut done = Imported::default();
            for Exported { name, text } in read {
                let (name, text) = checked(&name, &text)?;
                match named(t, &name)? {
                    None => done.n_new += 1,
                    Some(old) if old.text == text => {
                        done.n_known += 1;
                        continue;
                    }
                    Some(_) => done.n_renamed += 1,
                }
                let free = free_name(t, &name)?;
                insert(t, &free, &text, now)?;
            }
            Ok(done)
        })
    }
}

const SELECT: &str = "SELECT id, name, content, created_at, updated_at FROM prompt";

fn read(row: &Row<'_>) -> rusqlite::Result<SavedPrompt> {
    let text: String = row.get(2)?;
    Ok(SavedPrompt {
        id: row.get(0)?,
        name: row.get(1)?,
        placeholders: placeholders(&text),
        text,
        created_at: Timestamp(row.get(3)?),
        updated_at: Timestamp(row.get(4)?),
    })
}

fn named(c: &Connection, name: &str) -> Result<Option<SavedPrompt>> {
    let sql = format!("{SELECT} WHERE name = ?1");
    Ok(c.prepare_cached(&sql)?.query_row([name], read).optional()?)
}

fn insert(t: &Transaction<'_>, name: &str, text: &str, now: Timestamp) -> Result<i64> {
    let n: i64 = t.query_row("SELECT count(*) FROM prompt", [], |row| row.get(0))?;
    if n >= MAX_PROMPTS as i64 {
        let why = format!("there are {MAX_PROMPTS} already; delete some first");
        return Err(AgentError::invalid("prompt", why));
    }
    let sql = "INSERT INTO prompt (name, content, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)";
    t.execute(sql, (name, text, now.0))?;
    Ok(t.last_insert_rowid())
}

/// Refuses a name that another prompt has.
fn free(t: &Transaction<'_>, name: &str, own: Option<i64>) -> Result<()> {
    match named(t, name)? {
        Some(other) if Some(other.id) != own => {
            Err(AgentError::invalid("name", format!("there is a prompt /{name} already")))
        }
        _ => Ok(()),
    }
}

/// The name, or the first one with a number behind it that nobody has.
fn free_name(t: &Transaction<'_>, name: &str) -> Result<String> {
    let mut free = name.to_owned();
    let mut n = 2;
    while named(t, &free)?.is_some() {
        free = format!("{name}-{n}");
        n += 1;
    }
    Ok(free)
}

/// A name and a text as they are kept.
fn checked(name: &str, text: &str) -> Result<(String, String)> {
    let name = name.trim().trim_start_matches('/').to_lowercase();
    let refuse = |what, why: String| Err(AgentError::invalid(what, why));
    if !commands::is_name(&name) || name.chars().count() > MAX_NAME {
        let why = format!(
            "\u{201c}{name}\u{201d} is no name: up to {MAX_NAME} letters, digits and hyphens, beginning with a letter"
        );
        return refuse("name", why);
    }
    if commands::find(&name).is_some() {
        return refuse("name", format!("/{name} is a command of psi's own"));
    }
    let text = text.trim().replace("\r\n", "\n");
    if text.is_empty() {
        return refuse("text", "it is empty".to_owned());
    }
    if text.len() > MAX_TEXT {
        return refuse("text", format!("it has {} bytes; at most {MAX_TEXT} are kept", text.len()));
    }
    Ok((name, text))
}

/// The prompts of a file: psi's own, or Open WebUI's list of `command` and `content`.
fn exported(document: &Value) -> Result<Vec<Exported>> {
    let refuse = |why: String| AgentError::invalid("import", why);
    if let Some(list) = document.as_array() {
        let one = |(i, one): (usize, &Value)| {
            let (name, text) = (one["command"].as_str(), one["content"].as_str());
            let (Some(name), Some(text)) = (name, text) else {
                let why = format!(
                    "item {} has no \u{201c}command\u{201d} and \u{201c}content\u{201d}",
                    i + 1
                );
                return Err(refuse(why));
            };
            Ok(Exported { name: typable(name), text: text.to_owned() })
        };
        return list.iter().enumerate().map(one).collect();
    }
    let (format, version) = (document["format"].as_str(), document["version"].as_u64());
    if (format, version) != (Some(FORMAT), Some(VERSION)) {
        let why = format!(
            "it must say \"format\": \"{FORMAT}\", \"version\": {VERSION}, or be the list that Open WebUI exports"
        );
        return Err(refuse(why));
    }
    serde_json::from_value(document["prompts"].clone()).map_err(|e| refuse(e.to_string()))
}

/// A name of others as psi would write it: `/Code_Review v2` is `code-review-v2`.
fn typable(name: &str) -> String {
    let words = name.to_lowercase();
    let words = words.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests;
