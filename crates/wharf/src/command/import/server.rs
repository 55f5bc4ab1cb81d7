//! The server's side of an import: asked first, and asked again where the way to it fails.

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use indicatif::ProgressBar;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use reqwest::header::{CONTENT_LENGTH, ETAG, HeaderMap, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use wharf_types::Digest;

use super::stop::{One, Stop};
use crate::client::{Client, refused, unreachable};
use crate::failure::Failure;
use crate::out;

/// Waits between tries: a server that is started anew is back within these.
const WAITS: [u64; 5] = [1, 2, 4, 8, 16];
/// No server is waited for longer than this, whatever it says.
const LONGEST_WAIT: u64 = 60;

/// What cannot stand in a segment of a path.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'+')
    .add(b'/')
    .add(b';')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^');
/// The same for a whole path.
const PATH: &AsciiSet = &SEGMENT.remove(b'/');

/// A path with what cannot stand in one encoded.
pub(super) fn encoded(path: &str) -> String {
    utf8_percent_encode(path, PATH).to_string()
}

/// A server that is imported into.
pub(super) struct Server<'a> {
    client: &'a Client,
    /// Whether somebody was told that it is waited for.
    waited: Cell<bool>,
}

/// A request.
pub(super) struct Ask<'a> {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    load: Load<'a>,
}

/// What a request carries.
enum Load<'a> {
    Nothing,
    Bytes(Bytes),
    /// A file of so many bytes, under a bar.
    File(&'a Path, u64, &'a ProgressBar),
}

/// What the server answers, good or not.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) content: Bytes,
}

impl<'a> Ask<'a> {
    /// To a path and query, which must be encoded.
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), load: Load::Nothing }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn bytes(self, content: impl Into<Bytes>) -> Self {
        Self { load: Load::Bytes(content.into()), ..self }
    }

    pub(super) fn file(self, path: &'a Path, size: u64, bar: &'a ProgressBar) -> Self {
        Self { load: Load::File(path, size, bar), ..self }
    }
}

impl Answer {
    /// The digest that names the content in its ETag.
    pub(super) fn digest(&self) -> Option<Digest> {
        self.header(ETAG.as_str())?.trim_matches('"').parse().ok()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl<'a> Server<'a> {
    pub(super) fn new(client: &'a Client) -> Self {
        Self { client, waited: Cell::default() }
    }

    /// Sends a request; an answer that is none of success is the end of what it was about, or of everything.
    pub(super) async fn send(&self, ask: Ask<'_>, what: &str) -> Result<Answer, Stop> {
        let answer = self.ask(&ask).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(self.refusal(&answer, what))
    }

    /// Sends a request; what is not there is `None`.
    pub(super) async fn find(&self, ask: Ask<'_>, what: &str) -> Result<Option<Answer>, Stop> {
        let answer = self.ask(&ask).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(answer)),
            _ => Err(self.refusal(&answer, what)),
        }
    }

    /// The digest of what is at a path, if something is.
    pub(super) async fn digest_at(&self, path: &str) -> Result<Option<Digest>, Stop> {
        Ok(self.find(Ask::new(Method::HEAD, encoded(path)), path).await?.and_then(|answer| answer.digest()))
    }

    /// What is to be read at a path, if something is.
    pub(super) async fn read(&self, path: &str) -> Result<Option<Bytes>, Stop> {
        Ok(self.find(Ask::new(Method::GET, encoded(path)), path).await?.map(|answer| answer.content))
    }

    /// What was refused for everybody is the end of everything: a thousand files more would be refused alike.
    fn refusal(&self, answer: &Answer, what: &str) -> Stop {
        let failure = refused(self.client.base(), answer.status, &answer.content, what);
        match answer.status {
            StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::INSUFFICIENT_STORAGE
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Stop::All(failure),
            // There is no such repository for this account. A manifest is refused so, too, when it names what is not there.
            StatusCode::NOT_FOUND if !contains(&answer.content, b"BLOB_UNKNOWN") => Stop::All(failure),
            _ => Stop::One(One::new(failure.message())),
        }
    }

    /// Sends a request; whatever is answered is for the caller to judge.
    pub(super) async fn answer(&self, ask: Ask<'_>) -> Result<Answer, Stop> {
        self.ask(&ask).await
    }

    async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, Stop> {
        let mut waits = WAITS.into_iter();
        loop {
            let tried = self.try_once(ask).await?;
            let wait = waits.next();
            let again = match (&tried, wait) {
                (Ok(answer), Some(wait)) => self.again(answer, wait),
                (Err(_), Some(wait)) => Some(wait),
                (_, None) => None,
            };
            if again.is_some() && !self.waited.replace(true) {
                out::note(format!("{} does not answer; it is asked again for half a minute", self.client.base()));
            }
            match (again, tried) {
                (Some(seconds), _) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                (None, Ok(answer)) => return Ok(answer),
                (None, Err(error)) => return Err(self.broken(&error).await),
            }
        }
    }

    fn again(&self, answer: &Answer, wait: u64) -> Option<u64> {
        let passes = matches!(
            answer.status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        let said = answer.header(RETRY_AFTER.as_str()).and_then(|text| text.parse().ok());
        passes.then(|| said.unwrap_or(wait).min(LONGEST_WAIT))
    }

    /// A connection that breaks each time over one request is that request's fault, if the server answers others.
    async fn broken(&self, error: &reqwest::Error) -> Stop {
        let failure = unreachable(self.client.base(), error);
        match self.client.request(Method::GET, "/readyz").send().await {
            Ok(_) => Stop::One(One::new(failure.message())),
            Err(_) => Stop::All(failure.hint("the same command again goes on where this one ended")),
        }
    }

    async fn try_once(&self, ask: &Ask<'_>) -> Result<Result<Answer, reqwest::Error>, Stop> {
        let mut request = self.client.request(ask.method.clone(), &ask.path);
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        let before = match &ask.load {
            Load::File(_, _, bar) => bar.position(),
            _ => 0,
        };
        request = match &ask.load {
            Load::Nothing => request,
            Load::Bytes(content) => request.body(content.clone()),
            Load::File(path, size, bar) => {
                let file =
                    std::fs::File::open(path).map_err(|error| One::new(format!("it cannot be read: {error}")))?;
                let counted = (*bar).clone();
                let chunks = tokio_util::io::ReaderStream::with_capacity(tokio::fs::File::from_std(file), 256 * 1024)
                    .inspect_ok(move |chunk| counted.inc(chunk.len() as u64));
                request.header(CONTENT_LENGTH, *size).body(reqwest::Body::wrap_stream(chunks))
            }
        };
        let answered = async {
            let response = request.send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            Ok(Answer { status, headers, content: response.bytes().await? })
        }
        .await;
        if let (Load::File(_, _, bar), Err(_)) = (&ask.load, &answered) {
            // Others move it too: that is a moment's inexactness of a bar.
            bar.set_position(before);
        }
        Ok(answered)
    }
}

fn contains(content: &[u8], what: &[u8]) -> bool {
    content.windows(what.len()).any(|window| window == what)
}

/// The end of an import that cannot go on, with what to do.
pub(super) fn resumable(failure: Failure) -> Failure {
    failure.or_hint("the same command again goes on where this one ended: what is there is not sent again")
}
