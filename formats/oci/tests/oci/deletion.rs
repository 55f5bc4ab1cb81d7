//! What deleting takes away, and what it leaves.

use wharf_testkit::{Descriptor, Image, Index, TestServer, media};

use crate::backend::on_every_backend;
use crate::blob::{Blob, LARGE, unknown};
use crate::refusal::Refusal;
use crate::repository::Repository;

on_every_backend! {
    deleting_a_tag_leaves_the_manifest,
    deleting_a_manifest_takes_its_tags_along,
    a_blob_that_a_manifest_names_is_not_deleted,
    deleting_in_one_repository_leaves_others_alone,
    what_is_deleted_can_be_pushed_again,
}

async fn tags(repository: &Repository) -> Vec<String> {
    let json = repository.get("tags/list").await.assert_status(200).json();
    serde_json::from_value(json["tags"].clone()).expect("a list of tags")
}

async fn deleting_a_tag_leaves_the_manifest(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let image = Image::new().layer("hello");
    let digest = image.push(&repository.client, "team/app:v1").await;
    image.push(&repository.client, "team/app:v2").await;
    repository.delete("manifests/v1").await.assert_status(202).assert_body("");
    repository.head("manifests/v1").await.assert_status(404);
    repository.get("manifests/v1").await.refused(404, "MANIFEST_UNKNOWN");
    repository.delete("manifests/v1").await.refused(404, "MANIFEST_UNKNOWN");
    for reference in ["v2", &digest] {
        repository.get(&format!("manifests/{reference}")).await.assert_status(200).assert_body(image.manifest());
    }
    repository.delete("manifests/v2").await.assert_status(202);
    assert_eq!(tags(&repository).await, Vec::<String>::new());
    repository.get(&format!("manifests/{digest}")).await.assert_status(200);
}

async fn deleting_a_manifest_takes_its_tags_along(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let (one, two) = (Image::new().layer("one"), Image::new().layer("two"));
    let digest = one.push(&repository.client, "team/app:v1").await;
    one.push(&repository.client, "team/app:latest").await;
    two.push(&repository.client, "team/app:v2").await;
    repository.delete(&format!("manifests/{digest}")).await.assert_status(202);
    for reference in ["v1", "latest", &digest] {
        repository.head(&format!("manifests/{reference}")).await.assert_status(404);
        repository.delete(&format!("manifests/{reference}")).await.refused(404, "MANIFEST_UNKNOWN");
    }
    assert_eq!(tags(&repository).await, ["v2"]);
    repository.get("manifests/v2").await.assert_status(200).assert_body(two.manifest());
}

async fn a_blob_that_a_manifest_names_is_not_deleted(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let layer = Blob::noise(1, LARGE);
    let image = Image::new().layer(layer.content.clone());
    let digest = image.push(&repository.client, "team/app:v1").await;
    let path = format!("blobs/{}", layer.digest);
    let detail = repository.delete(&path).await.refused(409, "DENIED");
    assert_eq!((detail["digest"].as_str(), detail["manifest"].as_str()), (Some(&*layer.digest), Some(&*digest)));
    repository.get(&path).await.assert_status(200).assert_body(&layer.content);
    repository.delete(&format!("manifests/{digest}")).await.assert_status(202);
    repository.delete(&path).await.assert_status(202).assert_body("");
    repository.head(&path).await.assert_status(404);
    repository.delete(&path).await.refused(404, "BLOB_UNKNOWN");
    repository.delete(&format!("blobs/{}", unknown())).await.refused(404, "BLOB_UNKNOWN");
}

async fn deleting_in_one_repository_leaves_others_alone(server: &TestServer) {
    let layer = Blob::noise(2, LARGE);
    let image = Image::new().layer(layer.content.clone());
    let (one, two) = (Repository::new(server, "one/app"), Repository::new(server, "two/app"));
    let digest = image.push(&one.client, "one/app:v1").await;
    image.push(&two.client, "two/app:v1").await;
    one.delete(&format!("manifests/{digest}")).await.assert_status(202);
    one.delete(&format!("blobs/{}", layer.digest)).await.assert_status(202);
    one.head(&format!("blobs/{}", layer.digest)).await.assert_status(404);
    two.get("manifests/v1").await.assert_status(200).assert_body(image.manifest());
    two.get(&format!("blobs/{}", layer.digest)).await.assert_status(200).assert_body(&layer.content);
}

async fn what_is_deleted_can_be_pushed_again(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let image = Image::new().layer(Blob::noise(3, LARGE).content);
    let index = Index::new().entry(Descriptor::of(media::MANIFEST, &image.manifest()).json());
    for _ in 0..3 {
        image.push(&repository.client, "team/app:v1").await;
        index.push(&repository.client, "team/app:all").await;
        for digest in [index.digest(), image.digest()] {
            repository.get(&format!("manifests/{digest}")).await.assert_status(200);
            repository.delete(&format!("manifests/{digest}")).await.assert_status(202);
            repository.head(&format!("manifests/{digest}")).await.assert_status(404);
        }
        assert_eq!(tags(&repository).await, Vec::<String>::new());
    }
}
