//! A chart that was purged, and a backup from before.

use std::time::Duration;

use serde_json::json;
use wharf_testkit::{Backend, TestServer, sha256};

use crate::backend::{options, work};
use crate::chart::{Museum, chart};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chart_that_was_purged_is_not_listed_after_a_restore() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let folder = tempfile::tempdir().expect("a folder");
        let server = TestServer::start(options().backend(backend.clone()).depot(folder.path())).await;
        let museum = Museum::new(&server, "team/charts");
        let secret = chart("secret", "1.0.0").say("description: a password\n");
        museum.add(&secret).await;
        museum.add(&chart("good", "1.0.0")).await;
        assert_eq!(museum.listed().await, ["good 1.0.0", "secret 1.0.0"]);
        server.back_up(folder.path()).await;
        server.clock().advance(Duration::from_secs(1));
        let digest = sha256(secret.packed());
        // The door of OCI shows it as an artifact.
        let purge = json!({ "digest": digest, "force": true });
        server.admin().post_json("/api/v1/purges", &purge).await.assert_status(200);
        assert_eq!(museum.listed().await, ["good 1.0.0"]);

        let restored = server.restored(options().backend(backend), folder.path()).await;
        work(&restored).await;
        let museum = Museum::new(&restored, "team/charts");
        assert_eq!(museum.listed().await, ["good 1.0.0"]);
        museum.get("charts/secret-1.0.0.tgz").await.assert_status(404);
        museum.get("charts/good-1.0.0.tgz").await.assert_status(200);
        assert!(!museum.get("index.yaml").await.assert_status(200).text().contains("a password"));
        // The next backup knows of it too.
        let purges = restored.admin().get("/api/v1/purges").await.assert_status(200).json();
        let known = purges["items"].as_array().expect("a list");
        assert!(known.iter().any(|purge| purge["digest"] == digest && purge["state"] == "done"), "{purges}");
    }
}
