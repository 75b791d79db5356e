//! `psi up`, and `psi` alone: the assistant's page.

mod bundled;
mod host;
mod open;
mod shelf;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use psi_agent::{Access, Assistant, Clock, Db, Timestamp};
use psi_server::{PageOptions, PageServer, ServeError};
use psi_store::Home;

use self::{host::UpHost, shelf::Shelf};
use crate::{
    cli::Up,
    env,
    error::{Failure, Outcome, unusable},
    out::outln,
};

pub(crate) fn run(args: &Up) -> Outcome {
    let Some(root) = env::home() else {
        return Err(Failure::input("there is no home folder").hint("set PSI_HOME"));
    };
    let home = Home::at(&root);
    let db = Db::open(&home.database(), Clock::new(Box::new(now))).map_err(unusable)?;
    if let Some(password) = env::password() {
        Access::new(&db).set_password(Some(&password)).map_err(unusable)?;
    }
    let shelf = Shelf::new(&home, args.threads)?;
    let assistant = assistant(&db, &shelf)?;
    shelf.choose(first_model(args, &assistant)?);
    let host = UpHost::new(&home, Arc::clone(&shelf), assistant.settings().clone());
    let address = SocketAddr::new(args.host, args.port);
    let options = PageOptions {
        address,
        names: args.name.clone(),
        assistant: assistant.clone(),
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

#[expect(clippy::disallowed_methods, reason = "the clock of the assistant")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(since.as_millis() as i64)
}
