//! The assistant's tools as this program sets them up.

use std::{env::current_exe, sync::Arc, thread};

use psi_agent::{
    Assistant, Db, Memory,
    memory::HashedNgrams,
    toolbox::{Toolbox, ToolboxOptions},
};
use psi_store::Home;

use crate::{
    env,
    error::{Failure, Outcome, unusable},
};

/// The tools of a database in a home folder. This program confines the programs that tools run.
pub(crate) fn open(db: &Db, memory: &Memory, home: &Home) -> Outcome<Toolbox> {
    let options = ToolboxOptions {
        notes: home.root().join("notes"),
        environment: env::plain(),
        launcher: current_exe().ok(),
    };
    Toolbox::open(db, memory, Arc::new(HashedNgrams), options).map_err(unusable)
}

/// Offers the assistant its tools, as they are whenever it answers, and connects the servers of other programs
/// in the background.
pub(crate) fn offer(assistant: &Assistant, home: &Home) -> Outcome<Toolbox> {
    let toolbox = open(assistant.db(), assistant.memory(), home)?;
    let offered = toolbox.clone();
    // A list that cannot be read now is the database's trouble, which the page shows by itself.
    assistant.set_tool_source(Arc::new(move || offered.tools().unwrap_or_default()));
    let connecting = toolbox.clone();
    let connect = move || {
        if let Err(e) = connecting.connect() {
            eprintln!("psi: {e}");
        }
    };
    let started = thread::Builder::new().name("psi-mcp".to_owned()).spawn(connect);
    started.map_err(|e| Failure::failed("no thread for the MCP servers").because(e))?;
    Ok(toolbox)
}
