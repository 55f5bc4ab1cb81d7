//! What a server or the way to it says went wrong, as the end of a command.

use std::error::Error as _;

use reqwest::StatusCode;
use serde::Deserialize;

use crate::failure::Failure;

#[derive(Deserialize)]
struct Told {
    detail: String,
    hint: Option<String>,
    request_id: Option<String>,
}

/// The server refused, and said why.
pub(super) fn told(base: &str, status: StatusCode, content: &[u8]) -> Failure {
    let Ok(told) = serde_json::from_slice::<Told>(content) else {
        return Failure::new(format!("{base} answered {status}")).hint("is this the URL of a Wharf server?");
    };
    let message = match told.request_id.filter(|_| status.is_server_error()) {
        Some(id) => format!("{} (request {id})", told.detail),
        None => told.detail,
    };
    let failure = Failure::new(message);
    let passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    let failure = if passing { failure.passing() } else { failure };
    match told.hint {
        _ if status == StatusCode::UNAUTHORIZED => failure.hint(sign_in(base)),
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn sign_in(base: &str) -> String {
    format!("run `wharf login {base}` again, or check WHARF_TOKEN")
}

/// A format refused a file, in words of its own.
pub(crate) fn refused(base: &str, status: StatusCode, content: &[u8], what: &str) -> Failure {
    const LONGEST: usize = 500;
    if serde_json::from_slice::<Told>(content).is_ok() {
        return told(base, status, content);
    }
    let said: String =
        String::from_utf8_lossy(content).trim().chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    let failure = Failure::new(format!("{what} was not taken ({status}): {said}"));
    match status {
        StatusCode::UNAUTHORIZED => failure.hint(sign_in(base)),
        _ => failure,
    }
}

/// The server answered something else than the API does.
pub(super) fn no_wharf(base: &str) -> Failure {
    Failure::new(format!("{base} does not answer like a Wharf server")).hint("check the URL, and what stands between")
}

/// There was no answer.
pub(crate) fn unreachable(base: &str, error: &reqwest::Error) -> Failure {
    let mut reason = error.to_string();
    let mut source = error.source();
    // The innermost cause says what happened; the outer ones say that something did.
    while let Some(inner) = source {
        reason = inner.to_string();
        source = inner.source();
    }
    let failure = Failure::new(format!("{base} cannot be reached: {reason}"));
    if reason.contains("certificate") {
        return failure
            .hint("if an authority of your own signed it, name that authority's certificate by SSL_CERT_FILE");
    }
    failure.passing().hint("is the server running, and is this its URL?")
}
