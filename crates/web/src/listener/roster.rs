//! The connections there are.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::activity::{Activity, Order};

/// Every open connection, so that all of them can be told to end.
#[derive(Default)]
pub(super) struct Roster {
    entries: Mutex<Entries>,
    emptied: Notify,
}

#[derive(Default)]
struct Entries {
    next: u64,
    live: HashMap<u64, Arc<Activity>>,
    standing: Option<Order>,
}

/// A connection's entry, gone when dropped.
pub(super) struct Entry {
    roster: Arc<Roster>,
    number: u64,
}

impl Roster {
    /// Enters a connection. One that comes late hears what the others were told.
    pub(super) fn enter(self: &Arc<Self>, activity: &Arc<Activity>) -> Entry {
        let mut entries = self.entries.lock();
        let number = entries.next;
        entries.next += 1;
        entries.live.insert(number, Arc::clone(activity));
        if let Some(order) = entries.standing {
            activity.order(order);
        }
        Entry { roster: Arc::clone(self), number }
    }

    /// Tells all of them.
    pub(super) fn order(&self, order: Order) {
        let mut entries = self.entries.lock();
        entries.standing = Some(order);
        for activity in entries.live.values() {
            activity.order(order);
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.entries.lock().live.len()
    }

    /// Waits until there are none.
    pub(super) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.len() == 0 {
                return;
            }
            emptied.await;
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut entries = self.roster.entries.lock();
        entries.live.remove(&self.number);
        if entries.live.is_empty() {
            self.roster.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::task::noop_waker_ref;

    use super::*;

    #[tokio::test]
    async fn all_are_told_and_the_last_to_leave_ends_the_wait() {
        let roster = Arc::new(Roster::default());
        roster.emptied().await;
        let (early, late) = (Arc::new(Activity::new()), Arc::new(Activity::new()));
        let first = roster.enter(&early);
        roster.order(Order::Retire);
        let second = roster.enter(&late);
        for activity in [early, late] {
            assert_eq!(activity.orders(noop_waker_ref()), Order::Retire);
        }
        let waiting = tokio::spawn({
            let roster = Arc::clone(&roster);
            async move { roster.emptied().await }
        });
        drop(first);
        assert_eq!(roster.len(), 1);
        drop(second);
        waiting.await.unwrap();
    }
}
