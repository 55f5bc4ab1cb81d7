//! From a request's head to an operation. Names have any number of segments, so paths are read from their end.

use std::borrow::Cow;
use std::ops::Range;

use http::Method;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap};
use http::request::Parts;
use wharf_types::{Digest, Reference, RepoName, Tag};
use wharf_wire::{Page, decode_segment, query_pairs};

use crate::{Error, Op};

/// Most tags one push may set.
const MOST_TAGS: usize = 100;

/// What a request asks for.
pub(crate) fn parse(head: &Parts) -> Result<Op, Error> {
    let path = head.uri.path();
    let rest = path.strip_prefix("/v2").ok_or(Error::NoSuchEndpoint)?;
    let path = decoded(rest.strip_prefix('/').unwrap_or(rest)).ok_or(Error::BadPath)?;
    let request = Head { method: &head.method, query: head.uri.query(), headers: &head.headers };
    let (before, last) = match &*path {
        "" => return request.reads().map(|()| Op::Ping),
        "_catalog" => return request.reads().and_then(|()| Ok(Op::Catalog { page: request.page()? })),
        path => path.rsplit_once('/').ok_or(Error::NoSuchEndpoint)?,
    };
    if let Some(name) = ahead_of(before, "tags").filter(|_| last == "list") {
        return request.reads().and_then(|()| Ok(Op::Tags { name: name.parse()?, page: request.page()? }));
    }
    if let Some(name) = ahead_of(before, "blobs").filter(|_| last == "uploads") {
        return request.begin(name.parse()?);
    }
    if let Some(name) = ahead_of(before, "uploads").and_then(|before| ahead_of(before, "blobs")) {
        let name = name.parse()?;
        return if last.is_empty() { request.begin(name) } else { request.upload(name, last) };
    }
    if let Some(name) = ahead_of(before, "blobs") {
        return request.blob(name.parse()?, last.parse()?);
    }
    if let Some(name) = ahead_of(before, "manifests") {
        return request.manifest(name.parse()?, last.parse()?);
    }
    match ahead_of(before, "referrers") {
        Some(name) => request.referrers(name.parse()?, last.parse()?),
        None => Err(Error::NoSuchEndpoint),
    }
}

/// The path with each of its segments decoded; none if one of them cannot be, or would become several.
fn decoded(path: &str) -> Option<Cow<'_, str>> {
    if !path.contains('%') {
        return Some(Cow::Borrowed(path));
    }
    let segments: Option<Vec<_>> = path.split('/').map(decode_segment).collect();
    Some(Cow::Owned(segments?.join("/")))
}

/// What stands before `word`, where that is the last segment.
fn ahead_of<'a>(path: &'a str, word: &str) -> Option<&'a str> {
    let before = path.strip_suffix(word)?;
    if before.is_empty() { Some(before) } else { before.strip_suffix('/') }
}

struct Head<'a> {
    method: &'a Method,
    query: Option<&'a str>,
    headers: &'a HeaderMap,
}

impl Head<'_> {
    fn reads(&self) -> Result<(), Error> {
        if matches!(*self.method, Method::GET | Method::HEAD) {
            Ok(())
        } else {
            Err(Error::MethodNotAllowed("GET, HEAD"))
        }
    }

    fn page(&self) -> Result<Page, Error> {
        Ok(Page::from_query(self.query)?)
    }

    fn param(&self, wanted: &str) -> Option<String> {
        query_pairs(self.query).find(|(key, _)| key == wanted).map(|(_, value)| value.into_owned())
    }

    fn begin(&self, name: RepoName) -> Result<Op, Error> {
        if self.method != Method::POST {
            return Err(Error::MethodNotAllowed("POST"));
        }
        if let Some(digest) = self.param("mount") {
            let from = self.param("from").filter(|from| !from.is_empty()).map(|from| from.parse()).transpose()?;
            return Ok(Op::Mount { name, digest: digest.parse()?, from });
        }
        if let Some(digest) = self.param("digest") {
            return Ok(Op::UploadWhole { name, digest: digest.parse()? });
        }
        let algorithm = self.param("digest-algorithm").map(|text| text.parse()).transpose()?;
        Ok(Op::BeginUpload { name, algorithm })
    }

    fn upload(&self, name: RepoName, id: &str) -> Result<Op, Error> {
        let id = id.to_owned();
        match *self.method {
            Method::GET | Method::HEAD => Ok(Op::UploadStatus { name, id }),
            Method::PATCH => Ok(Op::Append { name, id, range: self.chunk_range()? }),
            Method::PUT => {
                let digest = self.param("digest").ok_or(Error::DigestMissing)?.parse()?;
                Ok(Op::FinishUpload { name, id, range: self.chunk_range()?, digest })
            }
            Method::DELETE => Ok(Op::CancelUpload { name, id }),
            _ => Err(Error::MethodNotAllowed("GET, HEAD, PATCH, PUT, DELETE")),
        }
    }

    /// Where a chunk begins and ends: `Content-Range: <first>-<last>` as the specification writes it, or with `bytes` and total as HTTP does.
    fn chunk_range(&self) -> Result<Option<Range<u64>>, Error> {
        let Some(header) = self.headers.get(CONTENT_RANGE) else { return Ok(None) };
        let text = header.to_str().map_err(|_| Error::BadRange)?.trim();
        let text = text.strip_prefix("bytes").map_or(text, |rest| rest.trim_start_matches([' ', '=']));
        let text = text.split('/').next().unwrap_or_default();
        let (first, last) = text.split_once('-').ok_or(Error::BadRange)?;
        let first: u64 = first.trim().parse().map_err(|_| Error::BadRange)?;
        let last: u64 = last.trim().parse().map_err(|_| Error::BadRange)?;
        let length = self.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        // An empty chunk is written as a range that ends before it begins.
        let end = last.checked_add(1).ok_or(Error::BadRange)?;
        let size = end.checked_sub(first).ok_or(Error::BadRange)?;
        match length {
            Some(length) if length != size => Err(Error::SizeMismatch { range: size, length }),
            _ => Ok(Some(first..end)),
        }
    }

    fn blob(&self, name: RepoName, digest: Digest) -> Result<Op, Error> {
        match *self.method {
            Method::GET | Method::HEAD => Ok(Op::ReadBlob { name, digest }),
            Method::DELETE => Ok(Op::DeleteBlob { name, digest }),
            _ => Err(Error::MethodNotAllowed("GET, HEAD, DELETE")),
        }
    }

    fn manifest(&self, name: RepoName, reference: Reference) -> Result<Op, Error> {
        match *self.method {
            Method::GET | Method::HEAD => Ok(Op::ReadManifest { name, reference }),
            Method::DELETE => Ok(Op::DeleteManifest { name, reference }),
            Method::PUT => self.put_manifest(name, reference),
            _ => Err(Error::MethodNotAllowed("GET, HEAD, PUT, DELETE")),
        }
    }

    fn put_manifest(&self, name: RepoName, reference: Reference) -> Result<Op, Error> {
        let mut tags: Vec<Tag> = Vec::new();
        let mut digest = self.param("digest").map(|digest| digest.parse()).transpose()?;
        match &reference {
            Reference::Tag(tag) => tags.push(tag.clone()),
            Reference::Digest(named) => digest = Some(*named),
        }
        for (key, value) in query_pairs(self.query) {
            if key == "tag" {
                let tag = value.parse()?;
                if !tags.contains(&tag) {
                    tags.push(tag);
                }
            }
        }
        if tags.len() > MOST_TAGS {
            return Err(Error::TooManyTags(MOST_TAGS));
        }
        Ok(Op::PutManifest { name, digest, tags, reference })
    }

    fn referrers(&self, name: RepoName, subject: Digest) -> Result<Op, Error> {
        self.reads()?;
        let artifact_type = self.param("artifactType").filter(|text| !text.is_empty());
        Ok(Op::Referrers { name, subject, artifact_type, page: self.page()? })
    }
}

#[cfg(test)]
mod tests;
