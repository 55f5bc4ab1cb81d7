//! Who does which job.

use std::time::Duration;

use wharf_testkit::{TestServer, push_blob};

use crate::backend::{on_every_database, options};
use crate::blob::noise;

on_every_database! {
    a_job_of_a_kind_that_only_a_newer_program_knows_waits_for_it,
}

async fn a_job_of_a_kind_that_only_a_newer_program_knows_waits_for_it(server: &TestServer) {
    ask(server, "of tomorrow").await;
    ask(server, "sweep").await;
    assert!(server.core().run_one("test").await.unwrap(), "the one behind it is done");
    assert!(!server.core().run_one("test").await.unwrap());
    assert_eq!(server.count("SELECT count(*) FROM jobs").await, 1);
    assert_eq!(server.count("SELECT attempts FROM jobs WHERE kind = 'of tomorrow' AND leased_by IS NULL").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_work_is_done_while_all_workers_but_one_have_work_for_hours() {
    let slow = options().core(|core| {
        (core.workers, core.job_poll) = (2, Duration::from_millis(10));
        (core.scrub.rate, core.collection.rate) = (1, 1);
    });
    let server = TestServer::start(slow).await;
    for seed in 0..60 {
        push_blob(&server.admin(), "team/app", noise(seed, 20_000).to_vec()).await;
    }
    // At a byte and at an object a second.
    ask(&server, "scrub").await;
    ask(&server, "sweep").await;
    let workers = server.core().start_workers();
    let under_way = "SELECT count(*) FROM jobs WHERE kind IN ('scrub', 'sweep') AND leased_by IS NOT NULL";
    until(&server, under_way, 2).await;
    ask(&server, "empty-bin").await;
    until(&server, "SELECT count(*) FROM jobs WHERE kind = 'empty-bin'", 0).await;
    assert_eq!(server.count(under_way).await, 2);
    workers.stop().await;
}

async fn ask(server: &TestServer, kind: &str) {
    let sql = format!("INSERT INTO jobs (kind, key, payload, due_at, created_at) VALUES ('{kind}', '', '{{}}', 0, 0)");
    server.execute(sql.leak()).await;
}

async fn until(server: &TestServer, count: &'static str, expected: i64) {
    while server.count(count).await != expected {
        tokio::task::yield_now().await;
    }
}
