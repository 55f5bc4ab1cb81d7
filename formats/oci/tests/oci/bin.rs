//! What was deleted comes back whole, or says why not.

use std::time::Duration;

use serde_json::{Value, json};
use wharf_auth::Role;
use wharf_testkit::{Answer, Client, Descriptor, Image, Index, TestServer, media};

use crate::backend::{on_every_backend, options};
use crate::blob::{Blob, LARGE};
use crate::refusal::Refusal;
use crate::repository::Repository;

on_every_backend! {
    an_image_comes_back_with_its_layers_and_all_its_tags,
    an_index_comes_back_without_its_images_having_gone,
    a_signature_that_comes_back_is_listed_again,
    blobs_deleted_meanwhile_come_back_with_their_manifest,
    a_manifest_that_comes_back_brings_no_bytes_that_were_not_there,
    a_tag_comes_back_and_its_manifest_with_it,
    a_tag_that_points_elsewhere_by_now_stays_there_unless_asked,
    what_was_pushed_again_meanwhile_is_left_as_it_is,
    a_repository_comes_back_with_everything_in_it,
    a_repository_whose_name_was_taken_comes_back_under_another,
    what_was_in_a_deleted_project_is_for_administrators,
    what_is_inside_a_deleted_repository_waits_for_it,
    what_has_waited_its_time_is_gone,
    what_was_emptied_is_gone,
    entries_are_seen_by_those_who_may_delete,
    the_list_pages_from_the_newest,
}

const A_WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The bin as somebody reaches it.
pub(crate) struct Bin(pub(crate) Client);

impl Bin {
    pub(crate) async fn list(&self, path: &str) -> Vec<Value> {
        let answer = self.0.get(&format!("/api/v1/{path}")).await;
        answer.assert_status(200).json()["items"].as_array().expect("items").clone()
    }

    /// The entry that was made last.
    pub(crate) async fn newest(&self) -> i64 {
        self.list("bin?limit=1").await[0]["id"].as_i64().expect("a number")
    }

    pub(crate) async fn restore(&self, repository: &str, entry: i64, how: Value) -> Answer {
        let path = format!("/api/v1/repositories/oci/{repository}/-/bin/{entry}/restore");
        self.0.post_json(&path, &how).await
    }

    pub(crate) async fn restored(&self, repository: &str) -> Value {
        let entry = self.newest().await;
        self.restore(repository, entry, json!({})).await.assert_status(200).json()
    }

    async fn delete_repository(&self, name: &str) {
        self.0.delete(&format!("/api/v1/repositories/oci/{name}")).await.assert_status(204);
    }
}

async fn info(repository: &Repository, reference: &str) -> Value {
    let path = format!("/api/v1/repositories/oci/{}/-/manifests/{reference}", repository.name);
    repository.client.get(&path).await.assert_status(200).json()
}

async fn assert_digest(repository: &Repository, reference: &str, digest: &str) {
    let head = repository.head(&format!("manifests/{reference}")).await;
    head.assert_status(200).assert_header("docker-content-digest", digest);
}

fn tags(answer: &Value) -> Vec<&str> {
    answer["tags"].as_array().expect("tags").iter().filter_map(Value::as_str).collect()
}

async fn an_image_comes_back_with_its_layers_and_all_its_tags(server: &TestServer) {
    let (repository, bin) = (Repository::new(server, "team/app"), Bin(server.admin()));
    let layer = Blob::noise(1, LARGE);
    let image = Image::new().config("{\"os\":\"linux\"}").layer(layer.content.clone()).annotation("who", "me");
    let digest = image.push(&repository.client, "team/app:v1").await;
    image.push(&repository.client, "team/app:latest").await;
    let before = info(&repository, &digest).await;
    repository.delete(&format!("manifests/{digest}")).await.assert_status(202);
    let entries = bin.list("repositories/oci/team/app/-/bin").await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    let entry = &entries[0];
    assert_eq!(
        (&entry["kind"], &entry["name"], &entry["actor"]),
        (&json!("manifest"), &json!(digest), &json!("admin"))
    );
    let restored = bin.restored("team/app").await;
    assert_eq!(
        (tags(&restored), &restored["kept"], &restored["missing"]),
        (vec!["latest", "v1"], &json!([]), &json!([]))
    );
    for reference in ["v1", "latest", &digest] {
        repository.get(&format!("manifests/{reference}")).await.assert_status(200).assert_body(image.manifest());
    }
    repository.get(&format!("blobs/{}", layer.digest)).await.assert_status(200).assert_body(&layer.content);
    assert_eq!(info(&repository, &digest).await, before);
    assert_eq!(bin.list("bin").await, Vec::<Value>::new());
    // Its layers are in use again.
    repository.delete(&format!("blobs/{}", layer.digest)).await.refused(409, "DENIED");
    let id = entry["id"].as_i64().unwrap();
    let again = bin.restore("team/app", id, json!({})).await;
    assert!(again.assert_status(410).json()["detail"].as_str().unwrap().contains("restored"), "{again}");
}

async fn an_index_comes_back_without_its_images_having_gone(server: &TestServer) {
    let (repository, bin) = (Repository::new(server, "team/app"), Bin(server.admin()));
    let (one, two) = (Image::new().layer("one"), Image::new().layer("two"));
    for image in [&one, &two] {
        image.push(&repository.client, "team/app").await;
    }
    let index = Index::new().image(&one, "linux/amd64").image(&two, "linux/arm64");
    let digest = index.push(&repository.client, "team/app:v1").await;
    repository.delete(&format!("manifests/{digest}")).await.assert_status(202);
    for image in [&one, &two] {
        assert_digest(&repository, &image.digest(), &image.digest()).await;
    }
    let entry = bin.newest().await;
    // An image of it goes for itself, and has an entry for itself.
    repository.delete(&format!("manifests/{}", two.digest())).await.assert_status(202);
    let child = bin.newest().await;
    let restored = bin.restore("team/app", entry, json!({})).await.assert_status(200).json();
    assert_eq!((tags(&restored), &restored["missing"]), (vec!["v1"], &json!([two.digest()])));
    repository.get("manifests/v1").await.assert_status(200).assert_body(index.manifest());
    bin.restore("team/app", child, json!({})).await.assert_status(200);
    assert_digest(&repository, &two.digest(), &two.digest()).await;
    // An image that had gone before its index is missed too.
    for gone in [two.digest(), digest] {
        repository.delete(&format!("manifests/{gone}")).await.assert_status(202);
    }
    assert_eq!(bin.restored("team/app").await["missing"], json!([two.digest()]));
}

async fn a_signature_that_comes_back_is_listed_again(server: &TestServer) {
    let (repository, bin) = (Repository::new(server, "team/app"), Bin(server.admin()));
    let image = Image::new().layer("signed");
    let digest = image.push(&repository.client, "team/app:v1").await;
    let signature =
        Image::new().artifact_type("application/x-signature").annotation("by", "us").subject(image.descriptor());
    let signature_digest = signature.push(&repository.client, "team/app").await;
    let referrers = async || {
        let list = repository.get(&format!("referrers/{digest}?artifactType=application/x-signature")).await;
        list.assert_status(200).json()["manifests"].clone()
    };
    let before = referrers().await;
    assert_eq!(before[0]["digest"], json!(signature_digest));
    repository.delete(&format!("manifests/{signature_digest}")).await.assert_status(202);
    assert_eq!(referrers().await, json!([]));
    bin.restored("team/app").await;
    assert_eq!(referrers().await, before);
}

async fn blobs_deleted_meanwhile_come_back_with_their_manifest(server: &TestServer) {
    let (repository, bin) = (Repository::new(server, "team/app"), Bin(server.admin()));
    let layer = Blob::noise(2, LARGE);
    let digest = Image::new().layer(layer.content.clone()).push(&repository.client, "team/app:v1").await;
    repository.delete(&format!("manifests/{digest}")).await.assert_status(202);
    repository.delete(&format!("blobs/{}", layer.digest)).await.assert_status(202);
    repository.head(&format!("blobs/{}", layer.digest)).await.assert_status(404);
    bin.restored("team/app").await;
    repository.get(&format!("blobs/{}", layer.digest)).await.assert_status(200).assert_body(&layer.content);
}

/// A manifest may name what is not here, such as layers that lie elsewhere. Naming is no way to read what others have.
async fn a_manifest_that_comes_back_brings_no_bytes_that_were_not_there(server: &TestServer) {
    let (repository, bin) = (Repository::new(server, "team/app"), Bin(server.admin()));
    let secret = Blob::noise(3, LARGE);
    Repository::new(server, "other/secret").push(&secret).await;
    repository.push(&Blob::of("{}")).await;
    let foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar";
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media::MANIFEST,
        "config": Descriptor::of(media::EMPTY, b"{}").json(),
        "layers": [Descriptor::of(foreign, &secret.content).json()],
    });
    let manifest = manifest.to_string();
    repository.put_manifest("v1", media::MANIFEST, manifest.clone()).await.assert_status(201);
    let digest = wharf_testkit::sha256(&manifest);
    repository.delete(&format!("manifests/{digest}")).await.assert_status(202);
    bin.restored("team/app").await;
    repository.get("manifests/v1").await.assert_status(200).assert_body(&manifest);
    repository.get(&format!("blobs/{}", secret.digest)).await.refused(404, "BLOB_UNKNOWN");
}

async fn a_tag_comes_back_and_its_manifest_with_it(server: &TestServer) {
    let (repository, bin) = (Repository::new(server, "team/app"), Bin(server.admin()));
    let digest = Image::new().layer("hello").push(&repository.client, "team/app:v1").await;
    repository.delete("manifests/v1").await.assert_status(202);
    let restored = bin.restored("team/app").await;
    assert_eq!((&restored["kind"], tags(&restored)), (&json!("tag"), vec!["v1"]));
    assert_digest(&repository, "v1", &digest).await;
    repository.delete("manifests/v1").await.assert_status(202);
    let tag = bin.newest().await;
    repository.delete(&format!("manifests/{digest}")).await.assert_status(202);
    bin.restore("team/app", tag, json!({})).await.assert_status(200);
    assert_digest(&repository, "v1", &digest).await;
    assert_eq!(bin.list("bin").await, Vec::<Value>::new());
}

async fn a_tag_that_points_elsewhere_by_now_stays_there_unless_asked(server: &TestServer) {
    let (repository, bin) = (Repository::new(server, "team/app"), Bin(server.admin()));
    let old = Image::new().layer("old").push(&repository.client, "team/app:v1").await;
    repository.delete("manifests/v1").await.assert_status(202);
    let entry = bin.newest().await;
    let new = Image::new().layer("new").push(&repository.client, "team/app:v1").await;
    let refused = bin.restore("team/app", entry, json!({})).await;
    assert!(refused.assert_status(409).json()["detail"].as_str().unwrap().contains(&new), "{refused}");
    assert_digest(&repository, "v1", &new).await;
    bin.restore("team/app", entry, json!({ "force_tags": true })).await.assert_status(200);
    assert_digest(&repository, "v1", &old).await;
}

async fn what_was_pushed_again_meanwhile_is_left_as_it_is(server: &TestServer) {
    let (repository, bin) = (Repository::new(server, "team/app"), Bin(server.admin()));
    let (old, new) = (Image::new().layer("old"), Image::new().layer("new"));
    let digest = old.push(&repository.client, "team/app:v1").await;
    old.push(&repository.client, "team/app:v2").await;
    repository.delete(&format!("manifests/{digest}")).await.assert_status(202);
    new.push(&repository.client, "team/app:v1").await;
    // The manifest too, by somebody else in the meantime, under a tag of its own.
    old.push(&repository.client, "team/app:v3").await;
    let restored = bin.restored("team/app").await;
    assert_eq!(tags(&restored), ["v2"]);
    let kept = &restored["kept"][0];
    assert_eq!((&kept["tag"], &kept["digest"]), (&json!("v1"), &json!(new.digest())));
    for (tag, expected) in [("v1", new.digest()), ("v2", old.digest()), ("v3", old.digest())] {
        assert_digest(&repository, tag, &expected).await;
    }
    // Once more, and now it is asked for.
    repository.delete(&format!("manifests/{digest}")).await.assert_status(202);
    old.push(&repository.client, "team/app:v2").await;
    new.push(&repository.client, "team/app:v3").await;
    let entry = bin.newest().await;
    let restored = bin.restore("team/app", entry, json!({ "force_tags": true })).await.assert_status(200).json();
    assert_eq!((tags(&restored), &restored["kept"]), (vec!["v2", "v3"], &json!([])));
    assert_digest(&repository, "v3", &digest).await;
}

async fn a_repository_comes_back_with_everything_in_it(server: &TestServer) {
    let owner = {
        server.project("team").await;
        server.user_with("owner", Role::Owner, "team").await
    };
    let (repository, bin) = (Repository::of(&owner, "team/app"), Bin(server.admin()));
    let layer = Blob::noise(4, LARGE);
    let image = Image::new().layer(layer.content.clone());
    let digest = image.push(&owner, "team/app:v1").await;
    image.push(&owner, "team/app:v2").await;
    Bin(owner.clone()).delete_repository("team/app").await;
    repository.get("manifests/v1").await.refused(404, "NAME_UNKNOWN");
    let seen = Bin(owner.clone()).list("projects/team/bin").await;
    assert_eq!((seen.len(), &seen[0]["kind"], &seen[0]["name"]), (1, &json!("repository"), &json!("team/app")));
    // Whoever may delete what is in it may not restore the whole.
    let maintainer = Bin(server.user_with("maintainer", Role::Maintainer, "team").await);
    let entry = bin.newest().await;
    maintainer.restore("team/app", entry, json!({})).await.assert_status(403);
    Bin(owner.clone()).restore("team/app", entry, json!({})).await.assert_status(200);
    for reference in ["v1", "v2", &digest] {
        repository.get(&format!("manifests/{reference}")).await.assert_status(200).assert_body(image.manifest());
    }
    repository.get(&format!("blobs/{}", layer.digest)).await.assert_status(200).assert_body(&layer.content);
    assert_eq!(Bin(owner).list("projects/team/bin").await, Vec::<Value>::new());
}

async fn a_repository_whose_name_was_taken_comes_back_under_another(server: &TestServer) {
    let (admin, bin) = (server.admin(), Bin(server.admin()));
    let old = Image::new().layer("old").push(&admin, "team/app:v1").await;
    bin.delete_repository("team/app").await;
    let entry = bin.newest().await;
    let new = Image::new().layer("new").push(&admin, "team/app:v1").await;
    let refused = bin.restore("team/app", entry, json!({})).await;
    assert!(refused.assert_status(409).json()["hint"].as_str().unwrap().contains("as"), "{refused}");
    bin.restore("team/app", entry, json!({ "as": "nowhere/app" })).await.assert_status(404);
    // Of two who may govern here, one may not govern there.
    let owner = Bin(server.user_with("owner", Role::Owner, "team").await);
    server.project("other").await;
    owner.restore("team/app", entry, json!({ "as": "other/app" })).await.assert_status(403);
    let restored = owner.restore("team/app", entry, json!({ "as": "team/app-old" })).await.assert_status(200).json();
    assert_eq!(restored["repository"], json!("team/app-old"));
    assert_digest(&Repository::new(server, "team/app"), "v1", &new).await;
    assert_digest(&Repository::new(server, "team/app-old"), "v1", &old).await;
}

async fn what_was_in_a_deleted_project_is_for_administrators(server: &TestServer) {
    let (admin, bin) = (server.admin(), Bin(server.admin()));
    let digest = Image::new().layer("old").push(&admin, "team/app:v1").await;
    bin.delete_repository("team/app").await;
    let entry = bin.newest().await;
    admin.delete("/api/v1/projects/team").await.assert_status(204);
    server.project("team").await;
    let owner = Bin(server.user_with("owner", Role::Owner, "team").await);
    assert_eq!(owner.list("projects/team/bin").await, Vec::<Value>::new());
    owner.0.get(&format!("/api/v1/bin/{entry}")).await.assert_status(404);
    for how in [json!({}), json!({ "as": "team/stolen" })] {
        owner.restore("team/app", entry, how).await.assert_status(404);
    }
    bin.restore("team/app", entry, json!({})).await.assert_status(409);
    bin.restore("team/app", entry, json!({ "as": "team/app" })).await.assert_status(200);
    assert_digest(&Repository::new(server, "team/app"), "v1", &digest).await;
}

async fn what_is_inside_a_deleted_repository_waits_for_it(server: &TestServer) {
    let (repository, bin) = (Repository::new(server, "team/app"), Bin(server.admin()));
    let digest = Image::new().layer("hello").push(&repository.client, "team/app:v1").await;
    repository.delete(&format!("manifests/{digest}")).await.assert_status(202);
    let manifest = bin.newest().await;
    bin.delete_repository("team/app").await;
    let whole = bin.newest().await;
    let refused = bin.restore("team/app", manifest, json!({})).await;
    assert!(refused.assert_status(409).json()["hint"].as_str().unwrap().contains(&whole.to_string()), "{refused}");
    bin.restore("team/app", whole, json!({})).await.assert_status(200);
    bin.restore("team/app", manifest, json!({})).await.assert_status(200);
    assert_digest(&repository, "v1", &digest).await;
}

async fn what_has_waited_its_time_is_gone(server: &TestServer) {
    let (repository, bin) = (Repository::new(server, "team/app"), Bin(server.admin()));
    let digest = Image::new().layer("hello").push(&repository.client, "team/app:v1").await;
    repository.delete("manifests/v1").await.assert_status(202);
    let tag = bin.newest().await;
    repository.delete(&format!("manifests/{digest}")).await.assert_status(202);
    let manifest = bin.newest().await;
    Image::new().push(&repository.client, "team/other:v1").await;
    bin.delete_repository("team/other").await;
    let other = bin.newest().await;
    server.clock().advance(A_WEEK - Duration::from_secs(60));
    assert_eq!(bin.list("bin").await.len(), 3);
    server.clock().advance(Duration::from_secs(61));
    let entries = [(tag, "team/app"), (manifest, "team/app"), (other, "team/other")];
    // Also before anybody has cleared away.
    for cleared in [false, true] {
        if cleared {
            server.core().empty_bin().await.expect("a look into the bin");
        }
        assert_eq!(bin.list("bin").await, Vec::<Value>::new());
        for (entry, repository) in entries {
            bin.restore(repository, entry, json!({})).await.assert_status(410);
            bin.0.get(&format!("/api/v1/bin/{entry}")).await.assert_status(404);
        }
    }
    repository.get(&format!("manifests/{digest}")).await.refused(404, "MANIFEST_UNKNOWN");
    // What was forgotten altogether is as if it had never been, and no number is given twice.
    server.clock().advance(Duration::from_secs(31 * 24 * 60 * 60));
    server.core().empty_bin().await.expect("a look into the bin");
    bin.restore("team/app", tag, json!({})).await.assert_status(404);
    Image::new().push(&repository.client, "team/app:v1").await;
    repository.delete("manifests/v1").await.assert_status(202);
    assert!(bin.newest().await > other);
}

async fn what_was_emptied_is_gone(server: &TestServer) {
    let (repository, bin) = (Repository::new(server, "team/app"), Bin(server.admin()));
    let digest = Image::new().layer("hello").push(&repository.client, "team/app:v1").await;
    repository.delete(&format!("manifests/{digest}")).await.assert_status(202);
    let entry = bin.newest().await;
    let path = format!("/api/v1/repositories/oci/team/app/-/bin/{entry}");
    let maintainer = server.user_with("maintainer", Role::Maintainer, "team").await;
    maintainer.delete(&path).await.assert_status(403);
    server.admin().delete(&path.replace("team/app", "team/other")).await.assert_status(404);
    server.admin().delete(&path).await.assert_status(204);
    server.admin().delete(&path).await.assert_status(410);
    bin.restore("team/app", entry, json!({})).await.assert_status(410);
    assert_eq!(bin.list("bin").await, Vec::<Value>::new());
}

async fn entries_are_seen_by_those_who_may_delete(server: &TestServer) {
    let admin = server.admin();
    let digest = Image::new().layer("hello").push(&admin, "team/app:v1").await;
    Repository::new(server, "team/app").delete(&format!("manifests/{digest}")).await.assert_status(202);
    let entry = Bin(admin).newest().await;
    server.project("elsewhere").await;
    for (name, role, project, expected) in [
        ("pusher", Role::Pusher, "team", 404),
        ("maintainer", Role::Maintainer, "team", 200),
        ("stranger", Role::Owner, "elsewhere", 404),
    ] {
        let client = server.user_with(name, role, project).await;
        client.get(&format!("/api/v1/bin/{entry}")).await.assert_status(expected);
    }
    // By the path of a repository that is theirs, they reach nothing of another one.
    let stranger = Bin(server.anonymous().with_basic("stranger", "stranger's password"));
    stranger.restore("elsewhere/app", entry, json!({})).await.assert_status(404);
    stranger.restore("team/app", entry, json!({})).await.assert_status(404);
}

async fn the_list_pages_from_the_newest(server: &TestServer) {
    let (repository, bin) = (Repository::new(server, "team/app"), Bin(server.admin()));
    let image = Image::new().layer("hello");
    for number in 0..5 {
        image.push(&repository.client, &format!("team/app:v{number}")).await;
        repository.delete(&format!("manifests/v{number}")).await.assert_status(202);
    }
    for path in ["bin", "projects/team/bin", "repositories/oci/team/app/-/bin"] {
        let (mut names, mut after) = (Vec::new(), String::new());
        loop {
            let page = bin.0.get(&format!("/api/v1/{path}?limit=2{after}")).await.assert_status(200).json();
            names.extend(page["items"].as_array().unwrap().iter().map(|entry| entry["name"].clone()));
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        assert_eq!(names, ["v4", "v3", "v2", "v1", "v0"], "{path}");
    }
}

#[tokio::test]
async fn without_a_bin_what_is_deleted_is_gone() {
    let server = TestServer::start(options().core(|core| core.bin_retention = Duration::ZERO)).await;
    let (repository, bin) = (Repository::new(&server, "team/app"), Bin(server.admin()));
    let digest = Image::new().layer("hello").push(&repository.client, "team/app:v1").await;
    repository.delete("manifests/v1").await.assert_status(202);
    repository.delete(&format!("manifests/{digest}")).await.assert_status(202);
    bin.delete_repository("team/app").await;
    assert_eq!(bin.list("bin").await, Vec::<Value>::new());
}
