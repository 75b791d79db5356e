//! Who may run what without being asked.
//!
//! A call that writes, runs code or uses the network waits for the user, unless the user has granted its
//! tool for this conversation or for good. Text of others in the context may have put the call into the
//! model's mouth: with it there, no grant counts.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    conversation::ToolCall,
    tool::{Effect, Tool},
};

/// A call that waits for the user.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Approval {
    /// The call, with its arguments as they are.
    pub call: ToolCall,
    /// What it would do.
    pub effect: Effect,
    /// Why the user is asked.
    pub reason: Reason,
}

/// Why the user is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There is no grant for the tool.
    NoGrant,
    /// There is one, but text of others stands in the context.
    UntrustedText,
    /// There is one, but nobody is at the keyboard: a schedule asked.
    Unattended,
}

/// What the user says to a call that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// Run it.
    Approve {
        /// For how long the approval holds.
        scope: Scope,
        /// Other arguments to run it with.
        #[serde(default)]
        arguments: Option<Value>,
    },
    /// Do not.
    Deny {
        /// What the model is told.
        #[serde(default)]
        reason: Option<String>,
    },
}

/// For how long an approval holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// For this call.
    Once,
    /// For this tool in this conversation.
    Chat,
    /// For this tool.
    Always,
}

/// The standing grants that count in a conversation: [`Tool::grant_key`]s.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Given in this conversation.
    pub chat: BTreeSet<String>,
    /// Given for good.
    pub always: BTreeSet<String>,
    /// Tools granted by default that the user took the grant from.
    pub revoked: BTreeSet<String>,
    /// Nobody is at the keyboard: no grant counts.
    pub is_unattended: bool,
}

/// How a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may run; the text says why, as [`crate::ToolRun::approval`] keeps it.
    Allowed(&'static str),
    /// The user must be asked.
    Ask(Reason),
}

impl Grants {
    /// Whether a call of `tool` with this effect may run, in a context with or without text of others.
    pub fn standing(&self, tool: &dyn Tool, effect: Effect, is_tainted: bool) -> Standing {
        if !effect.needs_approval() {
            return Standing::Allowed("none_needed");
        }
        let key = tool.grant_key();
        let by_default = tool.is_granted_by_default() && !self.revoked.contains(&key);
        let grant = if self.chat.contains(&key) {
            "chat"
        } else if self.always.contains(&key) {
            "always"
        } else if by_default {
            "default"
        } else {
            return Standing::Ask(Reason::NoGrant);
        };
        if self.is_unattended {
            return Standing::Ask(Reason::Unattended);
        }
        if is_tainted { Standing::Ask(Reason::UntrustedText) } else { Standing::Allowed(grant) }
    }
}
