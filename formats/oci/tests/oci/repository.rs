//! A repository as somebody reaches it.

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_RANGE, CONTENT_TYPE};
use wharf_testkit::{Answer, Client, Request, TestServer};

use crate::blob::Blob;

/// A repository and who asks for it.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    pub(crate) client: Client,
    pub(crate) name: String,
}

impl Repository {
    /// The repository as this caller reaches it.
    pub(crate) fn of(client: &Client, name: &str) -> Self {
        Self { client: client.clone(), name: name.to_owned() }
    }

    /// The repository as the administrator reaches it.
    pub(crate) fn new(server: &TestServer, name: &str) -> Self {
        Self::of(&server.admin(), name)
    }

    /// A path inside it.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.name)
    }

    /// GET of a path inside it.
    pub(crate) async fn get(&self, rest: &str) -> Answer {
        self.client.get(&self.path(rest)).await
    }

    /// HEAD of a path inside it.
    pub(crate) async fn head(&self, rest: &str) -> Answer {
        self.client.head(&self.path(rest)).await
    }

    /// DELETE of a path inside it.
    pub(crate) async fn delete(&self, rest: &str) -> Answer {
        self.client.delete(&self.path(rest)).await
    }

    /// A request for a path inside it.
    pub(crate) fn request(&self, method: Method, rest: &str) -> Request {
        self.client.request(method, &self.path(rest))
    }

    /// Begins an upload: where it is.
    pub(crate) async fn begin(&self) -> String {
        let begun = self.client.post(&self.path("blobs/uploads/"), "").await;
        begun.assert_status(202).location()
    }

    /// Appends what begins at `start` to the upload.
    pub(crate) async fn append(&self, upload: &str, start: usize, chunk: impl Into<Bytes>) -> Answer {
        self.chunk(Method::PATCH, upload, start, chunk.into()).send().await
    }

    /// Finishes the upload with what begins at `start`.
    pub(crate) async fn finish(&self, upload: &str, start: usize, chunk: impl Into<Bytes>, digest: &str) -> Answer {
        self.chunk(Method::PUT, &with_digest(upload, digest), start, chunk.into()).send().await
    }

    /// How many bytes the upload has, by its status. Not for uploads of one byte, whose range reads like that of none.
    pub(crate) async fn received(&self, upload: &str) -> usize {
        let status = self.client.get(upload).await;
        let last = status.assert_status(204).expect_header("range").strip_prefix("0-").expect("a range from the start");
        let last: usize = last.parse().expect("a number");
        if last == 0 { 0 } else { last + 1 }
    }

    fn chunk(&self, method: Method, path: &str, start: usize, chunk: Bytes) -> Request {
        let request = self.client.request(method, path).header(CONTENT_TYPE, "application/octet-stream");
        // There is no way to write a range of nothing.
        let ranged = match chunk.len().checked_sub(1) {
            Some(last) => request.header(CONTENT_RANGE, &format!("{start}-{}", start + last)),
            None => request,
        };
        ranged.body(chunk)
    }

    /// Pushes a blob in two requests.
    pub(crate) async fn push(&self, blob: &Blob) {
        let upload = self.begin().await;
        self.finish(&upload, 0, blob.content.clone(), &blob.digest).await.assert_status(201);
    }

    /// PUT of a manifest.
    pub(crate) async fn put_manifest(&self, reference: &str, media_type: &str, content: impl Into<Bytes>) -> Answer {
        let request = self.request(Method::PUT, &format!("manifests/{reference}"));
        request.header(CONTENT_TYPE, media_type).body(content.into()).send().await
    }
}

/// The upload's path with the digest added to whatever query it has.
pub(crate) fn with_digest(upload: &str, digest: &str) -> String {
    let joint = if upload.contains('?') { '&' } else { '?' };
    format!("{upload}{joint}digest={digest}")
}
