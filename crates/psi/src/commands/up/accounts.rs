//! The users of this psi as its page needs them.

use std::sync::Arc;

use psi_agent::{
    AgentError, Assistant, Cost, Db, Memory, Passphrase, VaultError, memory::HashedNgrams,
};
use psi_server::{Accounts, Furnished};
use psi_store::Home;

use super::shelf::{Shelf, Shelved};
use crate::{
    commands::{database, users::Users},
    toolbox,
};

/// Those of a home; the owner's model answers them.
pub(super) struct UpAccounts {
    users: Users,
    shelf: Arc<Shelf>,
}

impl UpAccounts {
    pub(super) fn new(home: &Home, shelf: &Arc<Shelf>) -> Self {
        Self { users: Users::of(home), shelf: Arc::clone(shelf) }
    }
}

impl Accounts for UpAccounts {
    fn exist(&self) -> bool {
        // What cannot be read is no reason to let anybody in.
        self.users.names().map_or(true, |names| !names.is_empty())
    }

    fn current(&self, name: &str) -> Option<String> {
        self.users.account(name)
    }

    fn unlock(&self, name: &str, password: &str) -> Result<Option<Db>, String> {
        let passphrase = Passphrase::new(password);
        if self.users.account(name).is_none() {
            passphrase.try_in_vain(Cost::USUAL).map_err(|e| e.to_string())?;
            return Ok(None);
        }
        let path = self.users.home(name).database();
        match Db::unlock(&path, database::clock(), &passphrase) {
            Ok(db) => Ok(Some(db)),
            Err(AgentError::Vault(VaultError::WrongPassphrase { .. })) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn furnish(&self, name: &str, db: &Db) -> Result<Furnished, String> {
        let memory = Memory::new(db, Arc::new(HashedNgrams));
        let models = Box::new(Shelved(Arc::clone(&self.shelf)));
        let assistant = Assistant::new(db, memory, models).map_err(|e| e.to_string())?;
        let toolbox = toolbox::offer(&assistant, &self.users.home(name));
        Ok(Furnished { toolbox: toolbox.map_err(|e| e.to_string())?, assistant })
    }
}
