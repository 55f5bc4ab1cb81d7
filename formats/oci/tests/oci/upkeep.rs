//! What `/metrics` says of the work behind the scenes.

use std::time::Duration;

use wharf_testkit::{Backend, Store, TestServer, push_blob};

use crate::backend::{on_every_database, options};
use crate::blob::noise;

on_every_database! {
    what_is_left_undone_is_told_with_its_age,
}

/// The value of a metric, if it is said.
async fn metric(server: &TestServer, name: &str) -> Option<i64> {
    let text = server.admin().get("/metrics").await.assert_status(200).text();
    let rest = |line: &'_ str| line.strip_prefix(name).map(|rest| rest.replacen("{}", "", 1));
    let value = text.lines().filter_map(rest).find_map(|rest| rest.strip_prefix(' ').map(str::to_owned))?;
    Some(value.parse().expect("a number"))
}

async fn what_is_left_undone_is_told_with_its_age(server: &TestServer) {
    for name in ["wharf_jobs_dead", "wharf_jobs_oldest_due_seconds", "wharf_purges_unfinished"] {
        assert_eq!(metric(server, name).await, Some(0), "{name}");
    }
    let backup = "wharf_backup_last_success_timestamp_seconds";
    assert_eq!(metric(server, backup).await, None, "there was none");
    let now = server.clock().clock().now().as_millis();
    let execute = async |sql: String| server.execute(sql.leak()).await;
    let job = "INSERT INTO jobs (kind, key, payload, created_at, due_at, dead_at, leased_by, leased_until) VALUES";
    execute(format!("{job} ('sweep', '', '{{}}', 0, 0, 1, NULL, NULL)")).await;
    execute(format!("{job} ('publish', '', '{{}}', 0, 0, NULL, 'somebody', {})", now + 3_600_000)).await;
    execute(format!("{job} ('publish', '', '{{}}', 0, 1, NULL, NULL, NULL)")).await;
    execute(format!("{job} ('purge', '', '{{}}', 0, {now}, NULL, NULL, NULL)")).await;
    let done = "INSERT INTO backups (id, destination, actor, state, asked_at, finished_at) VALUES";
    execute(format!("{done} (1, '', 'me', 'done', 0, 5000), (2, '', 'me', 'incomplete', 0, 9000)")).await;
    server.clock().advance(Duration::from_secs(90));
    assert_eq!(metric(server, "wharf_jobs_dead").await, Some(1));
    assert_eq!(
        metric(server, "wharf_jobs_oldest_due_seconds").await,
        Some(90),
        "somebody does the older one, and its twin after it"
    );
    assert_eq!(metric(server, "wharf_purges_unfinished").await, Some(1));
    assert_eq!(metric(server, backup).await, Some(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_quarantined_is_told_after_a_restart_too() {
    let server = TestServer::start(options().backend(Backend::Sqlite).store(Store::Files)).await;
    push_blob(&server.admin(), "team/app", noise(1, 40_000).to_vec()).await;
    let (damaged, finished) = ("wharf_blobs_quarantined", "wharf_scrub_finished_timestamp_seconds");
    assert_eq!((metric(&server, damaged).await, metric(&server, finished).await), (Some(0), None));
    let object = server.storage().survey(None, 1).await.unwrap().remove(0).key;
    server.storage().remove(&[object]).await.unwrap();
    server.core().start_scrub(&wharf_core::Actor::system()).await.unwrap();
    server.core().run_one("test").await.unwrap();
    let server = server.restart().await;
    assert_eq!(metric(&server, damaged).await, Some(1));
    assert_eq!(metric(&server, "wharf_scrub_damaged_total").await, Some(0), "this process has found none");
    assert!(metric(&server, finished).await >= metric(&server, "wharf_scrub_begun_timestamp_seconds").await);
    let ended = metric(&server, finished).await;
    assert!(ended.is_some());
    server.clock().advance(Duration::from_secs(90));
    server.core().start_scrub(&wharf_core::Actor::system()).await.unwrap();
    assert!(metric(&server, "wharf_scrub_begun_timestamp_seconds").await > ended, "the next one has begun");
    assert_eq!(metric(&server, finished).await, ended, "and not ended");
}
