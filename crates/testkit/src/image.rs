//! Images of any shape.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Client;

/// Media types.
pub mod media {
    /// An image manifest.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An index.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// An image's configuration.
    pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// A layer.
    pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// `{}`.
    pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
}

/// A reference to content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// The media type.
    pub media_type: String,
    /// The digest.
    pub digest: String,
    /// The size in bytes.
    pub size: usize,
}

impl Descriptor {
    /// Of this content.
    pub fn of(media_type: &str, content: &[u8]) -> Self {
        Self { media_type: media_type.to_owned(), digest: sha256(content), size: content.len() }
    }

    /// As manifests write it.
    pub fn json(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest, "size": self.size })
    }
}

/// The SHA-256 digest of bytes, as registries write it.
pub fn sha256(content: impl AsRef<[u8]>) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(content)))
}

/// Pushes a blob in one PUT; its digest.
pub async fn push_blob(client: &Client, repository: &str, content: impl Into<Bytes>) -> String {
    let content = content.into();
    let digest = sha256(&content);
    let begun = client.post(&format!("/v2/{repository}/blobs/uploads/"), "").await;
    let location = begun.assert_status(202).location();
    let joint = if location.contains('?') { '&' } else { '?' };
    client.put(&format!("{location}{joint}digest={digest}"), content).await.assert_status(201);
    digest
}

/// An image to be pushed: without anything said, one with an empty configuration and no layer.
#[derive(Debug, Clone)]
pub struct Image {
    config: (String, Bytes),
    layers: Vec<(String, Bytes)>,
    annotations: BTreeMap<String, String>,
    artifact_type: Option<String>,
    subject: Option<Descriptor>,
}

impl Default for Image {
    fn default() -> Self {
        Self {
            config: (media::EMPTY.to_owned(), Bytes::from_static(b"{}")),
            layers: Vec::new(),
            annotations: BTreeMap::new(),
            artifact_type: None,
            subject: None,
        }
    }
}

impl Image {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this configuration.
    #[must_use]
    pub fn config(mut self, content: impl Into<Bytes>) -> Self {
        self.config = (media::CONFIG.to_owned(), content.into());
        self
    }

    /// With one layer more.
    #[must_use]
    pub fn layer(self, content: impl Into<Bytes>) -> Self {
        self.layer_of(media::LAYER, content)
    }

    /// With one layer more, of this media type.
    #[must_use]
    pub fn layer_of(mut self, media_type: &str, content: impl Into<Bytes>) -> Self {
        self.layers.push((media_type.to_owned(), content.into()));
        self
    }

    /// With an annotation.
    #[must_use]
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// As an artifact of this type.
    #[must_use]
    pub fn artifact_type(mut self, artifact_type: &str) -> Self {
        self.artifact_type = Some(artifact_type.to_owned());
        self
    }

    /// About something else.
    #[must_use]
    pub fn subject(mut self, subject: Descriptor) -> Self {
        self.subject = Some(subject);
        self
    }

    /// The manifest.
    pub fn manifest(&self) -> Bytes {
        let descriptor = |(media_type, content): &(String, Bytes)| Descriptor::of(media_type, content).json();
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": media::MANIFEST,
            "config": descriptor(&self.config),
            "layers": self.layers.iter().map(descriptor).collect::<Vec<_>>(),
        });
        if !self.annotations.is_empty() {
            manifest["annotations"] = json!(self.annotations);
        }
        if let Some(artifact_type) = &self.artifact_type {
            manifest["artifactType"] = json!(artifact_type);
        }
        if let Some(subject) = &self.subject {
            manifest["subject"] = subject.json();
        }
        manifest.to_string().into()
    }

    /// The manifest's digest.
    pub fn digest(&self) -> String {
        sha256(self.manifest())
    }

    /// A reference to it.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::of(media::MANIFEST, &self.manifest())
    }

    /// Pushes blobs and manifest to `<repository>:<tag>`, or to `<repository>` by its digest alone; the manifest's digest.
    pub async fn push(&self, client: &Client, target: &str) -> String {
        let (repository, tag) = target.rsplit_once(':').map_or((target, None), |(name, tag)| (name, Some(tag)));
        for (_, content) in self.layers.iter().chain([&self.config]) {
            push_blob(client, repository, content.clone()).await;
        }
        put_manifest(client, repository, tag, media::MANIFEST, self.manifest()).await
    }
}

/// PUTs a manifest by tag or by its digest; the digest.
pub(crate) async fn put_manifest(
    client: &Client,
    repository: &str,
    tag: Option<&str>,
    media_type: &str,
    manifest: Bytes,
) -> String {
    let digest = sha256(&manifest);
    let path = format!("/v2/{repository}/manifests/{}", tag.unwrap_or(&digest));
    let request = client.request(http::Method::PUT, &path).header(http::header::CONTENT_TYPE, media_type);
    request.body(manifest).send().await.assert_status(201);
    digest
}
