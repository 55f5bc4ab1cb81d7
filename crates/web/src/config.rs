//! What an operator may set about the HTTP side.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

/// Everything about listening and answering.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where to listen. Default: `127.0.0.1:5000`, this machine only.
    pub listen: SocketAddr,
    /// Certificate and key; without them plain HTTP is spoken.
    pub tls: Option<Tls>,
    /// Scheme, authority and path prefix under which clients reach this server. Default: taken from each request.
    pub external_url: Option<String>,
    /// Proxies whose word on the client's address, scheme and host is taken. Default: none.
    pub trusted_proxies: Vec<IpNet>,
    /// In which headers those proxies say it. Only one family is believed, because a proxy that sets one of them hands the
    /// other on as the client sent it. Default: `x-forwarded`.
    pub proxy_headers: ProxyHeaders,
    /// Sizes and numbers.
    pub limits: Limits,
    /// Times.
    pub timeouts: Timeouts,
    /// Who may read `/metrics`.
    pub metrics: MetricsAccess,
    /// Which requests are logged. Default: all, save health checks and metrics.
    pub access_log: AccessLog,
}

/// Certificate and key for TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate chain in PEM, the server's own first.
    pub certificate: PathBuf,
    /// Its private key in PEM.
    pub key: PathBuf,
    /// How often the files are looked at for a change; they are read on SIGHUP too. Default: 5 s.
    pub reload_interval: Duration,
}

impl Tls {
    /// These files, looked at every 5 s.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { certificate: certificate.into(), key: key.into(), reload_interval: Self::reload_interval() }
    }

    fn reload_interval() -> Duration {
        Duration::from_secs(5)
    }
}

/// The headers in which a proxy says where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyHeaders {
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`.
    XForwarded,
    /// `Forwarded` of RFC 7239.
    Forwarded,
}

/// Sizes and numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections served at once. Default: 8192, but never more than the limit of open files allows.
    pub connections: u32,
    /// Connections beyond those that are let in for health checks only and told to come back later otherwise. Default: 64.
    pub reserve: u32,
    /// Connections from one address at once, proxies we trust excepted. Default: no limit.
    pub connections_per_address: Option<u32>,
    /// Bytes of a request's head. Default: 32 KiB, for registry tokens with many scopes.
    pub head_bytes: u32,
    /// Bytes of a request's path and query. Default: 8 KiB.
    pub uri_bytes: usize,
    /// Requests at once on one HTTP/2 connection. Default: 128.
    pub http2_streams: u32,
}

/// Times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// From the first byte of a TLS handshake to its end. Default: 10 s.
    pub handshake: Duration,
    /// From the first byte of a request's head to its end, and from a new connection to its first request. Default: 15 s.
    pub head: Duration,
    /// Between two requests on one connection. Default: 75 s.
    pub keep_alive: Duration,
    /// Between two chunks of a request's body while we wait for it. Default: 60 s.
    pub body_idle: Duration,
    /// How long we wait for a body in all before its rate counts. Default: 60 s.
    pub body_grace: Duration,
    /// The least bytes a second of a body, on the average over the time that we waited for it. Default: 1024.
    pub body_bytes_per_second: u32,
    /// How long a client may leave a response untaken. Default: 60 s.
    pub write_idle: Duration,
    /// How long requests in flight may take to finish when the server stops. Default: 30 s.
    pub stop: Duration,
    /// How long the server goes on accepting after it was told to stop, with `/readyz` saying no, so that load balancers can
    /// look elsewhere first. Default: 0 s.
    pub stop_delay: Duration,
    /// How long `/readyz` waits for the database and the storage. Default: 3 s.
    pub ready: Duration,
}

/// Who may read `/metrics`: names of formats and operations and how much they are used, no names of repositories or people.
/// Whoever may inspect the server (administrators and auditors) always may.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct MetricsAccess {
    /// Everyone may. Default: false.
    pub public: bool,
    /// Whoever presents this as a bearer token may, for scrapers without an account. Default: none.
    pub token: Option<String>,
}

impl fmt::Debug for MetricsAccess {
    // The token is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsAccess").field("public", &self.public).finish_non_exhaustive()
    }
}

/// Which requests are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLog {
    /// All; health checks and metrics at the level `debug`.
    All,
    /// Those that were answered with an error of the server or cut short.
    Failures,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 5000)),
            tls: None,
            external_url: None,
            trusted_proxies: Vec::new(),
            proxy_headers: ProxyHeaders::XForwarded,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            metrics: MetricsAccess::default(),
            access_log: AccessLog::All,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8192,
            reserve: 64,
            connections_per_address: None,
            head_bytes: 32 * 1024,
            uri_bytes: 8 * 1024,
            http2_streams: 128,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(15),
            keep_alive: Duration::from_secs(75),
            body_idle: Duration::from_secs(60),
            body_grace: Duration::from_secs(60),
            body_bytes_per_second: 1024,
            write_idle: Duration::from_secs(60),
            stop: Duration::from_secs(30),
            stop_delay: Duration::ZERO,
            ready: Duration::from_secs(3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_token_is_not_printed() {
        let metrics = MetricsAccess { public: false, token: Some("sesame".into()) };
        assert!(!format!("{metrics:?}").contains("sesame"));
    }
}
