//! The HTTP side as clients, proxies and attackers meet it: real connections to a server in this process. Timeouts are made
//! short by configuration; no test waits for a time to pass.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that cannot help has failed the test"
)]

mod body;
mod connections;
mod health;
mod metrics;
mod pages;
mod proxy;
mod record;
mod shared;
mod stop;
mod stub;
mod tls;
mod token;

use std::time::Duration;

/// Longer than any server takes that works: a test that waits for so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until the answer is yes.
async fn eventually(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !ask().await {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, asking).await.is_ok(), "it never came to pass that {what}");
}

/// What comes to pass.
async fn soon<T>(coming: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, coming).await.expect("it comes to pass")
}

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(3600);
