//! Errors in plain text: dnf shows their status, people with curl read them.

use http::{Response, StatusCode};
use wharf_types::InvalidName;
use wharf_wire::{
    Answer, Body, Context, OutOfRange, Particulars, ReadError, Refusal, core_status, failure, instead_of_message,
};

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
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
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
            Self::OutOfRange(_) => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::NotPublished(_) | Self::Away(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Core(error) => core_status(error),
            Self::Refusal(refusal) => refusal.status(),
        }
    }

    fn message(&self, status: StatusCode) -> String {
        let instead = instead_of_message(status).filter(|_| !matches!(self, Self::NotPublished(_)));
        instead.map_or_else(|| self.to_string(), str::to_owned)
    }

    fn particulars(&self) -> Particulars<'_> {
        match self {
            Self::MethodNotAllowed(allowed) => Particulars::Allow(allowed),
            Self::OutOfRange(beyond) => Particulars::OutOfRange(*beyond),
            Self::Refusal(refusal) => Particulars::Refusal(refusal),
            _ => Particulars::None,
        }
    }
}

impl Answer for Error {
    fn respond(&self, _: &Context) -> Response<Body> {
        let status = self.status();
        let text = format!("{}\n", self.message(status));
        failure(status, "text/plain; charset=utf-8", text, self.particulars())
    }

    fn log(&self) -> Option<String> {
        self.status().is_server_error().then(|| format!("{self:?}"))
    }
}
