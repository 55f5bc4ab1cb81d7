//! Pushing and deleting manifests, and deleting blobs.

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use http::request::Parts;
use http::{Response, StatusCode};
use wharf_core::{InvalidManifest, Target};
use wharf_types::MediaType;
use wharf_wire::{Body, announced, read_up_to};

use crate::upload::CONTENT_DIGEST;
use crate::{Call, Error, NAME, Op};

/// The limit that the distribution-spec asks registries for at least, and the one here.
const MOST_BYTES: usize = 4 * 1024 * 1024;

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const TAG: HeaderName = HeaderName::from_static("oci-tag");

pub(crate) async fn put(call: Call<'_>, head: &Parts, body: Body) -> Result<Response<Body>, Error> {
    let Op::PutManifest { name, digest, tags, reference } = call.permit.op() else {
        return Err(Error::NoSuchEndpoint);
    };
    let media_type = content_type(head)?;
    // What does not say how long it is may be as long as any; what says that it is too long is refused without room.
    let room = match announced(&body) {
        Some(size) if size > MOST_BYTES as u64 => None,
        size => call.core.room_for_manifest(size.unwrap_or(MOST_BYTES as u64)).await?,
    };
    let content = read_up_to(body, MOST_BYTES).await?;
    let target = Target::pushed(NAME, name.clone(), &call.permit);
    let pushed = call
        .core
        .put_manifest(&target, content.into(), media_type.as_ref(), *digest, tags.clone(), &call.actor())
        .await?;
    drop(room);
    let location = call.context.location(&format!("/v2/{name}/manifests/{reference}"));
    let digest = pushed.digest.to_string();
    let mut response = call.bare(StatusCode::CREATED, &[(LOCATION, &location), (CONTENT_DIGEST, &digest)]);
    let values = pushed.subject.iter().map(|subject| (SUBJECT, subject.to_string()));
    for (header, value) in values.chain(tags.iter().map(|tag| (TAG, tag.to_string()))) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(header, value);
        }
    }
    Ok(response)
}

/// What the header says; clients that say nothing useful leave it to the content.
fn content_type(head: &Parts) -> Result<Option<MediaType>, Error> {
    let Some(header) = head.headers.get(CONTENT_TYPE) else { return Ok(None) };
    let text = header.to_str().unwrap_or_default();
    match MediaType::from_content_type(text) {
        Ok(media_type) if media_type.as_str() == "application/json" => Ok(None),
        Ok(media_type) => Ok(Some(media_type)),
        Err(_) => Err(wharf_core::Error::from(InvalidManifest::UnknownType(text.chars().take(200).collect())).into()),
    }
}

pub(crate) async fn delete(call: Call<'_>) -> Result<Response<Body>, Error> {
    let Op::DeleteManifest { name, reference } = call.permit.op() else { return Err(Error::NoSuchEndpoint) };
    call.core.delete_manifest(&Target::new(NAME, name.clone()), reference, &call.actor()).await?;
    Ok(call.bare(StatusCode::ACCEPTED, &[]))
}

pub(crate) async fn delete_blob(call: Call<'_>) -> Result<Response<Body>, Error> {
    let Op::DeleteBlob { name, digest } = call.permit.op() else { return Err(Error::NoSuchEndpoint) };
    call.core.delete_blob(&Target::new(NAME, name.clone()), digest, &call.actor()).await?;
    Ok(call.bare(StatusCode::ACCEPTED, &[]))
}
