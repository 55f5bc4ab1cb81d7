//! Accepting connections and seeing them to their end.

pub(crate) mod activity;
mod connection;
pub(crate) mod files;
mod preface;
mod roster;
mod seats;
pub(crate) mod streams;
mod tls;
mod transport;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::config::{Config, Limits, Timeouts};
use crate::{App, InvalidExternalUrl};
use activity::{Activity, Order};
use connection::Place;
use roster::Roster;
use seats::Seats;
use streams::Streams;
use tls::Certificate;
pub use tls::TlsError;

/// Connections that the kernel holds for us until they are accepted.
const BACKLOG: u32 = 1024;
/// How long to wait when the process has no file descriptor left for a connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
/// How long connections that were cut may take to notice.
const CUT_PATIENCE: Duration = Duration::from_secs(1);
/// Window of a stream of HTTP/2, and of a connection: what a client may send ahead of a slow disk.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// How often a silent connection of HTTP/2 with requests in flight is asked whether it is still there, and how long it may
/// take to answer.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Why the server does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is taken, or is not ours.
    #[error("cannot listen on {address}: {error}")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// Certificate or key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// `external_url`.
    #[error(transparent)]
    ExternalUrl(#[from] InvalidExternalUrl),
}

/// A socket that listens, and nobody answers yet.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    certificate: Option<Arc<Certificate>>,
    limits: Limits,
    timeouts: Timeouts,
}

/// What the connections of a listener share.
struct Server {
    app: Arc<App>,
    http1: http1::Builder,
    http2: http2::Builder<Streams>,
    tls: Option<TlsAcceptor>,
    timeouts: Timeouts,
    seats: Arc<Seats>,
    roster: Arc<Roster>,
}

/// Listens and answers until `shutdown` completes and the last connection has ended.
///
/// # Errors
/// [`ListenError`] if it cannot begin.
pub async fn serve(config: &Config, app: Arc<App>, shutdown: impl Future<Output = ()>) -> Result<(), ListenError> {
    Listener::bind(config)?.serve(app, shutdown).await
}

impl Listener {
    /// Takes the address and reads the certificate.
    ///
    /// # Errors
    /// [`ListenError`].
    pub fn bind(config: &Config) -> Result<Self, ListenError> {
        let address = config.listen;
        let failed = |error| ListenError::Bind { address, error };
        let socket = listen(address).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let certificate = config.tls.as_ref().map(Certificate::load).transpose()?;
        Ok(Self { socket, address, certificate, limits: config.limits.clone(), timeouts: config.timeouts.clone() })
    }

    /// The address, with the port that the system chose where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether clients must speak TLS.
    pub fn is_tls(&self) -> bool {
        self.certificate.is_some()
    }

    /// Answers until `shutdown` completes. Then `/readyz` says no, after the stop delay no connection is accepted, requests
    /// in flight may finish until the deadline, and what is left is cut.
    ///
    /// # Errors
    /// [`ListenError::Tls`].
    pub async fn serve(self, app: Arc<App>, shutdown: impl Future<Output = ()>) -> Result<(), ListenError> {
        let watcher = self.certificate.clone().map(|certificate| tokio::spawn(certificate.watch()));
        let server = self.server(app)?;
        let stop_delay = self.timeouts.stop_delay;
        let ends = async {
            shutdown.await;
            server.app.stop();
            sleep(stop_delay).await;
        };
        tokio::select! {
            () = server.accept_all(self.socket, self.address) => {}
            () = ends => {}
        }
        server.finish().await;
        if let Some(watcher) = watcher {
            watcher.abort();
        }
        Ok(())
    }

    fn server(&self, app: Arc<App>) -> Result<Arc<Server>, ListenError> {
        let affordable = seats::affordable_connections();
        if affordable < self.limits.connections {
            tracing::warn!(
                connections = affordable,
                configured = self.limits.connections,
                "fewer connections than configured: the limit of open files allows no more"
            );
        }
        let tls = self.certificate.as_ref().map(Certificate::server_config).transpose()?;
        Ok(Arc::new(Server {
            app,
            http1: http1(&self.limits),
            http2: http2(&self.limits, &self.timeouts),
            tls: tls.map(|config| TlsAcceptor::from(Arc::new(config))),
            timeouts: self.timeouts.clone(),
            seats: Seats::new(&self.limits, self.limits.connections.min(affordable)),
            roster: Arc::new(Roster::default()),
        }))
    }
}

impl Server {
    async fn accept_all(self: &Arc<Self>, socket: TcpListener, local: SocketAddr) {
        loop {
            match socket.accept().await {
                Ok((connection, remote)) => self.admit(connection, remote, local),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "connections cannot be accepted");
                    sleep(EXHAUSTED_PAUSE).await;
                }
            }
        }
    }

    fn admit(self: &Arc<Self>, socket: TcpStream, remote: SocketAddr, local: SocketAddr) {
        let peer = self.app.vantage().peer(remote, socket.local_addr().unwrap_or(local), self.tls.is_some());
        match self.seats.take(&peer) {
            Ok(seat) => {
                let activity = Arc::new(Activity::new());
                let entry = self.roster.enter(&activity);
                let place = Place { remote, peer, seat, activity, _entry: entry };
                tokio::spawn(connection::run(Arc::clone(self), socket, place));
            }
            Err(reason) => {
                self.app.metrics().connection_refused(reason.as_str());
                tracing::debug!(%remote, reason = reason.as_str(), "connection refused");
            }
        }
    }

    /// Lets requests in flight finish, and cuts them when their time is up.
    async fn finish(&self) {
        self.roster.order(Order::Retire);
        if timeout(self.timeouts.stop, self.roster.emptied()).await.is_err() {
            tracing::warn!(connections = self.roster.len(), "requests did not finish in time and are cut");
            self.roster.order(Order::Cut);
            let _ = timeout(CUT_PATIENCE, self.roster.emptied()).await;
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { tokio::net::TcpSocket::new_v4()? } else { tokio::net::TcpSocket::new_v6()? };
    // A restart must not wait for the connections of the last run to time out.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Errors of a connection that was gone before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn http1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // Heads are timed by the connection's own watch, which needs no timer a request.
    builder.timer(TokioTimer::new()).header_read_timeout(None);
    builder.max_header_size(usize::try_from(limits.head_bytes).unwrap_or(usize::MAX));
    builder
}

fn http2(limits: &Limits, timeouts: &Timeouts) -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(Streams { write_idle: timeouts.write_idle });
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(limits.head_bytes)
        .max_concurrent_streams(limits.http2_streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}
