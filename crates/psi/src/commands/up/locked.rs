//! An encrypted database whose passphrase the page asks for.

use std::{net::SocketAddr, sync::mpsc};

use psi_agent::{AgentError, Db, Passphrase, VaultError};
use psi_server::{LockedPage, Unlock};

use crate::{
    cli::Up,
    commands::{database, serve::not_served},
    error::{Failure, Outcome},
};

/// Shows the locked page until somebody unlocks it; `said` gets its address as soon as there is one.
pub(super) fn unlocked(args: &Up, said: impl FnOnce(SocketAddr)) -> Outcome<(Db, SocketAddr)> {
    let path = database::home()?.database();
    let (send, opened) = mpsc::channel();
    let unlock: Unlock = Box::new(move |text| {
        match Db::unlock(&path, database::clock(), &Passphrase::new(text)) {
            Ok(db) => {
                // Nobody waits for a second one.
                let _ = send.send(db);
                Ok(true)
            }
            Err(AgentError::Vault(VaultError::WrongPassphrase { .. })) => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    });
    let address = SocketAddr::new(args.host, args.port);
    let page = LockedPage::start(address, args.name.clone(), unlock);
    let page = page.map_err(|e| not_served("the page cannot be shown", e))?;
    let address = page.address();
    said(address);
    let db = opened.recv().map_err(|_| Failure::failed("the locked page ended"))?;
    page.stop();
    Ok((db, address))
}
