//! The servers that the user has added, as they are kept and shown.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    path::PathBuf,
};

use rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};

use super::McpError;
use crate::{Db, Result, error::AgentError};

/// A server that the user has added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpServer {
    /// What the user calls it: lower-case letters, digits and hyphens. Its tools' names begin with it.
    pub name: String,
    /// How it is reached.
    pub transport: McpTransport,
    /// Whether its tools are offered. A server that was imported stays off until the user has seen its command.
    pub enabled: bool,
}

/// How a server is reached.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum McpTransport {
    /// A program that talks over its standard input and output.
    Stdio {
        /// The program and its arguments, as they are: no shell reads them.
        command: Vec<String>,
        /// What it finds in its environment besides the few variables every program needs.
        #[serde(default)]
        env: BTreeMap<String, String>,
        /// The folder it runs in.
        #[serde(default)]
        folder: Option<PathBuf>,
    },
    /// A server on the network or on this machine.
    Http {
        /// Its address.
        url: String,
        /// What it asks for in `Authorization: Bearer`.
        #[serde(default)]
        token: Option<String>,
    },
}

/// Longest name.
const MAX_NAME: usize = 32;

/// The setting that holds the list.
const SETTING: &str = "mcp.servers";

impl McpServer {
    /// Whether it can be used as it stands.
    ///
    /// # Errors
    /// [`McpError::Config`].
    pub fn check(&self) -> Result<(), McpError> {
        let fail = |why: String| Err(McpError::Config { server: self.name.clone(), why });
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || self.name.len() > MAX_NAME || !self.name.chars().all(fits) {
            return fail(format!(
                "a name has 1 to {MAX_NAME} lower-case letters, digits and hyphens"
            ));
        }
        match &self.transport {
            McpTransport::Stdio { command, env, .. } => {
                if command.first().is_none_or(|p| p.trim().is_empty()) {
                    return fail("there is no command".to_owned());
                }
                let texts = command.iter().chain(env.keys()).chain(env.values());
                if texts.into_iter().any(|t| t.contains('\0')) {
                    return fail("the command holds a NUL character".to_owned());
                }
                match env.keys().find(|k| k.is_empty() || k.contains('=') || is_loader_variable(k))
                {
                    Some(key) => fail(format!("the variable {key:?} cannot be set")),
                    None => Ok(()),
                }
            }
            McpTransport::Http { url, .. } => {
                let parsed = url::Url::parse(url).map_err(|e| e.to_string());
                match parsed {
                    Err(e) => fail(format!("{url}: {e}")),
                    Ok(url) if !matches!(url.scheme(), "http" | "https") => {
                        fail(format!("{url}: only http and https"))
                    }
                    Ok(_) => Ok(()),
                }
            }
        }
    }

    /// What will run or be asked, whole, for the user to judge: arguments quoted where they hold anything but
    /// plain characters, so that a space or a line break cannot pass for the end of one.
    pub fn shown(&self) -> String {
        match &self.transport {
            McpTransport::Stdio { command, env, folder } => {
                let mut out = String::new();
                for (key, value) in env {
                    let _ = write!(out, "{}={} ", quoted(key), quoted(value));
                }
                out.push_str(&command.iter().map(|a| quoted(a)).collect::<Vec<_>>().join(" "));
                if let Some(folder) = folder {
                    let _ = write!(out, "\nin {}", quoted(&folder.display().to_string()));
                }
                out
            }
            McpTransport::Http { url, token } => {
                let with = if token.is_some() { " with a token" } else { "" };
                format!("{}{with}", quoted(url))
            }
        }
    }
}

/// Without the values of variables and the token: what is printed for debugging ends up in logs.
impl fmt::Debug for McpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdio { command, env, folder } => f
                .debug_struct("Stdio")
                .field("command", command)
                .field("env", &env.keys())
                .field("folder", folder)
                .finish(),
            Self::Http { url, .. } => {
                f.debug_struct("Http").field("url", url).finish_non_exhaustive()
            }
        }
    }
}

/// Variables with which another program's code would be loaded into every program.
fn is_loader_variable(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    name.starts_with("LD_") || name.starts_with("DYLD_")
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=+,%~".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { format!("{text:?}") }
}

/// The servers, by name.
///
/// # Errors
/// When the database cannot be read or holds something else.
pub fn load_servers(db: &Db) -> Result<Vec<McpServer>> {
    let stored: Option<String> = db.read(|c| {
        let find = "SELECT value FROM setting WHERE name = ?1";
        Ok(c.query_row(find, [SETTING], |row| row.get(0)).optional()?)
    })?;
    let parse = |text: String| {
        serde_json::from_str(&text).map_err(|e| AgentError::corrupt("setting mcp.servers", e))
    };
    stored.map_or(Ok(Vec::new()), parse)
}

/// Keeps the list; each entry must pass [`McpServer::check`], and no name may stand twice.
///
/// # Errors
/// When an entry is wrong or the database cannot be written.
pub fn save_servers(db: &Db, servers: &[McpServer]) -> Result<()> {
    let mut sorted = servers.to_vec();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    for server in &sorted {
        server.check().map_err(|e| AgentError::invalid("server", e.to_string()))?;
    }
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(AgentError::invalid("server", format!("{} stands twice", pair[0].name)));
    }
    let text = serde_json::to_string(&sorted).expect("a list of texts is JSON");
    db.write(|t| {
        let put = "INSERT INTO setting (name, value) VALUES (?1, ?2)
            ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        t.execute(put, (SETTING, text))?;
        Ok(())
    })
}
