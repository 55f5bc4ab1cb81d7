//! Tags that a rule of their project keeps where they are.

use futures_util::future::join_all;
use serde_json::{Value, json};
use wharf_auth::Role;
use wharf_testkit::{Answer, Client, Image, Index, TestServer, media};

use crate::backend::on_every_database;
use crate::bin::Bin;
use crate::blob::Blob;
use crate::refusal::Refusal;
use crate::repository::Repository;

on_every_database! {
    a_tag_that_a_rule_covers_does_not_move,
    what_is_under_such_a_tag_is_not_deleted,
    exceptions_and_other_repositories_are_not_covered,
    rollback_and_restore_ask_the_rules_too,
    a_repository_with_such_a_tag_goes_only_by_force,
    of_many_first_pushes_one_counts,
    a_rule_counts_from_its_answer_on,
    rules_are_few_short_and_named,
    rules_are_set_by_maintainers,
}

async fn add(client: &Client, rule: Value) -> Answer {
    client.post_json("/api/v1/projects/team/tag-rules", &rule).await
}

/// A repository with the tag `v1` and a rule over `v*`.
async fn kept(server: &TestServer) -> (Repository, Image) {
    let image = Image::new().layer("first");
    image.push(&server.admin(), "team/app:v1").await;
    add(&server.admin(), json!({ "name": "releases", "pattern": "v*" })).await.assert_status(201);
    (Repository::new(server, "team/app"), image)
}

async fn assert_at(repository: &Repository, tag: &str, digest: &str) {
    let head = repository.head(&format!("manifests/{tag}")).await;
    head.assert_status(200).assert_header("docker-content-digest", digest);
}

async fn put(repository: &Repository, tag: &str, image: &Image) -> Answer {
    repository.put_manifest(tag, media::MANIFEST, image.manifest()).await
}

async fn a_tag_that_a_rule_covers_does_not_move(server: &TestServer) {
    let (repository, first) = kept(server).await;
    let second = Image::new().annotation("number", "2");
    repository.push(&Blob::of("{}")).await;
    let refused = put(&repository, "v1", &second).await;
    let detail = refused.refused(409, "DENIED");
    assert_eq!(detail, json!({ "tag": "v1", "rule": "releases", "project": "team" }));
    assert!(refused.json()["errors"][0]["message"].as_str().unwrap().contains("releases"));
    assert_at(&repository, "v1", &first.digest()).await;
    // Nothing of the push stayed.
    repository.head(&format!("manifests/{}", second.digest())).await.assert_status(404);
    // The same again is no change, and a new tag covers nothing yet.
    put(&repository, "v1", &first).await.assert_status(201);
    put(&repository, "v2", &second).await.assert_status(201);
    put(&repository, "v2", &first).await.refused(409, "DENIED");
    // Of several tags in one push, all move or none.
    let path = format!("manifests/{}?tag=edge&tag=v1", second.digest());
    let request = repository.request(http::Method::PUT, &path).header(http::header::CONTENT_TYPE, media::MANIFEST);
    request.body(second.manifest()).send().await.refused(409, "DENIED");
    repository.head("manifests/edge").await.assert_status(404);
    server.admin().delete("/api/v1/projects/team/tag-rules/releases").await.assert_status(204);
    put(&repository, "v1", &second).await.assert_status(201);
}

async fn what_is_under_such_a_tag_is_not_deleted(server: &TestServer) {
    let (repository, first) = kept(server).await;
    repository.delete("manifests/v1").await.refused(409, "DENIED");
    repository.delete(&format!("manifests/{}", first.digest())).await.refused(409, "DENIED");
    let api = server.admin().delete("/api/v1/repositories/oci/team/app/-/tags/v1").await;
    assert_eq!(api.assert_status(409).json()["code"], json!("immutable"));
    // An index of an index, and an image at its bottom.
    let child = Image::new().layer("child");
    child.push(&server.admin(), "team/app").await;
    let inner = Index::new().image(&child, "linux/amd64");
    inner.push(&server.admin(), "team/app").await;
    let outer = Index::new().entry(inner.descriptor().json());
    outer.push(&server.admin(), "team/app:v2").await;
    outer.push(&server.admin(), "team/app:edge").await;
    for digest in [child.digest(), inner.digest(), outer.digest()] {
        let detail = repository.delete(&format!("manifests/{digest}")).await.refused(409, "DENIED");
        assert_eq!(detail["tag"], "v2");
    }
    repository.delete("manifests/edge").await.assert_status(202);
    assert_at(&repository, "v1", &first.digest()).await;
    assert_eq!(Bin(server.admin()).list("bin").await.len(), 1);
}

async fn exceptions_and_other_repositories_are_not_covered(server: &TestServer) {
    let admin = server.admin();
    server.project("team").await;
    let rule = json!({
        "name": "releases", "pattern": "*", "repositories": "web/**", "exclusions": ["latest", "nightly-*"],
    });
    add(&admin, rule).await.assert_status(201);
    add(&admin, json!({ "name": "signed", "pattern": "*", "repositories": "signed" })).await.assert_status(201);
    let (one, two) = (Image::new().layer("one"), Image::new().layer("two"));
    let list = format!("sha256-{}", "a".repeat(64));
    for (place, moves) in [
        ("team/web/app:1.0", false),
        ("team/web/app:latest", true),
        ("team/web/app:nightly-7", true),
        ("team/app:1.0", true),
        ("team/web:1.0", true),
        ("other/web/app:1.0", true),
        // Without exclusions of its own a rule leaves the lists of signatures alone.
        (&format!("team/signed:{list}"), true),
        ("team/signed:1.0", false),
    ] {
        let (name, tag) = place.rsplit_once(':').unwrap();
        let repository = Repository::new(server, name);
        one.push(&admin, place).await;
        two.push(&admin, name).await;
        put(&repository, tag, &two).await.assert_status(if moves { 201 } else { 409 });
    }
}

async fn rollback_and_restore_ask_the_rules_too(server: &TestServer) {
    let (admin, bin) = (server.admin(), Bin(server.admin()));
    let (one, two) = (Image::new().layer("one"), Image::new().layer("two"));
    let repository = Repository::new(server, "team/app");
    for tag in ["v1", "edge"] {
        one.push(&admin, &format!("team/app:{tag}")).await;
    }
    repository.delete(&format!("manifests/{}", one.digest())).await.assert_status(202);
    for tag in ["v1", "edge"] {
        two.push(&admin, &format!("team/app:{tag}")).await;
    }
    add(&admin, json!({ "name": "releases", "pattern": "v*" })).await.assert_status(201);
    let entry = bin.newest().await;
    let restored = bin.restore("team/app", entry, json!({ "force_tags": true })).await.assert_status(200).json();
    assert_eq!((&restored["tags"], &restored["kept"][0]["tag"]), (&json!(["edge"]), &json!("v1")));
    assert!(restored["kept"][0]["reason"].as_str().unwrap().contains("releases"), "{restored}");
    let back = json!({ "to": one.digest() });
    let refused = admin.post_json("/api/v1/repositories/oci/team/app/-/tags/v1/rollback", &back).await;
    assert!(refused.assert_status(409).json()["detail"].as_str().unwrap().contains("releases"), "{refused}");
    assert_at(&repository, "v1", &two.digest()).await;
}

async fn a_repository_with_such_a_tag_goes_only_by_force(server: &TestServer) {
    let (repository, first) = kept(server).await;
    let path = "/api/v1/repositories/oci/team/app";
    let refused = server.admin().delete(path).await;
    assert!(refused.assert_status(409).json()["hint"].as_str().unwrap().contains("force"), "{refused}");
    server.admin().delete(&format!("{path}?force=true")).await.assert_status(204);
    repository.head("manifests/v1").await.assert_status(404);
    Bin(server.admin()).restored("team/app").await;
    assert_at(&repository, "v1", &first.digest()).await;
    // One without such a tag goes as ever.
    Image::new().push(&server.admin(), "team/plain:edge").await;
    server.admin().delete("/api/v1/repositories/oci/team/plain").await.assert_status(204);
}

async fn of_many_first_pushes_one_counts(server: &TestServer) {
    const CLIENTS: usize = 12;
    let (repository, _) = kept(server).await;
    repository.push(&Blob::of("{}")).await;
    let pushes = (0..CLIENTS).map(|number| {
        let (repository, image) = (repository.clone(), Image::new().annotation("number", &number.to_string()));
        tokio::spawn(async move { (put(&repository, "v2", &image).await.status.as_u16(), image.digest()) })
    });
    let outcomes: Vec<_> = join_all(pushes).await.into_iter().map(|outcome| outcome.expect("no panic")).collect();
    let won: Vec<_> = outcomes.iter().filter(|(status, _)| *status == 201).collect();
    assert_eq!(won.len(), 1, "{outcomes:?}");
    assert!(outcomes.iter().all(|(status, _)| [201, 409].contains(status)), "{outcomes:?}");
    assert_at(&repository, "v2", &won[0].1).await;
}

/// Pushes go on while the rule is added: what was answered after the rule's answer has moved nothing.
async fn a_rule_counts_from_its_answer_on(server: &TestServer) {
    const PUSHES: usize = 40;
    let (admin, repository) = (server.admin(), Repository::new(server, "team/app"));
    Image::new().push(&admin, "team/app:v1").await;
    let pushing = {
        let repository = repository.clone();
        tokio::spawn(async move {
            for number in 0..PUSHES {
                put(&repository, "v1", &Image::new().annotation("number", &number.to_string())).await;
            }
        })
    };
    add(&admin, json!({ "name": "releases", "pattern": "v*" })).await.assert_status(201);
    let then = repository.head("manifests/v1").await.expect_header("docker-content-digest").to_owned();
    pushing.await.expect("no panic");
    assert_at(&repository, "v1", &then).await;
}

async fn rules_are_few_short_and_named(server: &TestServer) {
    let admin = server.admin();
    server.project("team").await;
    let long = "a".repeat(129);
    for (rule, status) in [
        (json!({ "name": "one", "pattern": "v*" }), 201),
        (json!({ "name": "one", "pattern": "x*" }), 409),
        (json!({ "name": "two", "pattern": "[" }), 400),
        (json!({ "name": "two", "pattern": "" }), 400),
        (json!({ "name": "two", "pattern": long }), 400),
        (json!({ "name": "two words", "pattern": "v*" }), 400),
        (json!({ "name": "two", "pattern": "v*", "repositories": "/x" }), 400),
        (json!({ "name": "two", "pattern": "v*", "exclusions": vec!["x"; 21] }), 400),
        (json!({ "name": "two", "pattern": "v*", "exclusions": [] }), 201),
    ] {
        add(&admin, rule.clone()).await.assert_status(status);
    }
    let listed = admin.get("/api/v1/projects/team/tag-rules").await.assert_status(200).json();
    let told: Vec<_> =
        listed["items"].as_array().unwrap().iter().map(|rule| (&rule["name"], &rule["exclusions"])).collect();
    assert_eq!(told, [(&json!("one"), &json!(["sha256-*"])), (&json!("two"), &json!([]))]);
    for number in 2..50 {
        add(&admin, json!({ "name": format!("rule-{number}"), "pattern": "v*" })).await.assert_status(201);
    }
    add(&admin, json!({ "name": "one-more", "pattern": "v*" })).await.assert_status(400);
    admin.delete("/api/v1/projects/team/tag-rules/none").await.assert_status(404);
}

async fn rules_are_set_by_maintainers(server: &TestServer) {
    server.project("team").await;
    for (name, role, adds, sees) in [("pusher", Role::Pusher, 403, 200), ("maintainer", Role::Maintainer, 201, 200)] {
        let client = server.user_with(name, role, "team").await;
        add(&client, json!({ "name": name, "pattern": "v*" })).await.assert_status(adds);
        client.get("/api/v1/projects/team/tag-rules").await.assert_status(sees);
    }
    let audit = server.admin().get("/api/v1/projects/team/audit").await.assert_status(200).json();
    let line = &audit["items"][0];
    assert_eq!(
        (&line["action"], &line["subject"], &line["actor"]),
        (&json!("tag-rule.add"), &json!("maintainer"), &json!("maintainer"))
    );
    assert!(line["detail"].as_str().unwrap().contains("pattern=v*"));
}
