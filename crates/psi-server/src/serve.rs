//! Connections: accepted, limited in number, time and size, and ended in order.

mod error;
pub(crate) mod patience;

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::sync::{Semaphore, oneshot};

use crate::api::Api;
pub use error::ServeError;
use patience::Patience;

/// Where a server listens and what a connection may do.
#[derive(Clone, Copy, Debug)]
pub struct ServerOptions {
    /// The address; a loopback one unless others are meant to reach it.
    pub host: IpAddr,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// Most connections at once; more wait to be accepted.
    pub max_connections: usize,
    /// Longest time for a request's head to arrive, also between two requests.
    pub head_time: Duration,
    /// Longest head in bytes.
    pub head_bytes: usize,
    /// Longest time that a client may leave an answer unread.
    pub write_time: Duration,
    /// Threads for work that computes: parsing, templates, loading.
    pub n_workers: usize,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 8080,
            max_connections: 1024,
            head_time: Duration::from_secs(30),
            head_bytes: 64 << 10,
            write_time: Duration::from_secs(60),
            n_workers: 8,
        }
    }
}

/// Most header lines of a request.
const MAX_HEADERS: usize = 100;

/// A running server; dropping it ends it at once.
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<Duration>>,
    thread: Option<JoinHandle<()>>,
    api: Option<Api>,
}

impl Server {
    /// Serves the API alone.
    ///
    /// # Errors
    /// [`ServeError`] when the address cannot be had.
    pub fn start(api: Api, options: &ServerOptions) -> Result<Self, ServeError> {
        let router = api.router_with_fallback();
        Self::of_router(router, Some(api), options)
    }

    /// Serves a router; `api` is the part of it that has requests to drain.
    pub(crate) fn of_router(
        router: Router,
        api: Option<Api>,
        options: &ServerOptions,
    ) -> Result<Self, ServeError> {
        let address = SocketAddr::from((options.host, options.port));
        let fail = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(fail)?;
        listener.set_nonblocking(true).map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(options.n_workers.max(1))
            .build()
            .map_err(ServeError::Start)?;
        let (stop, stopped) = oneshot::channel();
        let options = *options;
        let left = api.clone();
        let serve = move || {
            runtime.block_on(async {
                if let Some(api) = left {
                    api.resume_batches();
                }
                accept(listener, router, options, stopped).await;
            });
            runtime.shutdown_timeout(Duration::from_secs(1));
        };
        let thread = std::thread::Builder::new().name("psi-serve".to_owned()).spawn(serve);
        let thread = thread.map_err(ServeError::Start)?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread), api })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses new requests, lets running ones end for at most `limit`, then ends.
    pub fn stop(mut self, limit: Duration) {
        if let Some(api) = self.api.take() {
            api.drain(limit);
        }
        self.end(Duration::from_secs(1));
    }

    /// Serves until the process ends.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic of the server thread has already been reported by itself.
            let _ = thread.join();
        }
    }

    fn end(&mut self, limit: Duration) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended by itself.
            let _ = stop.send(limit);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.address)
    }
}

async fn accept(
    listener: TcpListener,
    router: Router,
    options: ServerOptions,
    mut stopped: oneshot::Receiver<Duration>,
) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let places = Arc::new(Semaphore::new(options.max_connections.max(1)));
    let graceful = GracefulShutdown::new();
    let limit = loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        tokio::select! {
            (place, accepted) = next => match accepted {
                Ok((stream, _)) => {
                    // Small events must not wait for more.
                    let _ = stream.set_nodelay(true);
                    let io = Patience::new(TokioIo::new(stream), options.write_time);
                    let service = TowerToHyperService::new(router.clone());
                    let connection = http1::Builder::new()
                        .timer(TokioTimer::new())
                        .header_read_timeout(options.head_time)
                        .max_buf_size(options.head_bytes)
                        .max_headers(MAX_HEADERS)
                        .serve_connection(io, service);
                    let connection = graceful.watch(connection);
                    tokio::spawn(async move {
                        // A connection's end, good or bad, is its own affair.
                        let _ = connection.await;
                        drop(place);
                    });
                }
                // Out of file descriptors, or a client that left at once: neither ends the server.
                Err(error) => pause_after(&error).await,
            },
            limit = &mut stopped => break limit.unwrap_or_default(),
        }
    };
    drop(listener);
    let _ = tokio::time::timeout(limit, graceful.shutdown()).await;
}

async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
