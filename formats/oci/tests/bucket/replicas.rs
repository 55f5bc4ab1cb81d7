//! Several servers on one PostgreSQL and one bucket.

use wharf_testkit::{Answer, Backend, Client, Image, Options, Store, TestServer, push_blob, sha256};

use crate::content;

async fn pair() -> (TestServer, TestServer) {
    let options = Options::new().backend(Backend::Postgres).store(Store::Bucket).without_workers();
    let one = TestServer::start(options).await;
    let other = one.replica().await;
    (one, other)
}

fn finish(location: &str, digest: &str) -> String {
    let joint = if location.contains('?') { '&' } else { '?' };
    format!("{location}{joint}digest={digest}")
}

fn blob(digest: &str) -> String {
    format!("/v2/team/app/blobs/{digest}")
}

async fn begin(client: &Client) -> String {
    client.post("/v2/team/app/blobs/uploads/", "").await.assert_status(202).location()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_pushed_on_one_is_pulled_from_the_other_at_once() {
    let (one, other) = pair().await;
    let (one, other) = (one.admin(), other.admin());
    for round in 0..10 {
        let image = Image::new().layer(content(50_000, round)).push(&one, "team/app:latest").await;
        other
            .get("/v2/team/app/manifests/latest")
            .await
            .assert_status(200)
            .assert_header("docker-content-digest", &image);
        other.get(&blob(&sha256(content(50_000, round)))).await.assert_status(200).assert_body(content(50_000, round));
        other.delete(&format!("/v2/team/app/manifests/{image}")).await.assert_status(202);
        one.get("/v2/team/app/manifests/latest").await.assert_status(404);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_goes_on_on_another_server() {
    let (one, other) = pair().await;
    let clients = [one.admin(), other.admin()];
    // Below the size of a part and above it, and with an end that brings bytes and one that brings none.
    for (seed, (pieces, last)) in (1..).zip([
        (&[100_000, 100_000, 1][..], 5),
        (&[7_000_000, 1, 7_000_000, 3_000_000], 0),
        (&[9_000_000], 9_000_000),
    ]) {
        let whole = content(pieces.iter().sum::<usize>() + last, seed);
        let (mut location, mut sent) = (begin(&clients[0]).await, 0);
        for (number, size) in pieces.iter().enumerate() {
            let client = &clients[(number + 1) % 2];
            let taken = client.patch(&location, whole[sent..sent + size].to_vec()).await;
            sent += size;
            location = taken.assert_status(202).assert_header("range", &format!("0-{}", sent - 1)).location();
        }
        let digest = sha256(&whole);
        clients[0].put(&finish(&location, &digest), whole[sent..].to_vec()).await.assert_status(201);
        for client in &clients {
            client.get(&blob(&digest)).await.assert_status(200).assert_body(&whole);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_goes_on_after_the_server_that_began_it_is_gone() {
    let (one, other) = pair().await;
    let whole = content(14_000_000, 4);
    let location = begin(&one.admin()).await;
    let location = one.admin().patch(&location, whole[..8_000_000].to_vec()).await.assert_status(202).location();
    one.stop().await;
    let digest = sha256(&whole);
    other.admin().put(&finish(&location, &digest), whole[8_000_000..].to_vec()).await.assert_status(201);
    other.admin().get(&blob(&digest)).await.assert_status(200).assert_body(&whole);
}

// Mostly both have read the upload's row before either has written: they go on from one point with other bytes of the same
// length. One that comes later goes on behind the other's bytes: the digest that it names is wrong then, which ends the upload.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_ends_of_one_upload_one_counts_and_its_bytes_are_right() {
    let (one, other) = pair().await;
    let clients = [one.admin(), other.admin()];
    let mut counted = 0;
    for (round, (begun, last)) in (0..).zip([
        (100_000, 50_000),
        (100_000, 7_000_000),
        (6_000_000, 100_000),
        (6_000_000, 6_000_000),
        (6_000_000, 100_000),
    ]) {
        let location = begin(&clients[0]).await;
        let head = content(begun, 100 + round);
        let location = clients[0].patch(&location, head.clone()).await.assert_status(202).location();
        let ends = [1, 2].map(|seed| [head.clone(), content(last, 200 + 10 * round + seed)].concat());
        let end = |number: usize| {
            let (client, whole): (Client, Vec<u8>) = (clients[number].clone(), ends[number].clone());
            let path = finish(&location, &sha256(&whole));
            async move { client.put(&path, whole[begun..].to_vec()).await }
        };
        let answers: [Answer; 2] = tokio::join!(end(0), end(1)).into();
        let won = answers.iter().filter(|answer| answer.status == 201).count();
        let is_ended = answers.iter().any(|answer| answer.status == 400);
        assert!(won == 1 || (won == 0 && is_ended), "{} and {}", answers[0], answers[1]);
        counted += won;
        for (answer, whole) in answers.iter().zip(&ends) {
            let expected = if answer.status == 201 { 200 } else { 404 };
            let pulled = clients[1].get(&blob(&sha256(whole))).await;
            pulled.assert_status(expected);
            assert!(expected == 404 || pulled.body == *whole, "other bytes than were pushed");
        }
    }
    assert_ne!(counted, 0, "no end of any round counted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_that_two_servers_are_sent_at_once_is_stored_once() {
    let (one, other) = pair().await;
    let (one, other) = (one, other);
    let whole = content(6_000_000, 9);
    let (a, b) = (one.admin(), other.admin());
    let (first, second) =
        tokio::join!(push_blob(&a, "team/app", whole.clone()), push_blob(&b, "team/else", whole.clone()));
    assert_eq!(first, second);
    b.get(&blob(&first)).await.assert_status(200).assert_body(&whole);
    assert_eq!(one.storage().survey(None, 10).await.unwrap().len(), 1);
}
