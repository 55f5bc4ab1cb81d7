//! Pulling (distribution-spec, "Pull").

use ::bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, LOCATION,
};
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode};
use wharf_auth::Operation as _;
use wharf_core::{Blob, Pull, Target, media};
use wharf_types::{Digest, MediaType, Reference, RepoName};
use wharf_wire::{Body, Part, bytes, empty, hand_out, is_unchanged};

use crate::upload::CONTENT_DIGEST;
use crate::{Call, Error, NAME, Op};

/// What most manifests are.
static MANIFEST_TYPES: [HeaderValue; 4] = [
    HeaderValue::from_static(media::IMAGE),
    HeaderValue::from_static(media::INDEX),
    HeaderValue::from_static(media::DOCKER_IMAGE),
    HeaderValue::from_static(media::DOCKER_LIST),
];

/// Content under a digest never changes; who may read it does, so shared caches stay out.
const FOR_EVER: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");

/// By this clients of the Docker registry protocol know a registry.
pub(crate) const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
pub(crate) const VERSION_2: HeaderValue = HeaderValue::from_static("registry/2.0");

/// The answer to a ping.
pub(crate) fn pong() -> Response<Body> {
    let mut response = Response::new(bytes("{}"));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, 2.into());
    headers.insert(API_VERSION, VERSION_2);
    response
}

/// Headers that name content by its digest: the entity tag is the digest in quotes.
fn name_content(headers: &mut HeaderMap, quoted: impl Into<Bytes>) {
    let quoted = quoted.into();
    if let Ok(value) = HeaderValue::from_maybe_shared(quoted.slice(1..quoted.len() - 1)) {
        headers.insert(CONTENT_DIGEST, value);
    }
    if let Ok(value) = HeaderValue::from_maybe_shared(quoted) {
        headers.insert(ETAG, value);
    }
}

/// Whether the client says that it has this content.
fn is_known(head: &Parts, digest: &Digest) -> bool {
    head.headers.contains_key(IF_NONE_MATCH) && is_unchanged(&head.headers, &digest.quoted())
}

fn type_of(media_type: &MediaType) -> Option<HeaderValue> {
    let known = MANIFEST_TYPES.iter().find(|known| known.as_bytes() == media_type.as_str().as_bytes());
    known.cloned().or_else(|| HeaderValue::from_str(media_type.as_str()).ok())
}

fn unchanged(quoted: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    name_content(response.headers_mut(), quoted);
    response
}

pub(crate) async fn manifest(call: &Call<'_>, head: &Parts) -> Result<Response<Body>, Error> {
    let Op::ReadManifest { name, reference } = call.permit.op() else { return Err(Error::NoSuchEndpoint) };
    let target = Target::new(NAME, name.clone());
    let (digest, media_type, size, quoted, body) = match head.method == Method::HEAD {
        true => {
            let (digest, media_type, size) = call.core.manifest_head(&target, reference).await?;
            (digest, type_of(&media_type), size, digest.quoted().into(), empty())
        }
        false => {
            let found = call.core.manifest(&target, reference).await?;
            let size = found.content.len() as u64;
            (found.digest, type_of(&found.media_type), size, found.quoted.clone(), bytes(found.content.clone()))
        }
    };
    let known = is_known(head, &digest);
    note_manifest(call, head, known, digest);
    if known {
        return Ok(unchanged(quoted));
    }
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    name_content(headers, quoted);
    headers.insert(CONTENT_LENGTH, size.into());
    if let Some(value) = media_type {
        headers.insert(CONTENT_TYPE, value);
    }
    if matches!(reference, Reference::Digest(_)) {
        headers.insert(CACHE_CONTROL, FOR_EVER);
    }
    Ok(response)
}

/// Handing it out is a pull. Whoever only asks where a tag points will ask for the digest next, if it is new to them, and then
/// nobody knows of the tag: so that is noted too, by another name. Asking whether a digest is here is not.
fn note_manifest(call: &Call<'_>, head: &Parts, unchanged: bool, digest: Digest) {
    let Op::ReadManifest { name, reference } = call.permit.op() else { return };
    let tag = match reference {
        Reference::Tag(tag) => Some(tag.as_str()),
        Reference::Digest(_) => None,
    };
    let action = match head.method == Method::HEAD || unchanged {
        false => call.permit.op().name(),
        true if tag.is_some() => "tag.resolve",
        true => return,
    };
    let pull = Pull { identity: call.permit.identity(), action, format: NAME, name, tag, digest };
    call.core.pulled(&pull, call.context.source());
}

pub(crate) async fn blob(call: &Call<'_>, head: &Parts) -> Result<Response<Body>, Error> {
    let Op::ReadBlob { name, digest } = call.permit.op() else { return Err(Error::NoSuchEndpoint) };
    let blob = call.core.blob(&Target::new(NAME, name.clone()), digest).await?;
    if is_known(head, digest) {
        return Ok(unchanged(digest.quoted()));
    }
    if head.method == Method::GET
        && let Some(link) = call.core.blob_link(&blob).await
        && let Ok(location) = HeaderValue::try_from(link)
    {
        note_blob(call, name, *digest);
        return Ok(elsewhere(digest, location));
    }
    let part = Part::asked(head, || digest.quoted(), blob.size);
    let part = part.ok_or(Error::RangeNotSatisfiable(blob.size))?;
    let mut response = part_of(&blob, &part);
    if head.method == Method::GET && !part.range.is_empty() {
        hand_out(&mut response, call.core.hand_out(&blob, part.range.clone()).await?);
    }
    if head.method == Method::GET {
        note_blob(call, name, *digest);
    }
    Ok(response)
}

/// A line of the audit log, within a second.
pub(crate) fn note_blob(call: &Call<'_>, name: &RepoName, digest: Digest) {
    let (identity, action) = (call.permit.identity(), call.permit.op().action());
    let pull = Pull { identity, action, format: NAME, name, tag: None, digest };
    call.core.pulled(&pull, call.context.source());
}

/// The storage hands the content out, or the part that a client asks it for.
fn elsewhere(digest: &Digest, location: HeaderValue) -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    let headers = response.headers_mut();
    name_content(headers, digest.quoted());
    headers.insert(LOCATION, location);
    headers.insert(CONTENT_LENGTH, 0.into());
    // The link is for one caller and ends soon.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn part_of(blob: &Blob, part: &Part) -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = part.status;
    let headers = response.headers_mut();
    name_content(headers, blob.digest.quoted());
    part.describe(headers, blob.size);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CACHE_CONTROL, FOR_EVER);
    response
}
