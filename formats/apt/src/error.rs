//! Errors in plain text, as apt and curl show them.

use http::header::{ALLOW, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use wharf_auth::{Refused, Rejected};
use wharf_core::InspectError;
use wharf_types::{Digest, InvalidDigest, InvalidName};
use wharf_wire::{Answer, Body, Context, ReadError, Refusal};

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
    #[error("the range is not inside the {0} bytes of the file")]
    RangeNotSatisfiable(u64),
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
            | Self::Package(_)
            | Self::OtherContent { .. }
            | Self::NotVouchedFor(_)
            | Self::FileMissing { .. }
            | Self::FileDiffers { .. }
            | Self::Body(ReadError::Broken(_)) => StatusCode::BAD_REQUEST,
            Self::Body(ReadError::TooLarge(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::FileInUse { .. } => StatusCode::CONFLICT,
            Self::RangeNotSatisfiable(_) => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::NotPublished(_) => StatusCode::SERVICE_UNAVAILABLE,
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
                headers
                    .extend(HeaderValue::from_str(&format!("bytes */{size}")).ok().map(|value| (CONTENT_RANGE, value)));
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
