//! Packages on their way out.

use wharf_testkit::TestServer;

use crate::backend::on_every_database;
use crate::note::{index_of, note};
use crate::shelf::Shelf;

on_every_database! {
    a_removed_package_is_in_no_new_index,
    an_empty_channel_has_an_empty_index,
    a_removed_package_may_come_back_with_other_content,
    a_deleted_repository_has_no_index_and_a_new_one_begins_anew,
}

async fn a_removed_package_is_in_no_new_index(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    let [a, b] = ["a", "b"].map(|name| note(name, "1"));
    shelf.add("stable", &a).await;
    shelf.add("stable", &b).await;
    let old = shelf.verified("stable").await;
    shelf.delete(&format!("{}?wait=1", a.path("stable"))).await.assert_status(204).assert_body("");
    shelf.get(&a.path("stable")).await.assert_status(404);
    shelf.delete(&a.path("stable")).await.assert_status(404);
    assert_eq!(shelf.verified("stable").await.index, index_of("stable", &[b]));
    // A client in the middle of reading finds the rest of what it has begun.
    shelf
        .get(&format!("stable/by-hash/{}", old.digest.replace(':', "/")))
        .await
        .assert_status(200)
        .assert_body(&old.index);
}

async fn an_empty_channel_has_an_empty_index(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    let a = note("a", "1");
    shelf.add("stable", &a).await;
    shelf.delete(&format!("{}?wait=1", a.path("stable"))).await.assert_status(204);
    assert_eq!(shelf.verified("stable").await.index, "");
    shelf.get("stable/Index").await.assert_status(200).assert_header("content-length", "0");
    let range =
        shelf.client.request(http::Method::GET, &shelf.path("stable/Index")).header_named("range", "bytes=0-").send();
    range.await.assert_status(416).assert_header("content-range", "bytes */0");
}

async fn a_removed_package_may_come_back_with_other_content(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    let [first, second] = ["first\n", "second\n"].map(|text| note("a", "1").text(text));
    shelf.add("stable", &first).await;
    shelf.delete(&first.path("stable")).await.assert_status(204);
    shelf.add("stable", &second).await;
    shelf.get(&second.path("stable")).await.assert_status(200).assert_body(second.file());
    assert_eq!(shelf.verified("stable").await.index, second.entry("stable"));
}

async fn a_deleted_repository_has_no_index_and_a_new_one_begins_anew(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    shelf.add("stable", &note("a", "1")).await;
    let keys = shelf.keys().await;
    server.admin().delete("/api/v1/repositories/text/team/notes").await.assert_status(204);
    for rest in ["stable/Index", "stable/Release", "stable/packages/a_1.txt", "key", "setup"] {
        shelf.get(rest).await.assert_status(404);
    }
    let b = note("b", "1");
    shelf.add("stable", &b).await;
    assert_eq!(shelf.verified("stable").await.index, b.entry("stable"));
    assert_ne!(shelf.keys().await, keys);
}
