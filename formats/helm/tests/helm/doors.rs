//! One chart, two doors: what comes through OCI is in the classic index, and what comes the classic way can be pulled by OCI.

use serde_json::{Value, json};
use wharf_auth::Role;
use wharf_testkit::{Client, TestServer, push_blob, sha256};

use crate::backend::{on_every_database, work};
use crate::chart::{Chart, Museum, chart};

const CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
const CONTENT: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
const PROVENANCE: &str = "application/vnd.cncf.helm.chart.provenance.v1.prov";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

on_every_database! {
    a_chart_pushed_by_oci_is_in_the_index,
    a_chart_uploaded_is_pulled_by_oci,
    a_provenance_file_goes_through_both_doors,
    deleting_through_one_door_deletes_behind_the_other,
    what_comes_back_is_listed_again,
    a_deleted_repository_leaves_its_artifacts_and_says_so,
    a_new_repository_lists_the_artifacts_that_lie_there,
    a_tag_that_moves_takes_the_index_along,
    the_same_rules_hold_at_both_doors,
    a_repository_with_a_chart_that_a_rule_keeps_goes_only_by_force,
    what_is_no_such_chart_is_an_artifact_only,
    a_pusher_of_artifacts_only_lists_them,
    charts_before_and_after_a_restart_of_work_agree,
}

/// Pushes a chart as `helm push` does; the manifest's digest.
async fn push(client: &Client, repository: &str, chart: &Chart, tag: &str, provenance: Option<&str>) -> String {
    let config = json!({ "name": chart.name, "version": chart.version, "apiVersion": "v2" }).to_string();
    let layer =
        |kind: &str, content: &[u8]| json!({ "mediaType": kind, "digest": sha256(content), "size": content.len() });
    push_blob(client, repository, config.clone()).await;
    push_blob(client, repository, chart.packed()).await;
    let mut layers = vec![layer(CONTENT, &chart.packed())];
    if let Some(provenance) = provenance {
        push_blob(client, repository, provenance.to_owned()).await;
        layers.push(layer(PROVENANCE, provenance.as_bytes()));
    }
    let manifest = json!({
        "schemaVersion": 2, "config": layer(CONFIG, config.as_bytes()), "layers": layers,
        "annotations": { "org.opencontainers.image.created": "2026-01-01T00:00:00Z" },
    });
    put_manifest(client, repository, tag, &manifest).await
}

async fn put_manifest(client: &Client, repository: &str, tag: &str, manifest: &Value) -> String {
    let request = client.request(http::Method::PUT, &format!("/v2/{repository}/manifests/{tag}"));
    let answer = request.header_named("content-type", MANIFEST).body(manifest.to_string()).send().await;
    answer.assert_status(201).expect_header("docker-content-digest").to_owned()
}

async fn manifest(server: &TestServer, repository: &str, tag: &str) -> Value {
    server.admin().get(&format!("/v2/{repository}/manifests/{tag}")).await.assert_status(200).json()
}

async fn status(server: &TestServer, repository: &str, tag: &str) -> u16 {
    server.admin().get(&format!("/v2/{repository}/manifests/{tag}")).await.status.as_u16()
}

async fn a_chart_pushed_by_oci_is_in_the_index(server: &TestServer) {
    let (museum, admin) = (Museum::new(server, "team/charts"), server.admin());
    let [a, b] = [chart("a", "1.0.0"), chart("b", "2.0.0+build.7")];
    push(&admin, "team/charts/a", &a, "1.0.0", None).await;
    push(&admin, "team/charts/b", &b, "2.0.0_build.7", None).await;
    assert_eq!(museum.listed().await, ["a 1.0.0", "b 2.0.0+build.7"]);
    let index = museum.index().await;
    assert_eq!(index["entries"]["b"][0]["digest"], sha256(b.packed()).replace("sha256:", ""));
    let url = index["entries"]["b"][0]["urls"][0].as_str().expect("a URL").to_owned();
    assert_eq!(museum.get(&url).await.assert_status(200).body, b.packed());
    museum.get("api/charts/a/1.0.0").await.assert_status(200);
    // The same chart once more, by either door, changes nothing.
    push(&admin, "team/charts/a", &a, "1.0.0", None).await;
    let digest = sha256(manifest_text(server, "team/charts/a", "1.0.0").await);
    museum.add(&a).await;
    assert_eq!(museum.listed().await, ["a 1.0.0", "b 2.0.0+build.7"]);
    assert_eq!(sha256(manifest_text(server, "team/charts/a", "1.0.0").await), digest);
}

async fn manifest_text(server: &TestServer, repository: &str, tag: &str) -> String {
    server.admin().get(&format!("/v2/{repository}/manifests/{tag}")).await.assert_status(200).text()
}

async fn a_chart_uploaded_is_pulled_by_oci(server: &TestServer) {
    let museum = Museum::new(server, "team/charts");
    let a = chart("a", "1.0.0+b").say("description: d\nmaintainers: [{name: Ann}]\nannotations: {k: v}\n");
    museum.add(&a).await;
    let told = manifest(server, "team/charts/a", "1.0.0_b").await;
    assert_eq!(told["config"]["mediaType"], CONFIG);
    assert_eq!(told["layers"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&told["layers"][0]["mediaType"], &told["layers"][0]["digest"]),
        (&json!(CONTENT), &json!(sha256(a.packed())))
    );
    assert_eq!(told["annotations"]["org.opencontainers.image.authors"], "Ann");
    assert_eq!(told["annotations"]["k"], "v");
    let blob = |digest: &Value| format!("/v2/team/charts/a/blobs/{}", digest.as_str().unwrap_or_default());
    let config = server.admin().get(&blob(&told["config"]["digest"])).await.assert_status(200).json();
    assert_eq!((&config["name"], &config["version"]), (&json!("a"), &json!("1.0.0+b")));
    assert_eq!(server.admin().get(&blob(&told["layers"][0]["digest"])).await.assert_status(200).body, a.packed());
    let tags = server.admin().get("/v2/team/charts/a/tags/list").await.assert_status(200).json();
    assert_eq!(tags["tags"], json!(["1.0.0_b"]));
    // A name that no repository of artifacts can have stays a chart.
    museum.add(&chart("Upper", "1.0.0")).await;
    assert_eq!(museum.listed().await, ["Upper 1.0.0", "a 1.0.0+b"]);
}

async fn a_provenance_file_goes_through_both_doors(server: &TestServer) {
    let (museum, admin) = (Museum::new(server, "team/charts"), server.admin());
    let [a, b] = [chart("a", "1.0.0"), chart("b", "1.0.0")];
    push(&admin, "team/charts/a", &a, "1.0.0", Some(&a.provenance())).await;
    work(server).await;
    museum.get("charts/a-1.0.0.tgz.prov").await.assert_status(200).assert_body(a.provenance());
    museum.add(&b).await;
    museum.post("api/prov", b.provenance()).await.assert_status(201);
    let layers = manifest(server, "team/charts/b", "1.0.0").await["layers"].clone();
    assert_eq!((&layers[1]["mediaType"], &layers[1]["digest"]), (&json!(PROVENANCE), &json!(sha256(b.provenance()))));
    let path = format!("/v2/team/charts/b/blobs/{}", sha256(b.provenance()));
    admin.get(&path).await.assert_status(200).assert_body(b.provenance());
    museum.delete("charts/b-1.0.0.tgz.prov").await.assert_status(200);
    assert_eq!(manifest(server, "team/charts/b", "1.0.0").await["layers"].as_array().map(Vec::len), Some(1));
    work(server).await;
    museum.get("charts/b-1.0.0.tgz.prov").await.assert_status(404);
    // One that speaks of something else is a layer like any other, and nothing more.
    let c = chart("c", "1.0.0");
    push(&admin, "team/charts/c", &c, "1.0.0", Some(&a.provenance())).await;
    assert!(museum.listed().await.contains(&"c 1.0.0".to_owned()));
    museum.get("charts/c-1.0.0.tgz.prov").await.assert_status(404);
}

async fn deleting_through_one_door_deletes_behind_the_other(server: &TestServer) {
    let (museum, admin) = (Museum::new(server, "team/charts"), server.admin());
    for version in ["1.0.0", "2.0.0", "3.0.0"] {
        museum.add(&chart("a", version)).await;
    }
    let pushed = push(&admin, "team/charts/b", &chart("b", "1.0.0"), "1.0.0", None).await;
    push(&admin, "team/charts/b", &chart("b", "2.0.0"), "2.0.0", None).await;
    work(server).await;
    museum.delete("api/charts/b/2.0.0").await.assert_status(200);
    assert_eq!(status(server, "team/charts/b", "2.0.0").await, 404);
    admin.delete(&format!("/v2/team/charts/b/manifests/{pushed}")).await.assert_status(202);
    admin.delete("/v2/team/charts/a/manifests/2.0.0").await.assert_status(202);
    museum.delete("charts/a-3.0.0.tgz").await.assert_status(200);
    assert_eq!(status(server, "team/charts/a", "3.0.0").await, 404);
    assert_eq!(museum.listed().await, ["a 1.0.0"]);
    admin.delete("/api/v1/repositories/oci/team/charts/a").await.assert_status(204);
    assert!(museum.listed().await.is_empty());
    // A manifest with another tag keeps it.
    let c = chart("c", "1.0.0");
    push(&admin, "team/charts/c", &c, "1.0.0", None).await;
    push(&admin, "team/charts/c", &c, "stable", None).await;
    assert_eq!(museum.listed().await, ["c 1.0.0"]);
    museum.delete("api/charts/c/1.0.0").await.assert_status(200);
    assert_eq!(
        (status(server, "team/charts/c", "1.0.0").await, status(server, "team/charts/c", "stable").await),
        (404, 200)
    );
}

async fn what_comes_back_is_listed_again(server: &TestServer) {
    let (museum, admin) = (Museum::new(server, "team/charts"), server.admin());
    let a = chart("a", "1.0.0");
    museum.add(&a).await;
    work(server).await;
    let restore = async || {
        let bin = admin.get("/api/v1/bin?limit=1").await.assert_status(200).json();
        let entry = bin["items"][0]["id"].as_i64().expect("an entry");
        let path = format!("/api/v1/repositories/oci/team/charts/a/-/bin/{entry}/restore");
        admin.post_json(&path, &json!({})).await.assert_status(200);
    };
    museum.delete("api/charts/a/1.0.0").await.assert_status(200);
    assert!(museum.listed().await.is_empty());
    restore().await;
    assert_eq!(museum.listed().await, ["a 1.0.0"]);
    assert_eq!(museum.get("charts/a-1.0.0.tgz").await.assert_status(200).body, a.packed());
    admin.delete("/api/v1/repositories/oci/team/charts/a").await.assert_status(204);
    assert!(museum.listed().await.is_empty());
    restore().await;
    assert_eq!(museum.listed().await, ["a 1.0.0"]);
}

async fn a_deleted_repository_leaves_its_artifacts_and_says_so(server: &TestServer) {
    let (museum, admin) = (Museum::new(server, "team/charts"), server.admin());
    museum.add(&chart("a", "1.0.0")).await;
    push(&admin, "team/charts/b", &chart("b", "1.0.0"), "1.0.0", None).await;
    push(&admin, "team/charts-of-others/c", &chart("c", "1.0.0"), "1.0.0", None).await;
    push(&admin, "team/charts/deeper/d", &chart("d", "1.0.0"), "1.0.0", None).await;
    wharf_testkit::Image::new().layer("no chart").push(&admin, "team/charts/image:v1").await;
    work(server).await;
    let deleted = admin.delete("/api/v1/repositories/helm/team/charts").await;
    assert_eq!(deleted.assert_status(200).json()["staying"], json!(["team/charts/a", "team/charts/b"]));
    museum.get("charts/a-1.0.0.tgz").await.assert_status(404);
    assert_eq!(status(server, "team/charts/a", "1.0.0").await, 200);
    // It does not come back by itself, and what is in the bin comes back as it was.
    work(server).await;
    admin.get("/api/v1/repositories/helm/team/charts").await.assert_status(404);
    let bin = admin.get("/api/v1/bin?limit=1").await.assert_status(200).json();
    let entry = bin["items"][0]["id"].as_i64().expect("an entry");
    let path = format!("/api/v1/repositories/helm/team/charts/-/bin/{entry}/restore");
    admin.post_json(&path, &json!({})).await.assert_status(200);
    assert_eq!(museum.listed().await, ["a 1.0.0", "b 1.0.0"]);
    admin.delete("/api/v1/repositories/oci/team/charts/a").await.assert_status(204);
}

async fn a_new_repository_lists_the_artifacts_that_lie_there(server: &TestServer) {
    let (museum, admin) = (Museum::new(server, "team/charts"), server.admin());
    for name in ["a", "b"] {
        push(&admin, &format!("team/charts/{name}"), &chart(name, "1.0.0"), "1.0.0", None).await;
        push(&admin, &format!("team/charts/{name}"), &chart(name, "2.0.0"), "2.0.0", None).await;
    }
    wharf_testkit::Image::new().layer("no chart").push(&admin, "team/charts/image:v1").await;
    push(&admin, "team/charts/deeper/d", &chart("d", "1.0.0"), "1.0.0", None).await;
    work(server).await;
    admin.delete("/api/v1/repositories/helm/team/charts").await.assert_status(200);
    museum.add(&chart("c", "1.0.0")).await;
    assert_eq!(museum.listed().await, ["a 2.0.0", "a 1.0.0", "b 2.0.0", "b 1.0.0", "c 1.0.0"]);
}

async fn a_tag_that_moves_takes_the_index_along(server: &TestServer) {
    let (museum, admin) = (Museum::new(server, "team/charts"), server.admin());
    let [old, new] = ["old", "new"].map(|text| chart("a", "1.0.0").say(&format!("description: {text}\n")));
    let described = async || museum.index().await["entries"]["a"][0]["description"].clone();
    push(&admin, "team/charts/a", &old, "1.0.0", Some(&old.provenance())).await;
    assert_eq!(described().await, "old");
    push(&admin, "team/charts/a", &new, "1.0.0", None).await;
    assert_eq!(described().await, "new");
    museum.get("charts/a-1.0.0.tgz.prov").await.assert_status(404);
    let roll = admin.post_json("/api/v1/repositories/oci/team/charts/a/-/tags/1.0.0/rollback", &json!({})).await;
    roll.assert_status(200);
    assert_eq!(described().await, "old");
    museum.get("charts/a-1.0.0.tgz.prov").await.assert_status(200);
    // Forced through the classic door: the tag moves too, and what it was is in its history.
    museum.post("api/charts", new.packed()).await.assert_status(409);
    museum.post("api/charts?force", new.packed()).await.assert_status(201);
    assert_eq!(described().await, "new");
    assert_eq!(manifest(server, "team/charts/a", "1.0.0").await["layers"][0]["digest"], sha256(new.packed()));
    // To something that is no chart.
    let other = json!({ "schemaVersion": 2, "config": config_of(&admin, "team/charts/a").await, "layers": [] });
    put_manifest(&admin, "team/charts/a", "1.0.0", &other).await;
    assert!(museum.listed().await.is_empty());
}

async fn config_of(client: &Client, repository: &str) -> Value {
    let digest = push_blob(client, repository, "{}").await;
    json!({ "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": 2 })
}

async fn the_same_rules_hold_at_both_doors(server: &TestServer) {
    let (museum, admin) = (Museum::new(server, "team/charts"), server.admin());
    let [a, other] = [chart("a", "1.0.0"), chart("a", "1.0.0").say("description: other\n")];
    museum.add(&a).await;
    let rule = json!({ "name": "releases", "repositories": "charts/*", "pattern": "*" });
    admin.post_json("/api/v1/projects/team/tag-rules", &rule).await.assert_status(201);
    let refused = museum.post("api/charts?force", other.packed()).await;
    assert!(refused.assert_status(409).text().contains("releases"), "{}", refused.text());
    museum.delete("api/charts/a/1.0.0").await.assert_status(409);
    admin.delete("/v2/team/charts/a/manifests/1.0.0").await;
    assert_eq!(status(server, "team/charts/a", "1.0.0").await, 200);
    // What vouches for it may still come; the artifact stays as it was pushed.
    museum.post("api/prov", a.provenance()).await.assert_status(201);
    museum.get("charts/a-1.0.0.tgz.prov").await.assert_status(200);
    assert_eq!(manifest(server, "team/charts/a", "1.0.0").await["layers"].as_array().map(Vec::len), Some(1));
    assert_eq!(museum.listed().await, ["a 1.0.0"]);
    assert_eq!(museum.get("charts/a-1.0.0.tgz").await.body, a.packed());
    // Pushed by OCI a moment ago and not yet listed: a chart of the same name is refused all the same.
    let b = chart("b", "1.0.0");
    push(&admin, "team/charts/b", &b, "1.0.0", None).await;
    museum.post("api/charts", b.clone().say("description: other\n").packed()).await.assert_status(409);
    museum.add(&b).await;
}

async fn a_repository_with_a_chart_that_a_rule_keeps_goes_only_by_force(server: &TestServer) {
    let (museum, admin) = (Museum::new(server, "team/charts"), server.admin());
    let [a, b] = [chart("a", "1.0.0"), chart("b", "1.0.0")];
    museum.add(&a).await;
    museum.add(&b).await;
    let rule = json!({ "name": "releases", "repositories": "charts/b", "pattern": "*" });
    admin.post_json("/api/v1/projects/team/tag-rules", &rule).await.assert_status(201);
    let path = "/api/v1/repositories/helm/team/charts";
    let refused = admin.delete(path).await.assert_status(409).json();
    assert_eq!(refused["code"], "immutable", "{refused}");
    let detail = refused["detail"].as_str().expect("words");
    assert!(detail.contains("the tag 1.0.0 of team/charts/b") && detail.contains("the rule releases"), "{detail}");
    assert!(refused["hint"].as_str().expect("words").contains("force"), "{refused}");
    assert_eq!(museum.listed().await, ["a 1.0.0", "b 1.0.0"]);
    // What the rule keeps is gone already: nothing is left of it to keep.
    admin.delete("/api/v1/repositories/oci/team/charts/b?force=true").await.assert_status(204);
    assert_eq!(museum.listed().await, ["a 1.0.0"]);
    admin.delete(path).await.assert_status(200);
    museum.add(&chart("b", "2.0.0")).await;
    admin.delete(path).await.assert_status(409);
    admin.delete(&format!("{path}?force=true")).await.assert_status(200);
    admin.get(path).await.assert_status(404);
    assert_eq!(status(server, "team/charts/b", "2.0.0").await, 200);
}

async fn what_is_no_such_chart_is_an_artifact_only(server: &TestServer) {
    let (museum, admin) = (Museum::new(server, "team/charts"), server.admin());
    museum.add(&chart("there", "1.0.0")).await;
    // By another name, by another version, under a tag that is no version, in a project alone, and no chart at all.
    push(&admin, "team/charts/other", &chart("a", "1.0.0"), "1.0.0", None).await;
    push(&admin, "team/charts/a", &chart("a", "1.0.0"), "2.0.0", None).await;
    push(&admin, "team/charts/a", &chart("a", "1.0.0"), "latest", None).await;
    push(&admin, "team/a", &chart("a", "1.0.0"), "1.0.0", None).await;
    let broken = chart("broken", "1.0.0").say("type: broken\n");
    push(&admin, "team/charts/broken", &broken, "1.0.0", None).await;
    assert_eq!(museum.listed().await, ["there 1.0.0"]);
    for (repository, tag) in [("team/charts/other", "1.0.0"), ("team/charts/a", "2.0.0"), ("team/a", "1.0.0")] {
        assert_eq!(status(server, repository, tag).await, 200, "{repository}");
    }
}

async fn a_pusher_of_artifacts_only_lists_them(server: &TestServer) {
    server.project("team").await;
    let pusher = server.user("pusher").await;
    server.grant("pusher", Role::Pusher, "team", "charts/**").await;
    push(&pusher, "team/charts/a", &chart("a", "1.0.0"), "1.0.0", None).await;
    assert_eq!(Museum::new(server, "team/charts").listed().await, ["a 1.0.0"]);
    let own = Museum::of(server, &pusher, "team/charts");
    own.post("api/charts", chart("b", "1.0.0").packed()).await.assert_status(404);
}

async fn charts_before_and_after_a_restart_of_work_agree(server: &TestServer) {
    let (museum, admin) = (Museum::new(server, "team/charts"), server.admin());
    // Many changes to one tag before anybody looks: what counts is where it points in the end.
    let [one, two] = ["one", "two"].map(|text| chart("a", "1.0.0").say(&format!("description: {text}\n")));
    for chart in [&one, &two, &one, &two] {
        push(&admin, "team/charts/a", chart, "1.0.0", None).await;
    }
    admin.delete("/v2/team/charts/a/manifests/1.0.0").await.assert_status(202);
    push(&admin, "team/charts/a", &one, "1.0.0", None).await;
    assert_eq!(museum.index().await["entries"]["a"][0]["description"], "one");
    assert_eq!(museum.listed().await.len(), 1);
}
