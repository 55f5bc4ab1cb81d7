//! `/token`: registry tokens for a password, a personal token, a robot's secret, a refresh token or nothing at all (the token
//! specification of the Docker registry; the POST form is its OAuth2 variant).

use http::header::CACHE_CONTROL;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde::Serialize;
use wharf_auth::{Identity, Presented, Rejected, parse_scope};
use wharf_core::Core;
use wharf_types::Timestamp;
use wharf_wire::{Body, Context, Credentials, Handled, ReadError, Refusal, bytes, query_pairs, read_up_to};

use crate::refusal::error;
use crate::refused::refuse;

/// A form holds a password or token and a list of scopes.
const LONGEST_FORM: usize = 64 * 1024;

/// What is asked for, by query or form.
#[derive(Default)]
struct Ask {
    scope: String,
    client_id: String,
    offline: bool,
    grant_type: Option<String>,
    username: String,
    password: String,
    refresh_token: String,
}

/// Why there is no token.
enum No {
    Refusal(Refusal),
    Form(StatusCode, &'static str, String),
}

/// The answer. `token` and `access_token` are the same: clients look for one or the other.
#[derive(Serialize)]
struct Issued {
    token: String,
    access_token: String,
    expires_in: u64,
    issued_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

impl From<Rejected> for No {
    fn from(rejected: Rejected) -> Self {
        Self::Refusal(rejected.into())
    }
}

/// Answers a request for a token.
pub(crate) async fn handle(core: &Core, request: Request<Body>, context: &Context) -> Handled {
    let (head, body) = request.into_parts();
    let mut actor = String::new();
    match issue(core, &head, body, context, &mut actor).await {
        Ok(issued) => {
            let mut response = Response::new(bytes(serde_json::to_vec(&issued).unwrap_or_default()));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            Handled { response, operation: "token", actor, error: None }
        }
        Err(No::Refusal(refusal)) => refuse(&refusal, actor, context),
        Err(No::Form(status, code, message)) => {
            Handled { response: error(status, code, &message), operation: "token", actor, error: None }
        }
    }
}

async fn issue(core: &Core, head: &Parts, body: Body, context: &Context, actor: &mut String) -> Result<Issued, No> {
    let ask = if head.method == Method::POST { Ask::from_form(body).await? } else { Ask::from_query(head.uri.query()) };
    let identity = ask.identity(core, head, context).await?;
    *actor = identity.subject().name();
    let (auth, now) = (core.auth(), core.clock().now());
    let issued = auth.issue_token(&identity, &parse_scope(&ask.scope), now)?;
    let refresh_token = match () {
        // It stays good until it expires, so there is no reason for another.
        () if !ask.refresh_token.is_empty() => Some(ask.refresh_token),
        () if ask.offline => {
            let made = auth.issue_refresh(&identity, &ask.client_id, now)?;
            made.inspect(|_| core.issued_refresh(&identity, context.source()))
        }
        () => None,
    };
    core.issued_token(&identity, context.source());
    Ok(Issued {
        access_token: issued.token.clone(),
        token: issued.token,
        expires_in: issued.expires_in.as_secs(),
        issued_at: issued.issued_at,
        refresh_token,
    })
}

impl Ask {
    fn from_query(query: Option<&str>) -> Self {
        let mut ask = Self::default();
        for (key, value) in query_pairs(query) {
            ask.set(&key, &value);
        }
        // These are for forms: in a query they would be written into logs.
        Self { grant_type: None, username: String::new(), password: String::new(), refresh_token: String::new(), ..ask }
    }

    async fn from_form(body: Body) -> Result<Self, No> {
        let content = read_up_to(body, LONGEST_FORM).await.map_err(|error| match error {
            ReadError::TooLarge(_) => No::Form(StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID", error.to_string()),
            ReadError::Broken(_) => No::Form(StatusCode::BAD_REQUEST, "BAD_REQUEST", error.to_string()),
        })?;
        let mut ask = Self::default();
        for (key, value) in form_urlencoded::parse(&content) {
            ask.set(&key, &value);
        }
        Ok(ask)
    }

    fn set(&mut self, key: &str, value: &str) {
        match key {
            // May come several times, and each time hold several.
            "scope" => {
                self.scope.push(' ');
                self.scope.push_str(value);
            }
            "client_id" => value.clone_into(&mut self.client_id),
            "offline_token" => self.offline = value == "true" || value == "1",
            "access_type" => self.offline = value == "offline",
            "grant_type" => self.grant_type = Some(value.to_owned()),
            "username" => value.clone_into(&mut self.username),
            "password" => value.clone_into(&mut self.password),
            "refresh_token" => value.clone_into(&mut self.refresh_token),
            // `service` and `account` say what we know better.
            _ => {}
        }
    }

    async fn identity(&self, core: &Core, head: &Parts, context: &Context) -> Result<Identity, No> {
        if head.method != Method::POST {
            let credentials = Credentials::from_headers(&head.headers).map_err(Refusal::from).map_err(No::Refusal)?;
            return Ok(core.sign_in(credentials.presented(), context.source()).await?);
        }
        match self.grant_type.as_deref() {
            Some("password") => {
                let presented = Presented::Basic { user: &self.username, password: &self.password };
                Ok(core.sign_in(presented, context.source()).await?)
            }
            Some("refresh_token") => match core.auth().redeem_refresh(&self.refresh_token).await {
                Ok(identity) => Ok(identity),
                Err(rejected) => {
                    core.refused_refresh(&rejected, context.source());
                    Err(rejected.into())
                }
            },
            _ => {
                let message = "grant_type must be password or refresh_token".to_owned();
                Err(No::Form(StatusCode::BAD_REQUEST, "UNSUPPORTED", message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_may_be_repeated_and_joined() {
        let ask =
            Ask::from_query(Some("scope=repository:a/b:pull&service=x&scope=repository:a/c:pull%20registry:catalog:*"));
        let scopes: Vec<_> = parse_scope(&ask.scope).iter().map(ToString::to_string).collect();
        assert_eq!(scopes, ["repository:a/b:pull", "repository:a/c:pull", "registry:catalog:*"]);
    }

    #[test]
    fn a_query_holds_no_secret() {
        let ask = Ask::from_query(Some("grant_type=password&username=a&password=b&refresh_token=c&offline_token=true"));
        assert!(ask.offline && ask.grant_type.is_none());
        assert_eq!((ask.username.as_str(), ask.password.as_str(), ask.refresh_token.as_str()), ("", "", ""));
    }
}
