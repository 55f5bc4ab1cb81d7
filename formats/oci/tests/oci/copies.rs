//! What was pulled before may be answered from memory, but never after it has changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures_util::future::join_all;
use wharf_testkit::{Image, TestServer, media};

use crate::backend::on_every_backend;
use crate::blob::{Blob, LARGE};
use crate::repository::Repository;

on_every_backend! {
    a_pull_is_never_older_than_what_was_acknowledged_or_seen_before_it,
    what_was_pulled_before_is_not_served_after_its_deletion,
    what_was_pulled_by_tag_only_is_not_served_by_digest_after_its_deletion,
    a_tag_that_was_pulled_before_follows_its_moves,
    a_repository_that_was_pulled_from_is_gone_when_it_is_deleted,
}

const MOVES: usize = 100;
const READERS: usize = 6;

/// The same size each time: a number and padding.
fn numbered(number: usize) -> Image {
    Image::new().annotation("number", &format!("{number:05}"))
}

async fn number_of(repository: &Repository, tag: &str) -> usize {
    let answer = repository.get(&format!("manifests/{tag}")).await;
    let number = answer.assert_status(200).json()["annotations"]["number"].as_str().unwrap().to_owned();
    let digest = answer.header("docker-content-digest").unwrap().to_owned();
    let number = number.parse().unwrap();
    assert_eq!(numbered(number).digest(), digest);
    number
}

async fn a_pull_is_never_older_than_what_was_acknowledged_or_seen_before_it(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    repository.push(&Blob::of("{}")).await;
    repository.put_manifest("moving", media::MANIFEST, numbered(0).manifest()).await.assert_status(201);
    repository.put_manifest("still", media::MANIFEST, numbered(99_999).manifest()).await.assert_status(201);
    // The highest number that was acknowledged to the writer or answered to a reader.
    let known = Arc::new(AtomicUsize::new(0));
    let readers = (0..READERS).map(|_| {
        let (repository, known) = (repository.clone(), Arc::clone(&known));
        tokio::spawn(async move {
            let mut reads = 0;
            while known.load(SeqCst) < MOVES {
                let at_least = known.load(SeqCst);
                let number = number_of(&repository, "moving").await;
                assert!(number >= at_least, "{number} was served after {at_least} was known");
                known.fetch_max(number, SeqCst);
                assert_eq!(number_of(&repository, "still").await, 99_999);
                reads += 1;
            }
            reads
        })
    });
    let readers: Vec<_> = readers.collect();
    for number in 1..=MOVES {
        repository.put_manifest("moving", media::MANIFEST, numbered(number).manifest()).await.assert_status(201);
        known.fetch_max(number, SeqCst);
        assert_eq!(number_of(&repository, "moving").await, number);
    }
    for reads in join_all(readers).await {
        assert!(reads.unwrap() > 0);
    }
}

/// Asks often enough that any copy there may be has been made and used.
async fn assert_served(repository: &Repository, paths: &[String], status: u16) {
    for _ in 0..3 {
        for path in paths {
            repository.get(path).await.assert_status(status);
            repository.head(path).await.assert_status(status);
        }
    }
}

async fn what_was_pulled_before_is_not_served_after_its_deletion(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let layer = Blob::noise(1, LARGE);
    let image = Image::new().layer(layer.content.clone());
    let digest = image.push(&repository.client, "team/app:v1").await;
    image.push(&repository.client, "team/app:v2").await;
    let [v1, v2, manifest, blob] = [
        "manifests/v1".to_owned(),
        "manifests/v2".to_owned(),
        format!("manifests/{digest}"),
        format!("blobs/{}", layer.digest),
    ];
    assert_served(&repository, &[v1.clone(), v2.clone(), manifest.clone(), blob.clone()], 200).await;
    repository.delete(&v1).await.assert_status(202);
    assert_served(&repository, &[v1], 404).await;
    assert_served(&repository, &[v2.clone(), manifest.clone(), blob.clone()], 200).await;
    repository.delete(&manifest).await.assert_status(202);
    assert_served(&repository, &[v2.clone(), manifest.clone()], 404).await;
    repository.delete(&blob).await.assert_status(202);
    assert_served(&repository, std::slice::from_ref(&blob), 404).await;
    image.push(&repository.client, "team/app:v2").await;
    assert_served(&repository, &[v2, manifest, blob], 200).await;
}

async fn what_was_pulled_by_tag_only_is_not_served_by_digest_after_its_deletion(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let image = Image::new().layer(Blob::noise(1, LARGE).content);
    let digest = image.push(&repository.client, "team/app:v1").await;
    image.push(&repository.client, "team/app:v2").await;
    let tags = ["manifests/v1".to_owned(), "manifests/v2".to_owned()];
    let by_digest = [format!("manifests/{digest}")];
    for _ in 0..2 {
        assert_served(&repository, &tags, 200).await;
        repository.delete(&by_digest[0]).await.assert_status(202);
        assert_served(&repository, &by_digest, 404).await;
        assert_served(&repository, &tags, 404).await;
        image.push(&repository.client, "team/app:v1").await;
        image.push(&repository.client, "team/app:v2").await;
    }
    assert_served(&repository, &by_digest, 200).await;
}

async fn a_tag_that_was_pulled_before_follows_its_moves(server: &TestServer) {
    let (one, other) = (Repository::new(server, "team/app"), Repository::new(server, "team/other"));
    for repository in [&one, &other] {
        repository.push(&Blob::of("{}")).await;
        repository.put_manifest("v1", media::MANIFEST, numbered(1).manifest()).await.assert_status(201);
        assert_served(repository, &["manifests/v1".to_owned()], 200).await;
    }
    // Forward and back again, and one of two repositories only.
    for number in [2, 3, 1, 2] {
        one.put_manifest("v1", media::MANIFEST, numbered(number).manifest()).await.assert_status(201);
        assert_eq!((number_of(&one, "v1").await, number_of(&other, "v1").await), (number, 1));
        let head = one.head("manifests/v1").await;
        head.assert_status(200).assert_header("docker-content-digest", &numbered(number).digest());
    }
}

async fn a_repository_that_was_pulled_from_is_gone_when_it_is_deleted(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let layer = Blob::noise(1, LARGE);
    let digest = Image::new().layer(layer.content.clone()).push(&repository.client, "team/app:v1").await;
    let paths = ["manifests/v1".to_owned(), format!("manifests/{digest}"), format!("blobs/{}", layer.digest)];
    assert_served(&repository, &paths, 200).await;
    repository.client.delete("/api/v1/repositories/oci/team/app").await.assert_status(204);
    assert_served(&repository, &paths, 404).await;
    // The name is free, and what comes under it now is another repository.
    repository.push(&Blob::of("{}")).await;
    assert_served(&repository, &paths, 404).await;
    repository.put_manifest("v1", media::MANIFEST, numbered(7).manifest()).await.assert_status(201);
    assert_eq!(number_of(&repository, "v1").await, 7);
    assert_served(&repository, &paths[1..], 404).await;
}
