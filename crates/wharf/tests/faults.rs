//! Short runs of the faults that `tests/faults/run` offers: enough to notice what is broken, not to prove that nothing is.

use std::path::PathBuf;

use wharf_faults::{On, full_disk, kill};

fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_wharf").into()
}

fn kills(on: On) -> kill::Options {
    kill::Options { kills: 6, on, clients: 40, seed: None }
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
