//! The assistant's database, as the commands open it.

use psi_agent::{Clock, Db, Timestamp};
use psi_store::Home;

use crate::{
    clock, env,
    error::{Failure, Outcome, unusable},
};

/// psi's home.
pub(crate) fn home() -> Outcome<Home> {
    let root = env::home()
        .ok_or_else(|| Failure::input("there is no home folder").hint("set PSI_HOME"))?;
    Ok(Home::at(&root))
}

/// The database in psi's home.
pub(crate) fn open() -> Outcome<Db> {
    Db::open(&home()?.database(), clock()).map_err(unusable)
}

/// The machine's clock.
pub(crate) fn clock() -> Clock {
    Clock::new(Box::new(|| Timestamp(clock::now() as i64 * 1000)))
}
