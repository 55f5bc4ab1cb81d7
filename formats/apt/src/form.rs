//! A package as a part of a form, as Nexus's components API takes it.

use std::io;

use futures_util::TryStreamExt;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use multer::Multipart;
use wharf_wire::{Body, chunks, stream};

use crate::Error;

/// The part that is the package.
const PACKAGE: &str = "apt.asset";
/// Those of other formats end so too.
const ASSET: &str = ".asset";

/// The content of the package, as it comes.
pub(crate) async fn package(headers: &HeaderMap, body: Body) -> Result<Body, Error> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(content_type).map_err(invalid)?;
    let mut form = Multipart::new(chunks(body), boundary);
    while let Some(field) = form.next_field().await.map_err(invalid)? {
        match field.name() {
            Some(PACKAGE) => return Ok(stream(Box::pin(field.map_err(io::Error::other)))),
            Some(other) if other.ends_with(ASSET) => return Err(Error::Form(for_another_format(other))),
            _ => {}
        }
    }
    Err(Error::Form(format!("the form has no part {PACKAGE}")))
}

/// The URL does not say the format of a repository that is not there.
fn for_another_format(part: &str) -> String {
    let part: String = part.chars().take(50).collect();
    format!(
        "the form has {part:?} and no part {PACKAGE}: if this repository is not there yet, make it by an upload to its own address"
    )
}

fn invalid(error: multer::Error) -> Error {
    Error::Form(format!("it is not a form: {error}"))
}
