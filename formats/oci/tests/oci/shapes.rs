//! Manifests of every shape: pushed by digest and by tag, listed, read byte for byte, deleted.

use bytes::Bytes;
use serde_json::{Value, json};
use wharf_testkit::{Descriptor, Image, Index, TestServer, media, sha256};
use wharf_types::{Algorithm, Digest};

use crate::backend::on_every_backend;
use crate::blob::{Blob, LARGE, noise, unknown};
use crate::refusal::Refusal;
use crate::repository::Repository;

on_every_backend! {
    images_are_kept_as_they_came,
    indexes_are_kept_as_they_came,
    artifacts_are_kept_as_they_came,
    content_may_be_named_by_sha512,
    odd_spelling_is_kept_byte_for_byte,
}

const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// A manifest, and what must be there before it.
#[derive(Clone)]
struct Shape {
    name: &'static str,
    media_type: &'static str,
    content: Bytes,
    blobs: Vec<Bytes>,
    children: Vec<Shape>,
}

impl Shape {
    fn new(name: &'static str, media_type: &'static str, content: impl Into<Bytes>) -> Self {
        Self { name, media_type, content: content.into(), blobs: Vec::new(), children: Vec::new() }
    }

    fn with_blobs(self, blobs: &[&Bytes]) -> Self {
        Self { blobs: blobs.iter().map(|&blob| blob.clone()).collect(), ..self }
    }

    fn with(self, children: &[&Shape]) -> Self {
        Self { children: children.iter().map(|&child| child.clone()).collect(), ..self }
    }

    fn descriptor(&self) -> Value {
        Descriptor::of(self.media_type, &self.content).json()
    }

    /// Pushes what it names, and itself by its digest.
    async fn push(&self, repository: &Repository) {
        for blob in &self.blobs {
            repository.push(&Blob::of(blob.clone())).await;
        }
        for child in &self.children {
            Box::pin(child.push(repository)).await;
        }
        let digest = sha256(&self.content);
        let pushed = repository.put_manifest(&digest, self.media_type, self.content.clone()).await;
        pushed.assert_status(201).assert_header("docker-content-digest", &digest).assert_body("");
        assert_eq!(pushed.location(), repository.path(&format!("manifests/{digest}")), "{}", self.name);
    }

    async fn assert_served(&self, repository: &Repository, reference: &str) {
        let (path, length) = (format!("manifests/{reference}"), self.content.len().to_string());
        let read = repository.get(&path).await;
        read.assert_status(200).assert_body(&self.content);
        let head = repository.head(&path).await;
        head.assert_status(200).assert_body("");
        for answer in [read, head] {
            answer.assert_header("content-type", self.media_type).assert_header("content-length", &length);
            answer.assert_header("docker-content-digest", &sha256(&self.content));
        }
    }

    async fn assert_lives(&self, server: &TestServer) {
        let repository = Repository::new(server, &format!("shape/{}", self.name));
        self.push(&repository).await;
        let tagged = repository.put_manifest("v1", self.media_type, self.content.clone()).await;
        let digest = sha256(&self.content);
        tagged.assert_status(201).assert_header("docker-content-digest", &digest);
        assert_eq!(tagged.location(), repository.path("manifests/v1"));
        assert_eq!(repository.get("tags/list").await.json(), json!({ "name": repository.name, "tags": ["v1"] }));
        self.assert_served(&repository, "v1").await;
        self.assert_served(&repository, &digest).await;
        for child in &self.children {
            child.assert_served(&repository, &sha256(&child.content)).await;
        }
        repository.delete("manifests/v1").await.assert_status(202);
        repository.get("manifests/v1").await.refused(404, "MANIFEST_UNKNOWN");
        self.assert_served(&repository, &digest).await;
        repository.delete(&format!("manifests/{digest}")).await.assert_status(202);
        repository.get(&format!("manifests/{digest}")).await.refused(404, "MANIFEST_UNKNOWN");
    }
}

fn config() -> Bytes {
    Bytes::from_static(br#"{"architecture":"amd64","os":"linux"}"#)
}

fn layer() -> Bytes {
    noise(1, LARGE)
}

fn image_json(media_type: &str, layer_type: &str) -> Value {
    json!({
        "schemaVersion": 2, "mediaType": media_type,
        "config": Descriptor::of(media::CONFIG, &config()).json(),
        "layers": [Descriptor::of(layer_type, &layer()).json()],
    })
}

fn image() -> Shape {
    let content = image_json(media::MANIFEST, "application/vnd.oci.image.layer.v1.tar+gzip").to_string();
    Shape::new("image", media::MANIFEST, content).with_blobs(&[&config(), &layer()])
}

fn docker_image() -> Shape {
    let content = image_json(DOCKER_IMAGE, "application/vnd.docker.image.rootfs.diff.tar.gzip").to_string();
    Shape::new("docker-image", DOCKER_IMAGE, content).with_blobs(&[&config(), &layer()])
}

/// The image with something changed.
fn changed(name: &'static str, change: impl FnOnce(&mut Value)) -> Shape {
    let mut content = image_json(media::MANIFEST, media::LAYER);
    change(&mut content);
    Shape { name, content: content.to_string().into(), ..image() }
}

fn index_of(media_type: &str, entries: &[Value]) -> String {
    json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": entries }).to_string()
}

async fn images_are_kept_as_they_came(server: &TestServer) {
    let elsewhere = |media_type| json!({ "mediaType": media_type, "digest": unknown(), "size": 5, "urls": ["https://example.org/x"] });
    let shapes = [
        image(),
        docker_image(),
        changed("uncompressed", |_| {}),
        changed("no-layers", |image| image["layers"] = json!([])),
        // As programs in Go write an empty list.
        changed("null-lists", |image| {
            image["layers"] = Value::Null;
            image["manifests"] = Value::Null;
        }),
        changed("no-media-type", |image| drop(image.as_object_mut().unwrap().remove("mediaType"))),
        changed("same-layer-twice", |image| image["layers"] = json!([image["layers"][0], image["layers"][0]])),
        changed("custom-fields", |image| {
            image["org.example.field"] = json!({ "deep": [1, 2.5, null, "x"] });
            image["layers"][0]["org.example.other"] = json!(true);
            image["config"]["annotations"] = json!({ "a": "b" });
        }),
        changed("data-field", |image| {
            image["config"]["data"] = json!("eyJhcmNoaXRlY3R1cmUiOiJhbWQ2NCIsIm9zIjoibGludXgifQ==")
        }),
        changed("non-distributable", |image| {
            let types = [
                "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
                "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            ];
            image["layers"].as_array_mut().unwrap().extend(types.map(elsewhere));
        }),
        changed("large", |image| {
            let annotations = (0..390).map(|number| (format!("note-{number}"), json!("x".repeat(10_000))));
            image["annotations"] = Value::Object(annotations.collect());
        }),
    ];
    for shape in shapes {
        shape.assert_lives(server).await;
    }
}

async fn indexes_are_kept_as_they_came(server: &TestServer) {
    let (image, docker) = (image(), docker_image());
    let entries = [image.descriptor()];
    let inner = Shape::new("inner", media::INDEX, index_of(media::INDEX, &entries)).with(&[&image]);
    let list = [docker.descriptor()];
    let missing = json!({ "mediaType": media::MANIFEST, "digest": unknown(), "size": 7 });
    let nested = [inner.descriptor(), image.descriptor()];
    let shapes = [
        Shape { name: "index", ..inner.clone() },
        Shape::new("docker-list", DOCKER_LIST, index_of(DOCKER_LIST, &list)).with(&[&docker]),
        Shape::new("nested", media::INDEX, index_of(media::INDEX, &nested)).with(&[&inner, &image]),
        Shape::new("empty", media::INDEX, index_of(media::INDEX, &[])),
        Shape::new("sparse", media::INDEX, index_of(media::INDEX, &[image.descriptor(), missing])).with(&[&image]),
        Shape::new("with-type", media::INDEX, Index::new().artifact_type("application/x").manifest()),
    ];
    for shape in shapes {
        shape.assert_lives(server).await;
    }
}

async fn artifacts_are_kept_as_they_came(server: &TestServer) {
    let (empty, content) = (Bytes::from_static(b"{}"), Bytes::from_static(b"an sbom"));
    let artifact = Image::new().artifact_type("application/vnd.example.sbom").layer_of("text/plain", content.clone());
    let artifact = Shape::new("artifact", media::MANIFEST, artifact.manifest()).with_blobs(&[&empty, &content]);
    let bare = Image::new().artifact_type("application/vnd.example.mark").manifest();
    let twice =
        Image::new().artifact_type("application/vnd.example.mark").layer_of(media::EMPTY, empty.clone()).manifest();
    let index = index_of(media::INDEX, &[artifact.descriptor()]);
    let old_type = "application/vnd.oci.artifact.manifest.v1+json";
    let blobs = [Descriptor::of("text/plain", &content).json()];
    let old = json!({ "mediaType": old_type, "artifactType": "application/vnd.example", "blobs": blobs }).to_string();
    let shapes = [
        artifact.clone(),
        Shape::new("no-layers", media::MANIFEST, bare).with_blobs(&[&empty]),
        Shape::new("empty-layer", media::MANIFEST, twice).with_blobs(&[&empty]),
        Shape::new("index", media::INDEX, index).with(&[&artifact]),
        Shape::new("release-candidate", old_type, old).with_blobs(&[&content]),
    ];
    for shape in shapes {
        shape.assert_lives(server).await;
    }
}

async fn content_may_be_named_by_sha512(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let blob = |content: &Bytes| Blob::by(Algorithm::Sha512, content.clone());
    let named = |media_type: &str, blob: &Blob| json!({ "mediaType": media_type, "digest": blob.digest, "size": blob.content.len() });
    let (config, layer) = (blob(&config()), blob(&layer()));
    repository.push(&config).await;
    repository.push(&layer).await;
    let (config, layer) = (named(media::CONFIG, &config), named(media::LAYER, &layer));
    let image = json!({ "schemaVersion": 2, "mediaType": media::MANIFEST, "config": config, "layers": [layer] });
    let image = blob(&image.to_string().into());
    let index = blob(&index_of(media::INDEX, &[named(media::MANIFEST, &image)]).into());
    for (media_type, manifest) in [(media::MANIFEST, image), (media::INDEX, index)] {
        let pushed = repository.put_manifest(&manifest.digest, media_type, manifest.content.clone()).await;
        pushed.assert_status(201).assert_header("docker-content-digest", &manifest.digest);
        let tagged = format!("{}?tag=a&tag=b", manifest.digest);
        repository.put_manifest(&tagged, media_type, manifest.content.clone()).await.assert_status(201);
        for reference in [&*manifest.digest, "a", "b"] {
            let read = repository.get(&format!("manifests/{reference}")).await;
            read.assert_status(200).assert_body(&manifest.content).assert_header("content-type", media_type);
            read.assert_header("docker-content-digest", &manifest.digest);
        }
        // Under its other digest it was never pushed.
        let other = Digest::sha256(&manifest.content);
        repository.get(&format!("manifests/{other}")).await.refused(404, "MANIFEST_UNKNOWN");
    }
}

async fn odd_spelling_is_kept_byte_for_byte(server: &TestServer) {
    let plain = image_json(media::MANIFEST, media::LAYER);
    let pretty = serde_json::to_string_pretty(&plain).unwrap();
    let mut emoji = plain.clone();
    emoji["annotations"] = json!({ "": "", "ключ": "\u{1F433} \u{0} \r\n \u{7f} \u{2028}" });
    let spellings = [
        pretty.clone(),
        format!("\n\t {} \r\n\r\n", pretty.replace('\n', "\r\n")),
        plain.to_string().replace(',', " ,\n").replace(':', "\t: ").replace("sha256\t: ", "sha256:"),
        plain.to_string().replace("application", "\\u0061pplication").replace('/', "\\/"),
        emoji.to_string(),
    ];
    for (index, content) in spellings.into_iter().enumerate() {
        let name = ["pretty", "padded", "spaced", "escaped", "foreign-letters"][index];
        Shape { name, content: content.into(), ..image() }.assert_lives(server).await;
    }
}
