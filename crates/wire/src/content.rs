//! Content that is named by its digest, as clients fetch it: whole, in parts, or not again (RFC 9110, sections 13 and 14).

use std::ops::Range;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use wharf_auth::{Operation, Permit};
use wharf_core::{Core, Opened, Pull, Target};
use wharf_types::Digest;

use crate::{Body, Context, Part, empty, hand_out, is_unchanged};

/// Content under a digest never changes; who may read it does, so shared caches stay out.
pub const FOR_EVER: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");
/// Asked for again each time, which costs an answer without a body where nothing has changed.
pub const ASK_AGAIN: HeaderValue = HeaderValue::from_static("private, no-cache");

/// A `Range` of which nothing is inside the content, which has so many bytes: 416.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the range is not inside the {0} bytes of the file")]
pub struct OutOfRange(pub u64);

/// A file and how it is handed out.
#[derive(Debug)]
pub struct Content<'a> {
    /// What it hashes to: its entity tag.
    pub digest: &'a Digest,
    /// Bytes of all of it.
    pub size: u64,
    /// What it is.
    pub media_type: &'a str,
    /// [`FOR_EVER`] or [`ASK_AGAIN`].
    pub caching: HeaderValue,
}

/// Hands out the package that lies at `path`, and notes that it was: a pull is a GET that is answered with the file or a part of it.
///
/// # Errors
/// Those of [`Core::package`] and [`Core::hand_out`]; [`OutOfRange`].
pub async fn package<O, E>(
    core: &Core,
    permit: &Permit<O>,
    context: &Context,
    (target, path, media_type): (&Target, &str, &str),
    head: &Parts,
) -> Result<Response<Body>, E>
where
    O: Operation,
    E: From<wharf_core::Error> + From<OutOfRange>,
{
    let blob = core.package(target, path).await?;
    let content = Content { digest: &blob.digest, size: blob.size, media_type, caching: ASK_AGAIN };
    let response = content.answer::<E, _>(head, async |range| Ok(core.hand_out(&blob, range).await?)).await?;
    if head.method == Method::GET && response.status() != StatusCode::NOT_MODIFIED {
        let (identity, action, format) = (permit.identity(), permit.op().action(), target.format);
        let pull = Pull { identity, action, format, name: &target.name, tag: Some(path), digest: blob.digest };
        core.pulled(&pull, context.source());
    }
    Ok(response)
}

impl Content<'_> {
    /// All of it, the part that is asked for, or word that the client has it. `open` is called only where bytes are sent.
    ///
    /// # Errors
    /// [`OutOfRange`]; those of `open`.
    pub async fn answer<E: From<OutOfRange>, O: Into<Opened>>(
        &self,
        head: &Parts,
        open: impl AsyncFnOnce(Range<u64>) -> Result<O, E>,
    ) -> Result<Response<Body>, E> {
        let tag = self.digest.quoted();
        if is_unchanged(&head.headers, &tag) {
            return Ok(self.described(&tag, StatusCode::NOT_MODIFIED, empty()));
        }
        let part = Part::asked(head, || tag.clone(), self.size).ok_or(OutOfRange(self.size))?;
        let unread = head.method == Method::HEAD || part.range.is_empty();
        let opened = if unread { None } else { Some(open(part.range.clone()).await?) };
        let mut response = self.described(&tag, part.status, empty());
        if let Some(opened) = opened {
            hand_out(&mut response, opened.into());
        }
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
