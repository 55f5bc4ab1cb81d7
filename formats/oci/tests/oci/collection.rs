//! What nothing uses goes, what something uses stays, and nobody is in the way of the collector.

use std::time::{Duration, Instant};

use wharf_core::Collected;
use wharf_testkit::{Fragile, Image, Options, Store, TestServer, media};

use crate::backend::{on_every_backend, options};
use crate::bin::Bin;
use crate::blob::{Blob, LARGE};
use crate::remains::{assert_objects, objects};
use crate::repository::Repository;

on_every_backend! {
    a_deleted_image_goes_step_by_step,
    what_another_repository_uses_stays,
    what_another_manifest_uses_stays,
    a_manifest_takes_a_hidden_layer_back,
    a_push_takes_a_hidden_layer_back,
    a_blob_that_no_manifest_names_goes,
    a_blob_that_was_mounted_and_not_named_goes_again,
    a_deleted_repository_goes_whole,
    a_pin_keeps_what_goes_after_it,
    a_pushed_manifest_has_its_blobs_whatever_is_collected_meanwhile,
    a_mounted_layer_stays_whatever_is_collected_meanwhile,
    nothing_unused_stays_for_ever,
    what_lies_in_the_bin_stays_until_its_time_is_up,
}

/// Longer than the delay of a review, and than the grace of a link.
const A_DAY: Duration = Duration::from_secs(25 * 60 * 60);

/// Longer than bytes wait for pulls under way.
const A_MOMENT: Duration = Duration::from_secs(20 * 60);

async fn collect(server: &TestServer) -> Collected {
    let (collected, more) = server.core().collect(None).await.expect("a collection");
    assert!(!more);
    collected
}

async fn collect_later(server: &TestServer, pause: Duration) -> Collected {
    server.clock().advance(pause);
    collect(server).await
}

/// Until everything that can go is gone.
async fn collect_to_the_end(server: &TestServer) {
    for pause in [A_DAY, A_DAY, A_MOMENT] {
        collect_later(server, pause).await;
    }
}

/// Deletes it and empties the bin of it: what lies there is not collected.
pub(crate) async fn delete(repository: &Repository, digest: &str) {
    repository.delete(&format!("manifests/{digest}")).await.assert_status(202);
    let bin = format!("/api/v1/repositories/oci/{}/-/bin", repository.name);
    let entry = &repository.client.get(&bin).await.assert_status(200).json()["items"][0]["id"];
    repository.client.delete(&format!("{bin}/{entry}")).await.assert_status(204);
}

async fn a_deleted_image_goes_step_by_step(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let layer = Blob::noise(1, LARGE);
    let path = format!("blobs/{}", layer.digest);
    let image = Image::new().layer(layer.content.clone());
    let digest = image.push(&repository.client, "team/app:v1").await;
    delete(&repository, &digest).await;
    assert_eq!(collect(server).await, Collected::default(), "it is reviewed a day later");
    repository.head(&path).await.assert_status(200);
    let first = collect_later(server, A_DAY).await;
    assert_eq!((first.hidden, first.links, first.blobs), (2, 0, 1), "layer, configuration; manifest: {first:?}");
    repository.head(&path).await.assert_status(404);
    assert_eq!(collect(server).await, Collected::default());
    let second = collect_later(server, A_DAY).await;
    assert_eq!((second.hidden, second.links, second.blobs), (0, 2, 2), "{second:?}");
    assert_eq!(second.bytes, LARGE as u64 + 2);
    assert_objects(server, 1).await;
    let third = collect_later(server, A_MOMENT).await;
    assert_eq!((third.objects, third.freed), (1, LARGE as u64), "{third:?}");
    assert_objects(server, 0).await;
    assert_eq!(collect_later(server, A_DAY).await, Collected::default());
}

async fn what_another_repository_uses_stays(server: &TestServer) {
    let layer = Blob::noise(2, LARGE);
    let image = Image::new().layer(layer.content.clone());
    let (one, two) = (Repository::new(server, "one/app"), Repository::new(server, "two/app"));
    let digest = image.push(&one.client, "one/app:v1").await;
    for blob in [&layer, &Blob::of("{}")] {
        let mount = format!("blobs/uploads/?mount={}&from=one/app", blob.digest);
        two.client.post(&two.path(&mount), "").await.assert_status(201);
    }
    two.put_manifest("v1", media::MANIFEST, image.manifest()).await.assert_status(201);
    delete(&one, &digest).await;
    collect_to_the_end(server).await;
    one.head(&format!("blobs/{}", layer.digest)).await.assert_status(404);
    two.get("manifests/v1").await.assert_status(200).assert_body(image.manifest());
    two.get(&format!("blobs/{}", layer.digest)).await.assert_status(200).assert_body(&layer.content);
}

async fn what_another_manifest_uses_stays(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let layer = Blob::noise(3, LARGE);
    let one = Image::new().layer(layer.content.clone());
    let two = one.clone().annotation("number", "two");
    let digest = one.push(&repository.client, "team/app:v1").await;
    two.push(&repository.client, "team/app:v2").await;
    delete(&repository, &digest).await;
    collect_to_the_end(server).await;
    repository.get(&format!("blobs/{}", layer.digest)).await.assert_status(200).assert_body(&layer.content);
}

async fn a_manifest_takes_a_hidden_layer_back(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let layer = Blob::noise(4, LARGE);
    let image = Image::new().layer(layer.content.clone());
    let digest = image.push(&repository.client, "team/app:v1").await;
    delete(&repository, &digest).await;
    // A client finds the layer, the collector hides it, and the client goes on as if nothing had happened.
    repository.head(&format!("blobs/{}", layer.digest)).await.assert_status(200);
    assert_eq!(collect_later(server, A_DAY).await.hidden, 2);
    repository.put_manifest("v2", media::MANIFEST, image.manifest()).await.assert_status(201);
    repository.head(&format!("blobs/{}", layer.digest)).await.assert_status(200);
    collect_to_the_end(server).await;
    repository.get("manifests/v2").await.assert_status(200);
    repository.get(&format!("blobs/{}", layer.digest)).await.assert_status(200).assert_body(&layer.content);
}

async fn a_push_takes_a_hidden_layer_back(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let layer = Blob::noise(5, LARGE);
    let image = Image::new().layer(layer.content.clone());
    let digest = image.push(&repository.client, "team/app:v1").await;
    delete(&repository, &digest).await;
    assert_eq!(collect_later(server, A_DAY).await.hidden, 2);
    server.clock().advance(A_DAY);
    repository.push(&layer).await;
    repository.push(&Blob::of("{}")).await;
    collect(server).await;
    repository.put_manifest("v2", media::MANIFEST, image.manifest()).await.assert_status(201);
    collect_to_the_end(server).await;
    repository.get(&format!("blobs/{}", layer.digest)).await.assert_status(200).assert_body(&layer.content);
}

async fn a_blob_that_no_manifest_names_goes(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    repository.push(&Blob::noise(6, LARGE)).await;
    repository.push(&Blob::noise(7, 100)).await;
    assert_eq!(collect(server).await, Collected::default(), "its manifest may come");
    assert_eq!(collect_later(server, A_DAY).await.hidden, 2);
    let gone = collect_later(server, A_DAY).await;
    assert_eq!((gone.links, gone.blobs, gone.bytes), (2, 2, LARGE as u64 + 100));
    assert_eq!(collect_later(server, A_MOMENT).await.objects, 1);
    assert_objects(server, 0).await;
}

async fn a_blob_that_was_mounted_and_not_named_goes_again(server: &TestServer) {
    let (one, two) = (Repository::new(server, "one/app"), Repository::new(server, "two/app"));
    let layer = Blob::noise(8, LARGE);
    let image = Image::new().layer(layer.content.clone());
    image.push(&one.client, "one/app:v1").await;
    let mount = format!("blobs/uploads/?mount={}&from=one/app", layer.digest);
    two.client.post(&two.path(&mount), "").await.assert_status(201);
    collect_to_the_end(server).await;
    two.head(&format!("blobs/{}", layer.digest)).await.assert_status(404);
    one.get(&format!("blobs/{}", layer.digest)).await.assert_status(200).assert_body(&layer.content);
}

/// Sweeps, looks into the bin, does all jobs and collects, until nothing more can go.
async fn everything_goes(server: &TestServer) {
    for pause in [Duration::from_secs(31 * 24 * 60 * 60), A_DAY, A_DAY, A_DAY] {
        server.clock().advance(pause);
        server.core().sweep().await.expect("a sweep");
        server.core().empty_bin().await.expect("a look into the bin");
        while server.core().run_one("test").await.expect("a job") {}
        collect(server).await;
    }
}

async fn a_deleted_repository_goes_whole(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let (layer, lost) = (Blob::noise(9, LARGE), Blob::noise(10, LARGE));
    let image = Image::new().layer(layer.content.clone());
    for number in 0..70 {
        let image = image.clone().annotation("number", &number.to_string());
        image.push(&repository.client, &format!("team/app:v{number}")).await;
    }
    repository.push(&lost).await;
    let upload = repository.begin().await;
    repository.append(&upload, 0, Blob::noise(11, LARGE).content).await.assert_status(202);
    image.push(&server.admin(), "team/other:v1").await;
    server.admin().delete("/api/v1/repositories/oci/team/app").await.assert_status(204);
    everything_goes(server).await;
    assert_objects(server, 1).await;
    let other = Repository::new(server, "team/other");
    other.get(&format!("blobs/{}", layer.digest)).await.assert_status(200).assert_body(&layer.content);
    other.get("manifests/v1").await.assert_status(200).assert_body(image.manifest());
}

async fn a_pin_keeps_what_goes_after_it(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    repository.push(&Blob::noise(12, LARGE)).await;
    let pin = server.core().pin("a test").await.expect("a pin");
    collect_to_the_end(server).await;
    assert_objects(server, 1).await;
    pin.check().expect("a pin that lives");
    pin.release().await.expect("the end of a pin");
    assert_eq!(collect(server).await.objects, 1);
    assert_objects(server, 0).await;
}

async fn a_pushed_manifest_has_its_blobs_whatever_is_collected_meanwhile(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let layer = Blob::noise(13, LARGE);
    let image = Image::new().layer(layer.content.clone());
    let path = format!("blobs/{}", layer.digest);
    for round in 0..12 {
        let digest = image.push(&repository.client, "team/app:v1").await;
        delete(&repository, &digest).await;
        collect_later(server, A_DAY).await;
        // In one round out of three the link is still in its grace, in another all that is left is the object.
        match round % 3 {
            0 => {}
            1 => server.clock().advance(A_DAY),
            _ => _ = collect_later(server, A_DAY).await,
        }
        let collectors: Vec<_> = (0..3)
            .map(|_| {
                let core = server.core().clone();
                tokio::spawn(async move { core.collect(None).await })
            })
            .collect();
        let pushes: Vec<_> = (0..3)
            .map(|number| {
                let (repository, image, layer) = (repository.clone(), image.clone(), layer.clone());
                tokio::spawn(async move {
                    if number > 0 {
                        image.push(&repository.client, &format!("team/app:v{number}")).await;
                        return;
                    }
                    // This one has seen the layer before it was hidden, so it may come too late.
                    let put = repository.put_manifest("v0", media::MANIFEST, image.manifest()).await;
                    if put.status == 201 {
                        repository.head(&format!("blobs/{}", layer.digest)).await.assert_status(200);
                    }
                })
            })
            .collect();
        for push in pushes {
            push.await.expect("a push");
        }
        for collector in collectors {
            collector.await.expect("a collector").expect("a collection");
        }
        repository.get(&path).await.assert_status(200).assert_body(&layer.content);
        collect_later(server, A_DAY).await;
        repository.get(&path).await.assert_status(200).assert_body(&layer.content);
        delete(&repository, &digest).await;
    }
    everything_goes(server).await;
    assert_objects(server, 0).await;
}

async fn a_mounted_layer_stays_whatever_is_collected_meanwhile(server: &TestServer) {
    let source = Repository::new(server, "team/base");
    let (layer, config) = (Blob::noise(14, LARGE), Blob::of("{}"));
    let image = Image::new().layer(layer.content.clone());
    for round in 0..8 {
        let digest = image.push(&source.client, "team/base:v1").await;
        delete(&source, &digest).await;
        // In one round out of two it is hidden meanwhile, in another its last link goes.
        if round % 2 == 1 {
            collect_later(server, A_DAY).await;
        }
        server.clock().advance(A_DAY);
        let collectors = (0..3).map(|_| {
            let core = server.core().clone();
            tokio::spawn(async move { core.collect(None).await })
        });
        let collectors: Vec<_> = collectors.collect();
        let targets: Vec<_> = (0..3).map(|number| Repository::new(server, &format!("team/app-{number}"))).collect();
        let mounts = targets.iter().map(|target| {
            let (target, image, blobs) = (target.clone(), image.clone(), [layer.clone(), config.clone()]);
            tokio::spawn(async move {
                for blob in &blobs {
                    let mount = format!("blobs/uploads/?mount={}&from=team/base", blob.digest);
                    let answer = target.client.post(&target.path(&mount), "").await;
                    if answer.status == 202 {
                        target.push(blob).await;
                    } else {
                        answer.assert_status(201);
                    }
                }
                target.put_manifest("v1", media::MANIFEST, image.manifest()).await.assert_status(201);
            })
        });
        for mount in mounts.collect::<Vec<_>>() {
            mount.await.expect("an image of a mounted layer");
        }
        for collector in collectors {
            collector.await.expect("a collector").expect("a collection");
        }
        collect_later(server, A_DAY).await;
        for target in &targets {
            let read = target.get(&format!("blobs/{}", layer.digest)).await;
            read.assert_status(200).assert_body(&layer.content);
            delete(target, &digest).await;
        }
        collect_to_the_end(server).await;
    }
    everything_goes(server).await;
    assert_objects(server, 0).await;
}

async fn nothing_unused_stays_for_ever(server: &TestServer) {
    let admin = server.admin();
    let layers: Vec<_> = (20..26).map(|seed| Blob::noise(seed, LARGE)).collect();
    for (number, layer) in layers.iter().enumerate() {
        let name = format!("team/app-{}", number % 3);
        let repository = Repository::new(server, &name);
        let image = Image::new().layer(layer.content.clone());
        let digest = image.push(&admin, &format!("{name}:v{number}")).await;
        let mount = format!("blobs/uploads/?mount={}&from={name}", layer.digest);
        admin.post(&format!("/v2/team/mounts/{mount}"), "").await.assert_status(201);
        match number {
            0 => delete(&repository, &digest).await,
            1 => _ = repository.delete("manifests/v1").await.assert_status(202),
            2 => {
                delete(&repository, &digest).await;
                repository.delete(&format!("blobs/{}", layer.digest)).await.assert_status(202);
            }
            _ => {}
        }
        let upload = repository.begin().await;
        repository.append(&upload, 0, Blob::noise(30, LARGE).content).await.assert_status(202);
    }
    for name in ["team/app-0", "team/app-1", "team/app-2", "team/mounts"] {
        admin.delete(&format!("/api/v1/repositories/oci/{name}")).await.assert_status(204);
    }
    everything_goes(server).await;
    assert_eq!(objects(server).await, [""; 0]);
    assert_eq!(collect_later(server, A_DAY).await, Collected::default());
}

async fn what_lies_in_the_bin_stays_until_its_time_is_up(server: &TestServer) {
    const SIX_DAYS: Duration = Duration::from_secs(6 * 24 * 60 * 60);
    let (repository, bin) = (Repository::new(server, "team/app"), Bin(server.admin()));
    let (layer, other) = (Blob::noise(15, LARGE), Blob::noise(16, LARGE));
    let image = Image::new().layer(layer.content.clone());
    let digest = image.push(&repository.client, "team/app:v1").await;
    let gone = Image::new().layer(other.content.clone()).push(&repository.client, "team/app:v2").await;
    repository.delete("manifests/v1").await.assert_status(202);
    let tag = bin.newest().await;
    for digest in [&digest, &gone] {
        repository.delete(&format!("manifests/{digest}")).await.assert_status(202);
    }
    repository.delete(&format!("blobs/{}", layer.digest)).await.assert_status(202);
    server.clock().advance(SIX_DAYS);
    server.core().empty_bin().await.expect("a look into the bin");
    collect(server).await;
    assert_objects(server, 2).await;
    bin.restore("team/app", tag, serde_json::json!({})).await.assert_status(200);
    everything_goes(server).await;
    assert_objects(server, 1).await;
    repository.get("manifests/v1").await.assert_status(200).assert_body(image.manifest());
    repository.get(&format!("blobs/{}", layer.digest)).await.assert_status(200).assert_body(&layer.content);
}

#[tokio::test]
async fn an_object_that_could_not_be_removed_goes_later() {
    let storage = Fragile::new();
    let options = Options::new()
        .without_workers()
        .store(Store::Other(storage.clone()))
        .core(|core| core.job_lease = Duration::from_millis(200));
    let server = TestServer::start(options).await;
    let repository = Repository::new(&server, "team/app");
    repository.push(&Blob::noise(14, LARGE)).await;
    collect_later(&server, A_DAY).await;
    assert_eq!(collect_later(&server, A_DAY).await.blobs, 1);
    server.clock().advance(A_MOMENT);
    storage.away(true);
    assert!(server.core().collect(None).await.is_err());
    storage.away(false);
    assert_objects(&server, 1).await;
    // As after a crash, its lease runs out by itself.
    let server = server.restart().await;
    let mut removed = 0;
    while removed == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        removed = collect(&server).await.objects;
    }
    assert_objects(&server, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_takes_at_least_as_long_as_its_rate_says() {
    const RATE: u32 = 30;
    let server = TestServer::start(options().core(|core| core.collection.rate = RATE)).await;
    let repository = Repository::new(&server, "team/app");
    for seed in 0..90 {
        repository.push(&Blob::noise(seed, 100)).await;
    }
    server.clock().advance(A_DAY);
    let begun = Instant::now();
    let collected = collect(&server).await;
    let elapsed = begun.elapsed();
    assert_eq!((collected.reviewed, collected.hidden), (90, 90), "{collected:?}");
    // Nothing is waited for after the last transaction, and one takes 64 at most.
    assert!(elapsed >= Duration::from_secs(90 - 64) / RATE, "{elapsed:?}");
}
