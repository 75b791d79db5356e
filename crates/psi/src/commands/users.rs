//! `psi users`: the people who use this psi beside its owner. Each has a folder with an encrypted database, whose
//! passphrase is the user's password: the owner of the machine can remove it, and cannot read it.

use std::{fs, path::PathBuf};

use psi_agent::{Access, Cost, Passphrase};
use psi_store::{Home, write_atomic};
use serde_json::json;

use super::database;
use crate::{
    cli,
    error::{Failure, Outcome, unusable},
    out::outln,
};

/// The file that tells an account from a later one of the same name.
const ACCOUNT: &str = "account";

pub(crate) fn run(command: &cli::Users) -> Outcome {
    let users = Users::of(&database::home()?);
    match command {
        cli::Users::Add { name } => {
            users.check_new(name)?;
            let owner = Access::new(&database::open()?);
            if !owner.has_password().map_err(unusable)? {
                let failure =
                    Failure::input("the owner has no password yet, and could not sign in");
                return Err(failure.hint("set one: psi's settings, or PSI_PASSWORD with psi up"));
            }
            users.add(name, &database::new_passphrase()?)?;
            outln!("{name} can sign in; from now on everybody does, the owner as `owner`");
        }
        cli::Users::List { json: true } => outln!("{:#}", json!({ "users": users.names()? })),
        cli::Users::List { json: false } => {
            let names = users.names()?;
            if names.is_empty() {
                outln!("nobody beside the owner; `psi users add` adds somebody");
            }
            names.iter().for_each(|name| outln!("{name}"));
        }
        cli::Users::Remove { name } => {
            users.remove(name)?;
            outln!("{name} is removed, with everything that {name} kept here");
        }
        cli::Users::Reset { name } => {
            users.account(name).ok_or_else(|| nobody(name))?;
            let password = database::new_passphrase()?;
            password.check().map_err(unusable)?;
            users.remove(name)?;
            users.add(name, &password)?;
            outln!(
                "{name} has a new password and begins anew: what was kept was locked with the old one"
            );
        }
    }
    Ok(())
}

/// The users of a home.
#[derive(Clone, Debug)]
pub(crate) struct Users {
    root: PathBuf,
}

impl Users {
    pub(crate) fn of(home: &Home) -> Self {
        Self { root: home.root().join("users") }
    }

    /// A user's home: database and notes.
    pub(crate) fn home(&self, name: &str) -> Home {
        Home::at(&self.root.join(name))
    }

    /// Everybody, sorted by name.
    pub(crate) fn names(&self) -> Outcome<Vec<String>> {
        let entries = match fs::read_dir(&self.root) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|e| self.failed("reading", e))?,
        };
        let name = |entry: fs::DirEntry| entry.file_name().into_string().ok();
        let mut names: Vec<String> = entries.filter_map(|entry| name(entry.ok()?)).collect();
        names.retain(|name| self.account(name).is_some());
        names.sort();
        Ok(names)
    }

    /// What tells the account from a later one of the same name; `None`: there is none.
    pub(crate) fn account(&self, name: &str) -> Option<String> {
        is_name(name).then(|| fs::read_to_string(self.root.join(name).join(ACCOUNT)).ok())?
    }

    fn check_new(&self, name: &str) -> Outcome {
        if !is_name(name) || name == "owner" {
            let why = "has 1 to 32 small letters, digits, - and _, and is not `owner`";
            return Err(Failure::input(format!("a user's name {why}")));
        }
        match self.root.join(name).exists() {
            true => Err(Failure::input(format!("there is a user {name} already"))),
            false => Ok(()),
        }
    }

    /// Makes the folder under another name first: it is there whole or not at all.
    fn add(&self, name: &str, password: &Passphrase) -> Outcome {
        self.check_new(name)?;
        let new = self.root.join(format!(".new-{name}"));
        if new.exists() {
            fs::remove_dir_all(&new).map_err(|e| self.failed("removing an unfinished user", e))?;
        }
        let database = Home::at(&new).database();
        psi_agent::encrypt(&database, database::clock(), password, Cost::USUAL)
            .map_err(unusable)?;
        // The header's salt and nonce are random: no two accounts are alike.
        let start = fs::read(&database).map_err(|e| self.failed("reading a new database", e))?;
        let account = psi_store::ContentHash::of_bytes(&start).to_string();
        write_atomic(&new.join(ACCOUNT), account.as_bytes()).map_err(unusable)?;
        fs::rename(&new, self.root.join(name)).map_err(|e| self.failed("making a user", e))
    }

    fn remove(&self, name: &str) -> Outcome {
        self.account(name).ok_or_else(|| nobody(name))?;
        let gone = self.root.join(format!(".gone-{name}"));
        if gone.exists() {
            fs::remove_dir_all(&gone).map_err(|e| self.failed("removing a user", e))?;
        }
        // A running psi sees at once that the account is gone.
        fs::rename(self.root.join(name), &gone).map_err(|e| self.failed("removing a user", e))?;
        fs::remove_dir_all(&gone).map_err(|e| self.failed("removing a user", e))
    }

    fn failed(&self, doing: &str, error: std::io::Error) -> Failure {
        Failure::failed(format!("{}: {doing}", self.root.display())).because(error)
    }
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    (1..=32).contains(&name.len()) && name.chars().all(fits)
}

fn nobody(name: &str) -> Failure {
    Failure::input(format!("there is no user {name}")).hint("psi users list")
}
