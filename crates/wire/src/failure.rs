//! What the dialects of formats that publish an index have in common when a request fails: which status, what the client may read of
//! it, and the headers that go with it.

use http::header::{ALLOW, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use wharf_auth::{Refused, Rejected};

use crate::{Body, OutOfRange, Refusal, bytes};

impl Refusal {
    /// Its status in dialects that have no rule of their own.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Credentials(_) => StatusCode::UNAUTHORIZED,
            Self::Rejected(rejected) => match rejected {
                Rejected::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
                Rejected::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
                Rejected::BadCredentials | Rejected::Expired | Rejected::Disabled => StatusCode::UNAUTHORIZED,
            },
            Self::Refused(refused) => match refused {
                Refused::SignIn { .. } | Refused::Narrow { .. } => StatusCode::UNAUTHORIZED,
                Refused::Hidden { .. } => StatusCode::NOT_FOUND,
                Refused::Forbidden { .. } => StatusCode::FORBIDDEN,
                Refused::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            },
        }
    }
}

/// The status of what a use case of packages refuses.
pub fn core_status(error: &wharf_core::Error) -> StatusCode {
    use wharf_core::Error as E;
    if error.is_unavailable() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    if error.is_full() {
        return StatusCode::INSUFFICIENT_STORAGE;
    }
    match error {
        E::PackageInvalid(_) | E::Interrupted(_) => StatusCode::BAD_REQUEST,
        E::PackageExists { .. } => StatusCode::CONFLICT,
        E::ProjectUnknown(_) | E::RepositoryUnknown(_) | E::FileUnknown(_) => StatusCode::NOT_FOUND,
        // Of other formats, or ours to mend.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What is said instead of an error's own message where that is ours to mend and not the client's to read.
pub fn instead_of_message(status: StatusCode) -> Option<&'static str> {
    match status {
        StatusCode::INTERNAL_SERVER_ERROR => Some("internal error; the server's log has it under the request id"),
        StatusCode::SERVICE_UNAVAILABLE => Some("the registry cannot answer right now, try again in a moment"),
        StatusCode::INSUFFICIENT_STORAGE => Some("the registry's storage is full; downloads still work"),
        _ => None,
    }
}

/// What headers say of a failure beside its status.
#[derive(Debug, Clone, Copy)]
pub enum Particulars<'a> {
    /// Nothing but when to try again, where that may help.
    None,
    /// The methods that are allowed.
    Allow(&'static str),
    /// How long the content is.
    OutOfRange(OutOfRange),
    /// How long whoever guesses has to wait.
    Refusal(&'a Refusal),
}

/// An answer that says that a request failed, in the words of a dialect.
pub fn failure(
    status: StatusCode,
    media_type: &'static str,
    content: String,
    particulars: Particulars<'_>,
) -> Response<Body> {
    let mut response = Response::new(bytes(content));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    match particulars {
        Particulars::Allow(methods) => {
            headers.insert(ALLOW, HeaderValue::from_static(methods));
        }
        Particulars::OutOfRange(OutOfRange(size)) => {
            headers.extend(HeaderValue::from_str(&format!("bytes */{size}")).ok().map(|value| (CONTENT_RANGE, value)));
        }
        Particulars::Refusal(Refusal::Rejected(Rejected::Throttled { retry_after })) => {
            headers.insert(RETRY_AFTER, retry_after.as_secs().max(1).into());
        }
        _ if status == StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("2"));
        }
        Particulars::None | Particulars::Refusal(_) => {}
    }
    response
}
