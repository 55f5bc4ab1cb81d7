//! Index files over HTTP: parts, conditions, and how long they stay.

use std::time::Duration;

use http::Method;
use wharf_testkit::{Answer, TestServer};

use crate::backend::on_every_database;
use crate::note::note;
use crate::shelf::Shelf;

on_every_database! {
    any_part_of_an_index_can_be_read,
    who_has_an_index_is_told_so,
    half_an_index_is_gone_on_with_only_if_it_is_the_same,
    an_old_index_stays_readable_for_its_time,
    an_index_by_its_digest_may_be_kept_for_ever,
}

async fn shelf(server: &TestServer) -> Shelf {
    let shelf = Shelf::new(server, "team/notes");
    for n in 0..9 {
        shelf.put("stable", note(&format!("n{n}"), "1").file()).await.assert_status(201);
    }
    shelf.add("stable", &note("z", "1")).await;
    shelf
}

async fn part(shelf: &Shelf, rest: &str, range: &str) -> Answer {
    shelf.client.request(Method::GET, &shelf.path(rest)).header_named("range", range).send().await
}

async fn any_part_of_an_index_can_be_read(server: &TestServer) {
    let shelf = shelf(server).await;
    let index = shelf.index("stable").await;
    let segments = shelf.published(server, "stable").await.segments();
    assert!(segments.len() > 1, "{segments:?}");
    let seam = usize::try_from(segments[0].size).expect("a small segment");
    let last = index.len() - 1;
    for (begin, end) in [(0, 0), (0, seam - 1), (seam - 1, seam), (seam, seam), (1, last), (last, last), (0, last)] {
        let answer = part(&shelf, "stable/Index", &format!("bytes={begin}-{end}")).await;
        answer.assert_status(206).assert_body(&index[begin..=end]);
        answer.assert_header("content-range", &format!("bytes {begin}-{end}/{}", index.len()));
        answer.assert_header("content-length", &(end - begin + 1).to_string());
    }
    part(&shelf, "stable/Index", "bytes=-7").await.assert_status(206).assert_body(&index[index.len() - 7..]);
    let beyond = part(&shelf, "stable/Index", &format!("bytes={}-", index.len())).await;
    beyond.assert_status(416).assert_header("content-range", &format!("bytes */{}", index.len()));
    let head = shelf.client.head(&shelf.path("stable/Index")).await;
    head.assert_status(200)
        .assert_header("content-length", &index.len().to_string())
        .assert_header("accept-ranges", "bytes");
}

async fn who_has_an_index_is_told_so(server: &TestServer) {
    let shelf = shelf(server).await;
    for file in ["Index", "Index.sig", "Release"] {
        let path = format!("stable/{file}");
        let tag = shelf.get(&path).await.assert_status(200).expect_header("etag").to_owned();
        let ask = async || {
            shelf.client.request(Method::GET, &shelf.path(&path)).header_named("if-none-match", &tag).send().await
        };
        ask().await.assert_status(304).assert_body("").assert_header("etag", &tag);
        shelf.add("stable", &note(&format!("after-{}", file.replace('.', "-")), "1")).await;
        assert_ne!(ask().await.assert_status(200).header("etag"), Some(tag.as_str()));
    }
}

async fn half_an_index_is_gone_on_with_only_if_it_is_the_same(server: &TestServer) {
    let shelf = shelf(server).await;
    let first = shelf.get("stable/Index").await;
    let tag = first.expect_header("etag").to_owned();
    let go_on = async || {
        let request = shelf.client.request(Method::GET, &shelf.path("stable/Index"));
        request.header_named("range", "bytes=100-").header_named("if-range", &tag).send().await
    };
    go_on().await.assert_status(206).assert_body(&first.body[100..]);
    shelf.add("stable", &note("aa", "1")).await;
    let whole = shelf.index("stable").await;
    go_on().await.assert_status(200).assert_body(whole);
}

async fn an_old_index_stays_readable_for_its_time(server: &TestServer) {
    let shelf = shelf(server).await;
    let old = shelf.verified("stable").await;
    let by_hash = format!("stable/by-hash/{}", old.digest.replace(':', "/"));
    for n in 0..3 {
        shelf.add("stable", &note(&format!("more{n}"), "1")).await;
    }
    shelf.get(&by_hash).await.assert_status(200).assert_body(&old.index);
    part(&shelf, &by_hash, "bytes=10-19").await.assert_status(206).assert_body(&old.index[10..20]);
    // Its time runs from when it was replaced, and it goes with the publication that follows.
    server.clock().advance(Duration::from_secs(4 * 24 * 60 * 60));
    shelf.get(&by_hash).await.assert_status(200);
    shelf.add("stable", &note("last", "1")).await;
    shelf.get(&by_hash).await.assert_status(404);
    shelf.verified("stable").await;
}

async fn an_index_by_its_digest_may_be_kept_for_ever(server: &TestServer) {
    let shelf = shelf(server).await;
    let digest = shelf.verified("stable").await.digest.replace(':', "/");
    let by_hash = shelf.get(&format!("stable/by-hash/{digest}")).await;
    by_hash.assert_header("cache-control", "private, max-age=31536000, immutable");
    shelf.get("stable/Index").await.assert_header("cache-control", "private, no-cache");
}
