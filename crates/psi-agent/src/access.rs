//! Who may use the assistant from another machine: a password, and tokens for programs.
//!
//! Passwords are kept as Argon2id hashes (RFC 9106), tokens (32 random bytes) as SHA-256.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    conversation::found,
    db::Db,
    error::{AgentError, Result},
    time::Timestamp,
};

/// Shortest password accepted, in characters.
pub const MIN_PASSWORD: usize = 8;
/// Longest, in bytes: hashing takes time.
const MAX_PASSWORD: usize = 1024;

/// The password and tokens of a database.
#[derive(Clone, Debug)]
pub struct Access {
    db: Db,
}

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Token {
    /// Its number.
    pub id: i64,
    /// What the user calls it.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Access {
    /// Those of `db`.
    pub fn new(db: &Db) -> Self {
        Self { db: db.clone() }
    }

    /// Whether a password is set.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn has_password(&self) -> Result<bool> {
        Ok(self.db.read(password)?.is_some())
    }

    /// Sets the password, or (`None`) removes it. Every token ends with the old one.
    ///
    /// # Errors
    /// When it is too short or too long.
    pub fn set_password(&self, new: Option<&str>) -> Result<()> {
        let hash = new.map(hash_password).transpose()?;
        let now = self.db.now();
        self.db.write(|t| {
            t.execute("DELETE FROM access", [])?;
            if let Some(hash) = &hash {
                let sql = "INSERT INTO access (kind, name, hash, created_at)
                           VALUES ('password', '', ?1, ?2)";
                t.execute(sql, (hash, now.0))?;
            }
            Ok(())
        })
    }

    /// Whether this is the password. Takes as long where none is set.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn check_password(&self, given: &str) -> Result<bool> {
        let kept = self.db.read(password)?;
        if given.len() > MAX_PASSWORD {
            return Ok(false);
        }
        let Some(kept) = kept else {
            hash_password("as long as with a password")?;
            return Ok(false);
        };
        let hash = PasswordHash::new(&kept).map_err(|e| AgentError::corrupt("access.hash", e))?;
        Ok(Argon2::default().verify_password(given.as_bytes(), &hash).is_ok())
    }

    /// Makes a token. Its text is shown once and kept nowhere.
    ///
    /// # Errors
    /// When the system gives no random bytes or the database cannot be written.
    pub fn issue_token(&self, name: &str) -> Result<String> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)
            .map_err(|e| AgentError::invalid("token", format!("no random bytes: {e}")))?;
        let token = format!("psi-{}", hex(&secret));
        let now = self.db.now();
        self.db.write(|t| {
            let sql = "INSERT INTO access (kind, name, hash, created_at)
                       VALUES ('token', ?1, ?2, ?3)";
            t.execute(sql, (name, digest(&token), now.0))?;
            Ok(())
        })?;
        Ok(token)
    }

    /// The token that this text is, if it is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn check_token(&self, token: &str) -> Result<Option<Token>> {
        let digest = digest(token);
        // The look-up compares digests of 32 random bytes: its timing tells nothing of use.
        Ok(self.tokens_where("hash = ?1", &digest)?.into_iter().next())
    }

    /// Every token.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn tokens(&self) -> Result<Vec<Token>> {
        self.tokens_where("?1 = ''", "")
    }

    /// Ends a token.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn revoke_token(&self, id: i64) -> Result<()> {
        let sql = "DELETE FROM access WHERE kind = 'token' AND id = ?1";
        self.db.write(|t| found(t.execute(sql, [id])?, "token", id))
    }

    fn tokens_where(&self, condition: &str, argument: &str) -> Result<Vec<Token>> {
        self.db.read(|c| {
            let sql = format!(
                "SELECT id, name, created_at FROM access WHERE kind = 'token' AND {condition}"
            );
            let mut statement = c.prepare_cached(&sql)?;
            let tokens = statement.query_map([argument], |row| {
                Ok(Token { id: row.get(0)?, name: row.get(1)?, created_at: Timestamp(row.get(2)?) })
            })?;
            Ok(tokens.collect::<rusqlite::Result<_>>()?)
        })
    }
}

fn password(c: &Connection) -> Result<Option<String>> {
    let sql = "SELECT hash FROM access WHERE kind = 'password'";
    Ok(c.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?)
}

fn hash_password(password: &str) -> Result<String> {
    if password.chars().count() < MIN_PASSWORD || password.len() > MAX_PASSWORD {
        let why = format!(
            "must have {MIN_PASSWORD} characters or more, and at most {MAX_PASSWORD} bytes"
        );
        return Err(AgentError::invalid("password", why));
    }
    let hash = Argon2::default().hash_password(password.as_bytes());
    let hash = hash.map_err(|e| AgentError::invalid("password", e.to_string()))?;
    Ok(hash.to_string())
}

fn digest(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Clock;

    #[test]
    fn the_password_and_tokens_open_and_a_new_password_ends_the_tokens() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&dir.path().join("psi.db"), Clock::fixed(Timestamp(0))).unwrap();
        let access = Access::new(&db);
        assert!(!access.has_password().unwrap());
        assert!(!access.check_password("").unwrap());
        assert!(access.set_password(Some("short")).is_err());
        access.set_password(Some("correct horse")).unwrap();
        assert!(access.check_password("correct horse").unwrap());
        assert!(!access.check_password("correct house").unwrap());

        let token = access.issue_token("editor").unwrap();
        let other = access.issue_token("phone").unwrap();
        assert_eq!(access.check_token(&token).unwrap().unwrap().name, "editor");
        assert_eq!(access.check_token("psi-0").unwrap(), None);
        let bytes = std::fs::read(db.path()).unwrap();
        let holds = |text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
        assert!(!holds(&token) && !holds("correct horse"));
        access.revoke_token(access.tokens().unwrap()[0].id).unwrap();
        assert_eq!(access.check_token(&token).unwrap(), None);
        assert!(access.check_token(&other).unwrap().is_some());
        access.set_password(Some("another horse")).unwrap();
        assert_eq!(access.tokens().unwrap(), []);
    }
}
