//! The assistant's database, as the commands open it.

use std::io::{BufRead, IsTerminal};

use psi_agent::{AgentError, Clock, Db, Passphrase, Timestamp, VaultError};
use psi_store::Home;

use crate::{
    clock, env,
    error::{Failure, Outcome, unusable},
};

/// How often a terminal is asked for a passphrase.
const TRIES: usize = 3;

/// psi's home.
pub(crate) fn home() -> Outcome<Home> {
    let root = env::home()
        .ok_or_else(|| Failure::input("there is no home folder").hint("set PSI_HOME"))?;
    Ok(Home::at(&root))
}

/// The database in psi's home. If it is encrypted, its passphrase is asked for: the file that
/// `PSI_PASSPHRASE_FILE` names, the terminal, or the first line of the standard input.
pub(crate) fn open() -> Outcome<Db> {
    let db = open_or_leave(&mut || passphrase("Passphrase").map(Some))?;
    db.ok_or_else(|| Failure::input("no passphrase was given"))
}

/// The same for the page, which can ask by itself: `None` if it is to do that.
pub(crate) fn open_or_ask_on_the_page() -> Outcome<Option<Db>> {
    open_or_leave(&mut || {
        if env::passphrase_file().is_none() && !std::io::stdin().is_terminal() {
            return Ok(None);
        }
        let text = read_secret("Passphrase (Enter alone: unlock on the page)")?;
        Ok((!text.is_empty()).then(|| Passphrase::new(text)))
    })
}

fn open_or_leave(ask: &mut dyn FnMut() -> Outcome<Option<Passphrase>>) -> Outcome<Option<Db>> {
    let path = home()?.database();
    if !Db::is_encrypted(&path).map_err(unusable)? {
        return Db::open(&path, clock()).map(Some).map_err(unusable);
    }
    for last in (0..TRIES).rev() {
        let Some(passphrase) = ask()? else { return Ok(None) };
        match Db::unlock(&path, clock(), &passphrase) {
            Err(AgentError::Vault(VaultError::WrongPassphrase { .. }))
                if last > 0 && is_asked_at_terminal() =>
            {
                eprintln!("psi: that is not the passphrase");
            }
            opened => return opened.map(Some).map_err(unusable),
        }
    }
    Ok(None)
}

/// A passphrase that opens something.
pub(crate) fn passphrase(prompt: &str) -> Outcome<Passphrase> {
    let text = read_secret(prompt)?;
    if text.is_empty() {
        let failure = Failure::input("a passphrase is needed, and none was given");
        return Err(failure.hint("run psi in a terminal, or name a file in PSI_PASSPHRASE_FILE"));
    }
    Ok(Passphrase::new(text))
}

/// A passphrase that will protect something: typed twice at a terminal.
pub(crate) fn new_passphrase() -> Outcome<Passphrase> {
    if !std::io::stdin().is_terminal() {
        let text = first_line()?;
        return Ok(Passphrase::new(text));
    }
    let first = Passphrase::new(typed("New passphrase")?);
    first.check().map_err(unusable)?;
    match first.is(&Passphrase::new(typed("Again")?)) {
        true => Ok(first),
        false => Err(Failure::input("the two are not the same")),
    }
}

fn is_asked_at_terminal() -> bool {
    env::passphrase_file().is_none() && std::io::stdin().is_terminal()
}

/// From the file, the terminal without showing it, or the next line of the standard input.
fn read_secret(prompt: &str) -> Outcome<String> {
    if let Some(path) = env::passphrase_file() {
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|e| Failure::input(path.display().to_string()).because(e))?;
        return Ok(text.lines().next().unwrap_or_default().to_owned());
    }
    match std::io::stdin().is_terminal() {
        true => typed(prompt),
        false => first_line(),
    }
}

fn typed(prompt: &str) -> Outcome<String> {
    let typed = rpassword::prompt_password(format!("{prompt}: "));
    typed.map_err(|e| Failure::input("the terminal cannot be read").because(e))
}

fn first_line() -> Outcome<String> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|e| Failure::input("standard input cannot be read").because(e))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// The machine's clock.
pub(crate) fn clock() -> Clock {
    Clock::new(Box::new(|| Timestamp(clock::now() as i64 * 1000)))
}
