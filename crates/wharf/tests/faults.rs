//! Short runs of the faults that `tests/faults/run` offers: enough to notice what is broken, not to prove that nothing is.

use std::path::PathBuf;

use wharf_faults::{On, away, drill, full_disk, kill, linear, publish, soak, store_away};

fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_wharf").into()
}

fn kills(on: On) -> kill::Options {
    kill::Options { kills: 6, on, clients: 40, beside: None, seed: None }
}

fn restore(on: On, to: On) -> drill::Options {
    drill::Options { seconds: 3, clients: 8, on, to, seed: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_kills_on_files_and_sqlite() {
    kill::run(program(), kills(On::FilesSqlite)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_loses_nothing_and_stops_neither_pulls_nor_deletes() {
    let options = full_disk::Options { rounds: 2, clients: 10, seed: None };
    full_disk::run(program(), options).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_is_waited_for_and_nothing_wrong_is_said() {
    away::run(program(), away::Options { rounds: 1, clients: 10, seed: None }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_store_that_fails_and_goes_away_costs_nothing_that_was_acknowledged() {
    store_away::run(program(), store_away::Options { rounds: 1, clients: 20, seed: None }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_are_linearizable_through_two_servers_one_of_them_killed() {
    let options = linear::Options { on: On::Replicas, seconds: 8, clients: 8, tags: 4, kills: 1, seed: None };
    linear::run(program(), options).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_kills_of_two_servers_on_a_bucket_and_postgres() {
    kill::run(program(), kills(On::S3Postgres)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_a_backup_is_there_after_a_restore() {
    drill::run(program(), restore(On::FilesSqlite, On::S3Postgres)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_servers_acknowledged_before_a_backup_is_there_after_a_restore() {
    drill::run(program(), restore(On::S3Postgres, On::FilesSqlite)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_update_while_others_upload_and_servers_are_killed_see_whole_indexes() {
    let options = publish::Options {
        kills: 3,
        on: On::S3Postgres,
        uploaders: 8,
        packages: 6,
        readers: 4,
        programs: Vec::new(),
        seed: None,
    };
    publish::run(program(), options).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backups_collection_and_clients_at_once_end_without_an_error() {
    soak::run(program(), soak::Options { minutes: 0.2, on: On::FilesSqlite, clients: 12, seed: None }).await.unwrap();
}
