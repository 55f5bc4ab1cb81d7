//! What proxies say of a request: `X-Forwarded-*` and RFC 7239.

use std::net::{IpAddr, SocketAddr};

use http::header::FORWARDED;
use http::uri::Scheme;
use http::{HeaderMap, HeaderName};

use super::host_of;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What trusted proxies say. Absent is what they do not say, or say in a way that makes no sense.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Forwarded {
    pub(super) client: Option<IpAddr>,
    pub(super) scheme: Option<Scheme>,
    pub(super) host: Option<String>,
}

/// Reads the `X-Forwarded-*` headers of a request that `peer`, a trusted proxy, has handed on.
pub(super) fn from_x_headers(headers: &HeaderMap, peer: IpAddr, trusts: impl Fn(IpAddr) -> bool) -> Forwarded {
    let addresses = list(headers, &FOR);
    let (client, hop) = client(addresses.iter().map(|text| Some(*text)), peer, trusts);
    Forwarded {
        client: Some(client),
        scheme: said_at(&list(headers, &PROTO), hop).and_then(scheme),
        host: said_at(&list(headers, &HOST), hop).and_then(host),
    }
}

/// Reads the `Forwarded` header of a request that `peer`, a trusted proxy, has handed on.
pub(super) fn from_rfc_7239(headers: &HeaderMap, peer: IpAddr, trusts: impl Fn(IpAddr) -> bool) -> Forwarded {
    let elements: Vec<Element<'_>> = headers
        .get_all(FORWARDED)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| split_unquoted(line, b','))
        .map(Element::parse)
        .collect();
    let (client, hop) = client(elements.iter().map(|element| element.client), peer, trusts);
    let element = elements.len().checked_sub(1).map(|last| &elements[last.saturating_sub(hop)]);
    Forwarded {
        client: Some(client),
        scheme: element.and_then(|element| element.proto).and_then(scheme),
        host: element.and_then(|element| element.host).and_then(host),
    }
}

#[derive(Default)]
struct Element<'a> {
    client: Option<&'a str>,
    proto: Option<&'a str>,
    host: Option<&'a str>,
}

impl<'a> Element<'a> {
    fn parse(text: &'a str) -> Self {
        let mut element = Self::default();
        for (name, value) in split_unquoted(text, b';').filter_map(|pair| pair.split_once('=')) {
            let value = Some(value.trim().trim_matches('"'));
            match name.trim().to_ascii_lowercase().as_str() {
                "for" => element.client = value,
                "proto" => element.proto = value,
                "host" => element.host = value,
                _ => {}
            }
        }
        element
    }
}

/// The client is the right-most address that is not one of our proxies: what stands left of it anybody may have written. The
/// number is how many entries from the right it is. An entry that is no address ends the search at the proxy that wrote it.
fn client<'a>(
    entries: impl DoubleEndedIterator<Item = Option<&'a str>>,
    peer: IpAddr,
    trusts: impl Fn(IpAddr) -> bool,
) -> (IpAddr, usize) {
    let mut found = (peer, 0);
    for (hop, entry) in entries.rev().enumerate() {
        let Some(address) = entry.and_then(address) else { break };
        found = (address, hop);
        if !trusts(address) {
            break;
        }
    }
    found
}

/// What the proxy said that the client talked to: lists grow by one entry a proxy, so it is as far from the right as the
/// client's address. A list that is shorter was passed on instead of extended.
fn said_at<'a>(list: &[&'a str], hop: usize) -> Option<&'a str> {
    let last = list.len().checked_sub(1)?;
    Some(list[last.saturating_sub(hop)])
}

fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    let lines = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).collect()
}

fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

fn scheme(text: &str) -> Option<Scheme> {
    match text {
        "https" => Some(Scheme::HTTPS),
        "http" => Some(Scheme::HTTP),
        _ => None,
    }
}

fn host(text: &str) -> Option<String> {
    host_of(text).ok().map(str::to_owned)
}

/// The parts of a text between separators that are not inside double quotes.
fn split_unquoted(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |character: char| {
        quoted ^= character == '"';
        !quoted && character == char::from(separator)
    })
}
