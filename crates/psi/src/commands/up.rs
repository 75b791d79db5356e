//! `psi up`, and `psi` alone: the assistant's page.

mod bundled;
mod host;
mod open;
mod shelf;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use jiff::tz::TimeZone;
use psi_agent::{
    Access, Assistant, Db, Memory,
    knowledge::{Knowledge, knowledge_tool},
    memory::HashedNgrams,
    tools::{Group, Toolkit, Web, built_in},
};
use psi_server::{PageOptions, PageServer, ServeError};
use psi_store::Home;

use self::{
    host::UpHost,
    shelf::{Shelf, Shelved},
};
use crate::{
    cli::Up,
    commands::database,
    env,
    error::{Failure, Outcome, unusable},
    out::outln,
};

pub(crate) fn run(args: &Up) -> Outcome {
    let home = database::home()?;
    let db = database::open()?;
    if let Some(password) = env::password() {
        Access::new(&db).set_password(Some(&password)).map_err(unusable)?;
    }
    let shelf = Shelf::new(&home, args.threads)?;
    let assistant = assistant(&home, &db, &shelf)?;
    shelf.choose(first_model(args, &assistant)?);
    let host = UpHost::new(&home, Arc::clone(&shelf), assistant.settings().clone());
    let address = SocketAddr::new(args.host, args.port);
    let options = PageOptions {
        address,
        names: args.name.clone(),
        assistant: assistant.clone(),
        knowledge: Knowledge::new(db, None),
        host: Arc::new(host),
    };
    let server = start(options)?;
    let page = format!("http://{}/", shown(server.address()));
    outln!("psi is at {page}");
    if !args.no_open && !open::browser(&page) {
        eprintln!("psi: no browser could be started; open the address yourself");
    }
    server.wait();
    assistant.shut_down();
    Ok(())
}

/// The assistant with everything that it can do.
fn assistant(home: &Home, db: &Db, shelf: &Arc<Shelf>) -> Outcome<Assistant> {
    let memory = Memory::new(db, Arc::new(HashedNgrams));
    let kit = Toolkit {
        zone: TimeZone::system(),
        facts: Arc::new(memory.clone()),
        notes: home.root().join("notes"),
        web: Web::default(),
        programs: None,
    };
    let models = Box::new(Shelved(Arc::clone(shelf)));
    let assistant = Assistant::new(db, memory, models).map_err(unusable)?;
    let mut groups = Group::default_set();
    if assistant.settings().flag("web.enabled").map_err(unusable)? {
        groups.push(Group::Web);
    }
    let mut tools = built_in(&kit, &groups);
    tools.push(knowledge_tool(Knowledge::new(db.clone(), None)));
    assistant.set_tools(tools);
    Ok(assistant)
}

/// The page, or why not.
fn start(options: PageOptions) -> Outcome<PageServer> {
    PageServer::start(options).map_err(|e: ServeError| {
        let hint = e.hint();
        let failure = Failure::failed("the page cannot be shown").because(e);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })
}

/// The model that answers first: the one asked for, the one chosen on the page, the one that came with psi.
fn first_model(args: &Up, assistant: &Assistant) -> Outcome<Option<PathBuf>> {
    if let Some(model) = &args.model {
        return crate::model::resolve(model).map(Some);
    }
    let chosen = assistant.settings().text("model.name").map_err(unusable)?;
    if chosen.is_empty() || chosen == bundled::NAME {
        return Ok(None);
    }
    let path = crate::model::resolve(&PathBuf::from(&chosen));
    if path.is_err() {
        eprintln!("psi: {chosen}, which was chosen on the page, is not there any more");
    }
    Ok(path.ok())
}

/// An address as it is typed: one that stands for all is reached by this machine's own.
fn shown(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
        _ => address,
    }
}
