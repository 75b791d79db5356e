//! A listening socket, a thread that answers on it, and what can go wrong with either.

use std::{
    fmt,
    future::IntoFuture,
    io,
    net::{SocketAddr, TcpListener},
};

use axum::Router;

/// Why the pages cannot be served.
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

/// Answers until it is dropped.
#[derive(Debug)]
pub(crate) struct Serving {
    address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Serving {
    /// Starts answering in a thread of its own; port 0 takes a free one.
    pub(crate) fn start(
        name: &str,
        address: SocketAddr,
        router: Router,
    ) -> Result<Self, ServeError> {
        let fail = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(fail)?;
        listener.set_nonblocking(true).map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(ServeError::Start)?;
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let serve = move || {
            runtime.block_on(async move {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                let served = axum::serve(listener, router);
                tokio::select! {
                    _ = served.into_future() => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(serve);
        let thread = thread.map_err(ServeError::Start)?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until the process ends.
    pub(crate) fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic of the server thread has already been reported by itself.
            let _ = thread.join();
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
