//! The arguments of `psi mcp`.

use clap::{Args, Subcommand};

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Mcp {
    #[command(subcommand)]
    pub(crate) command: Option<McpCommand>,
    /// Serve HTTP on this port of this machine instead of standard input and output; 0: a free one.
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<u16>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum McpCommand {
    /// The servers whose tools the assistant may be offered.
    List {
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Add a server: a program that is started, or one at an address.
    Add(McpAdd),
    /// Connect to a server and list its tools.
    Tools {
        /// The server.
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Remove a server.
    Remove {
        /// The server.
        #[arg(value_name = "NAME")]
        name: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct McpAdd {
    /// What to call it: lower-case letters, digits, hyphens.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The address of a server that is running already.
    #[arg(long, value_name = "URL", conflicts_with = "command")]
    pub(crate) url: Option<String>,
    /// A file that holds the token that server asks for.
    #[arg(long, value_name = "FILE", requires = "url")]
    pub(crate) token_file: Option<std::path::PathBuf>,
    /// A variable for the program, as NAME=VALUE.
    #[arg(long, value_name = "VAR", conflicts_with = "url")]
    pub(crate) env: Vec<String>,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
    /// The program and its arguments, after `--`.
    #[arg(value_name = "COMMAND", last = true, required_unless_present = "url")]
    pub(crate) command: Vec<String>,
}
