//! `_catalog`: what there is, for whom.

use wharf_auth::{Role, ServerRole};
use wharf_testkit::{Client, Image, TestServer};

use crate::backend::on_every_database;
use crate::blob::Blob;
use crate::paging::pages;
use crate::refusal::Refusal;
use crate::repository::Repository;

on_every_database! {
    everybody_sees_what_they_may_see,
    pages_of_the_catalog_lead_to_the_end,
    a_repository_without_a_manifest_is_not_listed,
}

async fn listed(client: &Client) -> Vec<String> {
    pages(client, "/v2/_catalog?n=2", "repositories").await.concat()
}

async fn everybody_sees_what_they_may_see(server: &TestServer) {
    server.public_project("open").await;
    let all = ["app", "deep/a/b/c", "open/app", "secret/app", "team/api", "team/web", "team/web/ui"];
    for name in all {
        Image::new().push(&server.admin(), &format!("{name}:v1")).await;
    }
    let viewer = server.user_with("vera", Role::Viewer, "team").await;
    let nobody = server.user("nils").await;
    let auditor = server.user("aura").await;
    server.grant_on_server("aura", ServerRole::Auditor).await;
    let partly = server.user("pia").await;
    server.grant("pia", Role::Pusher, "team", "web/**").await;
    let robot = server.robot("secret", "ci", Role::Puller).await;
    assert_eq!(listed(&server.admin()).await, all);
    assert_eq!(listed(&auditor).await, all);
    assert_eq!(listed(&viewer).await, ["open/app", "team/api", "team/web", "team/web/ui"]);
    assert_eq!(listed(&partly).await, ["open/app", "team/web/ui"]);
    assert_eq!(listed(&robot).await, ["open/app", "secret/app"]);
    assert_eq!(listed(&nobody).await, ["open/app"]);
    server.anonymous().get("/v2/_catalog").await.refused(401, "UNAUTHORIZED");
    let scope = ["registry:catalog:*"];
    assert_eq!(listed(&server.anonymous().with_registry_token(&scope).await).await, ["open/app"]);
    assert_eq!(listed(&viewer.with_registry_token(&scope).await).await, listed(&viewer).await);
    let other = viewer.with_registry_token(&["repository:team/api:pull"]).await;
    other.get("/v2/_catalog").await.refused(401, "UNAUTHORIZED");
}

async fn pages_of_the_catalog_lead_to_the_end(server: &TestServer) {
    let names: Vec<String> = (0..12).map(|number| format!("team/app-{number:02}")).collect();
    for name in names.iter().rev() {
        Image::new().push(&server.admin(), &format!("{name}:v1")).await;
    }
    for size in [1, 5, 11, 12, 13, 100_000] {
        let pages = pages(&server.admin(), &format!("/v2/_catalog?n={size}"), "repositories").await;
        assert_eq!(pages.concat(), names, "n={size}");
        assert!(pages.iter().rev().skip(1).all(|page| page.len() == size), "n={size}: {pages:?}");
    }
    let rest = pages(&server.admin(), "/v2/_catalog?last=team/app-09", "repositories").await;
    assert_eq!(rest.concat(), names[10..]);
    assert_eq!(pages(&server.admin(), "/v2/_catalog?n=0", "repositories").await.concat(), Vec::<String>::new());
}

async fn a_repository_without_a_manifest_is_not_listed(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    repository.begin().await;
    assert_eq!(listed(&server.admin()).await, Vec::<String>::new());
    repository.push(&Blob::of("{}")).await;
    assert_eq!(listed(&server.admin()).await, Vec::<String>::new());
    let digest = Image::new().push(&server.admin(), "team/app").await;
    assert_eq!(listed(&server.admin()).await, ["team/app"]);
    repository.delete(&format!("manifests/{digest}")).await.assert_status(202);
    assert_eq!(listed(&server.admin()).await, Vec::<String>::new());
}
