//! What is refused, and that nothing of it stays.

use std::sync::Arc;

use wharf_core::{Package, Target};
use wharf_testkit::{Fragile, Store, TestServer};

use crate::backend::{idle_with_large_pieces, objects, on_every_database, servers, work};
use crate::note::note;
use crate::shelf::Shelf;

on_every_database! {
    a_bad_package_is_refused_and_leaves_nothing,
    a_body_that_ends_early_leaves_nothing,
    what_is_not_there_is_not_found,
    a_wrong_path_is_said_to_be_wrong,
    packages_are_listed_page_by_page,
}

async fn a_bad_package_is_refused_and_leaves_nothing(server: &TestServer) {
    let shelf = Shelf::new(server, "new/notes");
    let large = "x\n".repeat(100_000);
    let table = [
        ("", "empty line"),
        ("just a text", "empty line"),
        ("Name: a\nVersion: 1\n", "empty line"),
        (&format!("Name: a\nX: {}\n\n", "x".repeat(20_000)), "longer than 16 KiB"),
        (&format!("Name: a\n\n{large}"), "no Version"),
        ("Name: ../../etc/passwd\nVersion: 1\n\n", "letters, digits"),
        (&format!("Name: {}\nVersion: 1\n\n", "a".repeat(1000)), "letters, digits"),
        ("Name: a\nVersion: 1\nPath: elsewhere\n\n", "said by the index"),
        (&format!("Name: a\nVersion: 1\n\n{large}\0"), "NUL"),
    ];
    for (file, why) in table {
        let refused = shelf.put("stable", file.to_owned()).await;
        let text = refused.assert_status(400).assert_header("content-type", "text/plain; charset=utf-8").text();
        assert!(text.starts_with("invalid package: ") && text.contains(why), "{text}");
    }
    assert!(objects(server).await.is_empty());
    shelf.get("setup").await.assert_status(404);
    let projects = server.admin().get("/api/v1/projects/new").await;
    projects.assert_status(404);
}

async fn a_body_that_ends_early_leaves_nothing(server: &TestServer) {
    use futures_util::stream;
    let shelf = Shelf::new(server, "team/notes");
    shelf.add("stable", &note("a", "1")).await;
    let head = "Name: b\nVersion: 1\n\n".to_owned();
    let chunks = [Ok(head), Ok("x".repeat(100_000)), Err(std::io::Error::other("the client has gone"))];
    let body = reqwest::Body::wrap_stream(stream::iter(chunks));
    let request = server.admin().request(http::Method::PUT, &shelf.path("stable/upload")).body(body);
    request.try_send().await.expect_err("no answer to half a request");
    shelf.get("stable/packages/b_1.txt").await.assert_status(404);
    shelf.add("stable", &note("c", "1")).await;
    assert!(!shelf.index("stable").await.contains("Name: b"));
}

async fn what_is_not_there_is_not_found(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    for rest in ["stable/Index", "stable/Release", "key", "setup", "stable/packages/a_1.txt"] {
        shelf.get(rest).await.assert_status(404);
    }
    let hello = note("hello", "1");
    shelf.add("stable", &hello).await;
    let unknown = format!("stable/by-hash/sha256/{}", "0".repeat(64));
    for rest in ["edge/Index", "edge/Release", "stable/packages/a_1.txt", "edge/packages/hello_1.txt", &unknown] {
        shelf.get(rest).await.assert_status(404);
    }
    shelf.delete("stable/packages/a_1.txt").await.assert_status(404);
    // A package is no index file, although its bytes are here.
    let digest = wharf_testkit::sha256(hello.file()).replace(':', "/");
    shelf.get(&format!("stable/by-hash/{digest}")).await.assert_status(404);
}

async fn a_wrong_path_is_said_to_be_wrong(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    shelf.get("stable/index").await.assert_status(404).assert_body("there is nothing at this path\n");
    shelf.get("Stable/Index").await.assert_status(400);
    shelf.get("stable/by-hash/md5/abc").await.assert_status(400);
    shelf.client.put(&shelf.path("stable/Index"), "x").await.assert_status(405).assert_header("allow", "GET, HEAD");
    server.admin().get("/text/team").await.assert_status(404);
}

async fn packages_are_listed_page_by_page(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    for name in ["d", "b", "a", "c"] {
        shelf.put("stable", note(name, "1~rc1").file()).await.assert_status(201);
    }
    shelf.add("edge", &note("b", "2")).await;
    let target = Target::new(wharf_text::NAME, "team/notes".parse().expect("a name"));
    let page = async |after: &str| server.core().packages(&target, "stable", after, 3).await.expect("a page");
    let first = page("").await;
    let named = |package: &Package| format!("{} {}", package.name, package.version);
    assert_eq!(first.iter().map(named).collect::<Vec<_>>(), ["a 1~rc1", "b 1~rc1", "c 1~rc1"]);
    assert!(first.iter().all(|package| package.size == note("a", "1~rc1").file().len() as u64));
    let second = page(&first[2].path).await;
    assert_eq!(second.iter().map(|package| package.name.as_str()).collect::<Vec<_>>(), ["d"]);
    assert!(page(&second[0].path).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storage_that_is_away_is_not_the_fault_of_a_package() {
    let storage = Fragile::new();
    for server in servers(|| idle_with_large_pieces().store(Store::Other(Arc::clone(&storage) as _))).await {
        let shelf = Shelf::new(&server, "team/notes");
        let large = note("large", "1").field("Summary", &"x".repeat(10_000)).text("x".repeat(100_000));
        storage.away(true);
        let refused = shelf.put("stable", large.file()).await;
        refused.assert_status(503).assert_header("retry-after", "2");
        storage.away(false);
        for name in ["large", "larger"] {
            let large = note(name, "1").field("Summary", &"x".repeat(10_000)).text("x".repeat(100_000));
            shelf.put("stable", large.file()).await.assert_status(201);
        }
        storage.away(true);
        assert_eq!(work(&server).await, 1);
        shelf.get("stable/Index").await.assert_status(404);
        storage.away(false);
        server.clock().advance(std::time::Duration::from_secs(10));
        assert_eq!(work(&server).await, 1);
        shelf.verified("stable").await;
    }
}
