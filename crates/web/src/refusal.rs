//! Answers of the listener itself when a request reaches no handler, or comes back from it in pieces. They have the form of
//! the distribution specification, which every client of a registry can show.

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;
use wharf_wire::{Body, Context, Handled, bytes};

/// An error in the form of the distribution specification.
pub(crate) fn error(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    let content = json!({ "errors": [{ "code": code, "message": message }] });
    let mut response = Response::new(bytes(content.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn handled(status: StatusCode, code: &str, message: &str) -> Handled {
    Handled { response: error(status, code, message), operation: "unknown", actor: String::new(), error: None }
}

/// Nothing answers here.
pub(crate) fn not_found() -> Handled {
    handled(StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing at this path")
}

/// Nobody could make sense of it.
pub(crate) fn bad_request(message: &str) -> Handled {
    handled(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
}

/// No format and no page has a use for the method.
pub(crate) fn method_not_allowed(allowed: &'static str) -> Handled {
    let mut handled = handled(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "this method cannot be used here");
    handled.response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    handled
}

/// The path and query are longer than any that we give out.
pub(crate) fn uri_too_long() -> Handled {
    handled(StatusCode::URI_TOO_LONG, "URI_TOO_LONG", "the path and query are too long")
}

/// There are too many connections.
pub(crate) fn overloaded() -> Handled {
    let mut handled =
        handled(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "too many connections, try again in a moment");
    handled.response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    handled.operation = "overloaded";
    handled
}

/// The body came too slowly.
pub(crate) fn too_slow() -> Handled {
    let mut handled = handled(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", "the body comes too slowly");
    handled.error = Some("the client sent its body too slowly".to_owned());
    handled
}

/// The client went away in the middle of the body, so nobody will read this, or its framing is broken.
pub(crate) fn broken_off() -> Handled {
    let mut handled = handled(StatusCode::BAD_REQUEST, "BAD_REQUEST", "the body ended early");
    handled.error = Some("the client did not send its body to the end".to_owned());
    handled
}

/// A handler panicked.
pub(crate) fn panicked(message: &str, context: &Context) -> Handled {
    let told = format!("the server failed; its log says why under request id {}", context.request_id);
    let mut handled = handled(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", &told);
    handled.error = Some(format!("panic: {message}"));
    handled
}
