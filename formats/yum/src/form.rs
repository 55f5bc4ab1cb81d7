//! A package as a part of a form, as Nexus's components API takes it.

use std::io;

use futures_util::TryStreamExt;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use multer::Multipart;
use wharf_core::ByteStream;
use wharf_wire::{Body, chunks};

use crate::Error;

/// The part that is the package. Others say where it should lie, which it says itself.
const PACKAGE: &str = "yum.asset";

/// The content of the package, as it comes.
pub(crate) async fn package(headers: &HeaderMap, body: Body) -> Result<ByteStream, Error> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(content_type).map_err(invalid)?;
    let mut form = Multipart::new(chunks(body), boundary);
    while let Some(field) = form.next_field().await.map_err(invalid)? {
        if field.name() == Some(PACKAGE) {
            return Ok(Box::pin(field.map_err(io::Error::other)));
        }
    }
    Err(Error::Invalid(format!("the form has no part {PACKAGE}")))
}

fn invalid(error: multer::Error) -> Error {
    Error::Invalid(format!("it is not a form: {error}"))
}
