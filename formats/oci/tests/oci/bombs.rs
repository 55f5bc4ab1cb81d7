//! JSON that is meant to do harm, or is no manifest.

use serde_json::{Value, json};
use wharf_testkit::{Descriptor, TestServer, media};

use crate::backend::on_every_database;
use crate::blob::{Blob, unknown};
use crate::refusal::Refusal;
use crate::repository::Repository;

on_every_database! {
    bombs_are_refused,
    what_is_deep_in_an_unknown_field_is_not_looked_at,
    what_is_no_manifest_is_refused,
    text_that_a_database_cannot_hold_does_no_harm,
}

async fn assert_all_refused(server: &TestServer, media_type: &str, bodies: Vec<Vec<u8>>) {
    let repository = Repository::new(server, "team/app");
    repository.push(&Blob::of("{}")).await;
    for body in bodies {
        repository.put_manifest("v1", media_type, body).await.refused(400, "MANIFEST_INVALID");
    }
    repository.get("manifests/v1").await.refused(404, "MANIFEST_UNKNOWN");
    repository.get("tags/list").await.assert_status(200);
}

fn image() -> Value {
    let config = Descriptor::of(media::EMPTY, b"{}").json();
    json!({ "schemaVersion": 2, "mediaType": media::MANIFEST, "config": config, "layers": [] })
}

/// The image with `text` in place of its layers.
fn with_layers(text: &str) -> Vec<u8> {
    image().to_string().replace("\"layers\":[]", &format!("\"layers\":{text}")).into_bytes()
}

async fn bombs_are_refused(server: &TestServer) {
    const LENGTH: usize = 4 * 1024 * 1024;
    let head = image().to_string();
    let head = head.trim_end_matches('}');
    let bodies = vec![
        vec![b'['; LENGTH],
        b"{\"a\":".repeat(LENGTH / 5),
        with_layers(&"[".repeat(1_000_000)),
        with_layers(&format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000))),
        format!("{head},\"config\":{{}}}}").into_bytes(),
        format!("{head},\"layers\":[]}}").into_bytes(),
        format!("{head},\"mediaType\":\"{}\"}}", media::INDEX).into_bytes(),
        format!("{head},\"annotations\":{{}},\"annotations\":{{}}}}").into_bytes(),
        format!("\"{}", "\\u0000".repeat(LENGTH / 6 - 1)).into_bytes(),
        "9".repeat(LENGTH).into_bytes(),
    ];
    assert_all_refused(server, media::MANIFEST, bodies).await;
}

async fn what_is_deep_in_an_unknown_field_is_not_looked_at(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    repository.push(&Blob::of("{}")).await;
    let head = image().to_string();
    let deep = format!("{},\"unknown\":{}{}}}", head.trim_end_matches('}'), "[".repeat(500_000), "]".repeat(500_000));
    repository.put_manifest("v1", media::MANIFEST, deep.clone()).await.assert_status(201);
    repository.get("manifests/v1").await.assert_status(200).assert_body(deep);
}

/// The values of an image without their keys.
fn positional() -> String {
    let config = Descriptor::of(media::EMPTY, b"{}").json();
    json!([2, media::MANIFEST, null, config, [], null, null, null, null]).to_string()
}

async fn what_is_no_manifest_is_refused(server: &TestServer) {
    let text = image().to_string();
    let changed = |key: &str, value: Value| {
        let mut image = image();
        image[key] = value;
        image.to_string().into_bytes()
    };
    let layer = |digest: &str, size: Value| {
        changed("layers", json!([{ "mediaType": media::LAYER, "digest": digest, "size": size }]))
    };
    let digest = unknown();
    let bodies = vec![
        Vec::new(),
        positional().into_bytes(),
        with_layers("[[\"a/b\",\"DIGEST\",2]]".replace("DIGEST", &Blob::of("{}").digest).as_str()),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"{}".to_vec(),
        b"\"text\"".to_vec(),
        b"<html>".to_vec(),
        format!("\u{feff}{text}").into_bytes(),
        format!("{text}{text}").into_bytes(),
        format!("{text},").into_bytes(),
        [&text.as_bytes()[..text.len() - 1], b",\"x\":\"\xff\"}"].concat(),
        changed("schemaVersion", json!(1)),
        changed("schemaVersion", json!("2")),
        changed("manifests", json!([])),
        changed("config", Value::Null),
        changed("layers", json!({})),
        changed("subject", json!({ "digest": "sha256:short" })),
        changed("annotations", json!({ "a": 1 })),
        layer("sha256:short", json!(1)),
        layer("md5:d41d8cd98f00b204e9800998ecf8427e", json!(1)),
        layer(&digest.to_uppercase(), json!(1)),
        layer(&digest, json!(-1)),
        layer(&digest, json!(1.5)),
        layer(&digest, json!(u64::MAX)),
        layer(&digest, json!("1")),
    ];
    assert_all_refused(server, media::MANIFEST, bodies).await;
    let index = |manifests: Value| json!({ "schemaVersion": 2, "manifests": manifests }).to_string().into_bytes();
    let with_layers = json!({ "schemaVersion": 2, "manifests": [], "layers": [] }).to_string().into_bytes();
    let bodies = vec![text.into_bytes(), index(json!({})), index(json!([1])), index(json!([{}])), with_layers];
    assert_all_refused(server, media::INDEX, bodies).await;
}

/// No answer may be the server's fault, and all of them must be the same on both databases.
async fn text_that_a_database_cannot_hold_does_no_harm(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    repository.push(&Blob::of("{}")).await;
    let odd = "a\u{0}b \u{1F433} \u{d7ff} \u{ffff}";
    let mut image = image();
    image["annotations"] = json!({ odd: odd });
    image["subject"] = Descriptor::of(media::MANIFEST, b"absent").json();
    repository.put_manifest("annotated", media::MANIFEST, image.to_string()).await.assert_status(201);
    image["artifactType"] = json!(odd);
    repository.put_manifest("typed", media::MANIFEST, image.to_string()).await.refused(400, "MANIFEST_INVALID");
    let listed = repository.get(&format!("referrers/{}", Blob::of("absent").digest)).await;
    assert_eq!(listed.assert_status(200).json()["manifests"][0]["annotations"], json!({ odd: odd }));
    let filtered = format!("referrers/{}?artifactType=a%00b", Blob::of("absent").digest);
    assert_eq!(repository.get(&filtered).await.assert_status(200).json()["manifests"], json!([]));
    let after = repository.get("tags/list?last=a%00b").await.assert_status(200).json();
    assert_eq!(after["tags"], json!(["annotated"]));
    let after = repository.client.get("/v2/_catalog?last=a%00b").await.assert_status(200).json();
    assert_eq!(after["repositories"], json!(["team/app"]));
}
