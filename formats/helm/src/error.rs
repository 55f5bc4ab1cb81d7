//! Errors as ChartMuseum says them: JSON with one text.

use http::header::{ALLOW, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use wharf_auth::{Refused, Rejected};
use wharf_types::InvalidName;
use wharf_wire::{Answer, Body, Context, Refusal};

/// Why a request is not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing has this path.
    #[error("there is nothing at this path")]
    NoSuchPath,
    /// The path cannot be decoded.
    #[error("the path is not valid: names are plain segments")]
    BadPath,
    /// A parameter that is no number.
    #[error("{0} is not a number")]
    BadNumber(&'static str),
    /// The path is there, for other methods.
    #[error("the method is not allowed here; allowed are {0}")]
    MethodNotAllowed(&'static str),
    /// Name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// No chart of this name.
    #[error("chart not found")]
    ChartUnknown,
    /// No such version of the chart.
    #[error("no chart version found for {0}-{1}")]
    VersionUnknown(String, String),
    /// The chart has no such file.
    #[error("{0} not found")]
    NotInChart(&'static str),
    /// There is a chart of this name and version, and another was sent.
    #[error("chart already exists")]
    ChartExists,
    /// There is another provenance file of this chart.
    #[error("provenance file already exists")]
    ProvenanceExists,
    /// A form that cannot be read.
    #[error("the form cannot be read: {0}")]
    Form(String),
    /// A form without a file.
    #[error("no package or provenance file found in form fields chart and prov")]
    EmptyForm,
    /// The chart of a form was taken and its provenance file was not.
    #[error("the chart was saved, its provenance file was not: {0}")]
    HalfSaved(Box<Self>),
    /// A `Range` beyond the end.
    #[error("the range is not inside the {0} bytes of the file")]
    RangeNotSatisfiable(u64),
    /// A change that was made, and that the index does not show yet.
    #[error("the change was made, but the index does not show it yet; the same request again goes on waiting")]
    NotPublished(#[source] wharf_core::Error),
    /// A use case said no.
    #[error(transparent)]
    Core(wharf_core::Error),
    /// The request did not get as far as a handler.
    #[error(transparent)]
    Refusal(#[from] Refusal),
}

impl From<wharf_core::Error> for Error {
    fn from(error: wharf_core::Error) -> Self {
        match error {
            wharf_core::Error::PackageExists { path } if path.ends_with(".prov") => Self::ProvenanceExists,
            wharf_core::Error::PackageExists { .. } => Self::ChartExists,
            other => Self::Core(other),
        }
    }
}

impl Error {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchPath | Self::ChartUnknown | Self::VersionUnknown(..) | Self::NotInChart(_) => {
                StatusCode::NOT_FOUND
            }
            Self::BadPath | Self::BadNumber(_) | Self::Name(_) | Self::Form(_) | Self::EmptyForm => {
                StatusCode::BAD_REQUEST
            }
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::ChartExists | Self::ProvenanceExists => StatusCode::CONFLICT,
            Self::HalfSaved(error) => error.status(),
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
            (Self::Core(wharf_core::Error::PackageInvalid(why)), _) => why.clone(),
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
        // A rule keeps the tag by which the chart is an artifact too.
        E::PackageExists { .. } | E::Rule(_) => StatusCode::CONFLICT,
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
        let body = serde_json::json!({ "error": self.message(status) });
        let mut response = Response::new(wharf_wire::bytes(body.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
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
