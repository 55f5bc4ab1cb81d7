//! A server that moves house: to the other engine, to another storage, while clients push.

mod beside;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use serde_json::Value;
use wharf_core::Depot;
use wharf_testkit::{Backend, BucketDepot, Image, Meddler, Options, Store, TestServer, push_blob, s3};

use crate::backend::options;

/// More than lies in a row.
fn large(seed: usize) -> Vec<u8> {
    (0..60_000_usize).map(|at| u8::try_from((at * (seed + 3) + at / 251) % 251).unwrap()).collect()
}

fn on(backend: Backend, store: Store) -> Options {
    options().backend(backend).store(store)
}

/// Everything that can be listed.
async fn state(server: &TestServer) -> BTreeMap<&'static str, Value> {
    let mut state = BTreeMap::new();
    for path in [
        "/api/v1/users",
        "/api/v1/groups",
        "/api/v1/robots",
        "/api/v1/projects",
        "/api/v1/projects/team/grants",
        "/api/v1/projects/team/robots",
        "/api/v1/repositories",
        "/api/v1/repositories/oci/team/app/-/tags",
        "/api/v1/repositories/oci/team/app/-/manifests",
        "/api/v1/repositories/oci/team/app/-/tags/v1/history",
        "/v2/_catalog",
    ] {
        let mut listed = server.admin().get(path).await.assert_status(200).json();
        if let Some(items) = listed["items"].as_array_mut() {
            for item in items {
                // Written down some seconds later, or by the look itself.
                item.as_object_mut().unwrap().remove("last_used_at");
            }
        }
        state.insert(path, listed);
    }
    state
}

/// Lines of the audit log about changes, newest first.
async fn changes(server: &TestServer) -> Vec<Value> {
    let listed = server.admin().get("/api/v1/audit?limit=1000").await.assert_status(200).json();
    let lines = listed["items"].as_array().unwrap().iter();
    let change = |line: &&Value| {
        let action = line["action"].as_str().unwrap();
        // Looks and blobs are written down as well, some of them after the backup.
        action != "blob.push" && ["create", "delete", "push", "give"].iter().any(|verb| action.ends_with(verb))
    };
    lines.filter(change).cloned().collect()
}

async fn moves(from: Options, to: Options) {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start(from).await;
    server.project("team").await;
    let user = server.user_with("ute", wharf_auth::Role::Maintainer, "team").await;
    let robot = server.robot("team", "builder", wharf_auth::Role::Maintainer).await;
    let digest = Image::new().layer(large(1)).layer("small").push(&user, "team/app:v1").await;
    Image::new().layer(large(2)).push(&robot, "team/app:v1").await;
    Image::new().layer("gone").push(&user, "team/app:old").await;
    server.admin().delete("/v2/team/app/manifests/old").await.assert_status(202);
    let token = server.admin().post_json("/api/v1/account/tokens", &serde_json::json!({ "name": "t" })).await;
    let token = token.assert_status(201).json()["secret"].as_str().unwrap().to_owned();
    let (before, audit) = (state(&server).await, changes(&server).await);

    let snapshot = server.back_up(folder.path()).await;
    assert_eq!((snapshot.blobs, snapshot.missing.len()), (2, 0));
    let moved = server.restored(to, folder.path()).await;
    assert_eq!(state(&moved).await, before);
    assert_eq!(changes(&moved).await, audit);
    let manifest = format!("/v2/team/app/manifests/{digest}");
    let content = moved.admin().get(&manifest).await.assert_status(200).json();
    for layer in content["layers"].as_array().unwrap() {
        let path = format!("/v2/team/app/blobs/{}", layer["digest"].as_str().unwrap());
        let there = server.admin().get(&path).await;
        moved.admin().get(&path).await.assert_status(200).assert_body(&there.assert_status(200).body);
    }
    // Everybody signs in as before, and new rows get numbers of their own.
    let again = |client: &wharf_testkit::Client| {
        moved
            .anonymous()
            .request("GET".parse().unwrap(), &manifest)
            .header_named("authorization", &client.authorization().unwrap())
    };
    for client in [&user, &robot, &moved.anonymous().with_bearer(&token)] {
        again(client).send().await.assert_status(200);
    }
    moved.project("other").await;
    moved.user("later").await;
    Image::new().layer(large(3)).push(&moved.admin(), "other/app:v1").await;
    Image::new().layer(large(4)).push(&moved.admin(), "team/app:v1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_purged_and_pushed_again_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start(on(Backend::Sqlite, Store::Memory)).await;
    let (admin, image) = (server.admin(), || Image::new().layer(large(1)).layer("small"));
    server.project("team").await;
    let digest = image().push(&admin, "team/app:v1").await;
    let purge = serde_json::json!({ "digest": digest, "force": true, "reason": "a test" });
    admin.post_json("/api/v1/purges", &purge).await.assert_status(200);
    server.clock().advance(std::time::Duration::from_secs(1));
    image().push(&admin, "team/app:v2").await;
    server.back_up(folder.path()).await;
    let moved = server.restored(on(Backend::Sqlite, Store::Memory), folder.path()).await;
    let manifest = moved.admin().get("/v2/team/app/manifests/v2").await.assert_status(200).json();
    for layer in manifest["layers"].as_array().unwrap() {
        let path = format!("/v2/team/app/blobs/{}", layer["digest"].as_str().unwrap());
        moved.admin().get(&path).await.assert_status(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_purged_after_the_last_backup_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start(on(Backend::Sqlite, Store::Memory).depot(folder.path())).await;
    let admin = server.admin();
    server.project("team").await;
    let manifest = Image::new().layer(large(1)).push(&admin, "team/app:v1").await;
    let secret = push_blob(&admin, "team/app", large(2)).await;
    let leaked = Image::new().layer("other").push(&admin, "team/app:leaked").await;
    server.back_up(folder.path()).await;
    server.clock().advance(std::time::Duration::from_secs(1));
    let purge = serde_json::json!({ "digest": secret, "reason": "a test" });
    let told = admin.post_json("/api/v1/purges", &purge).await.assert_status(200).json();
    assert!(told["backups"].as_str().unwrap().contains("leaves it out"), "{told}");
    let whole = serde_json::json!({ "digest": leaked, "reason": "a test" });
    admin.post_json("/api/v1/purges", &whole).await.assert_status(200);
    let moved = server.restored(on(Backend::Postgres, Store::Memory), folder.path()).await;
    moved.admin().get(&format!("/v2/team/app/blobs/{secret}")).await.assert_status(404);
    // Nothing tells what was in the other one.
    for what in ["tags", "manifests"] {
        let path = format!("/api/v1/repositories/oci/team/app/-/{what}");
        let listed = moved.admin().get(&path).await.assert_status(200).text();
        assert!(!listed.contains(&leaked) && listed.contains(&manifest), "{listed}");
    }
    moved.admin().get(&format!("/v2/team/app/manifests/{manifest}")).await.assert_status(200);
    // Its bytes go with the next prune, and nobody misses them.
    TestServer::prune(folder.path(), server.clock()).await.unwrap();
    let hex = secret.strip_prefix("sha256:").unwrap();
    assert!(!folder.path().join(format!("blobs/sha256/{}/{hex}", &hex[..2])).exists());
    assert_eq!(TestServer::verify(folder.path()).await, []);
    let moved = server.restored(on(Backend::Sqlite, Store::Memory), folder.path()).await;
    moved.admin().get(&format!("/v2/team/app/blobs/{secret}")).await.assert_status(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_that_went_with_a_purged_layer_do_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start(on(Backend::Sqlite, Store::Memory).depot(folder.path())).await;
    let admin = server.admin();
    server.project("team").await;
    let secret = push_blob(&admin, "team/app", large(2)).await;
    let bad = Image::new().layer(large(1)).layer(large(2));
    let twice = Image::new().layer("config").layer(large(2));
    let mut gone = vec![bad.push(&admin, "team/app:v1").await, twice.push(&admin, "team/other:v1").await];
    bad.push(&admin, "team/other:also").await;
    let good = Image::new().layer(large(1)).push(&admin, "team/app:v2").await;
    server.back_up(folder.path()).await;
    server.clock().advance(std::time::Duration::from_secs(1));
    let purge = serde_json::json!({ "digest": secret, "force": true, "reason": "a test" });
    admin.post_json("/api/v1/purges", &purge).await.assert_status(200);
    let listed = admin.get("/api/v1/purges").await.assert_status(200).json();
    let mut listed: Vec<_> =
        listed["items"].as_array().unwrap().iter().map(|row| row["digest"].as_str().unwrap().to_owned()).collect();
    gone.push(secret);
    listed.sort();
    gone.sort();
    assert_eq!(listed, gone);
    let moved = server.restored(on(Backend::Sqlite, Store::Memory), folder.path()).await;
    for name in ["app/manifests/v1", "other/manifests/v1", "other/manifests/also"] {
        let answer = moved.admin().get(&format!("/v2/team/{name}")).await;
        assert!(!answer.status.is_success(), "{name}: {answer}");
    }
    moved
        .admin()
        .get("/v2/team/app/manifests/v2")
        .await
        .assert_status(200)
        .assert_header("docker-content-digest", &good);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_sqlite_and_files_to_postgres() {
    moves(on(Backend::Sqlite, Store::Files), on(Backend::Postgres, Store::Memory)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_postgres_to_sqlite_and_files() {
    moves(on(Backend::Postgres, Store::Memory), on(Backend::Sqlite, Store::Files)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_sqlite_to_sqlite() {
    moves(on(Backend::Sqlite, Store::Memory), on(Backend::Sqlite, Store::Memory)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_postgres_to_postgres() {
    moves(on(Backend::Postgres, Store::Files), on(Backend::Postgres, Store::Files)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_sqlite_and_files_to_postgres_and_a_bucket_and_back() {
    moves(on(Backend::Sqlite, Store::Files), on(Backend::Postgres, Store::Bucket)).await;
    moves(on(Backend::Postgres, Store::Bucket), on(Backend::Sqlite, Store::Files)).await;
}

async fn with_two_blobs() -> (TestServer, Vec<String>) {
    let server = TestServer::start(on(Backend::Sqlite, Store::Memory)).await;
    server.project("team").await;
    let mut blobs = Vec::new();
    for seed in [1, 2] {
        blobs.push(push_blob(&server.admin(), "team/app", large(seed)).await);
    }
    (server, blobs)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_a_crash_has_left_is_taken_over_when_its_time_is_up() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _) = with_two_blobs().await;
    let path = folder.path().to_owned();
    let (stopped, stop) = tokio::sync::oneshot::channel();
    let stopped = Arc::new(std::sync::Mutex::new(Some(stopped)));
    let crashing = server.back_up_beside(&path, move |_| {
        let stopped = Arc::clone(&stopped);
        Box::pin(async move {
            if let Some(stopped) = stopped.lock().unwrap().take() {
                stopped.send(()).unwrap();
            }
            std::future::pending().await
        })
    });
    tokio::select! {
        _ = crashing => panic!("it does not come to an end"),
        _ = stop => {}
    }
    assert!(server.try_back_up(&path).await.unwrap_err().is_unavailable());
    server.clock().advance(std::time::Duration::from_secs(181));
    server.back_up(&path).await;
    TestServer::prune(&path, server.clock()).await.unwrap();
    assert_eq!(TestServer::verify(&path).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_whose_files_were_removed_meanwhile_is_not_called_done() {
    let (server, blobs) = with_two_blobs().await;
    for removed in ["blobs", "snapshots"] {
        let folder = tempfile::tempdir().unwrap();
        server.back_up(folder.path()).await;
        push_blob(&server.admin(), "team/app", large(removed.len())).await;
        let path = folder.path().join(removed);
        let made = server.back_up_beside(folder.path(), move |name| {
            let path = path.clone();
            Box::pin(async move {
                if name.starts_with("blobs/") {
                    std::fs::remove_dir_all(path).unwrap();
                }
            })
        });
        let error = made.await.unwrap_err().to_string();
        assert!(error.contains("removed") && error.contains("meanwhile"), "{error}");
    }
    assert_eq!(blobs.len(), 2);
}

async fn bucket() -> Arc<dyn Depot> {
    Arc::new(BucketDepot::new(s3().await.config()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_into_a_bucket_that_died_keeps_others_out_for_a_time_and_then_goes_on() {
    let depot = bucket().await;
    let (server, blobs) = with_two_blobs().await;
    // It dies before the second blob.
    let (reached, mut until) = tokio::sync::mpsc::unbounded_channel();
    let met = Arc::new(AtomicU32::new(0));
    let dying = Meddler::over(Arc::clone(&depot), move |name| {
        let nth = if name.starts_with("blobs/") { met.fetch_add(1, SeqCst) } else { 0 };
        let reached = reached.clone();
        Box::pin(async move {
            if nth == 1 {
                reached.send(()).unwrap();
                std::future::pending().await
            }
        })
    });
    let held = async {
        until.recv().await.unwrap();
        // The first may still be on its way.
        loop {
            let shards = depot.list("blobs/sha256").await.unwrap();
            if !shards.is_empty() {
                return;
            }
        }
    };
    tokio::select! {
        made = server.back_up_to(&dying) => panic!("{made:?}"),
        () = held => {}
    }
    drop(dying);
    let other = with_two_blobs().await.0;
    for refused in [server.back_up_to(&depot).await, other.back_up_to(&depot).await] {
        let refused = refused.unwrap_err();
        assert!(refused.is_unavailable() && refused.to_string().contains("is in use"), "{refused}");
    }
    server.clock().advance(std::time::Duration::from_secs(181));
    let copied = Arc::new(AtomicU32::new(0));
    let counting = Arc::clone(&copied);
    let counted = Meddler::over(Arc::clone(&depot), move |name| {
        counting.fetch_add(u32::from(name.starts_with("blobs/")), SeqCst);
        Box::pin(async {})
    });
    assert_eq!(server.back_up_to(&counted).await.unwrap().blobs, 2);
    assert_eq!(copied.load(SeqCst), 1);
    wharf_core::backup::prune(&depot, 1, &server.clock().clock()).await.unwrap();
    assert_eq!(TestServer::verify_at(&depot).await, []);
    let moved = server.restored_from(on(Backend::Sqlite, Store::Files), &depot).await;
    for digest in blobs {
        moved.admin().get(&format!("/v2/team/app/blobs/{digest}")).await.assert_status(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_servers_that_back_up_into_a_bucket_at_once_one_does() {
    let depot = bucket().await;
    let servers = [with_two_blobs().await.0, with_two_blobs().await.0, with_two_blobs().await.0];
    for _ in 0..3 {
        let (first, second, third) =
            tokio::join!(servers[0].back_up_to(&depot), servers[1].back_up_to(&depot), servers[2].back_up_to(&depot));
        let outcomes = [first, second, third];
        assert!(outcomes.iter().any(Result::is_ok), "{outcomes:?}");
        for error in outcomes.into_iter().filter_map(Result::err) {
            assert!(error.is_unavailable(), "{error}");
        }
        assert_eq!(TestServer::verify_at(&depot).await, []);
    }
}

/// Spoils the only file of a blob in a backup.
fn spoil(folder: &std::path::Path, digest: &str) -> std::path::PathBuf {
    let hex = digest.strip_prefix("sha256:").unwrap();
    let path = folder.join(format!("blobs/sha256/{}/{hex}", &hex[..2]));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[7] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_in_a_backup_is_copied_again_by_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let (server, blobs) = with_two_blobs().await;
    server.back_up(folder.path()).await;
    spoil(folder.path(), &blobs[0]);
    assert_eq!(TestServer::verify(folder.path()).await.len(), 1);
    server.back_up(folder.path()).await;
    assert_eq!(TestServer::verify(folder.path()).await, []);
    assert!(!folder.path().join("wrong").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backups_read_again_by_and_by_what_they_hold() {
    let folder = tempfile::tempdir().unwrap();
    let (server, blobs) = with_two_blobs().await;
    server.back_up(folder.path()).await;
    let path = spoil(folder.path(), &blobs[1]);
    let spoilt = std::fs::read(&path).unwrap();
    for _ in 0..32 {
        server.back_up(folder.path()).await;
    }
    assert_ne!(std::fs::read(&path).unwrap(), spoilt);
    assert_eq!(TestServer::verify(folder.path()).await, []);
}

async fn what_was_acknowledged_before_the_mark_is_in_it(server: &TestServer) {
    let folder = tempfile::tempdir().unwrap();
    server.project("team").await;
    let client = server.admin();
    let pushes = tokio::spawn(async move {
        let mut pushed = Vec::new();
        for number in 0..40 {
            let digest = push_blob(&client, "team/app", large(number)).await;
            let manifest = Image::new().layer(format!("{number}")).push(&client, &format!("team/app:v{number}")).await;
            pushed.push((std::time::SystemTime::now(), digest, manifest));
        }
        pushed
    });
    let mut snapshot = server.back_up(folder.path()).await;
    while !pushes.is_finished() {
        snapshot = server.back_up(folder.path()).await;
    }
    let pushed = pushes.await.unwrap();
    let mark = std::time::UNIX_EPOCH + std::time::Duration::from_millis(snapshot.mark.as_millis().try_into().unwrap());
    let moved = server.restored(options(), folder.path()).await;
    for (_, digest, manifest) in pushed.iter().filter(|(at, ..)| *at < mark) {
        moved.admin().get(&format!("/v2/team/app/blobs/{digest}")).await.assert_status(200);
        moved.admin().get(&format!("/v2/team/app/manifests/{manifest}")).await.assert_status(200);
    }
}

crate::backend::facts_on! { sqlite(Sqlite, Files): what_was_acknowledged_before_the_mark_is_in_it }
crate::backend::facts_on! { postgres(Postgres, Memory): what_was_acknowledged_before_the_mark_is_in_it }
