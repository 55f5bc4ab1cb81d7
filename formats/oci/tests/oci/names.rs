//! Names of repositories, as clients write them.

use wharf_testkit::{Image, TestServer, media};

use crate::backend::on_every_database;
use crate::blob::{Blob, unknown};
use crate::refusal::Refusal;
use crate::repository::Repository;

on_every_database! {
    a_name_of_one_segment_is_in_the_default_project_and_echoed_as_asked,
    names_are_as_deep_as_one_likes,
    names_may_look_like_endpoints,
    a_mirror_s_parameter_changes_nothing,
}

async fn a_name_of_one_segment_is_in_the_default_project_and_echoed_as_asked(server: &TestServer) {
    let (short, long) = (Repository::new(server, "app"), Repository::new(server, "default/app"));
    let image = Image::new().layer("hello");
    let digest = image.push(&short.client, "app:v1").await;
    image.push(&long.client, "default/app:v2").await;
    for repository in [&short, &long] {
        for reference in ["v1", "v2", &digest] {
            repository.get(&format!("manifests/{reference}")).await.assert_status(200).assert_body(image.manifest());
        }
        repository.get(&format!("blobs/{}", Blob::of("hello").digest)).await.assert_status(200);
        let tags = repository.get("tags/list?n=1").await;
        assert_eq!(tags.json()["name"], repository.name);
        assert_eq!(
            tags.header("link"),
            Some(&*format!("</v2/{}/tags/list?n=1&last=v1>; rel=\"next\"", repository.name))
        );
        assert!(repository.begin().await.starts_with(&repository.path("blobs/uploads/")));
        let put = repository.put_manifest("v3", media::MANIFEST, image.manifest()).await;
        assert_eq!(put.location(), repository.path("manifests/v3"));
        let scope = format!("scope=\"repository:{}:pull\"", repository.name);
        let challenge = server.anonymous().get(&repository.path("manifests/v1")).await;
        assert!(challenge.expect_header("www-authenticate").contains(&scope), "{challenge}");
    }
    let catalog = short.client.get("/v2/_catalog").await.json();
    assert_eq!(catalog["repositories"], serde_json::json!(["app"]));
    // A token for one name is good for the other.
    for (scope, repository) in [("repository:default/app:pull", &short), ("repository:app:pull", &long)] {
        let client = server.admin().with_registry_token(&[scope]).await;
        client.get(&repository.path("manifests/v1")).await.assert_status(200);
    }
    // An upload that began under one name goes on under the other.
    let upload = short.begin().await.replace("/v2/app/", "/v2/default/app/");
    long.finish(&upload, 0, "x", &Blob::of("x").digest).await.assert_status(201);
}

async fn names_are_as_deep_as_one_likes(server: &TestServer) {
    for depth in [1, 2, 3, 4, 8, 16, 32, 64, 128] {
        let name = vec!["a"; depth].join("/");
        let repository = Repository::new(server, &name);
        let digest = Image::new().annotation("depth", &name).push(&repository.client, &format!("{name}:v1")).await;
        repository.get("manifests/v1").await.assert_status(200).assert_header("docker-content-digest", &digest);
        assert_eq!(repository.get("tags/list").await.json()["name"], name);
        let referrers = repository.get(&format!("referrers/{digest}")).await;
        referrers.assert_status(200);
    }
    let longest = format!("team/{}", "x".repeat(250));
    Image::new().push(&server.admin(), &format!("{longest}:v1")).await;
    let too_long = Repository::new(server, &format!("{longest}x"));
    too_long.get("manifests/v1").await.refused(400, "NAME_INVALID");
}

async fn names_may_look_like_endpoints(server: &TestServer) {
    for name in
        ["tags/list", "blobs/uploads", "manifests/v1", "v2/v2", "token/token", "api/v1", "team/referrers", "uploads"]
    {
        let repository = Repository::new(server, name);
        let image = Image::new().layer(name);
        let digest = image.push(&repository.client, &format!("{name}:v1")).await;
        repository.get("manifests/v1").await.assert_status(200).assert_body(image.manifest());
        repository.get(&format!("blobs/{}", Blob::of(name).digest)).await.assert_status(200).assert_body(name);
        assert_eq!(repository.get("tags/list").await.json()["name"], name);
        repository.get(&format!("referrers/{digest}")).await.assert_status(200);
    }
}

async fn a_mirror_s_parameter_changes_nothing(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let digest = Image::new().layer("hello").push(&repository.client, "team/app:v1").await;
    let blob = Blob::of("hello").digest;
    for rest in [
        "manifests/v1",
        &format!("manifests/{digest}"),
        &format!("blobs/{blob}"),
        "tags/list",
        &format!("referrers/{digest}"),
    ] {
        let plain = repository.get(rest).await;
        for host in ["docker.io", "registry.example.org%3A5000", "", "..%2F..", "%00"] {
            let asked = repository.get(&format!("{rest}?ns={host}")).await;
            asked.assert_status(200).assert_body(&plain.body);
        }
    }
    repository.get(&format!("blobs/{}?ns=docker.io", unknown())).await.refused(404, "BLOB_UNKNOWN");
}
