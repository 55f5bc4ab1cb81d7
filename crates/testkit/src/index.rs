//! Indexes of images.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::image::put_manifest;
use crate::{Client, Descriptor, Image, media, sha256};

/// An index to be pushed.
#[derive(Debug, Clone, Default)]
pub struct Index {
    entries: Vec<Value>,
    artifact_type: Option<String>,
    subject: Option<Descriptor>,
}

impl Index {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this image for `<os>/<architecture>`.
    #[must_use]
    pub fn image(self, image: &Image, platform: &str) -> Self {
        let (os, architecture) = platform.split_once('/').expect("a platform such as linux/amd64");
        let mut entry = image.descriptor().json();
        entry["platform"] = json!({ "os": os, "architecture": architecture });
        self.entry(entry)
    }

    /// With anything.
    #[must_use]
    pub fn entry(mut self, entry: Value) -> Self {
        self.entries.push(entry);
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
        let mut manifest = json!({ "schemaVersion": 2, "mediaType": media::INDEX, "manifests": self.entries });
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
        Descriptor::of(media::INDEX, &self.manifest())
    }

    /// Pushes the index, and not what it names, to `<repository>:<tag>`, or to `<repository>` by its digest alone.
    pub async fn push(&self, client: &Client, target: &str) -> String {
        let (repository, tag) = target.rsplit_once(':').map_or((target, None), |(name, tag)| (name, Some(tag)));
        put_manifest(client, repository, tag, media::INDEX, self.manifest()).await
    }
}
