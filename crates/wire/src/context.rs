//! What a request is surrounded by.

use std::net::IpAddr;
use std::sync::Arc;

/// Facts of a request that are not in its head: found by the listener, needed for answers and the audit log.
#[derive(Debug, Clone)]
pub struct Context {
    /// The client's address; behind a trusted proxy the one it forwards.
    pub address: Option<IpAddr>,
    /// Unique per request; in every log line and in the answer's `X-Request-Id`.
    pub request_id: String,
    /// Scheme, authority and path prefix under which clients reach this server, without a slash at the end.
    pub base_url: String,
    /// Whether `base_url` was configured, so that `Location` headers should be absolute.
    pub base_url_is_configured: bool,
    /// The name tokens are asked for (`service` of the Docker token flow).
    pub service: Arc<str>,
}

impl Context {
    /// A `Location` for a path on this server: absolute only if the operator said where that is, because behind an unknown
    /// proxy a relative one cannot be wrong.
    pub fn location(&self, path: &str) -> String {
        if self.base_url_is_configured { format!("{}{path}", self.base_url) } else { path.to_owned() }
    }

    /// For what is noted of it.
    pub fn source(&self) -> wharf_core::Source<'_> {
        wharf_core::Source { address: self.address, request_id: &self.request_id }
    }

    /// For the audit log.
    pub fn origin(&self) -> wharf_auth::Origin {
        wharf_auth::Origin { address: self.address, request_id: Some(self.request_id.clone()) }
    }
}
