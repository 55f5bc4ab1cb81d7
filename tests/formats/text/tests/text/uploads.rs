//! Packages on their way in.

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use wharf_testkit::{TestServer, sha256};

use crate::backend::{objects, on_every_database};
use crate::note::{index_of, note};
use crate::shelf::Shelf;

on_every_database! {
    a_package_is_handed_out_as_it_came,
    a_package_of_any_size_streams_through,
    the_same_package_again_changes_nothing,
    other_content_at_the_same_path_is_refused,
    a_package_may_be_in_two_channels_and_its_bytes_lie_here_once,
    of_many_uploads_to_one_path_one_wins_and_the_others_are_told,
    uploads_at_once_are_all_taken,
}

async fn a_package_is_handed_out_as_it_came(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    let hello = note("hello", "1.0").field("Architecture", "arm64").field("Summary", "Ä greeting");
    let location = shelf.add("stable", &hello).await.location();
    assert_eq!(location, "/text/team/notes/stable/packages/hello_1.0_arm64.txt");
    let tag = format!("\"{}\"", sha256(hello.file()));
    let answer = server.admin().get(&location).await;
    answer.assert_status(200).assert_body(hello.file()).assert_header("etag", &tag);
    let head = server.admin().head(&location).await;
    head.assert_status(200).assert_body("").assert_header("content-length", &hello.file().len().to_string());
    let listed = shelf.index("stable").await;
    let expected = hello.entry("stable").replace("hello_1.0.txt", "hello_1.0_arm64.txt");
    assert_eq!(listed, expected);
}

async fn a_package_of_any_size_streams_through(server: &TestServer) {
    const CHUNKS: usize = 400;
    let shelf = Shelf::new(server, "team/notes");
    let line = "a line of a long text\n".repeat(4096);
    let head = "Name: long\nVersion: 1\n\n".to_owned();
    let chunks = std::iter::once(head.clone()).chain(std::iter::repeat_n(line.clone(), CHUNKS));
    // Without a length, as a client sends what it makes on the way.
    let body = reqwest::Body::wrap_stream(stream::iter(chunks.map(Ok::<_, std::io::Error>)));
    let whole = head + &line.repeat(CHUNKS);
    server.admin().put(&shelf.path("stable/upload?wait=1"), body).await.assert_status(201);
    let listed = shelf.index("stable").await;
    assert!(listed.contains(&format!("Lines: {}\n", 4096 * CHUNKS)), "{listed}");
    assert!(listed.contains(&format!("SHA256: {}\n", &sha256(&whole)[7..])), "{listed}");
    let mut got = 0;
    let path = shelf.path("stable/packages/long_1.txt");
    let mut download = server.admin().request(http::Method::GET, &path).open().await.bytes_stream();
    while let Some(chunk) = download.next().await {
        got += chunk.expect("a chunk").len();
    }
    assert_eq!(got, whole.len());
}

async fn the_same_package_again_changes_nothing(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    let large = note("large", "1").text("x".repeat(100_000));
    shelf.add("stable", &large).await;
    let (release, before) = (shelf.release_tag("stable").await, objects(server).await);
    let again = shelf.client.put(&shelf.path("stable/upload?wait=1"), large.file()).await;
    assert_eq!(again.assert_status(200).location(), shelf.path(&large.path("stable")));
    assert_eq!(shelf.release_tag("stable").await, release);
    assert_eq!(objects(server).await, before);
}

async fn other_content_at_the_same_path_is_refused(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    let first = note("large", "1").text("x".repeat(100_000));
    shelf.add("stable", &first).await;
    let (release, before) = (shelf.release_tag("stable").await, objects(server).await);
    let refused = shelf.put("stable", note("large", "1").text("y".repeat(100_000)).file()).await;
    refused.assert_status(409).assert_body("stable/packages/large_1.txt exists already with other content\n");
    shelf.get(&first.path("stable")).await.assert_body(first.file());
    assert_eq!(shelf.release_tag("stable").await, release);
    assert_eq!(objects(server).await, before);
}

async fn a_package_may_be_in_two_channels_and_its_bytes_lie_here_once(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    let large = note("large", "1").text("x".repeat(100_000));
    shelf.add("stable", &large).await;
    shelf.add("edge", &large).await;
    assert_eq!(objects(server).await.len(), 1);
    shelf.delete(&format!("{}?wait=1", large.path("stable"))).await.assert_status(204);
    shelf.get(&large.path("edge")).await.assert_status(200).assert_body(large.file());
    assert_eq!((shelf.index("stable").await, shelf.index("edge").await), (String::new(), large.entry("edge")));
}

async fn of_many_uploads_to_one_path_one_wins_and_the_others_are_told(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    let notes: Vec<_> = (0..8).map(|n| note("same", "1").text(format!("{n}\n").repeat(10_000))).collect();
    let answers =
        join_all(notes.iter().map(|note| shelf.client.put("/text/team/notes/stable/upload?wait=1", note.file()))).await;
    let won: Vec<_> = answers.iter().zip(&notes).filter(|(answer, _)| answer.status == 201).collect();
    assert_eq!(won.len(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 409).count(), 7);
    assert_eq!(shelf.verified("stable").await.index, won[0].1.entry("stable"));
    assert_eq!(objects(server).await.len(), 1);
}

async fn uploads_at_once_are_all_taken(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    let notes: Vec<_> = (0..150).map(|n| note(&format!("n{n:03}"), "1")).collect();
    for answer in join_all(notes.iter().map(|note| shelf.put("stable", note.file()))).await {
        answer.assert_status(201);
    }
    let last = note("z", "1");
    shelf.add("stable", &last).await;
    assert_eq!(shelf.verified("stable").await.index, index_of("stable", &[notes, vec![last]].concat()));
}
