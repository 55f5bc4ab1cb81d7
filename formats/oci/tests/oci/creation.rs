//! Projects that a push makes, for those who may make them.

use http::Method;
use wharf_auth::{Role, ServerRole};
use wharf_testkit::{Client, Image, TestServer};

use crate::backend::on_every_database;
use crate::blob::Blob;
use crate::refusal::Refusal;
use crate::repository::Repository;

on_every_database! {
    a_push_makes_the_project_for_an_administrator,
    a_push_makes_the_project_for_a_creator_who_owns_it,
    a_push_by_anybody_else_is_told_whom_to_ask,
    who_may_make_projects_is_told_that_there_is_nothing_yet,
}

async fn is_there(server: &TestServer, project: &str) -> bool {
    server.core().project(&project.parse().unwrap()).await.is_ok()
}

async fn a_push_makes_the_project_for_an_administrator(server: &TestServer) {
    Image::new().push(&server.admin(), "new/app:v1").await;
    assert!(is_there(server, "new").await);
    assert!(!server.core().project(&"new".parse().unwrap()).await.unwrap().public);
    // A name of one segment has its project too.
    Image::new().push(&server.admin(), "app:v1").await;
    assert!(is_there(server, "default").await);
}

async fn a_push_makes_the_project_for_a_creator_who_owns_it(server: &TestServer) {
    let creator = server.user("clara").await;
    server.grant_on_server("clara", ServerRole::Creator).await;
    let digest = Image::new().push(&creator, "new/app:v1").await;
    assert!(is_there(server, "new").await);
    let scope = ["repository:new/app:pull,push,delete"];
    let repository = Repository::of(&creator.with_registry_token(&scope).await, "new/app");
    repository.get("manifests/v1").await.assert_status(200);
    repository.delete(&format!("manifests/{digest}")).await.assert_status(202);
    // What others have made is not the creator's.
    server.project("other").await;
    let other = Repository::of(&creator, "other/app");
    other.request(Method::POST, "blobs/uploads/").send().await.refused(404, "NAME_UNKNOWN");
}

async fn assert_told_whom_to_ask(client: &Client, name: &str) {
    let repository = Repository::of(client, name);
    let blob = Blob::of("hello");
    let whole = repository.path(&format!("blobs/uploads/?digest={}", blob.digest));
    for answer in [
        repository.request(Method::POST, "blobs/uploads/").send().await,
        client.post(&whole, blob.content).await,
        repository.put_manifest("v1", wharf_testkit::media::MANIFEST, Image::new().manifest()).await,
    ] {
        answer.refused(404, "NAME_UNKNOWN");
        assert!(answer.text().contains("ask an owner of the project"), "{answer}");
    }
}

async fn a_push_by_anybody_else_is_told_whom_to_ask(server: &TestServer) {
    server.project("team").await;
    let callers = [
        server.user("stranger").await,
        server.user_with("otto", Role::Owner, "team").await,
        server.robot("team", "ci", Role::Owner).await,
    ];
    for client in &callers {
        assert_told_whom_to_ask(client, "new/app").await;
        let token = client.with_registry_token(&["repository:new/app:pull,push"]).await;
        assert_told_whom_to_ask(&token, "new/app").await;
    }
    let anonymous = Repository::of(&server.anonymous(), "new/app");
    anonymous.request(Method::POST, "blobs/uploads/").send().await.refused(401, "UNAUTHORIZED");
    assert!(!is_there(server, "new").await);
}

async fn who_may_make_projects_is_told_that_there_is_nothing_yet(server: &TestServer) {
    let creator = server.user("clara").await;
    server.grant_on_server("clara", ServerRole::Creator).await;
    for client in [server.admin(), creator] {
        let repository = Repository::of(&client, "new/app");
        repository.get("tags/list").await.refused(404, "NAME_UNKNOWN");
        repository.get("manifests/v1").await.refused(404, "NAME_UNKNOWN");
        repository.head(&format!("blobs/{}", Blob::of("{}").digest)).await.assert_status(404);
    }
    assert!(!is_there(server, "new").await);
}
