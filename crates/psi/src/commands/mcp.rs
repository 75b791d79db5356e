//! `psi mcp`: psi's tools for other programs, and the servers of other programs.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, IsTerminal, Write},
    net::{Ipv4Addr, TcpListener},
    sync::Arc,
};

use psi_agent::{
    Access, Db,
    mcp::{self, Client, McpError, McpServer, McpTransport, Server},
    memory::{HashedNgrams, Memory},
};
use serde_json::json;

use super::database;
use crate::{
    cli::mcp::{Mcp, McpAdd, McpCommand},
    env,
    error::{Failure, Outcome, unusable},
    out::outln,
    toolbox,
};

/// What the token of the HTTP server is called.
const TOKEN: &str = "mcp";

pub(crate) fn run(args: &Mcp) -> Outcome {
    let db = database::open()?;
    match &args.command {
        None => serve(&db, args.port),
        Some(McpCommand::List { json }) => list(&db, *json),
        Some(McpCommand::Add(add)) => self::add(&db, add),
        Some(McpCommand::Tools { name }) => tools(&db, name),
        Some(McpCommand::Remove { name }) => remove(&db, name),
    }
}

fn serve(db: &Db, port: Option<u16>) -> Outcome {
    let toolbox = toolbox::open(db, &Memory::new(db, Arc::new(HashedNgrams)), &database::home()?)?;
    let server = Server::new(&toolbox.own_tools().map_err(unusable)?, database::clock());
    match port {
        None => server.serve_stdio().map_err(unusable),
        Some(port) => serve_http(server, db, port),
    }
}

fn serve_http(server: Server, db: &Db, port: u16) -> Outcome {
    let access = Access::new(db);
    // The token of the last time ends here.
    let mut old = access.tokens().map_err(unusable)?.into_iter().filter(|t| t.name == TOKEN);
    old.try_for_each(|t| access.revoke_token(t.id)).map_err(unusable)?;
    let token = access.issue_token(TOKEN).map_err(unusable)?;
    let address = (Ipv4Addr::LOCALHOST, port);
    let listener = TcpListener::bind(address).map_err(|source| {
        unusable(McpError::Listen { address: format!("127.0.0.1:{port}"), source })
    })?;
    let admit = move |token: &str| access.check_token(token).is_ok_and(|t| t.is_some());
    let running = server.serve_http(listener, Arc::new(admit)).map_err(unusable)?;
    outln!("psi's tools are at http://{}/mcp", running.address());
    outln!("Authorization: Bearer {token}");
    running.wait();
    Ok(())
}

fn list(db: &Db, json: bool) -> Outcome {
    let servers = mcp::load_servers(db).map_err(unusable)?;
    if json {
        let entry =
            |s: &McpServer| json!({"name": s.name, "enabled": s.enabled, "runs": s.shown()});
        let entries: Vec<_> = servers.iter().map(entry).collect();
        outln!("{:#}", json!({ "servers": entries }));
    } else if servers.is_empty() {
        outln!("no servers; `psi mcp add` adds one");
    }
    for server in servers.iter().filter(|_| !json) {
        let state = if server.enabled { "" } else { " (off)" };
        outln!("{}{state}: {}", server.name, server.shown());
    }
    Ok(())
}

fn add(db: &Db, args: &McpAdd) -> Outcome {
    let transport = match &args.url {
        Some(url) => McpTransport::Http { url: url.clone(), token: read_token(args)? },
        None => McpTransport::Stdio {
            command: args.command.clone(),
            env: variables(&args.env)?,
            folder: None,
        },
    };
    let server = McpServer { name: args.name.clone(), transport, enabled: true };
    server.check().map_err(unusable)?;
    let mut servers = mcp::load_servers(db).map_err(unusable)?;
    if servers.iter().any(|s| s.name == server.name) {
        let hint = format!("remove it first: psi mcp remove {}", server.name);
        return Err(Failure::input(format!("there is a server {} already", server.name)).hint(hint));
    }
    if !args.yes && !confirm(&server)? {
        return Err(Failure::failed("nothing was added"));
    }
    servers.push(server);
    mcp::save_servers(db, &servers).map_err(unusable)
}

/// Shows what would run, whole, and asks.
fn confirm(server: &McpServer) -> Outcome<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::input("there is nobody to ask").hint("--yes adds it without asking"));
    }
    eprintln!("The assistant will be offered the tools of\n\n  {}\n", server.shown());
    eprintln!(
        "A program that is started may do whatever you may do. Its calls wait for your approval."
    );
    eprint!("Add it? [y/N] ");
    std::io::stderr().flush().ok();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.map_err(|e| Failure::failed("no answer").because(e))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn read_token(args: &McpAdd) -> Outcome<Option<String>> {
    let Some(path) = &args.token_file else { return Ok(None) };
    let fail = |e| Failure::input(format!("{} cannot be read", path.display())).because(e);
    Ok(Some(fs::read_to_string(path).map_err(fail)?.trim().to_owned()))
}

fn variables(given: &[String]) -> Outcome<BTreeMap<String, String>> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    let pairs = given.iter().map(|text| {
        pair(text).ok_or_else(|| Failure::input(format!("--env {text}: write NAME=VALUE")))
    });
    pairs.collect()
}

fn tools(db: &Db, name: &str) -> Outcome {
    let server = find(db, name)?;
    let client = Client::connect(&server, &env::plain(), None).map_err(unusable)?;
    outln!("{name} speaks MCP {}", client.version());
    for tool in client.tools() {
        let definition = tool.definition();
        let said = definition["function"]["description"].as_str().unwrap_or_default();
        outln!("{}: {}", tool.name(), said.lines().next().unwrap_or_default());
    }
    Ok(())
}

fn find(db: &Db, name: &str) -> Outcome<McpServer> {
    let servers = mcp::load_servers(db).map_err(unusable)?;
    let missing = || Failure::input(format!("there is no server {name}")).hint("see: psi mcp list");
    servers.into_iter().find(|s| s.name == name).ok_or_else(missing)
}

fn remove(db: &Db, name: &str) -> Outcome {
    find(db, name)?;
    let mut servers = mcp::load_servers(db).map_err(unusable)?;
    servers.retain(|s| s.name != name);
    mcp::save_servers(db, &servers).map_err(unusable)
}
