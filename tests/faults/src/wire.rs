//! Requests whose outcome may stay unknown.

use std::time::Duration;

use anyhow::{Result, bail};
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use sha2::{Digest as _, Sha256};

use crate::site::PASSWORD;

/// Far more than a server under this load needs. A server that is killed closes its connections at once.
const PATIENCE: Duration = Duration::from_secs(120);

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The server said so.
    Answered(Answer),
    /// It was never sent.
    NotSent,
    /// The server died with it: it was carried out, or not.
    Unknown,
}

/// An answer with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// `None` if it was cut short.
    pub(crate) body: Option<Bytes>,
}

impl Answer {
    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// For messages.
    pub(crate) fn shown(&self) -> String {
        let body = self.body.as_deref().unwrap_or_default();
        format!("{} {}", self.status, String::from_utf8_lossy(&body[..body.len().min(300)]))
    }
}

/// Sends requests as the administrator.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    http: reqwest::Client,
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) media_type: &'a str,
    pub(crate) body: Bytes,
    pub(crate) range: Option<String>,
}

impl<'a> Ask<'a> {
    pub(crate) fn new(method: Method, url: String) -> Self {
        Self { method, url, media_type: "", body: Bytes::new(), range: None }
    }

    pub(crate) fn body(mut self, media_type: &'a str, body: Bytes) -> Self {
        (self.media_type, self.body) = (media_type, body);
        self
    }
}

impl Wire {
    pub(crate) fn new() -> Result<Self> {
        let http = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build()?;
        Ok(Self { http })
    }

    /// The status of a GET of somebody else.
    pub(crate) async fn signed_in(&self, url: &str, name: &str, secret: &str) -> Result<u16> {
        Ok(self.http.get(url).basic_auth(name, Some(secret)).send().await?.status().as_u16())
    }

    /// Sends it.
    ///
    /// # Errors
    /// If there is no answer in time, although the connection holds.
    pub(crate) async fn send(&self, ask: Ask<'_>) -> Result<Outcome> {
        let shown = format!("{} {}", ask.method, ask.url);
        let mut request = self.http.request(ask.method, &ask.url).basic_auth("admin", Some(PASSWORD)).body(ask.body);
        if !ask.media_type.is_empty() {
            request = request.header(CONTENT_TYPE, ask.media_type);
        }
        if let Some(range) = ask.range {
            request = request.header("content-range", range);
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Ok(Outcome::NotSent),
            Err(error) if error.is_timeout() => bail!("no answer within {PATIENCE:?}: {shown}"),
            Err(_) => return Ok(Outcome::Unknown),
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.ok();
        Ok(Outcome::Answered(Answer { status, headers, body }))
    }
}

/// As registries write it.
pub(crate) fn sha256(content: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(content)))
}
