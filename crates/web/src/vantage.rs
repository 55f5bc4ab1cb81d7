//! How a request looks from outside: who sent it, and under which URL the sender reaches this server.

mod forwarded;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::header::HOST;
use http::request::Parts;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Uri, Version};
use ipnet::IpNet;
use wharf_wire::Context;

use crate::Config;
use crate::config::ProxyHeaders;
use forwarded::Forwarded;

/// What holds for all requests.
pub(crate) struct Vantage {
    trusted: Vec<IpNet>,
    headers: ProxyHeaders,
    external: Option<ExternalUrl>,
    service: Arc<str>,
}

/// What holds for all requests of one connection.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// The other end of the connection.
    pub(crate) address: IpAddr,
    /// This end.
    pub(crate) local: SocketAddr,
    /// Whether it is a proxy whose word is taken.
    pub(crate) trusted: bool,
    /// Whether the connection is encrypted.
    pub(crate) tls: bool,
}

/// A URL without query and without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ExternalUrl {
    base: String,
    prefix: String,
}

/// `external_url` is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("external_url {0:?} is not a URL such as https://registry.example.com or https://example.com/registry")]
pub struct InvalidExternalUrl(String);

/// A request names no host, or none that can be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the Host header is missing or malformed")]
pub(crate) struct InvalidHost;

impl Vantage {
    /// As configured. `service` is the name that tokens are asked for.
    pub(crate) fn new(config: &Config, service: String) -> Result<Self, InvalidExternalUrl> {
        Ok(Self {
            trusted: config.trusted_proxies.clone(),
            headers: config.proxy_headers,
            external: config.external_url.as_deref().map(ExternalUrl::parse).transpose()?,
            service: service.into(),
        })
    }

    /// What is known of a connection from these two ends.
    pub(crate) fn peer(&self, remote: SocketAddr, local: SocketAddr, tls: bool) -> Peer {
        let address = remote.ip().to_canonical();
        Peer { address, local, trusted: self.trusts(address), tls }
    }

    /// The path prefix that clients put before every path, empty for none.
    pub(crate) fn prefix(&self) -> &str {
        self.external.as_ref().map_or("", |external| &external.prefix)
    }

    /// The surroundings of a request.
    pub(crate) fn context(&self, head: &Parts, peer: &Peer, request_id: &HeaderValue) -> Result<Context, InvalidHost> {
        let forwarded = if peer.trusted { self.forwarded(head, peer) } else { Forwarded::default() };
        let base_url = match &self.external {
            Some(external) => external.base.clone(),
            None => requested_base(head, peer, &forwarded)?,
        };
        Ok(Context {
            address: Some(forwarded.client.unwrap_or(peer.address)),
            request_id: request_id.to_str().unwrap_or_default().to_owned(),
            base_url,
            base_url_is_configured: self.external.is_some(),
            service: Arc::clone(&self.service),
        })
    }

    fn forwarded(&self, head: &Parts, peer: &Peer) -> Forwarded {
        let trusts = |address| self.trusts(address);
        match self.headers {
            ProxyHeaders::XForwarded => forwarded::from_x_headers(&head.headers, peer.address, trusts),
            ProxyHeaders::Forwarded => forwarded::from_rfc_7239(&head.headers, peer.address, trusts),
        }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

impl ExternalUrl {
    fn parse(text: &str) -> Result<Self, InvalidExternalUrl> {
        let invalid = || InvalidExternalUrl(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| invalid())?;
        let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https")).ok_or_else(invalid)?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(invalid)?;
        if uri.query().is_some() || text.contains('#') {
            return Err(invalid());
        }
        let prefix = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { base: format!("{scheme}://{authority}{prefix}"), prefix })
    }
}

fn requested_base(head: &Parts, peer: &Peer, forwarded: &Forwarded) -> Result<String, InvalidHost> {
    let scheme = forwarded.scheme.as_ref().unwrap_or(if peer.tls { &Scheme::HTTPS } else { &Scheme::HTTP });
    if let Some(host) = &forwarded.host {
        return Ok(based(scheme, host));
    }
    // HTTP/2 and absolute-form requests carry the authority in the URI, which then wins over Host (RFC 9112, section 3.2.2).
    if let Some(authority) = head.uri.authority() {
        return Ok(based(scheme, host_of(authority.as_str())?));
    }
    let mut hosts = head.headers.get_all(HOST).iter();
    match hosts.next() {
        // Two of them are read differently by different programs, which is how requests are smuggled past proxies.
        Some(_) if hosts.next().is_some() => Err(InvalidHost),
        Some(host) => Ok(based(scheme, host_of(host.to_str().map_err(|_| InvalidHost)?)?)),
        None if head.version < Version::HTTP_11 => Ok(based(scheme, &peer.local.to_string())),
        None => Err(InvalidHost),
    }
}

fn based(scheme: &Scheme, host: &str) -> String {
    [scheme.as_str(), "://", host].concat()
}

/// A host and perhaps a port, fit to be put into URLs of ours.
fn host_of(text: &str) -> Result<&str, InvalidHost> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    let valid = !text.is_empty() && text.len() <= 255 && text.bytes().all(plain);
    // Without brackets, and with no colon but that of a port, there is nothing left that could be wrong with it.
    let (host, port) = text.split_once(':').unwrap_or((text, "0"));
    let simple = !host.is_empty() && !host.contains(['[', ']']) && port.parse::<u16>().is_ok();
    let valid = valid && (simple || text.parse::<Authority>().is_ok());
    if valid { Ok(text) } else { Err(InvalidHost) }
}

#[cfg(test)]
mod tests;
