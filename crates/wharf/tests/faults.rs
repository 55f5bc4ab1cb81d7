//! Short runs of the faults that `tests/faults/run` offers: enough to notice what is broken, not to prove that nothing is.

use std::path::PathBuf;

use wharf_faults::{On, kill};

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
