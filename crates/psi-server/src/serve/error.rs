//! What can go wrong before a server listens.

use std::{fmt, io, net::SocketAddr};

/// Why a server cannot be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// The port is taken or may not be used.
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Others could reach the address, and nothing would keep them out.
    NoPassword(SocketAddr),
    /// The system refuses a thread, an event queue or randomness.
    Start(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, source } => write!(f, "listening on {address}: {source}"),
            Self::NoPassword(address) => {
                write!(f, "{address} can be reached by others, and there is no password")
            }
            Self::Start(source) => write!(f, "starting the server: {source}"),
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { source, .. } | Self::Start(source) => Some(source),
            Self::NoPassword(_) => None,
        }
    }
}

impl ServeError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                Some("another program has this port; --port 0 takes a free one".to_owned())
            }
            Self::NoPassword(_) => Some("set PSI_PASSWORD, or leave out --host".to_owned()),
            _ => None,
        }
    }
}
