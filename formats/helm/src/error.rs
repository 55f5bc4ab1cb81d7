//! Errors as ChartMuseum says them: JSON with one text.

use http::{Response, StatusCode};
use wharf_types::InvalidName;
use wharf_wire::{Answer, Body, Context, OutOfRange, Particulars, Refusal, core_status, failure, instead_of_message};

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
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
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
            Self::OutOfRange(_) => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::NotPublished(_) => StatusCode::SERVICE_UNAVAILABLE,
            // A rule keeps the tag by which the chart is an artifact too.
            Self::Core(wharf_core::Error::Rule(_)) => StatusCode::CONFLICT,
            Self::Core(error) => core_status(error),
            Self::Refusal(refusal) => refusal.status(),
        }
    }

    fn message(&self, status: StatusCode) -> String {
        let instead = instead_of_message(status).filter(|_| !matches!(self, Self::NotPublished(_)));
        match (instead, self) {
            (Some(instead), _) => instead.to_owned(),
            (None, Self::Core(wharf_core::Error::PackageInvalid(why))) => why.clone(),
            (None, _) => self.to_string(),
        }
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
        let body = serde_json::json!({ "error": self.message(status) });
        failure(status, "application/json", body.to_string(), self.particulars())
    }

    fn log(&self) -> Option<String> {
        self.status().is_server_error().then(|| format!("{self:?}"))
    }
}
