//! Pushing blobs (distribution-spec, "Pushing blobs").

use std::ops::Range;

use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue, LOCATION, RANGE};
use http::{Response, StatusCode};
use wharf_core::{Actor, ByteStream, Mounted, Target, Upload};
use wharf_types::{Digest, RepoName};
use wharf_wire::{Body, chunks, empty, exactly};

use crate::pull::note_blob;
use crate::{Call, Error, NAME, Op};

/// Names an upload apart from its Location; Docker's clients log it.
const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");
pub(crate) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// `Range` of an upload: inclusive, so nothing received reads like one byte; that is how the specification has it.
pub(crate) fn range(received: u64) -> String {
    format!("0-{}", received.saturating_sub(1))
}

impl Call<'_> {
    pub(crate) fn actor(&self) -> Actor {
        Actor::new(self.permit.identity(), self.context.origin())
    }

    fn target(&self, name: &RepoName) -> Target {
        Target::pushed(NAME, name.clone(), &self.permit)
    }

    /// A response with nothing but headers.
    pub(crate) fn bare(&self, status: StatusCode, headers: &[(HeaderName, &str)]) -> Response<Body> {
        let mut response = Response::new(empty());
        *response.status_mut() = status;
        for (name, value) in headers {
            // Everything that goes in here was parsed before; what is not a header value is left out.
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        }
        if status != StatusCode::NO_CONTENT {
            response.headers_mut().insert(CONTENT_LENGTH, 0.into());
        }
        response
    }

    fn upload_is(&self, status: StatusCode, name: &RepoName, upload: &Upload) -> Response<Body> {
        let location = self.context.location(&upload_path(name, &upload.id));
        self.bare(status, &[(LOCATION, &location), (RANGE, &range(upload.received)), (UPLOAD_ID, &upload.id)])
    }

    fn blob_is_here(&self, name: &RepoName, digest: &Digest) -> Response<Body> {
        note_blob(self, name, *digest);
        let digest = digest.to_string();
        let location = self.context.location(&format!("/v2/{name}/blobs/{digest}"));
        self.bare(StatusCode::CREATED, &[(LOCATION, &location), (CONTENT_DIGEST, &digest)])
    }
}

fn upload_path(name: &RepoName, id: &str) -> String {
    format!("/v2/{name}/blobs/uploads/{id}")
}

/// An out-of-order chunk is answered with where the upload stands.
fn placed(error: wharf_core::Error, name: &RepoName, id: &str) -> Error {
    match error {
        wharf_core::Error::OutOfOrder { given, received } => {
            Error::OutOfOrder { given, received, location: upload_path(name, id) }
        }
        other => other.into(),
    }
}

pub(crate) async fn begin(call: Call<'_>) -> Result<Response<Body>, Error> {
    let Op::BeginUpload { name, algorithm } = call.permit.op() else { return Err(Error::NoSuchEndpoint) };
    let upload = call.core.begin_upload(&call.target(name), *algorithm, &call.actor()).await?;
    Ok(call.upload_is(StatusCode::ACCEPTED, name, &upload))
}

pub(crate) async fn whole(call: Call<'_>, body: Body) -> Result<Response<Body>, Error> {
    let Op::UploadWhole { name, digest } = call.permit.op() else { return Err(Error::NoSuchEndpoint) };
    call.core.upload_whole(&call.target(name), chunks(body), *digest, &call.actor()).await?;
    Ok(call.blob_is_here(name, digest))
}

pub(crate) async fn mount(call: Call<'_>) -> Result<Response<Body>, Error> {
    let Op::Mount { name, digest, from } = call.permit.op() else { return Err(Error::NoSuchEndpoint) };
    let (target, actor) = (call.target(name), call.actor());
    let mounted = call.core.mount_blob(&target, digest, from.as_ref(), call.permit.identity(), &actor).await?;
    match mounted {
        Mounted::Yes => Ok(call.blob_is_here(name, digest)),
        Mounted::No => {
            let upload = call.core.begin_upload(&target, Some(digest.algorithm()), &actor).await?;
            Ok(call.upload_is(StatusCode::ACCEPTED, name, &upload))
        }
    }
}

pub(crate) async fn status(call: Call<'_>) -> Result<Response<Body>, Error> {
    let Op::UploadStatus { name, id } = call.permit.op() else { return Err(Error::NoSuchEndpoint) };
    let upload = call.core.upload_status(&call.target(name), id).await?;
    Ok(call.upload_is(StatusCode::NO_CONTENT, name, &upload))
}

/// Where a chunk begins, and its content. A body without a length is held against the range as it comes: what is beyond the
/// range is not taken.
fn chunk(range: Option<&Range<u64>>, body: Body) -> (Option<u64>, ByteStream) {
    match range {
        Some(range) => (Some(range.start), exactly(range.end - range.start, chunks(body))),
        None => (None, chunks(body)),
    }
}

pub(crate) async fn append(call: Call<'_>, body: Body) -> Result<Response<Body>, Error> {
    let Op::Append { name, id, range } = call.permit.op() else { return Err(Error::NoSuchEndpoint) };
    let (start, content) = chunk(range.as_ref(), body);
    let appended = call.core.append(&call.target(name), id, start, content).await;
    let upload = appended.map_err(|error| placed(error, name, id))?;
    Ok(call.upload_is(StatusCode::ACCEPTED, name, &upload))
}

pub(crate) async fn finish(call: Call<'_>, body: Body) -> Result<Response<Body>, Error> {
    let Op::FinishUpload { name, id, range, digest } = call.permit.op() else { return Err(Error::NoSuchEndpoint) };
    let (start, content) = chunk(range.as_ref(), body);
    let finished = call.core.finish_upload(&call.target(name), id, start, content, *digest).await;
    finished.map_err(|error| placed(error, name, id))?;
    Ok(call.blob_is_here(name, digest))
}

pub(crate) async fn cancel(call: Call<'_>) -> Result<Response<Body>, Error> {
    let Op::CancelUpload { name, id } = call.permit.op() else { return Err(Error::NoSuchEndpoint) };
    call.core.cancel_upload(&call.target(name), id).await?;
    Ok(call.bare(StatusCode::NO_CONTENT, &[]))
}
