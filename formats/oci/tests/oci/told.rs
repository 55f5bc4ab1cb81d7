//! What the collector tells: what it would do, what it did, and why it leaves something alone.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use wharf_testkit::{Image, Index, TestServer};

use crate::backend::on_every_backend;
use crate::blob::{Blob, LARGE, unknown};
use crate::collection::delete;
use crate::repository::Repository;

on_every_backend! {
    a_preview_tells_what_is_then_collected,
    what_is_not_due_yet_is_told_with_its_time,
    a_preview_pages,
    whatever_keeps_a_digest_is_told,
    metrics_tell_what_went,
}

const A_DAY: Duration = Duration::from_secs(25 * 60 * 60);
const A_MOMENT: Duration = Duration::from_secs(20 * 60);

/// All pages of the preview, and how many there were.
async fn preview(server: &TestServer, limit: usize) -> (Vec<Value>, usize) {
    let (mut items, mut after, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let path = format!("/api/v1/collection/preview?limit={limit}&after={after}");
        let page = server.admin().get(&path).await.assert_status(200).json();
        items.extend(page["items"].as_array().expect("items").clone());
        pages += 1;
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => return (items, pages),
        }
    }
}

/// How many things of each fate, and their bytes.
fn by_fate(items: &[Value]) -> BTreeMap<String, (u64, u64)> {
    let mut fates = BTreeMap::new();
    for item in items {
        let sum: &mut (u64, u64) = fates.entry(item["fate"].as_str().expect("a fate").to_owned()).or_default();
        sum.0 += 1;
        sum.1 += item["size"].as_u64().expect("a size");
    }
    fates
}

async fn run(server: &TestServer) -> Value {
    server.admin().post("/api/v1/collection", "").await.assert_status(200).json()
}

/// Images that share layers, in two repositories, some of them deleted; and a blob without a manifest.
async fn some_of_everything(server: &TestServer) {
    let (one, two) = (Repository::new(server, "one/app"), Repository::new(server, "two/app"));
    let shared = Blob::noise(1, LARGE);
    for number in 0..6_u32 {
        let image = Image::new().layer(shared.content.clone()).layer(Blob::noise(10 + number, LARGE).content);
        let digest = image.push(&one.client, &format!("one/app:v{number}")).await;
        if number == 5 {
            image.push(&two.client, "two/app:v5").await;
        }
        if number > 2 {
            delete(&one, &digest).await;
        }
    }
    two.push(&Blob::noise(30, LARGE)).await;
    two.push(&Blob::noise(31, 10)).await;
}

async fn a_preview_tells_what_is_then_collected(server: &TestServer) {
    some_of_everything(server).await;
    let mut freed = 0;
    for pause in [Duration::ZERO, A_DAY, A_DAY, A_MOMENT, A_DAY] {
        server.clock().advance(pause);
        let told = by_fate(&preview(server, 1000).await.0);
        assert_eq!(by_fate(&preview(server, 1000).await.0), told, "it changes nothing");
        let fate = |name: &str| told.get(name).copied().unwrap_or_default();
        let went = run(server).await;
        assert_eq!(went["more"], false);
        let count = |name: &str| went[name].as_u64().expect("a number");
        assert_eq!((fate("hidden").0, fate("unlinked").0), (count("hidden"), count("links")), "{told:?} {went}");
        assert_eq!(fate("removed"), (count("blobs"), count("bytes")), "{told:?} {went}");
        assert_eq!(fate("freed"), (count("objects"), count("freed")), "{told:?} {went}");
        freed += count("freed");
    }
    // Two layers of one repository alone, and one that no manifest names.
    assert_eq!(freed, 3 * LARGE as u64);
}

async fn what_is_not_due_yet_is_told_with_its_time(server: &TestServer) {
    let state = async || server.admin().get("/api/v1/collection").await.assert_status(200).json();
    let none = state().await;
    assert!(none["waiting"] == 0 && none["waiting_until"].is_null() && none["bin_until"].is_null(), "{none}");
    some_of_everything(server).await;
    let told = state().await;
    assert_eq!(told["due"], 0, "{told}");
    let time = |name: &str| told[name].as_str().unwrap_or_else(|| panic!("no {name} in {told}")).to_owned();
    assert!(told["waiting"].as_u64() > Some(0) && told["waiting_bytes"].as_u64() >= Some(LARGE as u64), "{told}");
    assert!(time("waiting_from") <= time("waiting_until"), "{told}");
}

async fn a_preview_pages(server: &TestServer) {
    some_of_everything(server).await;
    server.clock().advance(A_DAY);
    let whole = preview(server, 1000).await;
    let paged = preview(server, 2).await;
    assert_eq!(whole.0, paged.0);
    assert!(paged.1 > 4 && whole.0.len() > 4, "{paged:?}");
    let wrong = server.admin().get("/api/v1/collection/preview?after=here").await;
    wrong.assert_status(400);
}

async fn why(server: &TestServer, digest: &str) -> (Value, Vec<String>) {
    let told = server.admin().get(&format!("/api/v1/collection/why/{digest}")).await.assert_status(200).json();
    let kinds = told["holders"].as_array().expect("holders").iter();
    let kinds = kinds.map(|holder| holder["kind"].as_str().expect("a kind").to_owned()).collect();
    (told, kinds)
}

async fn whatever_keeps_a_digest_is_told(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let layer = Blob::noise(2, LARGE);
    let image = Image::new().layer(layer.content.clone());
    let digest = image.push(&repository.client, "team/app:v1").await;
    let (told, kinds) = why(server, &layer.digest).await;
    assert_eq!(
        (kinds.join(" ").as_str(), &told["kept"], &told["size"]),
        ("reference link", &true.into(), &LARGE.into())
    );
    let holder = &told["holders"][0];
    assert_eq!(holder["repository"], "team/app");
    assert_eq!(holder["what"], format!("layer of {digest} v1"));
    let (told, kinds) = why(server, &digest).await;
    assert_eq!((kinds.join(" ").as_str(), &told["holders"][0]["what"]), ("manifest", &"v1".into()));
    let index = Index::new().image(&image, "linux/amd64").push(&repository.client, "team/app:all").await;
    let (told, kinds) = why(server, &digest).await;
    assert_eq!(kinds, ["manifest", "reference"]);
    assert_eq!(told["holders"][1]["what"], format!("manifest of {index} all"));
    let lost = Blob::noise(3, LARGE);
    repository.push(&lost).await;
    let (told, _) = why(server, &lost.digest).await;
    assert!(told["kept"] == true && told["holders"][0]["what"].as_str().expect("words").ends_with("nothing uses it"));
    server.clock().advance(A_DAY);
    run(server).await;
    let (told, kinds) = why(server, &lost.digest).await;
    assert_eq!((kinds.join(" ").as_str(), &told["kept"]), ("link review", &false.into()), "{told}");
    assert!(told["holders"][0]["what"].as_str().expect("words").starts_with("unused and hidden since"));
    assert_eq!(told["holders"][0]["until"], told["holders"][1]["until"]);
    let pin = server.core().pin("a backup").await.expect("a pin");
    server.clock().advance(A_DAY);
    run(server).await;
    let (told, kinds) = why(server, &lost.digest).await;
    assert_eq!((kinds.join(" ").as_str(), &told["kept"], &told["size"]), ("object pin", &true.into(), &Value::Null));
    assert!(told["holders"][1]["what"].as_str().expect("words").starts_with("a backup needs object"));
    pin.release().await.expect("the end of a pin");
    server.clock().advance(A_MOMENT);
    run(server).await;
    let (told, kinds) = why(server, &lost.digest).await;
    assert_eq!((kinds.len(), &told["kept"]), (0, &false.into()));
    assert_eq!(why(server, &unknown()).await.1.len(), 0);
}

async fn metrics_tell_what_went(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    repository.push(&Blob::noise(4, LARGE)).await;
    for pause in [A_DAY, A_DAY, A_MOMENT] {
        server.clock().advance(pause);
        run(server).await;
    }
    let text = server.admin().get("/metrics").await;
    let text = text.assert_status(200).text();
    for line in [
        "wharf_collection_blobs_total 1",
        "wharf_collection_objects_total 1",
        "wharf_collection_object_bytes_total 100000",
        "wharf_collection_reviews_due 0",
        "wharf_collection_doomed_objects 0",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    let state = server.admin().get("/api/v1/collection").await.assert_status(200).json();
    assert_eq!((&state["collected"]["blobs"], &state["due"]), (&1.into(), &0.into()));
    assert!(state["last_run"].is_string());
}
