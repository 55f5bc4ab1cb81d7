//! What happens beside a backup, a restore, a check and a prune while they run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use wharf_core::Depot;
use wharf_testkit::{Backend, Folder, Meddler, Store, TestServer, push_blob};

use super::{bucket, large, on, with_two_blobs};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_prunes_or_backs_up_beside_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _) = with_two_blobs().await;
    server.back_up(folder.path()).await;
    push_blob(&server.admin(), "team/app", large(3)).await;
    let (refused, met) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let other = Arc::new(with_two_blobs().await.0);
    let (path, clock) = (folder.path().to_owned(), server.clock().clone());
    let counts = (Arc::clone(&refused), Arc::clone(&met));
    let made = server.back_up_beside(folder.path(), move |_| {
        let (path, clock, other, (refused, met)) = (path.clone(), clock.clone(), Arc::clone(&other), counts.clone());
        Box::pin(async move {
            met.fetch_add(2, SeqCst);
            let pruned = TestServer::prune(&path, &clock).await.unwrap_err();
            refused.fetch_add(u32::from(pruned.is_unavailable()), SeqCst);
            let backed_up = other.try_back_up(&path).await.unwrap_err();
            refused.fetch_add(u32::from(backed_up.is_unavailable()), SeqCst);
        })
    });
    assert_eq!(made.await.unwrap().blobs, 3);
    assert!(met.load(SeqCst) > 2);
    assert_eq!(met.load(SeqCst), refused.load(SeqCst));
    assert_eq!(TestServer::prune(folder.path(), server.clock()).await.unwrap().snapshots.len(), 1);
    assert_eq!(TestServer::verify(folder.path()).await, []);
}

async fn places() -> [(Arc<dyn Depot>, Option<tempfile::TempDir>); 2] {
    let folder = tempfile::tempdir().unwrap();
    [(Arc::new(Folder::new(folder.path())), Some(folder)), (bucket().await, None)]
}

/// The depot, and how many of `tries` were refused while its blobs were read, of how many.
fn refusing(
    depot: &Arc<dyn Depot>,
    tries: impl Fn() -> futures_util::future::BoxFuture<'static, wharf_core::Error> + Send + Sync + 'static,
) -> (Arc<dyn Depot>, Arc<AtomicU32>) {
    let met = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&met);
    let meddled = Meddler::below(Arc::clone(depot), move |name| {
        let (counted, refused) = (Arc::clone(&counted), name.starts_with("blobs/").then(&tries));
        Box::pin(async move {
            if let Some(refused) = refused {
                let error = refused.await;
                assert!(error.is_unavailable() && error.to_string().contains("is in use"), "{error}");
                counted.fetch_add(1, SeqCst);
            }
        })
    });
    (meddled, met)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_prunes_beside_a_restore_or_a_check() {
    for (depot, _folder) in places().await {
        let (server, blobs) = with_two_blobs().await;
        let old = server.back_up_to(&depot).await.unwrap();
        // Only the older snapshot needs them, so a prune would take them away.
        for digest in &blobs {
            server.admin().delete(&format!("/v2/team/app/blobs/{digest}")).await.assert_status(202);
        }
        for _ in 0..3 {
            server.clock().advance(std::time::Duration::from_secs(25 * 60 * 60));
            server.core().collect(None).await.unwrap();
        }
        server.back_up_to(&depot).await.unwrap();
        let (place, clock) = (Arc::clone(&depot), server.clock().clone());
        let (read, met) = refusing(&depot, move || {
            let (place, clock) = (Arc::clone(&place), clock.clone());
            Box::pin(async move { wharf_core::backup::prune(&place, 1, &clock.clock()).await.unwrap_err() })
        });
        let moved = server.restored_to(on(Backend::Sqlite, Store::Memory), &read, Some(&old.id)).await;
        assert_eq!(met.swap(0, SeqCst), 2);
        for digest in &blobs {
            moved.admin().get(&format!("/v2/team/app/blobs/{digest}")).await.assert_status(200);
        }
        let checked = wharf_core::backup::verify(&read, &server.clock().clock(), &Default::default()).await.unwrap();
        assert_eq!((checked.findings, met.load(SeqCst)), (Vec::new(), 2));
        // Afterwards nobody is there, and what only the older one had goes.
        let pruned = wharf_core::backup::prune(&depot, 1, &server.clock().clock()).await.unwrap();
        assert_eq!((pruned.snapshots, pruned.blobs), (vec![old.id], 2));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_checks_or_restores_beside_a_prune() {
    for (depot, _folder) in places().await {
        let (server, _) = with_two_blobs().await;
        server.back_up_to(&depot).await.unwrap();
        server.back_up_to(&depot).await.unwrap();
        let met = Arc::new(AtomicU32::new(0));
        let (place, clock, counted) = (Arc::clone(&depot), server.clock().clone(), Arc::clone(&met));
        let pruning = Meddler::below(Arc::clone(&depot), move |name| {
            let (place, clock, counted) = (Arc::clone(&place), clock.clone(), Arc::clone(&counted));
            Box::pin(async move {
                if name.starts_with("snapshots/") {
                    let refused = wharf_core::backup::verify(&place, &clock.clock(), &Default::default()).await;
                    let refused = refused.unwrap_err();
                    assert!(refused.is_unavailable() && refused.to_string().contains("prune"), "{refused}");
                    counted.fetch_add(1, SeqCst);
                }
            })
        });
        let pruned = wharf_core::backup::prune(&pruning, 1, &server.clock().clock()).await.unwrap();
        assert_eq!(pruned.snapshots.len(), 1);
        assert!(met.load(SeqCst) > 0);
        assert_eq!(TestServer::verify_at(&depot).await, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_purged_while_a_backup_runs_does_not_come_back() {
    for the_one_on_its_way in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let server = TestServer::start(on(Backend::Sqlite, Store::Files).depot(folder.path())).await;
        let admin = server.admin();
        server.project("team").await;
        let mut blobs = Vec::new();
        for seed in 1..=6 {
            blobs.push(push_blob(&admin, "team/app", large(seed)).await);
        }
        server.clock().advance(std::time::Duration::from_secs(1));
        let purged = Arc::new(std::sync::Mutex::new(None));
        let (gone, all) = (Arc::clone(&purged), blobs.clone());
        let made = server.back_up_beside(folder.path(), move |name| {
            let of_this = |digest: &&String| name.ends_with(digest.strip_prefix("sha256:").unwrap());
            let chosen = all.iter().rfind(|digest| of_this(digest) == the_one_on_its_way).cloned();
            let chosen = chosen.filter(|_| name.starts_with("blobs/") && gone.lock().unwrap().is_none());
            if chosen.is_some() {
                gone.lock().unwrap().clone_from(&chosen);
            }
            let admin = admin.clone();
            Box::pin(async move {
                if let Some(digest) = chosen {
                    let purge = serde_json::json!({ "digest": digest, "reason": "a test" });
                    admin.post_json("/api/v1/purges", &purge).await.assert_status(200);
                }
            })
        });
        made.await.unwrap();
        let purged = purged.lock().unwrap().clone().unwrap();
        assert_eq!(TestServer::verify(folder.path()).await, []);
        let moved = server.restored(on(Backend::Sqlite, Store::Memory), folder.path()).await;
        for digest in blobs {
            let status = if digest == purged { 404 } else { 200 };
            moved.admin().get(&format!("/v2/team/app/blobs/{digest}")).await.assert_status(status);
        }
        // The next one has no need of it, and the prune after it takes whatever bytes were copied.
        server.back_up(folder.path()).await;
        TestServer::prune(folder.path(), server.clock()).await.unwrap();
        let hex = purged.strip_prefix("sha256:").unwrap();
        assert!(!folder.path().join(format!("blobs/sha256/{}/{hex}", &hex[..2])).exists());
    }
}
