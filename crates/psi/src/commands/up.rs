//! `psi up`, and `psi` alone: the assistant's page.

mod accounts;
mod child;
mod host;
mod learning;
mod locked;
mod open;
mod shelf;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use psi_agent::{Access, Assistant, Memory, memory::HashedNgrams};
use psi_server::{AccessLog, Api, ApiOptions, Limits, PageOptions, PageServer, ServedModels};

use self::{
    accounts::UpAccounts,
    host::UpHost,
    shelf::{Shelf, Shelved},
};
use crate::{
    bundled,
    cli::Up,
    commands::{
        database,
        serve::{not_served, now},
    },
    env,
    error::{Failure, Outcome, unusable},
    out::outln,
    toolbox,
};

pub(crate) fn run(args: &Up) -> Outcome {
    let home = database::home()?;
    let mut address = SocketAddr::new(args.host, args.port);
    let opened = database::open_or_ask_on_the_page()?;
    let is_locked = opened.is_none();
    let db = match opened {
        Some(db) => db,
        None => {
            let (db, at) = locked::unlocked(args, |address| {
                let page = tell(address);
                eprintln!("psi: the database is encrypted: the page asks for its passphrase");
                show(args, &page);
            })?;
            address = at;
            db
        }
    };
    if let Some(password) = env::password() {
        Access::new(&db).set_password(Some(&password)).map_err(unusable)?;
    }
    let shelf = Shelf::new(&home, args.threads)?;
    let memory = Memory::new(&db, Arc::new(HashedNgrams));
    let assistant = Assistant::new(&db, memory, Box::new(Shelved(Arc::clone(&shelf))));
    let assistant = assistant.map_err(unusable)?;
    shelf.choose(first_model(args, &assistant)?);
    shelf.follow()?;
    let host = UpHost::new(&home, Arc::clone(&shelf), &db)?;
    let options = PageOptions {
        address,
        names: args.name.clone(),
        assistant: assistant.clone(),
        toolbox: toolbox::offer(&assistant, &home)?,
        api: Some(api(args, &shelf)?),
        host: Arc::new(host),
        accounts: Some(Arc::new(UpAccounts::new(&home, &shelf))),
    };
    let server =
        PageServer::start(options).map_err(|e| not_served("the page cannot be shown", e))?;
    if is_locked {
        eprintln!("psi: unlocked");
    } else {
        let page = tell(server.address());
        eprintln!("psi: programs of this machine reach the model at {page}v1");
        show(args, &page);
    }
    server.wait();
    assistant.shut_down();
    Ok(())
}

/// Says where the page is.
fn tell(address: SocketAddr) -> String {
    let page = format!("http://{}/", shown(address));
    outln!("psi is at {page}");
    page
}

/// Opens the page in the browser.
fn show(args: &Up, page: &str) {
    if !args.no_open && !open::browser(page) {
        eprintln!("psi: no browser could be started; open the address yourself");
    }
}

/// The API over the model that the page has chosen, for other programs of this machine.
fn api(args: &Up, shelf: &Arc<Shelf>) -> Outcome<Api> {
    let options = ApiOptions {
        models: ServedModels::Current(Arc::new(Shelved(Arc::clone(shelf)))),
        keys: None,
        adapters: None,
        store: None,
        ledger: None,
        access_log: AccessLog::Off,
        report: Arc::new(|line| eprintln!("psi: {line}")),
        // Where others can reach the page, its gate has looked at the name and the password already.
        hosts: if args.host.is_loopback() { args.name.clone() } else { vec!["*".to_owned()] },
        origins: Vec::new(),
        limits: Limits::default(),
        clock: now,
    };
    Api::new(options).map_err(|e| Failure::input(e.to_string()))
}

/// The model that answers first: the one asked for, the one chosen on the page, the assistant's own.
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
