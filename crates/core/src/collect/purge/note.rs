//! Telling the places of backups what was purged: the machine may be lost before the next backup.

use std::collections::BTreeMap;

use wharf_db::catalog::{backups, purges};
use wharf_types::Digest;

use super::Order;
use crate::{Core, Error, Result, backup};

/// Rows of one read.
const PAGE: i64 = 10_000;

impl Core {
    /// Says what the run took wherever this server has written backups. `None` if it has no such place.
    ///
    /// # Errors
    /// [`Error::NotNoted`] with what is wrong with one of them, after all were tried; those of the database.
    pub(super) async fn note_beside_backups(&self, order: &Order) -> Result<Option<bool>> {
        let gone = self.gone_by(order.run).await?;
        if gone.is_empty() {
            return Ok(None);
        }
        let (mut noted, mut problem) = (None, None);
        for (place, written) in self.places_of_backups().await? {
            let Ok(depot) = (self.inner.depots)(&place) else { continue };
            noted = Some(true);
            let id = self.inner.instance_key.id();
            if let Err(error) = backup::note_purge(&depot, &id, order.at, &gone, written).await {
                tracing::error!(%error, depot = depot.place(), "a purge could not be noted beside the backups");
                problem = Some(format!("{}: {error}", depot.place()));
            }
        }
        problem.map_or(Ok(noted), |problem| Err(Error::NotNoted(problem)))
    }

    async fn gone_by(&self, run: i64) -> Result<Vec<Digest>> {
        let (mut gone, mut after) = (Vec::new(), 0);
        loop {
            let args = (run, after);
            let page =
                self.inner.db.read(&args, |tx, (run, after)| Box::pin(purges::digests_of(tx, *run, *after, PAGE)));
            let page = page.await.map_err(Error::from)?;
            let Some((last, _)) = page.last() else { return Ok(gone) };
            after = *last;
            gone.extend(page.into_iter().map(|(_, digest)| digest));
        }
    }

    /// Where backups of this server may lie, and whether one has been written there.
    async fn places_of_backups(&self) -> Result<BTreeMap<String, bool>> {
        let mut places = BTreeMap::from([(String::new(), false)]);
        let known = self.inner.db.read(&(), |tx, ()| Box::pin(backups::page(tx, i64::MAX, 1000))).await;
        for row in known.map_err(Error::from)? {
            *places.entry(row.destination).or_default() |= row.snapshot.is_some();
        }
        Ok(places)
    }
}
