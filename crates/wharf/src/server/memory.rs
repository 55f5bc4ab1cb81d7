//! Memory of busy times goes back to the system.

use std::hint::black_box;
use std::time::Duration;

/// How often it is looked after.
const INTERVAL: Duration = Duration::from_secs(2);
/// More than the allocator serves out of pages that it shares between pieces.
const PIECE: usize = 2 * 1024 * 1024;

/// mimalloc lets go of free pages a second after they became free, but looks for such pages only when somebody takes or gives
/// back a large piece, or a thread ends: a server that has become idle does neither, and would keep what the last password or
/// push took. So it takes a piece now and then, which it does not touch.
pub(super) async fn give_back() {
    loop {
        tokio::time::sleep(INTERVAL).await;
        drop(black_box(Vec::<u8>::with_capacity(PIECE)));
    }
}
