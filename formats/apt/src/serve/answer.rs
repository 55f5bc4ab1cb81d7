//! Short answers.

use ::bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use wharf_wire::{Body, bytes, empty};

/// A text in plain.
pub(super) fn text(status: StatusCode, text: String) -> Response<Body> {
    typed(status, HeaderValue::from_static("text/plain; charset=utf-8"), text)
}

/// Content of some kind, whole.
pub(super) fn typed(status: StatusCode, media_type: HeaderValue, content: impl Into<Bytes>) -> Response<Body> {
    let content = content.into();
    let size = content.len();
    let mut response = Response::new(bytes(content));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response.headers_mut().insert(CONTENT_LENGTH, size.into());
    response
}

/// Done, and nothing to say.
pub(super) fn no_content() -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
