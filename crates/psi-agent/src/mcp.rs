//! The Model Context Protocol, both ways: tools of other programs for the assistant, and the assistant's own tools
//! and memory for other programs.
//!
//! Another program's server is a stranger. Its command is shown whole before it first runs and never goes through a shell;
//! its tools' names carry its own; what a tool says of itself is shown without invisible characters and pinned by hash,
//! so that a grant ends when the definition changes; and what it answers counts as untrusted.

mod client;
mod config;
mod remote_tool;
mod server;

use std::{fmt, io};

pub use self::{
    client::{Client, Elicitation, ElicitationAnswer},
    config::{McpServer, McpTransport, load_servers, save_servers},
    remote_tool::visible,
    server::{Admit, HttpServer, Server},
};

/// Why a server cannot be used.
#[derive(Debug)]
pub enum McpError {
    /// Its entry cannot be right.
    Config {
        /// The server.
        server: String,
        /// What is wrong.
        why: String,
    },
    /// Its program did not start.
    Start {
        /// The server.
        server: String,
        /// The program.
        program: String,
        /// What the system says.
        source: io::Error,
    },
    /// It did not answer as the protocol asks.
    Protocol {
        /// The server.
        server: String,
        /// What happened, with the end of what it wrote to its standard error.
        why: String,
    },
    /// It did not answer in time.
    TimedOut {
        /// The server.
        server: String,
    },
    /// psi's own server could not be opened.
    Listen {
        /// Where.
        address: String,
        /// What the system says.
        source: io::Error,
    },
}

impl McpError {
    /// A way out, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Start { program, source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some(format!("install {program}, or write its full path"))
            }
            Self::Protocol { .. } => {
                Some("run its command in a terminal to see what it says".into())
            }
            _ => None,
        }
    }
}

impl fmt::Display for McpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config { server, why } | Self::Protocol { server, why } => {
                write!(f, "MCP server {server}: {why}")
            }
            Self::Start { server, program, source } => {
                write!(f, "MCP server {server}: starting {program}: {source}")
            }
            Self::TimedOut { server } => write!(f, "MCP server {server} did not answer in time"),
            Self::Listen { address, source } => write!(f, "{address}: {source}"),
        }
    }
}

impl std::error::Error for McpError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Start { source, .. } | Self::Listen { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
