//! What is remembered of a request until its answer has gone: for the log and the metrics.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, Uri};
use wharf_wire::BodyError;

use super::Connection;
use super::inbound::{End, Progress};
use crate::config::AccessLog;
use crate::metrics::Observed;

/// The status of a request whose client went away before there was an answer, as nginx has it.
const CLIENT_GONE: u16 = 499;
/// Longer paths are cut in the log.
const LONGEST_PATH: usize = 1024;
/// What of a query is written down. Anything else may be somebody's secret.
const HARMLESS: [&str; 10] = ["n", "last", "digest", "mount", "from", "artifactType", "tag", "ns", "scope", "service"];

/// Written when dropped, which is also what happens when a client goes away.
pub(super) struct Record {
    connection: Arc<Connection>,
    began: Instant,
    method: Method,
    uri: Uri,
    id: HeaderValue,
    pub(super) address: IpAddr,
    pub(super) format: &'static str,
    operation: &'static str,
    actor: String,
    status: u16,
    error: Option<String>,
    body: Option<Arc<Progress>>,
    sent: u64,
    whole: bool,
}

impl Record {
    pub(super) fn begin(connection: Arc<Connection>, head: &Parts, id: HeaderValue) -> Self {
        connection.activity.request_begins();
        connection.app.metrics().request_begins();
        Self {
            began: Instant::now(),
            method: head.method.clone(),
            uri: head.uri.clone(),
            id,
            address: connection.peer.address,
            format: "server",
            operation: "unknown",
            actor: String::new(),
            status: CLIENT_GONE,
            error: None,
            body: None,
            sent: 0,
            whole: false,
            connection,
        }
    }

    pub(super) fn watch(&mut self, body: Option<Arc<Progress>>) {
        self.body = body;
    }

    pub(super) fn body_end(&self) -> Option<End> {
        self.body.as_ref()?.end()
    }

    /// Whether the connection cannot go on after this.
    pub(super) fn is_last(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.is_far_from_done())
    }

    pub(super) fn answered(
        &mut self,
        status: StatusCode,
        operation: &'static str,
        actor: String,
        error: Option<String>,
    ) {
        (self.status, self.operation, self.actor, self.error) = (status.as_u16(), operation, actor, error);
    }

    pub(super) fn sent(&mut self, bytes: u64) {
        self.sent += bytes;
        self.connection.app.metrics().sent(bytes);
    }

    /// Making the answer's body failed in the middle of it.
    pub(super) fn failed(&mut self, error: &BodyError) {
        self.error.get_or_insert_with(|| error.to_string());
    }

    pub(super) fn ends(&mut self, whole: bool) {
        // The answer to a HEAD has the length of what it does not send.
        self.whole = whole || self.method == Method::HEAD;
    }

    fn log(&self, duration: Duration) {
        let failed = self.status >= 500 || (self.error.is_some() && !self.whole);
        let bytes_in = self.body.as_ref().map_or(0, |body| body.received());
        let address = match self.address == self.connection.peer.address {
            true => Cow::Borrowed(self.connection.address.as_str()),
            false => Cow::Owned(self.address.to_string()),
        };
        // One macro call a level, because the level of a callsite is constant.
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    request_id = self.id.to_str().unwrap_or_default(),
                    %address,
                    actor = self.actor,
                    method = %self.method,
                    path = &*logged_path(&self.uri),
                    format = self.format,
                    operation = self.operation,
                    status = self.status,
                    bytes_in,
                    bytes_out = self.sent,
                    duration_ms = (duration.as_secs_f64() * 1e6).round() / 1e3,
                    cut_short = (!self.whole).then_some(true),
                    error = self.error.as_deref(),
                    "request"
                )
            };
        }
        let wanted = self.connection.app.access_log() == AccessLog::All || !self.whole;
        if failed {
            line!(error);
        } else if self.connection.app.is_chatter(self.operation) {
            line!(debug);
        } else if wanted {
            line!(info);
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let ended = Instant::now();
        let duration = ended.saturating_duration_since(self.began);
        let observed = Observed { format: self.format, operation: self.operation, status: self.status };
        self.connection.app.metrics().request_ends(&self.connection.last, observed, duration);
        self.connection.activity.request_ends(ended);
        self.log(duration);
    }
}

/// The path, and of the query what is harmless.
fn logged_path(uri: &Uri) -> Cow<'_, str> {
    let path = uri.path();
    if uri.query().is_none() && path.len() <= LONGEST_PATH {
        return Cow::Borrowed(path);
    }
    let mut text = path
        .get(..LONGEST_PATH.min(path.len()))
        .map_or_else(|| path.chars().take(LONGEST_PATH).collect(), str::to_owned);
    let pairs = uri.query().into_iter().flat_map(|query| query.split('&'));
    for (index, pair) in pairs.enumerate() {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        text.push(if index == 0 { '?' } else { '&' });
        let shown = if HARMLESS.contains(&name) { pair } else { "…" };
        if text.len() + shown.len() > 2 * LONGEST_PATH {
            break;
        }
        text.push_str(shown);
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_a_query_are_not_logged() {
        let uri: Uri = "/v2/a/blobs/uploads/1?digest=sha256:ab&_state=secret&token=x".parse().unwrap();
        assert_eq!(logged_path(&uri), "/v2/a/blobs/uploads/1?digest=sha256:ab&…&…");
        assert_eq!(logged_path(&"/v2/".parse().unwrap()), "/v2/");
    }

    #[test]
    fn a_long_path_is_cut() {
        let uri: Uri = format!("/{}?n={}&last=2", "a".repeat(5000), "1".repeat(5000)).parse().unwrap();
        assert_eq!(logged_path(&uri).len(), LONGEST_PATH + 1);
    }
}
