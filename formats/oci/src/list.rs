//! Listing repositories, tags and referrers, a page at a time.

use ::bytes::Bytes;
use http::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, LINK};
use serde::Serialize;
use wharf_core::{Descriptor, Referrers, Target, media};
use wharf_types::{Digest, RepoName};
use wharf_wire::{Body, Page, bytes};

use crate::{Call, Error, NAME, Op};

/// Entries of a page when the client leaves it to us, and the most it may ask for. Clients follow the Link.
const MOST_ENTRIES: usize = 10_000;
/// Descriptors carry annotations; the specification wants an answer to stay below 4 MiB.
const MOST_REFERRERS: usize = 1_000;

const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

/// Bytes of annotations after which a page of referrers ends early.
const MOST_BYTES: usize = 3 * 1024 * 1024;

/// The answer to a list of tags.
#[derive(Serialize)]
struct Tags<'a> {
    name: &'a RepoName,
    tags: &'a [String],
}

/// The answer to a list of repositories.
#[derive(Serialize)]
struct Catalog<'a> {
    repositories: Vec<&'a str>,
}

/// The answer to a list of referrers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u8,
    media_type: &'static str,
    manifests: &'a [Descriptor],
}

fn json(body: &impl Serialize) -> Result<Bytes, Error> {
    let text = serde_json::to_vec(body).map_err(|error| wharf_core::Error::Inconsistent(error.to_string()))?;
    Ok(text.into())
}

fn index(descriptors: &[Descriptor]) -> Result<Bytes, Error> {
    json(&Index { schema_version: 2, media_type: media::INDEX, manifests: descriptors })
}

fn listing(text: Bytes, media_type: &'static str, link: Option<String>) -> Response<Body> {
    let size = text.len();
    let mut response = Response::new(bytes(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CONTENT_LENGTH, size.into());
    if let Some(link) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
        headers.insert(LINK, link);
    }
    response
}

/// Asks for one entry more than the page holds, to know whether there is a next page.
async fn page_of<T, F: Future<Output = wharf_core::Result<Vec<T>>>>(
    page: &Page,
    read: impl FnOnce(String, usize) -> F,
) -> Result<(Vec<T>, usize, bool), Error> {
    let limit = page.limit.unwrap_or(MOST_ENTRIES).min(MOST_ENTRIES);
    // No name holds a NUL, and PostgreSQL takes none: what follows it in `last` makes no difference.
    let after = page.last.as_deref().and_then(|last| last.split('\0').next()).unwrap_or_default();
    let mut entries = read(after.to_owned(), limit + 1).await?;
    let more = limit > 0 && entries.len() > limit;
    entries.truncate(limit);
    Ok((entries, limit, more))
}

pub(crate) async fn catalog(call: Call<'_>) -> Result<Response<Body>, Error> {
    let Op::Catalog { page } = call.permit.op() else { return Err(Error::NoSuchEndpoint) };
    let read = async |after: String, limit| {
        call.core.repositories(call.permit.identity(), NAME, None, true, &after, limit).await
    };
    let (found, limit, more) = page_of(page, read).await?;
    let names: Vec<&str> = found.iter().map(|repository| repository.name.canonical()).collect();
    let next = names.last().filter(|_| more);
    let link = next.map(|last| Page::link(&call.context.location("/v2/_catalog"), limit, last, &[]));
    Ok(listing(json(&Catalog { repositories: names })?, "application/json", link))
}

pub(crate) async fn tags(call: Call<'_>) -> Result<Response<Body>, Error> {
    let Op::Tags { name, page } = call.permit.op() else { return Err(Error::NoSuchEndpoint) };
    let target = Target::new(NAME, name.clone());
    let read = async |after: String, limit| call.core.tag_names(&target, &after, limit).await;
    let (tags, limit, more) = page_of(page, read).await?;
    let path = call.context.location(&format!("/v2/{name}/tags/list"));
    let link = tags.last().filter(|_| more).map(|last| Page::link(&path, limit, last, &[]));
    Ok(listing(json(&Tags { name, tags: &tags })?, "application/json", link))
}

/// How many entries an answer has room for. One entry always fits, so that every page makes progress.
fn fitting(found: &Referrers) -> usize {
    if found.annotation_bytes() <= MOST_BYTES {
        return found.descriptors.len();
    }
    let mut size = 0;
    let fits = found.descriptors.iter().take_while(|entry| {
        size += entry.annotation_bytes();
        size <= MOST_BYTES
    });
    fits.count().max(1)
}

pub(crate) async fn referrers(call: Call<'_>) -> Result<Response<Body>, Error> {
    let Op::Referrers { name, subject, artifact_type, page } = call.permit.op() else {
        return Err(Error::NoSuchEndpoint);
    };
    let limit = page.limit.unwrap_or(MOST_REFERRERS).clamp(1, MOST_REFERRERS);
    let after: Option<Digest> = page.last.as_deref().map(str::parse).transpose()?;
    let target = Target::new(NAME, name.clone());
    let wanted = artifact_type.as_deref();
    let found = call.core.referrers(&target, subject, wanted, after.as_ref(), limit).await?;
    let shown = &found.descriptors[..fitting(&found)];
    let all = shown.len() == found.descriptors.len();
    let text = if all { found.text(index)? } else { index(shown)? };
    let path = call.context.location(&format!("/v2/{name}/referrers/{subject}"));
    let filter: Vec<_> = wanted.map(|value| ("artifactType", value)).into_iter().collect();
    let last = shown.last().filter(|_| found.more || !all).map(|entry| entry.digest.to_string());
    let link = last.map(|last| Page::link(&path, limit, &last, &filter));
    let mut response = listing(text, media::INDEX, link);
    if wanted.is_some() {
        response.headers_mut().insert(FILTERS_APPLIED, HeaderValue::from_static("artifactType"));
    }
    Ok(response)
}
