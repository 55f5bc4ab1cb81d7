//! One request and its answer.

mod inbound;
mod outbound;
mod record;

use std::any::Any;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body::Body as _;
use hyper::body::Incoming;
use wharf_core::FilePart;
use wharf_wire::{Body, Context, Handled, empty};

use crate::App;
use crate::app::Target;
use crate::config::Timeouts;
use crate::listener::activity::{Activity, Order};
use crate::metrics::Last;
use crate::refusal;
use crate::request_id::{REQUEST_ID, choose};
use crate::vantage::Peer;
use inbound::{End, Inbound};
use outbound::Outbound;
use record::Record;

/// What the requests of a connection share.
pub(crate) struct Connection {
    pub(crate) app: Arc<App>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) peer: Peer,
    /// The peer's address, as every line of the access log has it.
    pub(crate) address: String,
    /// Whether this is one connection too many, for health checks only.
    pub(crate) reserve: bool,
    pub(crate) timeouts: Timeouts,
    pub(crate) last: Last,
}

/// Answers one request. The answer's body carries the record of it, which is written when the body has gone.
pub(crate) async fn answer(
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<Outbound>, Infallible> {
    let (mut head, body) = request.into_parts();
    let id = choose(&head.headers, connection.peer.trusted);
    let is_head = head.method == Method::HEAD;
    let mut record = Record::begin(Arc::clone(&connection), &head, id.clone());
    let (body, progress) = Inbound::wrap(body, &connection);
    record.watch(progress);
    remove_prefix(&mut head, connection.app.vantage().prefix());
    let handled = match connection.app.vantage().context(&head, &connection.peer, &id) {
        Ok(context) => {
            record.address = context.address.unwrap_or(connection.peer.address);
            dispatch(&connection, Request::from_parts(head, body), &context, &mut record).await
        }
        Err(invalid) => refusal::bad_request(&invalid.to_string()),
    };
    let handled = if is_head { Handled { response: headed(handled.response), ..handled } } else { handled };
    Ok(finish(&connection, handled, record, id))
}

/// The answer to a HEAD: what a GET would say, without the body. HTTP/2 would send one that is left in.
fn headed(mut response: Response<Body>) -> Response<Body> {
    if response.body().is_end_stream() {
        return response;
    }
    if let Some(length) = outbound::length(&response).filter(|_| !response.headers().contains_key(CONTENT_LENGTH)) {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    response.map(|_| empty())
}

async fn dispatch(connection: &Connection, request: Request<Body>, context: &Context, record: &mut Record) -> Handled {
    let app = &connection.app;
    let (target, request) = match app.target(&request) {
        Target::Shared(several) => {
            let (head, body) = request.into_parts();
            // On the heap, so that it does not make the task of every request larger.
            let target = Box::pin(app.choose(several, &head, context)).await;
            (target, Request::from_parts(head, body))
        }
        one => (one, request),
    };
    record.format = target.format();
    if connection.reserve && !matches!(target, Target::Own(own) if own.is_health()) {
        return refusal::overloaded();
    }
    // What a panic leaves half done lives in transactions and on the stack, both of which it takes along.
    let handled = AssertUnwindSafe(app.handle(target, request, context)).catch_unwind().await;
    match (record.body_end(), handled) {
        (Some(End::TooSlow), _) => refusal::too_slow(),
        (Some(End::Broken), Ok(Handled { operation, actor, .. })) => {
            Handled { operation, actor, ..refusal::broken_off() }
        }
        (_, Ok(handled)) => handled,
        (_, Err(panic)) => refusal::panicked(panic_message(panic.as_ref()), context),
    }
}

fn finish(connection: &Connection, handled: Handled, mut record: Record, id: HeaderValue) -> Response<Outbound> {
    let Handled { mut response, operation, actor, error } = handled;
    record.answered(response.status(), operation, actor, error);
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if may_hold_script(headers) && !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    }
    if (connection.reserve || record.is_last()) && !connection.activity.is_http2() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if connection.reserve {
        connection.activity.order(Order::Retire);
    }
    let length = outbound::length(&response);
    let file = response.extensions_mut().remove::<FilePart>().filter(|part| connection.activity.files.takes(part));
    response.map(|body| {
        let body = Outbound::new(body, length, record);
        match file {
            Some(part) => body.sent_by_the_kernel(part, &connection.activity),
            None => body,
        }
    })
}

/// Content comes from anybody who may push, and must not run as a page of ours.
fn may_hold_script(headers: &HeaderMap) -> bool {
    let Some(Ok(media_type)) = headers.get(CONTENT_TYPE).map(HeaderValue::to_str) else { return false };
    media_type.starts_with("text/html") || media_type.contains("xml") || media_type.starts_with("text/xsl")
}

/// A proxy may hand paths on with the prefix of the external URL or without it.
fn remove_prefix(head: &mut Parts, prefix: &str) {
    if prefix.is_empty() {
        return;
    }
    let path = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let rest = match path.strip_prefix(prefix) {
        Some(rest) if rest.starts_with('/') => rest.to_owned(),
        Some(rest) if rest.is_empty() || rest.starts_with('?') => format!("/{rest}"),
        _ => return,
    };
    let mut parts = head.uri.clone().into_parts();
    parts.path_and_query = rest.parse().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        head.uri = uri;
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("of an unknown kind")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without_prefix(path: &str, prefix: &str) -> String {
        let mut head = Request::builder().uri(path).body(()).unwrap().into_parts().0;
        remove_prefix(&mut head, prefix);
        head.uri.to_string()
    }

    #[test]
    fn the_external_prefix_may_be_there_or_not() {
        assert_eq!(without_prefix("/registry/v2/?n=1", "/registry"), "/v2/?n=1");
        assert_eq!(without_prefix("/registry?n=1", "/registry"), "/?n=1");
        assert_eq!(without_prefix("/registry", "/registry"), "/");
        assert_eq!(without_prefix("/v2/", "/registry"), "/v2/");
        assert_eq!(without_prefix("/registryx", "/registry"), "/registryx");
        assert_eq!(without_prefix("http://a/registry/v2/", "/registry"), "http://a/v2/");
    }

    #[test]
    fn what_a_browser_could_run_is_sandboxed() {
        let is = |media_type: &'static str| {
            may_hold_script(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]))
        };
        assert!(is("text/html; charset=utf-8") && is("image/svg+xml") && is("application/xml"));
        assert!(!is("application/octet-stream") && !is("application/vnd.oci.image.index.v1+json"));
    }
}
