//! Content that clients may ask for in parts, and again.

use std::ops::Range;

use ::bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use wharf_core::ByteStream;
use wharf_types::Digest;
use wharf_wire::{Body, Part, bytes, empty, etag, is_unchanged, stream};

use crate::Error;

/// A file and how it is handed out.
pub(super) struct Content<'a> {
    pub(super) digest: &'a Digest,
    pub(super) size: u64,
    pub(super) media_type: &'a str,
    pub(super) caching: HeaderValue,
}

impl Content<'_> {
    /// All of it, the part that is asked for, or word that the client has it.
    pub(super) async fn answer(
        &self,
        head: &Parts,
        open: impl AsyncFnOnce(Range<u64>) -> Result<ByteStream, Error>,
    ) -> Result<Response<Body>, Error> {
        let tag = etag(&self.digest.to_string());
        if is_unchanged(&head.headers, &tag) {
            return Ok(self.described(&tag, StatusCode::NOT_MODIFIED, empty()));
        }
        let part = Part::asked(head, || tag.clone(), self.size).ok_or(Error::RangeNotSatisfiable(self.size))?;
        let unread = head.method == Method::HEAD || part.range.is_empty();
        let body = if unread { empty() } else { stream(open(part.range.clone()).await?) };
        let mut response = self.described(&tag, part.status, body);
        let headers = response.headers_mut();
        headers.extend(HeaderValue::from_str(self.media_type).ok().map(|value| (CONTENT_TYPE, value)));
        part.describe(headers, self.size);
        Ok(response)
    }

    fn described(&self, tag: &str, status: StatusCode, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.extend(HeaderValue::from_str(tag).ok().map(|tag| (ETAG, tag)));
        headers.insert(CACHE_CONTROL, self.caching.clone());
        response
    }
}

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
