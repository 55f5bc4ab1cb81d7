//! Telling the places of backups what was purged: the machine may be lost before the next backup.

use std::time::Duration;

use wharf_db::catalog::purges;
use wharf_types::Digest;

use super::Order;
use crate::backup::{self, Gone};
use crate::{Core, Error, Result};

/// A place that was written to before that is told if it is there, and not waited for.
const OF_LATE: Duration = Duration::from_secs(180 * 24 * 60 * 60);
/// Rows of one read.
const PAGE: i64 = 10_000;

impl Core {
    /// Says what the run took wherever this server has written backups: whether all of them know, `None` if there are none, and what is
    /// to be tried again.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) async fn note_beside_backups(&self, order: &Order) -> Result<(Option<bool>, Option<String>)> {
        let (gone, repository) = (self.gone_by(order.run).await?, order.repository());
        if gone.is_empty() && repository.is_none() {
            return Ok((None, None));
        }
        let (id, mut noted, mut problem) = (self.inner.instance_key.id(), None, None);
        let said =
            Gone { at: order.at, digests: &gone, repository: repository.as_deref(), rows: order.repository_rows() };
        let mut places = self.places_of_backups().await?;
        places.entry(String::new()).or_default();
        for (place, last) in places {
            let depot = match (self.inner.depots)(&place) {
                Ok(depot) => depot,
                Err(_) if last.is_none() => continue,
                Err(refused) => {
                    tracing::error!(place, refused, "a purge is not noted beside backups that were written before");
                    noted = Some(false);
                    continue;
                }
            };
            let told = backup::note_purge(&depot, &id, &said, last.is_some()).await;
            if let Err(error) = &told {
                tracing::error!(%error, depot = depot.place(), "a purge could not be noted beside the backups");
                // A place that nobody has used for long may be gone for good.
                if last.is_some_and(|last| self.inner.clock.now().since(last) < OF_LATE) {
                    problem = Some(error.to_string());
                }
            }
            noted = Some(noted.unwrap_or(true) && told.is_ok());
        }
        Ok((noted, problem))
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
}
