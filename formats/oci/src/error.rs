//! Errors in the words of the distribution-spec ("Error Codes").

use http::header::{ALLOW, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, LOCATION, RANGE, RETRY_AFTER};
use http::{Response, StatusCode};
use serde_json::{Value, json};
use wharf_auth::{Refused, Rejected};
use wharf_core::RuleError;
use wharf_types::{InvalidDigest, InvalidName, InvalidReference, InvalidTag, RepoName};
use wharf_wire::{Answer, Body, Context, InvalidPage, ReadError, Refusal};

use crate::pull::{API_VERSION, VERSION_2};

/// Why a request is not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No endpoint of the protocol has this path.
    #[error("this path is no endpoint of the registry protocol")]
    NoSuchEndpoint,
    /// The path cannot be decoded.
    #[error("the path is not valid: names and references are plain segments")]
    BadPath,
    /// The endpoint is there, for other methods.
    #[error("the method is not allowed here; allowed are {0}")]
    MethodNotAllowed(&'static str),
    /// Name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// Tag.
    #[error(transparent)]
    Tag(#[from] InvalidTag),
    /// Digest.
    #[error(transparent)]
    Digest(#[from] InvalidDigest),
    /// Page.
    #[error(transparent)]
    Page(#[from] InvalidPage),
    /// An upload is finished without its digest.
    #[error("the query has no digest")]
    DigestMissing,
    /// A `Content-Range` that makes no sense.
    #[error("the Content-Range is not <first>-<last>")]
    BadRange,
    /// `Content-Range` and `Content-Length` disagree.
    #[error("Content-Range covers {range} bytes, Content-Length is {length}")]
    SizeMismatch {
        /// Of the range.
        range: u64,
        /// Of the body.
        length: u64,
    },
    /// A `Range` beyond the end.
    #[error("the range is not inside the {0} bytes of the blob")]
    RangeNotSatisfiable(u64),
    /// More tags than one push may set.
    #[error("more than {0} tags in one request")]
    TooManyTags(usize),
    /// A body that was too long or cut short.
    #[error(transparent)]
    Body(#[from] ReadError),
    /// A use case said no.
    #[error(transparent)]
    Core(#[from] wharf_core::Error),
    /// A chunk that is out of order: with where the upload stands.
    #[error("the chunk begins at byte {given}, the upload is at byte {received}")]
    OutOfOrder {
        /// Where the chunk begins.
        given: u64,
        /// Where it should.
        received: u64,
        /// Of the upload.
        location: String,
    },
    /// The request did not get as far as a handler.
    #[error(transparent)]
    Refusal(#[from] Refusal),
}

impl From<InvalidReference> for Error {
    fn from(error: InvalidReference) -> Self {
        match error {
            InvalidReference::Tag(tag) => Self::Tag(tag),
            InvalidReference::Digest(digest) => Self::Digest(digest),
        }
    }
}

/// Status, code of the specification, detail.
type Said = (StatusCode, &'static str, Value);

impl Error {
    fn said(&self) -> Said {
        use StatusCode as S;
        match self {
            Self::NoSuchEndpoint => (S::NOT_FOUND, "UNSUPPORTED", Value::Null),
            Self::MethodNotAllowed(_) => (S::METHOD_NOT_ALLOWED, "UNSUPPORTED", Value::Null),
            Self::BadPath | Self::Name(_) => (S::BAD_REQUEST, "NAME_INVALID", Value::Null),
            // The code that old clients know for a reference that cannot be.
            Self::Tag(_) => (S::BAD_REQUEST, "TAG_INVALID", Value::Null),
            Self::Digest(_) | Self::DigestMissing => (S::BAD_REQUEST, "DIGEST_INVALID", Value::Null),
            Self::Page(_) => (S::BAD_REQUEST, "PAGINATION_NUMBER_INVALID", Value::Null),
            Self::BadRange => (S::BAD_REQUEST, "BLOB_UPLOAD_INVALID", Value::Null),
            Self::SizeMismatch { .. } => (S::BAD_REQUEST, "SIZE_INVALID", Value::Null),
            Self::RangeNotSatisfiable(_) => (S::RANGE_NOT_SATISFIABLE, "RANGE_INVALID", Value::Null),
            Self::TooManyTags(_) => (S::URI_TOO_LONG, "TAG_INVALID", Value::Null),
            Self::Body(ReadError::TooLarge(limit)) => {
                (S::PAYLOAD_TOO_LARGE, "MANIFEST_INVALID", json!({ "limitBytes": limit }))
            }
            Self::Body(ReadError::Broken(_)) => (S::BAD_REQUEST, "SIZE_INVALID", Value::Null),
            Self::OutOfOrder { received, .. } => {
                (S::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID", json!({ "received": received }))
            }
            Self::Core(error) => core_said(error),
            Self::Refusal(refusal) => refusal_said(refusal),
        }
    }

    /// What is ours to mend is not the client's to read.
    fn message(&self, status: StatusCode) -> String {
        match status {
            StatusCode::INTERNAL_SERVER_ERROR => {
                "internal error; the server's log has it under the request id".to_owned()
            }
            StatusCode::SERVICE_UNAVAILABLE => "the registry cannot answer right now, try again in a moment".to_owned(),
            StatusCode::INSUFFICIENT_STORAGE => "the registry's storage is full; pulls still work".to_owned(),
            _ => self.to_string(),
        }
    }
}

fn core_said(error: &wharf_core::Error) -> Said {
    use StatusCode as S;
    use wharf_core::Error as E;
    if error.is_unavailable() {
        return (S::SERVICE_UNAVAILABLE, "UNAVAILABLE", Value::Null);
    }
    if error.is_full() {
        return (S::INSUFFICIENT_STORAGE, "DENIED", Value::Null);
    }
    match error {
        E::ProjectUnknown(name) => (S::NOT_FOUND, "NAME_UNKNOWN", json!({ "project": name })),
        E::RepositoryUnknown(name) => (S::NOT_FOUND, "NAME_UNKNOWN", name_detail(name)),
        E::BlobUnknown(digest) => (S::NOT_FOUND, "BLOB_UNKNOWN", json!({ "digest": digest })),
        E::BlobInUse { blob, manifest } => (S::CONFLICT, "DENIED", json!({ "digest": blob, "manifest": manifest })),
        E::ManifestUnknown(reference) => {
            (S::NOT_FOUND, "MANIFEST_UNKNOWN", json!({ "reference": reference.to_string() }))
        }
        E::UploadUnknown(_) => (S::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", Value::Null),
        E::UploadTaken(_) => (S::CONFLICT, "BLOB_UPLOAD_INVALID", Value::Null),
        E::OutOfOrder { received, .. } => {
            (S::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID", json!({ "received": received }))
        }
        E::DigestMismatch { expected, actual } => {
            (S::BAD_REQUEST, "DIGEST_INVALID", json!({ "expected": expected, "actual": actual }))
        }
        E::Interrupted(_) => (S::BAD_REQUEST, "SIZE_INVALID", Value::Null),
        E::ManifestInvalid(_) => (S::BAD_REQUEST, "MANIFEST_INVALID", Value::Null),
        E::BlobsMissing(digests) => {
            // Enough to act on, not a megabyte of them.
            (S::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN", json!(digests.iter().take(20).collect::<Vec<_>>()))
        }
        // Not 403: that is for credentials, and clients that get it ask for others. DENIED is what they do not try again.
        E::Rule(RuleError::Immutable { tag, rule, project, .. }) => {
            (S::CONFLICT, "DENIED", json!({ "tag": tag, "rule": rule.as_str(), "project": project }))
        }
        E::UploadLost(_) => (S::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", Value::Null),
        // Of other formats, or ours to mend.
        E::ProjectExists(_)
        | E::ProjectNotEmpty(_)
        | E::Rule(_)
        | E::SecondThought(_)
        | E::PackageInvalid(_)
        | E::PackageExists { .. }
        | E::ForeignStorage(_)
        | E::FileUnknown(_)
        | E::NotPublished(_)
        | E::Busy
        | E::Storage(_)
        | E::Db(_)
        | E::PinLost
        | E::Key(_)
        | E::Snapshot(_)
        | E::Depot(_)
        | E::Backup(_)
        | E::PurgeBreaks(_)
        | E::PurgeIndexed { .. }
        | E::PurgeGoesOn
        | E::PurgeUnfinished(_)
        | E::ScrubOff
        | E::Inconsistent(_) => (S::INTERNAL_SERVER_ERROR, "UNKNOWN", Value::Null),
    }
}

fn name_detail(name: &RepoName) -> Value {
    json!({ "name": name })
}

fn refusal_said(refusal: &Refusal) -> Said {
    use StatusCode as S;
    match refusal {
        Refusal::Credentials(_) => (S::UNAUTHORIZED, "UNAUTHORIZED", Value::Null),
        Refusal::Rejected(Rejected::Throttled { retry_after }) => {
            (S::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", json!({ "retryAfterSeconds": retry_after.as_secs().max(1) }))
        }
        Refusal::Rejected(Rejected::Unavailable(_)) | Refusal::Refused(Refused::Unavailable(_)) => {
            (S::SERVICE_UNAVAILABLE, "UNAVAILABLE", Value::Null)
        }
        Refusal::Rejected(Rejected::BadCredentials | Rejected::Expired | Rejected::Disabled)
        | Refusal::Refused(Refused::SignIn { .. } | Refused::Narrow { .. }) => {
            (S::UNAUTHORIZED, "UNAUTHORIZED", Value::Null)
        }
        Refusal::Refused(Refused::Hidden { .. }) => (S::NOT_FOUND, "NAME_UNKNOWN", Value::Null),
        Refusal::Refused(Refused::Forbidden { .. }) => (S::FORBIDDEN, "DENIED", Value::Null),
    }
}

impl Answer for Error {
    fn respond(&self, context: &Context) -> Response<Body> {
        let (status, code, detail) = self.said();
        let mut error = json!({ "code": code, "message": self.message(status) });
        if !detail.is_null() {
            error["detail"] = detail;
        }
        let body = json!({ "errors": [error] }).to_string();
        let mut response = Response::new(wharf_wire::bytes(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // Docker 20.10 looks for it on the 401 that it begins with: `docker manifest` takes no registry without it.
        headers.insert(API_VERSION, VERSION_2);
        match self {
            Self::MethodNotAllowed(allowed) => {
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            Self::RangeNotSatisfiable(size) => {
                if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
                    headers.insert(CONTENT_RANGE, value);
                }
            }
            Self::OutOfOrder { received, location, .. } => {
                let location = HeaderValue::from_str(&context.location(location));
                let range = HeaderValue::from_str(&crate::upload::range(*received));
                headers
                    .extend([(LOCATION, location), (RANGE, range)].into_iter().filter_map(|(k, v)| Some((k, v.ok()?))));
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
        self.said().0.is_server_error().then(|| format!("{self:?}"))
    }
}
