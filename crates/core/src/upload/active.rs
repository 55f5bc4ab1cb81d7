//! One request at a time writes to an upload. The newest wins: when a client comes back after a broken connection, the
//! request that still waits on that connection must not keep it out.
//!
//! This orders the requests of one process; between processes the row's revision decides, and storages that are shared
//! name the parts they were given, so that a loser's bytes are never part of the object.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use futures_util::StreamExt;
use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;
use wharf_storage::ByteStream;

#[derive(Default)]
struct Slot {
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Stops whoever claimed last.
    newest: CancellationToken,
    claims: usize,
}

type Slots = Arc<Mutex<HashMap<String, Slot>>>;

/// The uploads that requests of this process are writing to.
#[derive(Default)]
pub(crate) struct ActiveUploads {
    slots: Slots,
}

/// The right to write to an upload, until dropped or superseded.
pub(crate) struct Claim {
    id: String,
    slots: Slots,
    superseded: CancellationToken,
    _turn: OwnedMutexGuard<()>,
}

/// Counts a claim down even when the request is dropped while it waits for its turn.
struct Waiting {
    id: String,
    slots: Slots,
    armed: bool,
}

impl ActiveUploads {
    /// Stops the request that writes to the upload now, waits until it has let go, and takes its place.
    pub(crate) async fn claim(&self, id: &str) -> Claim {
        let superseded = CancellationToken::new();
        let turn = {
            let mut slots = self.slots.lock();
            let slot = slots.entry(id.to_owned()).or_default();
            slot.claims += 1;
            std::mem::replace(&mut slot.newest, superseded.clone()).cancel();
            Arc::clone(&slot.turn)
        };
        let mut waiting = Waiting { id: id.to_owned(), slots: Arc::clone(&self.slots), armed: true };
        let turn = turn.lock_owned().await;
        waiting.armed = false;
        Claim { id: id.to_owned(), slots: Arc::clone(&self.slots), superseded, _turn: turn }
    }
}

fn release(slots: &Slots, id: &str) {
    let mut slots = slots.lock();
    if let Some(slot) = slots.get_mut(id) {
        slot.claims -= 1;
        if slot.claims == 0 {
            slots.remove(id);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.armed {
            release(&self.slots, &self.id);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        release(&self.slots, &self.id);
    }
}

impl Claim {
    /// The body, ending with an error as soon as a newer request claims the upload.
    pub(crate) fn guarded(&self, body: ByteStream) -> ByteStream {
        let superseded = self.superseded.clone();
        let stopped = futures_util::stream::once(async move {
            superseded.cancelled_owned().await;
            Err(io::Error::new(io::ErrorKind::Interrupted, "another request goes on with this upload"))
        });
        let body = body.map(Some).chain(futures_util::stream::once(async { None }));
        let both = futures_util::stream::select(body, stopped.map(Some));
        Box::pin(both.take_while(|item| std::future::ready(item.is_some())).filter_map(std::future::ready))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_newer_request_ends_the_body_of_the_older() {
        let active = ActiveUploads::default();
        let first = active.claim("u").await;
        let mut body = first.guarded(Box::pin(futures_util::stream::pending()));
        let (ended, second) = tokio::join!(
            async move {
                let ended = body.next().await;
                drop((body, first));
                ended
            },
            active.claim("u")
        );
        assert!(ended.is_some_and(|item| item.is_err()));
        drop(second);
        assert!(active.slots.lock().is_empty());
    }

    #[tokio::test]
    async fn an_undisturbed_body_passes_whole() {
        let active = ActiveUploads::default();
        let claim = active.claim("u").await;
        let chunks = [Ok("a".into()), Ok("b".into())];
        let passed: Vec<_> = claim.guarded(Box::pin(futures_util::stream::iter(chunks))).collect().await;
        assert_eq!(passed.into_iter().collect::<io::Result<Vec<_>>>().unwrap(), ["a", "b"]);
    }
}
