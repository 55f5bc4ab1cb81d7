//! Memory of busy times goes back to the system.

use std::hint::black_box;
use std::time::Duration;

/// How often it is looked after.
const INTERVAL: Duration = Duration::from_secs(2);
/// More than the allocator serves out of pages that it shares between pieces.
const PIECE: usize = 2 * 1024 * 1024;
/// Pieces taken before others have their turn; one takes a third of a microsecond.
const AT_ONCE: usize = 250;
/// In two intervals mimalloc has been asked often enough to look through all pages of the thread.
const TURNS: usize = 5_000 / AT_ONCE;

/// mimalloc lets go of free pages a second after they became free, but looks for such pages only when somebody takes or gives
/// back a large piece, or a thread ends: a server that has become idle does neither, and would keep what the last password or
/// push took. So it takes a piece now and then, which it does not touch.
///
/// It takes many, because what another thread has given back stays in use until its own thread has asked for ten thousand pieces: one
/// buffer that a disk thread dropped would keep a page of 4 MiB, and with that what a password left in it.
pub(super) async fn give_back() {
    loop {
        tokio::time::sleep(INTERVAL).await;
        for _ in 0..TURNS {
            for _ in 0..AT_ONCE {
                drop(black_box(Vec::<u8>::with_capacity(PIECE)));
            }
            tokio::task::yield_now().await;
        }
    }
}
