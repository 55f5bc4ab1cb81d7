//! Lists, a page at a time.

use wharf_testkit::{Answer, Client, Image, TestServer, media};

use crate::backend::on_every_database;
use crate::blob::Blob;
use crate::refusal::Refusal;
use crate::repository::Repository;

on_every_database! {
    tags_are_listed_in_the_order_of_their_bytes,
    pages_of_tags_lead_to_the_end,
    a_page_may_begin_anywhere_and_hold_nothing,
    a_bad_page_is_refused,
}

/// The path that the Link header leads to.
pub(crate) fn next(answer: &Answer) -> Option<String> {
    let (path, relation) = answer.header("link")?.strip_prefix('<')?.split_once('>')?;
    assert_eq!(relation, "; rel=\"next\"", "{answer}");
    Some(path.to_owned())
}

/// Reads all pages from this path on. The entries of each page under the key.
pub(crate) async fn pages(client: &Client, path: &str, key: &str) -> Vec<Vec<String>> {
    let (mut pages, mut path) = (Vec::new(), Some(path.to_owned()));
    while let Some(current) = path {
        let answer = client.get(&current).await;
        let entries = answer.assert_status(200).json()[key].clone();
        pages.push(serde_json::from_value(entries).expect("a list of names"));
        path = next(&answer);
        assert!(pages.len() < 1000, "the pages never end");
    }
    pages
}

/// A repository with an image under these tags.
async fn tagged(server: &TestServer, name: &str, tags: &[&str]) -> Repository {
    let repository = Repository::new(server, name);
    repository.push(&Blob::of("{}")).await;
    for tag in tags {
        repository.put_manifest(tag, media::MANIFEST, Image::new().manifest()).await.assert_status(201);
    }
    repository
}

async fn tags_are_listed_in_the_order_of_their_bytes(server: &TestServer) {
    let unsorted = ["v10", "_x", "B", "a", "v2", "A", "1.0", "v1.0-rc.1", "b", "v1", "v1_0", "v1.0"];
    let repository = tagged(server, "team/app", &unsorted).await;
    let mut sorted = unsorted.to_vec();
    sorted.sort_unstable();
    let all = repository.get("tags/list").await;
    all.assert_status(200).assert_header("content-type", "application/json").assert_no_header("link");
    assert_eq!(all.json(), serde_json::json!({ "name": "team/app", "tags": sorted }));
    repository.head("tags/list").await.assert_status(200).assert_body("");
    // The digest of a manifest is no tag.
    repository.put_manifest(&Image::new().digest(), media::MANIFEST, Image::new().manifest()).await.assert_status(201);
    assert_eq!(repository.get("tags/list").await.json(), all.json());
}

async fn pages_of_tags_lead_to_the_end(server: &TestServer) {
    let tags: Vec<String> = (0..25).map(|number| format!("v{number:02}")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let repository = tagged(server, "team/app", &tags).await;
    for size in [1, 7, 24, 25, 26, 1_000_000, usize::MAX] {
        let pages = pages(&repository.client, &repository.path(&format!("tags/list?n={size}")), "tags").await;
        assert_eq!(pages.concat(), tags, "n={size}");
        let full = pages.iter().rev().skip(1).all(|page| page.len() == size);
        assert!(full && pages.last().is_some_and(|page| (1..=size).contains(&page.len())), "n={size}: {pages:?}");
    }
    let page = repository.get("tags/list?n=7&last=v06").await;
    assert_eq!(page.json()["tags"][0], "v07");
    assert_eq!(next(&page).as_deref(), Some("/v2/team/app/tags/list?n=7&last=v13"));
}

async fn a_page_may_begin_anywhere_and_hold_nothing(server: &TestServer) {
    let repository = tagged(server, "team/app", &["a", "c", "e"]).await;
    let table: [(&str, &[&str]); 10] = [
        ("last=", &["a", "c", "e"]),
        ("last=a", &["c", "e"]),
        ("last=b", &["c", "e"]),
        ("last=B", &["a", "c", "e"]),
        ("last=e", &[]),
        ("last=zzz", &[]),
        ("last=..%2F..%2F&n=1", &["a"]),
        ("n=0", &[]),
        ("n=0&last=a", &[]),
        ("last=a&n=1", &["c"]),
    ];
    for (query, expected) in table {
        let answer = repository.get(&format!("tags/list?{query}")).await;
        assert_eq!(answer.assert_status(200).json()["tags"], serde_json::json!(expected), "{query}");
        let more = query.contains("n=1");
        assert_eq!(next(&answer).is_some(), more, "{query}");
    }
    repository.delete("manifests/a").await.assert_status(202);
    let page = repository.get("tags/list?last=a&n=1").await;
    assert_eq!(page.json()["tags"], serde_json::json!(["c"]));
}

async fn a_bad_page_is_refused(server: &TestServer) {
    let repository = tagged(server, "team/app", &["a"]).await;
    for number in ["", "-1", "many", "1.5", "0x10", "99999999999999999999999", "1%00"] {
        repository.get(&format!("tags/list?n={number}")).await.refused(400, "PAGINATION_NUMBER_INVALID");
        let catalog = repository.client.get(&format!("/v2/_catalog?n={number}")).await;
        catalog.refused(400, "PAGINATION_NUMBER_INVALID");
    }
    let referrers = format!("referrers/{}?last=v1", Image::new().digest());
    repository.get(&referrers).await.refused(400, "DIGEST_INVALID");
}
