//! `psi vault`: the database encrypted with a passphrase, or not.

use std::fmt;

use psi_agent::{Cost, Db, Vault};
use psi_store::Home;
use psi_train::learn::Round;
use serde_json::{Value, json};

use super::database;
use crate::{
    cli, env,
    error::{Outcome, unusable},
    out::outln,
};

pub(crate) fn run(command: &cli::Vault) -> Outcome {
    let home = database::home()?;
    let path = home.database();
    match command {
        cli::Vault::Encrypt => {
            if Db::is_encrypted(&path).map_err(unusable)? {
                outln!("{} is encrypted already", path.display());
                return Ok(());
            }
            let passphrase = match env::passphrase_file() {
                Some(_) => database::passphrase("New passphrase")?,
                None => database::new_passphrase()?,
            };
            psi_agent::encrypt(&path, database::clock(), &passphrase, Cost::USUAL)
                .map_err(unusable)?;
        }
        cli::Vault::Decrypt => {
            let passphrase = database::passphrase("Passphrase")?;
            psi_agent::decrypt(&path, &passphrase).map_err(unusable)?;
        }
        cli::Vault::Passphrase => {
            let old = database::passphrase("Passphrase")?;
            let vault = Vault::unlock(&path, &old).map_err(unusable)?;
            vault.change_passphrase(&database::new_passphrase()?, Cost::USUAL).map_err(unusable)?;
            outln!("The passphrase is changed");
            return Ok(());
        }
        cli::Vault::Status { json: true } => {
            outln!("{:#}", State::of(&home).json());
            return Ok(());
        }
        cli::Vault::Status { json: false } => {}
    }
    outln!("{}", State::of(&home));
    Ok(())
}

/// What of a home is encrypted.
pub(crate) struct State {
    /// `None`: there is no database yet.
    is_encrypted: Option<bool>,
    /// Rounds of learning whose folders hold judgements as text.
    n_rounds: usize,
    has_notes: bool,
}

impl State {
    /// Of psi's home, if there is one.
    pub(crate) fn of_home() -> Option<Self> {
        Some(Self::of(&Home::at(&env::home()?)))
    }

    fn of(home: &Home) -> Self {
        let path = home.database();
        let notes = std::fs::read_dir(home.root().join("notes"));
        Self {
            is_encrypted: path.exists().then(|| Db::is_encrypted(&path).unwrap_or_default()),
            n_rounds: Round::all(&home.runs()).map_or(0, |rounds| rounds.len()),
            has_notes: notes.is_ok_and(|mut files| files.next().is_some()),
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "database": self.is_encrypted.map(|is| if is { "encrypted" } else { "plain" }),
            "learning_rounds_in_plain": self.n_rounds,
            "notes_in_plain": self.has_notes,
        })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.is_encrypted {
            None => "none yet",
            Some(false) => "plain: `psi vault encrypt` puts it under a passphrase",
            Some(true) => "encrypted",
        })?;
        if self.is_encrypted != Some(true) {
            return Ok(());
        }
        if self.n_rounds > 0 {
            write!(
                f,
                "\n          not encrypted: the judgements in the folders of {} rounds of learning (runs/), and \
                 the models that learned from them",
                self.n_rounds
            )?;
        }
        if self.has_notes {
            f.write_str("\n          not encrypted: your files in notes/")?;
        }
        Ok(())
    }
}
