//! What lies in a server's storage.

use std::time::Duration;

use wharf_testkit::TestServer;

/// Longer than an object may lie in the storage before it is looked at.
const A_DAY_LATER: Duration = Duration::from_secs(25 * 60 * 60);

/// Longer than an object without a row is only noted.
const ORPHANS_ARE_KEPT: Duration = Duration::from_secs(3 * 24 * 60 * 60 + 1);

/// The keys of all objects, finished or not.
pub(crate) async fn objects(server: &TestServer) -> Vec<String> {
    let found = server.storage().survey(None, 100_000).await.expect("a survey");
    found.iter().map(|object| object.key.to_string()).collect()
}

/// Fails unless there are so many objects.
pub(crate) async fn assert_objects(server: &TestServer, expected: usize) {
    let found = objects(server).await;
    assert_eq!(found.len(), expected, "objects in the storage: {found:?}");
}

/// Fails if there is an object that no row points at: then one sweep would note it and a later one remove it. Uploads wait longer.
pub(crate) async fn assert_nothing_unreferenced(server: &TestServer) {
    let before = objects(server).await;
    for pause in [A_DAY_LATER, ORPHANS_ARE_KEPT] {
        server.clock().advance(pause);
        server.core().sweep().await.expect("a sweep");
    }
    assert_eq!(objects(server).await, before, "no row points at what the sweep has removed");
}
