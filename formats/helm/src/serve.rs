//! Answers: the index, charts and provenance files.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Response};
use wharf_core::Error as CoreError;
use wharf_types::RepoName;
use wharf_wire::{ASK_AGAIN, Body, Content, bytes, empty, setup_page};

use crate::add::json;
use crate::index::{self, INDEX};
use crate::{Call, Error};

const CHART: &str = "application/gzip";
const SIGNATURE: &str = "application/pgp-signature";

impl Call<'_> {
    /// The index. A repository that is not there yet is an empty one to who may pull from it: clients add it before the first push.
    pub(crate) async fn index(&self, name: &RepoName, head: &Parts) -> Result<Response<Body>, Error> {
        let found = match self.core.index_file(&self.target(name), "", INDEX).await {
            Ok(found) => found,
            Err(error @ (CoreError::RepositoryUnknown(_) | CoreError::FileUnknown(_))) => {
                return self.empty_index(name, head, error).await;
            }
            Err(error) => return Err(error.into()),
        };
        let file = &found.file;
        let content =
            Content { digest: &file.digest, size: file.size, media_type: &file.media_type, caching: ASK_AGAIN };
        content.answer(head, async |range| Ok(self.core.open_index_file(&found, range).await?)).await
    }

    async fn empty_index(&self, name: &RepoName, head: &Parts, unknown: CoreError) -> Result<Response<Body>, Error> {
        match self.core.project(name.project()).await {
            Ok(_) => {}
            Err(CoreError::ProjectUnknown(_)) => return Err(unknown.into()),
            Err(error) => return Err(error.into()),
        }
        let text = index::empty(name, self.core.clock().now());
        let mut response = Response::new(if head.method == Method::HEAD { empty() } else { bytes(text) });
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(index::MEDIA_TYPE));
        headers.insert(CACHE_CONTROL, ASK_AGAIN);
        Ok(response)
    }

    pub(crate) async fn file(&self, name: &RepoName, path: &str, head: &Parts) -> Result<Response<Body>, Error> {
        let target = self.target(name);
        let media_type = if path.ends_with(".prov") { SIGNATURE } else { CHART };
        wharf_wire::package(self.core, &self.permit, self.context, (&target, path, media_type), head).await
    }

    pub(crate) async fn remove(&self, name: &RepoName, path: &str) -> Result<Response<Body>, Error> {
        self.core.remove_package(&self.target(name), path, &self.actor()).await?;
        Ok(json(&serde_json::json!({ "deleted": true })))
    }

    pub(crate) async fn setup_page(&self, name: &RepoName, head: &Parts) -> Result<Response<Body>, Error> {
        Ok(setup_page(self.core, &self.target(name), self.permit.identity(), self.context, &head.headers).await?)
    }

    pub(crate) async fn health(&self, name: &RepoName) -> Result<Response<Body>, Error> {
        self.core.repository(&self.target(name)).await?;
        Ok(json(&serde_json::json!({ "healthy": true })))
    }
}
