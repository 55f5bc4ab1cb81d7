//! Errors in plain text, as apt and curl show them.

use http::{Response, StatusCode};
use wharf_core::InspectError;
use wharf_types::{Digest, InvalidDigest, InvalidName};
use wharf_wire::{
    Answer, Body, Context, OutOfRange, Particulars, ReadError, Refusal, core_status, failure, instead_of_message,
};

use crate::name::InvalidPart;
use crate::settings::InvalidSettings;

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
    /// Name of a repository.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// Name of something else.
    #[error(transparent)]
    Part(#[from] InvalidPart),
    /// Digest.
    #[error(transparent)]
    Digest(#[from] InvalidDigest),
    /// Settings.
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    /// A copy that goes nowhere.
    #[error("where to? the query has no to=DISTRIBUTION")]
    NoDestination,
    /// An upload of Artifactory's kind that does not say where it belongs.
    #[error("the path needs ;deb.distribution=…;deb.component=…;deb.architecture=… behind the file name")]
    NoParameters,
    /// A form that has no package in it.
    #[error("{0}")]
    Form(String),
    /// A client asks to make a file of a checksum alone.
    #[error("send the content: a checksum alone makes no package")]
    ContentWanted,
    /// What was sent is no package, source or upload.
    #[error("invalid package: {0}")]
    Package(#[from] InspectError),
    /// The content is not what the request says it is.
    #[error("the content hashes to {actual}, and the request says {expected}")]
    OtherContent {
        /// By the request.
        expected: Digest,
        /// By its bytes.
        actual: Digest,
    },
    /// A .changes that no key of the project's keyring has signed.
    #[error("it has to be signed by a key of the project's keyring: {0}")]
    NotVouchedFor(String),
    /// A .dsc or .changes names a file that is not here.
    #[error("it names {file}, which was not uploaded: send that first")]
    FileMissing {
        /// Its name.
        file: String,
    },
    /// A .dsc or .changes names a file that is here with other content.
    #[error("it names {file} with another checksum or size than the file has that was uploaded")]
    FileDiffers {
        /// Its name.
        file: String,
    },
    /// A file that a source needs is not taken away alone.
    #[error("{file} belongs to {source_package}: delete that")]
    FileInUse {
        /// Its path.
        file: String,
        /// The .dsc that names it.
        source_package: String,
    },
    /// No such package in that part of that distribution.
    #[error("{0} is not in this distribution")]
    NotListed(String),
    /// A body that was not read whole.
    #[error(transparent)]
    Body(#[from] ReadError),
    /// A `Range` beyond the end.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// A change that was made, and that the index does not show yet.
    #[error("the change was made, but the index does not show it yet; the same request again goes on waiting")]
    NotPublished(#[source] wharf_core::Error),
    /// A use case said no.
    #[error(transparent)]
    Core(#[from] wharf_core::Error),
    /// The request did not get as far as a handler.
    #[error(transparent)]
    Refusal(#[from] Refusal),
}

impl Error {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchPath | Self::ContentWanted | Self::NotListed(_) => StatusCode::NOT_FOUND,
            Self::BadPath
            | Self::Name(_)
            | Self::Part(_)
            | Self::Digest(_)
            | Self::Settings(_)
            | Self::NoDestination
            | Self::NoParameters
            | Self::Form(_)
            | Self::Package(_)
            | Self::OtherContent { .. }
            | Self::NotVouchedFor(_)
            | Self::FileMissing { .. }
            | Self::FileDiffers { .. }
            | Self::Body(ReadError::Broken(_)) => StatusCode::BAD_REQUEST,
            Self::Body(ReadError::TooLarge(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::FileInUse { .. } => StatusCode::CONFLICT,
            Self::OutOfRange(_) => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::NotPublished(_) => StatusCode::SERVICE_UNAVAILABLE,
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
