//! From a key to every byte of a package.

use futures_util::future::join_all;
use wharf_testkit::{Backend, Store, TestServer, sha256};

use crate::backend::{on_every_database, options, servers};
use crate::note::note;
use crate::shelf::Shelf;

on_every_database! {
    release_names_the_index_which_names_the_package,
    every_repository_has_a_key_of_its_own,
    a_key_that_many_ask_for_at_once_is_made_once,
    an_index_is_vouched_for_after_others_were_published,
}

async fn release_names_the_index_which_names_the_package(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    let [a, b] = ["a", "b"].map(|name| note(name, "1"));
    shelf.add("stable", &a).await;
    shelf.add("stable", &b).await;
    let verified = shelf.verified("stable").await;
    assert!(shelf.is_vouched_for("stable", &verified.index).await);
    let entry = verified.index.split("\n\n").find(|entry| entry.starts_with("Name: b")).expect("an entry");
    let field = |wanted: &str| entry.lines().find_map(|line| line.strip_prefix(wanted)).expect("a field");
    let package = shelf.get(field("Path: ")).await;
    assert_eq!(sha256(&package.assert_status(200).body), format!("sha256:{}", field("SHA256: ")));
    assert_eq!(package.body.len().to_string(), field("Size: "));
}

async fn every_repository_has_a_key_of_its_own(server: &TestServer) {
    let [one, other] = ["team/one", "team/other"].map(|name| Shelf::new(server, name));
    one.add("stable", &note("a", "1")).await;
    other.add("stable", &note("a", "1")).await;
    let (one, other) = (one.keys().await, other.keys().await);
    assert_eq!((one.len(), other.len()), (1, 1));
    assert_ne!(one, other);
}

async fn a_key_that_many_ask_for_at_once_is_made_once(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    // In the middle of all this the first index is signed.
    shelf.put("stable", note("a", "1").file()).await.assert_status(201);
    let all = join_all((0..16).map(|_| shelf.keys())).await;
    assert!(all.iter().all(|keys| keys.len() == 1 && *keys == all[0]), "{all:?}");
}

async fn an_index_is_vouched_for_after_others_were_published(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    let mut indexes = Vec::new();
    for n in 0..5 {
        shelf.add("stable", &note(&format!("n{n}"), "1")).await;
        indexes.push(shelf.index("stable").await);
    }
    // A client that asks for the signature after the next publications finds that of what it has.
    for index in &indexes {
        assert!(shelf.is_vouched_for("stable", index).await, "{index}");
    }
    assert!(!shelf.is_vouched_for("stable", "Name: forged\n").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_indexes_outlive_the_process() {
    for server in servers(|| options().store(Store::Files)).await {
        let shelf = Shelf::new(&server, "team/notes");
        shelf.add("stable", &note("a", "1")).await;
        let (keys, before) = (shelf.keys().await, shelf.verified("stable").await);
        let server = server.restart().await;
        let shelf = Shelf::new(&server, "team/notes");
        assert_eq!(shelf.keys().await, keys);
        assert_eq!(shelf.verified("stable").await, before);
        shelf.add("stable", &note("b", "1")).await;
        assert_eq!(shelf.keys().await, keys);
        assert_ne!(shelf.verified("stable").await, before);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_ordered_before_a_restart_is_published_after_it() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let server = TestServer::start(crate::backend::idle().backend(backend)).await;
        let a = note("a", "1");
        Shelf::new(&server, "team/notes").put("stable", a.file()).await.assert_status(201);
        let server = server.restart().await;
        let shelf = Shelf::new(&server, "team/notes");
        shelf.get("stable/Index").await.assert_status(404);
        assert!(crate::backend::work(&server).await > 0);
        assert_eq!(shelf.verified("stable").await.index, a.entry("stable"));
    }
}
