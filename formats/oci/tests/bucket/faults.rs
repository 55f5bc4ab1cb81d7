//! An object store that is slow, fails, lies or is away.

use std::time::Duration;

use wharf_testkit::{
    Asked, Fault, FaultProxy, Image, Options, Store, StoreServer, TestServer, azure, bucket, push_blob, s3, sha256,
};

use crate::content;

/// More than two parts.
const LARGE: usize = 11_000_000;

async fn behind_proxy(at: &StoreServer, set: impl FnOnce(&mut bucket::Config)) -> (TestServer, FaultProxy) {
    let proxy = FaultProxy::start(at.address()).await;
    let mut config = at.config();
    let [theirs, ours] = [at.address(), proxy.address()].map(|address| address.to_string());
    config.endpoint = config.endpoint.map(|endpoint| endpoint.replace(&theirs, &ours));
    set(&mut config);
    let options = Options::new().store(Store::BucketAt(Box::new(config))).without_workers();
    (TestServer::start(options).await, proxy)
}

fn blob(digest: &str) -> String {
    format!("/v2/team/app/blobs/{digest}")
}

async fn an_upload_goes_to_the_bucket_once_and_is_neither_read_back_nor_copied(at: &StoreServer) {
    let (server, proxy) = behind_proxy(at, |_| {}).await;
    let admin = server.admin();
    let whole = content(LARGE, 7);
    proxy.seen();
    let location = admin.post("/v2/team/app/blobs/uploads/", "").await.assert_status(202).location();
    let location = admin.patch(&location, whole[..LARGE / 2].to_vec()).await.assert_status(202).location();
    let location = admin.patch(&location, whole[LARGE / 2..].to_vec()).await.assert_status(202).location();
    let digest = sha256(&whole);
    let joint = if location.contains('?') { '&' } else { '?' };
    admin.put(&format!("{location}{joint}digest={digest}"), "").await.assert_status(201);
    let seen = proxy.seen();
    let read = seen.iter().filter(|asked| asked.method == http::Method::GET && asked.path.contains("/objects/"));
    assert_eq!((read.count(), seen.iter().filter(|asked| asked.copies).count()), (0, 0), "{seen:#?}");
    // Azure is told by PUT which parts make the object.
    let parts = |asked: &&Asked| asked.path.contains("/objects/") && !asked.path.contains("comp=blocklist");
    let brought = seen.iter().filter(|asked| asked.method == http::Method::PUT).filter(parts);
    assert_eq!(brought.map(|asked| asked.size).sum::<u64>(), LARGE as u64, "{seen:#?}");
    admin.get(&blob(&digest)).await.assert_status(200).assert_body(whole);
    // It is where it was put.
    assert!(proxy.seen().iter().any(|asked| seen.iter().any(|put| put.path.starts_with(&asked.path))));
}

async fn pushes_and_pulls_survive_a_store_that_fails_every_tenth_request(at: &StoreServer) {
    let (server, proxy) = behind_proxy(at, |_| {}).await;
    let admin = server.admin();
    proxy.set(Fault::Every(10));
    for round in 0..4 {
        for (seed, size) in (10 * round..).zip([LARGE, 200_000, 20_000, 3_000_000]) {
            let pushed = content(size, seed);
            let digest = push_blob(&admin, "team/app", pushed.clone()).await;
            admin.get(&blob(&digest)).await.assert_status(200).assert_body(pushed);
        }
    }
}

async fn a_store_that_asks_for_patience_gets_it(at: &StoreServer) {
    let (server, proxy) = behind_proxy(at, |_| {}).await;
    let admin = server.admin();
    let pushed = content(300_000, 4);
    proxy.refuse(8);
    let digest = push_blob(&admin, "team/app", pushed.clone()).await;
    proxy.refuse(8);
    admin.get(&blob(&digest)).await.assert_status(200).assert_body(pushed);
}

async fn a_store_that_is_away_is_told_as_such_and_is_used_again_when_it_is_back(at: &StoreServer) {
    let (server, proxy) =
        behind_proxy(at, |config| (config.retries, config.connect_timeout) = (1, Duration::from_secs(2))).await;
    let admin = server.admin();
    let image = Image::new().layer("small").push(&admin, "team/app:v1").await;
    let (before, during) = (content(300_000, 1), content(LARGE, 2));
    let digest = push_blob(&admin, "team/app", before.clone()).await;
    proxy.set(Fault::Away);
    for refused in [
        admin.get(&blob(&digest)).await,
        admin.post(&format!("/v2/team/app/blobs/uploads/?digest={}", sha256(&during)), during.clone()).await,
    ] {
        refused.assert_error(503, "UNAVAILABLE").expect_header("retry-after");
    }
    server.anonymous().get("/readyz").await.assert_status(503);
    // What lies in the database is served all the same.
    admin.get("/v2/team/app/manifests/v1").await.assert_status(200).assert_header("docker-content-digest", &image);
    proxy.set(Fault::None);
    admin.get(&blob(&digest)).await.assert_status(200).assert_body(before);
    let digest = push_blob(&admin, "team/app", during.clone()).await;
    admin.get(&blob(&digest)).await.assert_status(200).assert_body(during);
    server.anonymous().get("/readyz").await.assert_status(200);
}

async fn an_upload_goes_on_when_the_store_is_back(at: &StoreServer) {
    let (server, proxy) = behind_proxy(at, |config| config.retries = 1).await;
    let admin = server.admin();
    let whole = content(2 * LARGE, 3);
    let location = admin.post("/v2/team/app/blobs/uploads/", "").await.assert_status(202).location();
    let location = admin.patch(&location, whole[..LARGE].to_vec()).await.assert_status(202).location();
    proxy.set(Fault::Away);
    admin.patch(&location, whole[LARGE..].to_vec()).await.assert_error(503, "UNAVAILABLE");
    proxy.set(Fault::None);
    let status = admin.get(&location).await;
    status.assert_status(204).assert_header("range", &format!("0-{}", LARGE - 1));
    let location = admin.patch(&location, whole[LARGE..].to_vec()).await.assert_status(202).location();
    let digest = sha256(&whole);
    let joint = if location.contains('?') { '&' } else { '?' };
    admin.put(&format!("{location}{joint}digest={digest}"), "").await.assert_status(201);
    admin.get(&blob(&digest)).await.assert_status(200).assert_body(whole);
}

async fn wrong_bytes_never_end_like_right_ones(at: &StoreServer) {
    let (server, proxy) = behind_proxy(at, |_| {}).await;
    let admin = server.admin();
    for (count, size) in (1..).zip([17_000, 300_000, LARGE]) {
        let pushed = content(size, count);
        let digest = push_blob(&admin, "team/app", pushed.clone()).await;
        proxy.set(Fault::Wrong);
        let cut = admin.request(http::Method::GET, &blob(&digest)).try_send().await;
        assert!(cut.is_err(), "{cut:?}");
        let metrics = admin.get("/metrics").await.text();
        assert!(metrics.contains(&format!("wharf_storage_wrong_reads_total {count}\n")), "{metrics}");
        proxy.set(Fault::None);
        admin.get(&blob(&digest)).await.assert_status(200).assert_body(pushed);
    }
}

async fn a_body_that_breaks_off_is_read_on(at: &StoreServer) {
    let (server, proxy) = behind_proxy(at, |_| {}).await;
    let admin = server.admin();
    let pushed = content(LARGE, 5);
    let digest = push_blob(&admin, "team/app", pushed.clone()).await;
    for fault in [Fault::Short, Fault::Half] {
        proxy.set(fault);
        // One of two requests is hit, whichever comes first.
        for _ in 0..2 {
            admin.get(&blob(&digest)).await.assert_status(200).assert_body(&pushed);
        }
    }
}

async fn a_slow_store_is_waited_for_and_one_that_hangs_is_not(at: &StoreServer) {
    let (server, proxy) = behind_proxy(at, |config| {
        config.request_timeout = Duration::from_secs(3);
        config.retries = 0;
    })
    .await;
    let admin = server.admin();
    proxy.set(Fault::Slow(Duration::from_millis(200)));
    let pushed = content(300_000, 6);
    let digest = push_blob(&admin, "team/app", pushed.clone()).await;
    admin.get(&blob(&digest)).await.assert_status(200).assert_body(&pushed);
    proxy.set(Fault::Slow(Duration::from_secs(3600)));
    admin.get(&blob(&digest)).await.assert_error(503, "UNAVAILABLE").expect_header("retry-after");
    proxy.set(Fault::None);
    admin.get(&blob(&digest)).await.assert_status(200).assert_body(&pushed);
}

macro_rules! holds {
    ($($fact:ident),* $(,)?) => {
        holds! { s3: $($fact),* }
        holds! { azure: $($fact),* }
    };
    ($provider:ident: $($fact:ident),*) => {
        mod $provider {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $fact() {
                super::$fact(super::$provider().await).await;
            })*
        }
    };
}

holds! {
    an_upload_goes_to_the_bucket_once_and_is_neither_read_back_nor_copied,
    pushes_and_pulls_survive_a_store_that_fails_every_tenth_request,
    a_store_that_asks_for_patience_gets_it,
    a_store_that_is_away_is_told_as_such_and_is_used_again_when_it_is_back,
    an_upload_goes_on_when_the_store_is_back,
    wrong_bytes_never_end_like_right_ones,
    a_body_that_breaks_off_is_read_on,
    a_slow_store_is_waited_for_and_one_that_hangs_is_not,
}
