//! A registry as one client sees it: requests that are sent once, and answers that are handed back.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;

use crate::goods::{Image, MANIFEST};
use crate::wire::{Answer, Ask, Outcome, Wire, sha256};

/// One server.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    pub(crate) wire: Wire,
    pub(crate) url: String,
}

impl Registry {
    /// Sends a request that must have an answer.
    pub(crate) async fn ask(&self, ask: Ask<'_>) -> Result<Answer> {
        let shown = format!("{} {}", ask.method, ask.url);
        match self.wire.send(Ask { url: format!("{}{}", self.url, ask.url), ..ask }).await? {
            Outcome::Answered(answer) => Ok(answer),
            Outcome::NotSent => anyhow::bail!("{shown}: nobody listens"),
            Outcome::Unknown => anyhow::bail!("{shown}: the connection broke"),
        }
    }

    /// GET.
    pub(crate) async fn get(&self, path: &str) -> Result<Answer> {
        self.ask(Ask::new(Method::GET, path.to_owned())).await
    }

    /// DELETE.
    pub(crate) async fn delete(&self, path: &str) -> Result<Answer> {
        self.ask(Ask::new(Method::DELETE, path.to_owned())).await
    }

    /// Pushes blobs and manifest, each in one request. The first answer that is not 201, or the last one.
    pub(crate) async fn push(&self, repository: &str, reference: &str, image: &Image) -> Result<Answer> {
        for blob in &image.blobs {
            let path = format!("/v2/{repository}/blobs/uploads/?digest={}", blob.digest);
            let answer =
                self.ask(Ask::new(Method::POST, path).body("application/octet-stream", blob.content())).await?;
            if answer.status != 201 {
                return Ok(answer);
            }
        }
        let path = format!("/v2/{repository}/manifests/{reference}");
        self.ask(Ask::new(Method::PUT, path).body(MANIFEST, image.manifest.clone())).await
    }

    /// Pulls an image and compares all of it.
    pub(crate) async fn verify(&self, repository: &str, reference: &str, image: &Image) -> Result<()> {
        self.same(&format!("/v2/{repository}/manifests/{reference}"), &image.digest).await?;
        for blob in &image.blobs {
            self.same(&format!("/v2/{repository}/blobs/{}", blob.digest), &blob.digest).await?;
        }
        Ok(())
    }

    async fn same(&self, path: &str, digest: &str) -> Result<()> {
        let answer = self.get(path).await?;
        ensure!(answer.status == 200, "{path}: {}", answer.shown());
        ensure!(sha256(answer.body.as_deref().context("a whole body")?) == digest, "{path}: other content");
        Ok(())
    }
}
