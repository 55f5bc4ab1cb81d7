//! What a server answered.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

/// Status, headers and the whole body. Assertions show all of it when they fail, and can be chained.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The request, for messages.
    pub asked: String,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// Fails unless the status is this.
    #[track_caller]
    pub fn assert_status(&self, status: u16) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{self}");
        self
    }

    /// Fails unless the header has this value.
    #[track_caller]
    pub fn assert_header(&self, name: &str, value: &str) -> &Self {
        assert_eq!(self.header(name), Some(value), "{name}: {self}");
        self
    }

    /// Fails if the header is there.
    #[track_caller]
    pub fn assert_no_header(&self, name: &str) -> &Self {
        assert_eq!(self.header(name), None, "{name}: {self}");
        self
    }

    /// Fails unless the body is this.
    #[track_caller]
    pub fn assert_body(&self, body: impl AsRef<[u8]>) -> &Self {
        assert!(self.body == body.as_ref(), "another body: {self}");
        self
    }

    /// Fails unless the body is a list of errors of the distribution specification with this code first.
    #[track_caller]
    pub fn assert_error(&self, status: u16, code: &str) -> &Self {
        self.assert_status(status);
        assert_eq!(self.json()["errors"][0]["code"], code, "{self}");
        self
    }

    /// A header, if it is there and text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A header that must be there.
    #[track_caller]
    pub fn expect_header(&self, name: &str) -> &str {
        match self.header(name) {
            Some(value) => value,
            None => panic!("no {name}: {self}"),
        }
    }

    /// The path of `Location`, which may be absolute.
    #[track_caller]
    pub fn location(&self) -> String {
        let location = self.expect_header("location");
        match location.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/".to_owned(), |path| rest[path..].to_owned()),
            None => location.to_owned(),
        }
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("no JSON ({error}): {self}"),
        }
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} was answered {} {:#?}", self.asked, self.status, self.headers)?;
        let shown = self.body.len().min(4000);
        f.write_str(&String::from_utf8_lossy(&self.body[..shown]))
    }
}
