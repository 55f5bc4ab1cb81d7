//! Taking charts and provenance files in: as the body of a request, or in a form.

use std::io;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};
use multer::{Constraints, Field, Multipart, SizeLimit};
use wharf_core::{Actor, Added, Arrival, ByteStream, Target};
use wharf_types::RepoName;
use wharf_wire::{Body, bytes, chunks, empty};

use crate::operation::{Dialect, Kind};
use crate::package::PROVENANCE;
use crate::provenance::LARGEST;
use crate::{Call, Error, NAME};

/// What an upload wants.
pub(crate) struct Upload<'a> {
    pub(crate) name: &'a RepoName,
    pub(crate) kind: Kind,
    pub(crate) file: Option<&'a str>,
    pub(crate) force: bool,
    pub(crate) wait: bool,
    pub(crate) dialect: Dialect,
}

impl Call<'_> {
    pub(crate) fn target(&self, name: &RepoName) -> Target {
        Target::pushed(NAME, name.clone(), &self.permit)
    }

    pub(crate) fn actor(&self) -> Actor {
        Actor::new(self.permit.identity(), self.context.origin())
    }

    pub(crate) async fn add(&self, upload: &Upload<'_>, head: &Parts, body: Body) -> Result<Response<Body>, Error> {
        let added = match boundary(&head.headers)? {
            Some(boundary) => self.add_form(upload, &boundary, body).await?,
            None => self.take(upload, upload.kind, chunks(body)).await?,
        };
        if upload.wait {
            self.published(upload.name).await?;
        }
        Ok(self.saved(upload, &added))
    }

    async fn take(&self, upload: &Upload<'_>, kind: Kind, content: ByteStream) -> Result<Added, Error> {
        let section = if kind == Kind::Provenance { PROVENANCE.to_owned() } else { String::new() };
        let file_name = upload.file.map(str::to_owned);
        let arrival = Arrival { section, file_name, replaces: upload.force, ..Arrival::default() };
        Ok(self.core.add_package(&self.target(upload.name), arrival, content, &self.actor()).await?)
    }

    /// A form with a chart, its provenance file, or both in any order: the chart first, for the other speaks of it.
    async fn add_form(&self, upload: &Upload<'_>, boundary: &str, body: Body) -> Result<Added, Error> {
        let limits = Constraints::new().size_limit(SizeLimit::new().for_field("prov", LARGEST));
        let mut form = Multipart::with_constraints(chunks(body), boundary, limits);
        let (mut chart, mut provenance) = (None, None);
        while let Some(field) = form.next_field().await.map_err(unreadable)? {
            match what(&field) {
                Some(Kind::Chart) if chart.is_none() => {
                    chart = Some(self.take(upload, Kind::Chart, content(field)).await?);
                }
                Some(Kind::Provenance) if provenance.is_none() => {
                    provenance = Some(field.bytes().await.map_err(unreadable)?);
                }
                Some(_) => return Err(Error::Form("a field is there twice".to_owned())),
                None => {}
            }
        }
        let Some(provenance) = provenance else { return chart.ok_or(Error::EmptyForm) };
        let taken = self.take(upload, Kind::Provenance, whole(provenance)).await;
        match (chart, taken) {
            (Some(chart), Ok(_)) => Ok(chart),
            (Some(_), Err(error)) => Err(Error::HalfSaved(Box::new(error))),
            (None, taken) => taken,
        }
    }

    pub(crate) async fn published(&self, name: &RepoName) -> Result<(), Error> {
        self.core.wait_until_published(&self.target(name), "").await.map_err(|error| match error {
            wharf_core::Error::NotPublished(_) => Error::NotPublished(error),
            other => other.into(),
        })
    }

    fn saved(&self, upload: &Upload<'_>, added: &Added) -> Response<Body> {
        let path = format!("/helm/{}/{}", upload.name.full(), added.path);
        let mut response = match upload.dialect {
            Dialect::Museum => json(&serde_json::json!({ "saved": true })),
            Dialect::Nexus => Response::new(empty()),
            Dialect::Artifactory => json(&serde_json::json!({
                "repo": upload.name.full(),
                "path": format!("/{}", added.path),
                "downloadUri": format!("{}{path}", self.context.base_url),
                "checksums": { "sha256": added.digest.hex() },
                "uri": format!("{}{path}", self.context.base_url),
            })),
        };
        *response.status_mut() = StatusCode::CREATED;
        let location = HeaderValue::from_str(&self.context.location(&path));
        response.headers_mut().extend(location.ok().map(|location| (LOCATION, location)));
        response
    }
}

/// An answer in JSON.
pub(crate) fn json(value: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(bytes(value.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What parts the fields, if the body is a form.
fn boundary(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let Some(kind) = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else { return Ok(None) };
    if !kind.trim_start().to_ascii_lowercase().starts_with("multipart/") {
        return Ok(None);
    }
    multer::parse_boundary(kind).map(Some).map_err(unreadable)
}

/// ChartMuseum's names of the fields, and Nexus's.
fn what(field: &Field<'_>) -> Option<Kind> {
    match field.name()? {
        "chart" => Some(Kind::Chart),
        "helm.asset" | "asset0" if field.file_name().is_some_and(|name| name.ends_with(".prov")) => {
            Some(Kind::Provenance)
        }
        "helm.asset" | "asset0" => Some(Kind::Chart),
        "prov" => Some(Kind::Provenance),
        _ => None,
    }
}

fn unreadable(error: multer::Error) -> Error {
    Error::Form(error.to_string())
}

fn content(field: Field<'static>) -> ByteStream {
    Box::pin(field.map_err(io::Error::other))
}

fn whole(content: Bytes) -> ByteStream {
    Box::pin(stream::once(async move { Ok(content) }).fuse())
}
