//! Errors in plain text: dnf shows their status, people with curl read them.

use http::header::{ALLOW, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use wharf_auth::{Refused, Rejected};
use wharf_types::InvalidName;
use wharf_wire::{Answer, Body, Context, ReadError, Refusal};

/// Why a request is not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing has this path.
    #[error("there is nothing at this path")]
    NoSuchPath,
    /// The path cannot be decoded.
    #[error("the path is not valid: names are plain segments")]
    BadPath,
    /// The path is there, for other methods.
    #[error("the method is not allowed here; allowed are {0}")]
    MethodNotAllowed(&'static str),
    /// Name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// What was sent cannot be read.
    #[error("{0}")]
    Invalid(String),
    /// What was sent could not be taken in.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The storage broke off.
    #[error("the storage broke off: {0}")]
    Away(#[source] std::io::Error),
    /// A client of a peer asks for what it has asked for before.
    #[error("{0} exists already")]
    Exists(String),
    /// A `Range` beyond the end.
    #[error("the range is not inside the {0} bytes of the file")]
    RangeNotSatisfiable(u64),
    /// A change that was made, and that the metadata do not show yet.
    #[error("the change was made, but the metadata do not show it yet; the same request again goes on waiting")]
    NotPublished(#[source] wharf_core::Error),
    /// A use case said no.
    #[error(transparent)]
    Core(#[from] wharf_core::Error),
    /// The request did not get as far as a handler.
    #[error(transparent)]
    Refusal(#[from] Refusal),
}

impl Error {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::BadPath | Self::Name(_) | Self::Invalid(_) | Self::Read(ReadError::Broken(_)) => {
                StatusCode::BAD_REQUEST
            }
            Self::Read(ReadError::TooLarge(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Exists(_) => StatusCode::CONFLICT,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::RangeNotSatisfiable(_) => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::NotPublished(_) | Self::Away(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Core(error) => core_status(error),
            Self::Refusal(refusal) => refusal_status(refusal),
        }
    }

    /// What is ours to mend is not the client's to read.
    fn message(&self, status: StatusCode) -> String {
        match (self, status) {
            (Self::NotPublished(_), _) => self.to_string(),
            (_, StatusCode::INTERNAL_SERVER_ERROR) => {
                "internal error; the server's log has it under the request id".to_owned()
            }
            (_, StatusCode::SERVICE_UNAVAILABLE) => {
                "the registry cannot answer right now, try again in a moment".to_owned()
            }
            (_, StatusCode::INSUFFICIENT_STORAGE) => "the registry's storage is full; downloads still work".to_owned(),
            _ => self.to_string(),
        }
    }
}

fn core_status(error: &wharf_core::Error) -> StatusCode {
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

fn refusal_status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Credentials(_) => StatusCode::UNAUTHORIZED,
        Refusal::Rejected(rejected) => match rejected {
            Rejected::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
            Rejected::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Rejected::BadCredentials | Rejected::Expired | Rejected::Disabled => StatusCode::UNAUTHORIZED,
        },
        Refusal::Refused(refused) => match refused {
            Refused::SignIn { .. } | Refused::Narrow { .. } => StatusCode::UNAUTHORIZED,
            Refused::Hidden { .. } => StatusCode::NOT_FOUND,
            Refused::Forbidden { .. } => StatusCode::FORBIDDEN,
            Refused::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        },
    }
}

impl Answer for Error {
    fn respond(&self, _: &Context) -> Response<Body> {
        let status = self.status();
        let mut response = Response::new(wharf_wire::bytes(format!("{}\n", self.message(status))));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        match self {
            Self::MethodNotAllowed(allowed) => {
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            Self::RangeNotSatisfiable(size) => {
                let range = HeaderValue::from_str(&format!("bytes */{size}")).ok();
                headers.extend(range.map(|value| (CONTENT_RANGE, value)));
            }
            Self::Refusal(Refusal::Rejected(Rejected::Throttled { retry_after })) => {
                headers.insert(RETRY_AFTER, retry_after.as_secs().max(1).into());
            }
            _ if status == StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("2"));
            }
            _ => {}
        }
        response
    }

    fn log(&self) -> Option<String> {
        self.status().is_server_error().then(|| format!("{self:?}"))
    }
}
