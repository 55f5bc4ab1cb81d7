//! Events, read: what happened, for those who fetch it from time to time.

use std::time::Duration;

use crate::{Core, Error, Result};
use wharf_db::catalog::events;

pub use wharf_db::catalog::events::Event;

/// Which events are asked for; every part that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventFilter {
    /// Of this kind, such as `blob.damaged`.
    pub kind: Option<String>,
}

/// Events, and where to go on. A page may be short, or empty, and still not be the last: a request looks at no more than some
/// thousand events, however few of them fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventPage {
    /// In the order of their numbers.
    pub events: Vec<Event>,
    /// The number after which the next page begins; none after the last.
    pub next: Option<i64>,
}

impl Core {
    /// Events are shown when they are as old as this. Replicas draw numbers before they commit: by then, what has a lower number is
    /// there too, if no transaction takes longer and no clock is wrong by more.
    pub const EVENTS_SETTLE: Duration = Duration::from_secs(30);

    /// Up to `limit` events after the number `after`. Nothing is shown beyond the first that is younger than [`Core::EVENTS_SETTLE`],
    /// so whoever goes on after the last one they saw sees each once.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn events(&self, filter: &EventFilter, after: i64, limit: usize) -> Result<EventPage> {
        const STEPS: usize = 8;
        const STEP: usize = 500;
        let settled = self.inner.clock.now().before(Self::EVENTS_SETTLE);
        let mut page = EventPage { events: Vec::new(), next: Some(after) };
        for _ in 0..STEPS {
            let read = self.step(page.next.unwrap_or(after), STEP).await?;
            let whole = read.len() < STEP;
            for event in read {
                if event.at > settled {
                    page.next = None;
                    return Ok(page);
                }
                let (id, fits) = (event.id, filter.kind.as_ref().is_none_or(|kind| *kind == event.kind));
                if fits && page.events.len() == limit {
                    return Ok(page);
                }
                page.next = Some(id);
                if fits {
                    page.events.push(event);
                }
            }
            if whole {
                page.next = None;
                return Ok(page);
            }
        }
        Ok(page)
    }

    async fn step(&self, after: i64, limit: usize) -> Result<Vec<Event>> {
        let args = (after, i64::try_from(limit).unwrap_or(i64::MAX));
        let read = self.inner.db.read(&args, |tx, (after, limit)| Box::pin(events::page(tx, *after, *limit)));
        read.await.map_err(Error::from)
    }
}
