//! A caller.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, Method};
use serde::Serialize;

use crate::Answer;

/// Somebody with a credential, or nobody. Cheap to clone; redirects are not followed.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    credential: Credential,
}

#[derive(Debug, Clone)]
enum Credential {
    Nothing,
    Basic { name: String, password: String },
    Bearer(String),
}

/// A request to be sent.
#[derive(Debug)]
#[must_use]
pub struct Request {
    asked: String,
    builder: reqwest::RequestBuilder,
}

impl Client {
    /// Nobody, at the server with this URL.
    pub fn new(base: impl Into<String>) -> Self {
        // Tests talk to certificates of their own making.
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .tls_danger_accept_invalid_certs(true)
            .no_proxy()
            // No client that people use hangs up on a server that takes its time over a body.
            .tcp_user_timeout(None)
            .build()
            .expect("an HTTP client");
        Self::over(http, base)
    }

    /// Nobody, over a client with settings of its own.
    pub fn over(http: reqwest::Client, base: impl Into<String>) -> Self {
        Self { http, base: base.into(), credential: Credential::Nothing }
    }

    /// The same way to the server, by another name and password.
    pub fn with_basic(&self, name: &str, password: &str) -> Self {
        let credential = Credential::Basic { name: name.to_owned(), password: password.to_owned() };
        Self { credential, ..self.clone() }
    }

    /// The same way to the server, with a token.
    pub fn with_bearer(&self, token: &str) -> Self {
        Self { credential: Credential::Bearer(token.to_owned()), ..self.clone() }
    }

    /// The same way to the server, without a credential.
    pub fn without_credential(&self) -> Self {
        Self { credential: Credential::Nothing, ..self.clone() }
    }

    /// The same caller with a registry token for these scopes, as Docker does it.
    pub async fn with_registry_token(&self, scopes: &[&str]) -> Self {
        let query: Vec<_> = scopes.iter().map(|scope| ("scope", *scope)).chain([("service", "wharf")]).collect();
        let answer = self.request(Method::GET, "/token").query(&query).send().await;
        let token = answer.assert_status(200).json()["token"].as_str().expect("a token").to_owned();
        self.with_bearer(&token)
    }

    /// `Authorization` as this caller sends it.
    pub fn authorization(&self) -> Option<String> {
        match &self.credential {
            Credential::Nothing => None,
            Credential::Basic { name, password } => {
                Some(format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))))
            }
            Credential::Bearer(token) => Some(format!("Bearer {token}")),
        }
    }

    /// A request that needs more than a path and a body.
    pub fn request(&self, method: Method, path: &str) -> Request {
        let url = if path.contains("://") { path.to_owned() } else { format!("{}{path}", self.base) };
        let mut builder = self.http.request(method.clone(), url);
        if let Some(authorization) = self.authorization() {
            builder = builder.header(http::header::AUTHORIZATION, authorization);
        }
        Request { asked: format!("{method} {path}"), builder }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path).send().await
    }

    /// HEAD.
    pub async fn head(&self, path: &str) -> Answer {
        self.request(Method::HEAD, path).send().await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.request(Method::DELETE, path).send().await
    }

    /// POST.
    pub async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.request(Method::POST, path).body(body).send().await
    }

    /// PUT.
    pub async fn put(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.request(Method::PUT, path).body(body).send().await
    }

    /// PATCH.
    pub async fn patch(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.request(Method::PATCH, path).body(body).send().await
    }

    /// POST of JSON.
    pub async fn post_json(&self, path: &str, body: &impl Serialize) -> Answer {
        self.request(Method::POST, path).json(body).send().await
    }

    /// PUT of JSON.
    pub async fn put_json(&self, path: &str, body: &impl Serialize) -> Answer {
        self.request(Method::PUT, path).json(body).send().await
    }

    /// PATCH of JSON.
    pub async fn patch_json(&self, path: &str, body: &impl Serialize) -> Answer {
        self.request(Method::PATCH, path).json(body).send().await
    }
}

impl Request {
    /// With a header.
    pub fn header(self, name: impl Into<HeaderName>, value: &str) -> Self {
        Self { builder: self.builder.header(name.into(), value), ..self }
    }

    /// With a header whose name is text.
    pub fn header_named(self, name: &str, value: &str) -> Self {
        Self { builder: self.builder.header(name, value), ..self }
    }

    /// With a query.
    pub fn query(self, pairs: &(impl Serialize + ?Sized)) -> Self {
        Self { builder: self.builder.query(pairs), ..self }
    }

    /// With a body.
    pub fn body(self, body: impl Into<reqwest::Body>) -> Self {
        Self { builder: self.builder.body(body), ..self }
    }

    /// With a form as body.
    pub fn form(self, pairs: &(impl Serialize + ?Sized)) -> Self {
        Self { builder: self.builder.form(pairs), ..self }
    }

    /// With JSON as body.
    pub fn json(self, body: &impl Serialize) -> Self {
        Self { builder: self.builder.json(body), ..self }
    }

    /// Sends it and reads the whole answer.
    pub async fn send(self) -> Answer {
        let asked = self.asked.clone();
        self.try_send().await.unwrap_or_else(|error| panic!("{asked} was not answered: {error:?}"))
    }

    /// Sends it; an error if there is no whole answer.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn try_send(self) -> Result<Answer, reqwest::Error> {
        let response = self.builder.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await?;
        Ok(Answer { asked: self.asked, status, headers, body })
    }

    /// Sends it and reads the head of the answer only.
    pub async fn open(self) -> reqwest::Response {
        self.builder.send().await.unwrap_or_else(|error| panic!("{} was not answered: {error:?}", self.asked))
    }
}
