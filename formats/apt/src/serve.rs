//! Answers: files of the pool and of indexes.

mod add;
mod answer;
mod places;
mod receive;
mod settings;

use http::header::HeaderValue;
use http::request::Parts;
use http::{Response, StatusCode};
use wharf_core::{Actor, PublishedFile, Target};
use wharf_types::{Digest, RepoName};
use wharf_wire::{ASK_AGAIN, Body, Content, FOR_EVER, setup_page};

use crate::name::Distribution;
use crate::{Call, Error, NAME};
use answer::typed;

const BINARY: &str = "application/octet-stream";

impl Call<'_> {
    fn target(&self, name: &RepoName) -> Target {
        Target::pushed(NAME, name.clone(), &self.permit)
    }

    fn actor(&self) -> Actor {
        Actor::new(self.permit.identity(), self.context.origin())
    }

    /// Waits until the index of a distribution shows what was changed.
    async fn published(&self, target: &Target, distribution: &str) -> Result<(), Error> {
        self.core.wait_until_published(target, distribution).await.map_err(|error| match error {
            wharf_core::Error::NotPublished(_) => Error::NotPublished(error),
            other => other.into(),
        })
    }

    pub(crate) async fn file(&self, name: &RepoName, path: &str, head: &Parts) -> Result<Response<Body>, Error> {
        let target = self.target(name);
        let media_type = if path.ends_with("deb") { "application/vnd.debian.binary-package" } else { BINARY };
        wharf_wire::package(self.core, &self.permit, self.context, (&target, path, media_type), head).await
    }

    pub(crate) async fn keys(&self, name: &RepoName, armored: bool) -> Result<Response<Body>, Error> {
        let keys = self.core.public_keys(&self.target(name)).await?;
        let content = if armored { keys.armored.into_bytes() } else { keys.binary };
        Ok(typed(StatusCode::OK, HeaderValue::from_static("application/pgp-keys"), content))
    }

    pub(crate) async fn setup_page(&self, name: &RepoName, head: &Parts) -> Result<Response<Body>, Error> {
        Ok(setup_page(self.core, &self.target(name), self.permit.identity(), self.context, &head.headers).await?)
    }

    pub(crate) async fn index(
        &self,
        name: &RepoName,
        distribution: &Distribution,
        file: &str,
        head: &Parts,
    ) -> Result<Response<Body>, Error> {
        let found = self.core.index_file(&self.target(name), distribution.as_str(), file).await?;
        self.index_file(&found, ASK_AGAIN, head).await
    }

    pub(crate) async fn index_by_hash(
        &self,
        name: &RepoName,
        digest: &Digest,
        head: &Parts,
    ) -> Result<Response<Body>, Error> {
        let found = self.core.index_file_by_digest(&self.target(name), digest).await?;
        self.index_file(&found, FOR_EVER, head).await
    }

    async fn index_file(
        &self,
        found: &PublishedFile,
        caching: HeaderValue,
        head: &Parts,
    ) -> Result<Response<Body>, Error> {
        let file = &found.file;
        let content = Content { digest: &file.digest, size: file.size, media_type: &file.media_type, caching };
        content.answer(head, async |range| Ok(self.core.open_index_file(found, range).await?)).await
    }
}
