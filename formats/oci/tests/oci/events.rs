//! Events, fetched by those who may see how the server is.

use std::time::Duration;

use serde_json::{Value, json};
use wharf_testkit::{Backend, Image, TestServer};

use crate::backend::{on_every_database, options};
use crate::blob::noise;
use crate::repository::Repository;

on_every_database! {
    what_has_just_happened_is_held_back_until_nothing_can_come_before_it,
    a_number_does_not_come_twice_when_old_events_go,
    only_those_who_may_look_at_the_server_fetch_events,
}

async fn page(server: &TestServer, query: &str) -> (Vec<Value>, Option<String>) {
    let page = server.admin().get(&format!("/api/v1/events?{query}")).await.assert_status(200).json();
    (page["items"].as_array().unwrap().clone(), page["next"].as_str().map(str::to_owned))
}

/// All of them, in pages of `limit`.
async fn fetch(server: &TestServer, limit: usize) -> Vec<Value> {
    let (mut events, mut next) = page(server, &format!("limit={limit}")).await;
    while let Some(after) = next {
        let (more, then) = page(server, &format!("limit={limit}&after={after}")).await;
        assert!(more.len() <= limit);
        events.extend(more);
        next = then;
    }
    events
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

fn settle(server: &TestServer) {
    server.clock().advance(Duration::from_secs(31));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_is_fetched_in_order_page_by_page_and_once_each() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let folder = tempfile::tempdir().unwrap();
        let server = TestServer::start(options().backend(backend).depot(folder.path())).await;
        let repository = Repository::new(&server, "team/app");
        let large = Image::new().layer(noise(1, 100_000));
        let pushed = [
            large.push(&repository.client, "team/app:v1").await,
            Image::new().push(&repository.client, "team/app:v1").await,
        ];
        server.admin().post_json("/api/v1/backups", &json!({})).await.assert_status(201);
        while server.core().run_one("test").await.unwrap() {}
        server.lose_the_one_above(10_000).await;
        server.core().start_scrub(&wharf_core::Actor::system()).await.unwrap();
        while server.core().run_one("test").await.unwrap() {}
        settle(&server);
        let all = fetch(&server, 100).await;
        assert_eq!(
            kinds(&all),
            ["manifest.pushed", "manifest.pushed", "backup.finished", "blob.damaged", "blob.healed"]
        );
        for (event, digest) in all.iter().zip(&pushed) {
            assert_eq!((&event["payload"]["digest"], &event["payload"]["tags"]), (&json!(digest), &json!(["v1"])));
        }
        assert_eq!(all[2]["payload"]["state"], "done");
        assert_eq!(all[3]["payload"]["digest"], all[4]["payload"]["digest"]);
        assert_eq!(fetch(&server, 1).await, all);
        assert_eq!(fetch(&server, 2).await, all);
        assert_eq!(page(&server, "kind=blob.healed").await, (vec![all[4].clone()], None));
        assert_eq!(page(&server, &format!("after={}", all[3]["id"])).await, (vec![all[4].clone()], None));
    }
}

async fn what_has_just_happened_is_held_back_until_nothing_can_come_before_it(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    Image::new().push(&repository.client, "team/app:v1").await;
    assert_eq!(page(server, "").await, (vec![], None));
    settle(server);
    Image::new().annotation("a", "b").push(&repository.client, "team/app:v2").await;
    let (shown, _) = page(server, "").await;
    assert_eq!(shown[0]["payload"]["tags"], json!(["v1"]));
    assert_eq!(shown.len(), 1);
    settle(server);
    let (more, _) = page(server, &format!("after={}", shown[0]["id"])).await;
    assert_eq!((more.len(), &more[0]["payload"]["tags"]), (1, &json!(["v2"])));
}

async fn a_number_does_not_come_twice_when_old_events_go(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    Image::new().push(&repository.client, "team/app:v1").await;
    Image::new().push(&repository.client, "team/app:v2").await;
    settle(server);
    let (seen, _) = page(server, "").await;
    server.clock().advance(Duration::from_secs(30 * 24 * 60 * 60));
    server.core().sweep().await.unwrap();
    assert_eq!(server.count("SELECT count(*) FROM events").await, 1);
    Image::new().push(&repository.client, "team/app:v3").await;
    settle(server);
    let (more, _) = page(server, &format!("after={}", seen[1]["id"])).await;
    assert_eq!(more[0]["payload"]["tags"], json!(["v3"]));
}

async fn only_those_who_may_look_at_the_server_fetch_events(server: &TestServer) {
    server.anonymous().get("/api/v1/events").await.assert_status(401);
    let user = json!({ "name": "somebody", "password": "correct horse battery" });
    server.admin().post_json("/api/v1/users", &user).await.assert_status(201);
    let somebody = server.anonymous().with_basic("somebody", "correct horse battery");
    somebody.get("/api/v1/events").await.assert_status(403);
    server.admin().get("/api/v1/events?after=x").await.assert_status(400);
}
