//! Errors of the API: RFC 9457 problem details. What is ours to mend is logged, not shown.

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use wharf_auth::{Refused, Rejected};
use wharf_wire::{Answer, Body, Context, Refusal, bytes};

/// Why a request was not done. In a box, because most requests are done and should not carry room for it.
#[derive(Debug)]
pub(crate) struct Problem(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    detail: String,
    hint: Option<String>,
    header: Option<(HeaderName, String)>,
    log: Option<String>,
}

/// A problem as clients get it (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Details<'a> {
    /// What kind of problem, in words that do not change: for programs.
    code: &'a str,
    /// What kind of problem, for people.
    title: &'a str,
    /// The status of the response.
    status: u16,
    /// What is wrong here.
    detail: &'a str,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    /// By this the request is found in the server's log.
    request_id: &'a str,
}

impl Problem {
    /// A problem of the client's making.
    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl ToString) -> Self {
        Self(Box::new(Parts { status, code, detail: detail.to_string(), hint: None, header: None, log: None }))
    }

    /// The request makes no sense.
    pub(crate) fn invalid(detail: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", detail)
    }

    /// What it names is not there, or none of the caller's business.
    pub(crate) fn not_found(detail: impl ToString) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// What it would make is there already, or something stands in its way.
    pub(crate) fn conflict(code: &'static str, detail: impl ToString) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// The path is known with other methods.
    pub(crate) fn method_not_allowed(allowed: &[&str]) -> Self {
        let mut problem =
            Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "this path has no such method");
        problem.0.header = Some((ALLOW, allowed.join(", ")));
        problem
    }

    /// A fault of this program or of what it stands on; only the log hears of it.
    pub(crate) fn internal(log: impl ToString) -> Self {
        let detail = "the server failed to do this; its log says why under the request id";
        let mut problem = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail);
        problem.0.log = Some(log.to_string());
        problem
    }

    /// It may work later.
    pub(crate) fn unavailable(log: impl ToString) -> Self {
        let detail = "the database or the storage does not answer now, try again in a moment";
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail);
        problem.0.header = Some((RETRY_AFTER, "5".to_owned()));
        problem.0.log = Some(log.to_string());
        problem
    }

    /// What to do about it.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl ToString) -> Self {
        self.0.hint = Some(hint.to_string());
        self
    }

    /// For people: follows from the code.
    fn title(&self) -> &'static str {
        match self.0.code {
            "invalid" => "The request makes no sense",
            "unknown-field" => "The request has a field that does not exist",
            "unauthenticated" => "Sign in first",
            "throttled" => "Too much at once",
            "forbidden" => "You may not do this",
            "not-found" => "There is no such thing",
            "method-not-allowed" => "This cannot be done here",
            "exists" => "There is one already",
            "not-empty" => "There is still something in it",
            "in-use" => "Something else needs it",
            "immutable" => "A rule keeps the tag where it is",
            "gone" => "It is no more",
            "refused" => "This cannot be done",
            "too-large" => "The request is too large",
            "unsupported-media-type" => "The body has another form than expected",
            "unavailable" => "Not now",
            "full" => "The storage is full",
            _ => "The server failed",
        }
    }
}

impl Answer for Problem {
    fn respond(&self, context: &Context) -> Response<Body> {
        let details = Details {
            code: self.0.code,
            title: self.title(),
            status: self.0.status.as_u16(),
            detail: &self.0.detail,
            hint: self.0.hint.as_deref(),
            request_id: &context.request_id,
        };
        let mut response = Response::new(bytes(serde_json::to_vec(&details).unwrap_or_default()));
        *response.status_mut() = self.0.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some((name, value)) = &self.0.header
            && let Ok(value) = HeaderValue::from_str(value)
        {
            headers.insert(name, value);
        }
        if self.0.status == StatusCode::UNAUTHORIZED
            && let Ok(challenge) =
                HeaderValue::from_str(&format!("Basic realm=\"{}\", charset=\"UTF-8\"", context.service))
        {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }

    fn log(&self) -> Option<String> {
        self.0.log.clone()
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Credentials(error) => Self::unauthenticated(error),
            Refusal::Rejected(rejected) => rejected.into(),
            Refusal::Refused(refused) => refused.into(),
        }
    }
}

impl Problem {
    /// There is no room; who operates the server must make some.
    pub(crate) fn full(log: impl ToString) -> Self {
        let detail = "the server has no room left to write this down, ask who operates it";
        let mut problem = Self::new(StatusCode::INSUFFICIENT_STORAGE, "full", detail);
        problem.0.log = Some(log.to_string());
        problem
    }

    /// Too much of this at once.
    pub(crate) fn busy(detail: impl ToString, wait: std::time::Duration) -> Self {
        let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "throttled", detail);
        problem.0.header = Some((RETRY_AFTER, wait.as_secs().max(1).to_string()));
        problem
    }

    fn unauthenticated(detail: impl ToString) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
    }
}

impl From<Rejected> for Problem {
    fn from(rejected: Rejected) -> Self {
        match &rejected {
            Rejected::BadCredentials | Rejected::Expired | Rejected::Disabled => Self::unauthenticated(&rejected),
            Rejected::Throttled { retry_after } => Self::busy(&rejected, *retry_after),
            Rejected::Unavailable(_) => Self::unavailable(&rejected),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match &refused {
            Refused::SignIn { .. } => Self::unauthenticated(&refused)
                .hint("send a name and password (Basic) or a personal token (Bearer); `wharf login` does"),
            Refused::Narrow { .. } => Self::unauthenticated(&refused).hint(
                "registry tokens of /token are for registries; use a password, a personal token or a robot's secret",
            ),
            Refused::Hidden { hint } => Self::not_found("there is nothing here that you may see").hint(hint),
            Refused::Forbidden { reason } => Self::new(StatusCode::FORBIDDEN, "forbidden", reason),
            Refused::Unavailable(_) => Self::unavailable(&refused),
        }
    }
}
