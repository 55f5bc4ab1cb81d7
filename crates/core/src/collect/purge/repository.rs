//! A repository goes with what only it has.

use wharf_db::Durability;
use wharf_db::catalog::{bin, purges, repositories};
use wharf_types::Digest;

use super::{Order, Purged};
use crate::artifact::ask_to_reflect;
use crate::repository::Target;
use crate::{Core, Error, Result};

/// Rows of one transaction that only adds.
const PAGE: i64 = 1000;
/// Blobs of one transaction.
const STEP: i64 = 64;

impl Core {
    pub(super) async fn purge_repository(
        &self,
        target: &Target,
        rows: &[i64],
        order: &Order,
        purged: &mut Purged,
    ) -> Result<()> {
        for &id in rows {
            if !self.close(id, target, order).await? {
                // In the bin, whose end lets others take it apart at once: so what it has is written down before.
                self.write_down_held(id, order).await?;
                self.end_in_bin(id, order).await?;
            }
            self.write_down_held(id, order).await?;
            self.destroy_repository(id, "repository purged").await?;
        }
        loop {
            let next = self.inner.db.read(&order.run, |tx, run| Box::pin(purges::candidates(tx, *run, STEP)));
            let next = next.await.map_err(Error::from)?;
            if next.is_empty() {
                return Ok(());
            }
            self.erase_unused(&next, order, purged).await?;
        }
    }

    /// Links and manifests; a manifest need not be linked.
    async fn write_down_held(&self, id: i64, order: &Order) -> Result<()> {
        let mut after = None;
        loop {
            let args = (id, after);
            let links =
                self.inner.db.read(&args, |tx, (id, after)| Box::pin(purges::links_of(tx, *id, after.as_ref(), PAGE)));
            let links = links.await.map_err(Error::from)?;
            let Some(last) = links.last().cloned() else { break };
            after = Some(last);
            self.add_held(id, order, links.iter().map(|held| held.digest).collect()).await?;
        }
        let mut after = Vec::new();
        loop {
            let args = (id, after);
            let manifests =
                self.inner.db.read(&args, |tx, (id, after)| Box::pin(purges::manifests_of(tx, *id, after, PAGE)));
            let manifests = manifests.await.map_err(Error::from)?;
            let Some(last) = manifests.last() else { return Ok(()) };
            after = last.to_bytes();
            self.add_held(id, order, manifests).await?;
        }
    }

    async fn add_held(&self, id: i64, order: &Order, digests: Vec<Digest>) -> Result<()> {
        let args = (order.run, id, digests);
        let written = self.inner.db.write(Durability::Relaxed, args, |tx, (run, id, digests)| {
            Box::pin(purges::add_held(tx, *run, *id, digests))
        });
        Ok(written.await?)
    }

    /// From now on it is nowhere, and no bin brings it back. False if it was deleted before.
    async fn close(&self, id: i64, target: &Target, order: &Order) -> Result<bool> {
        let args = (id, order.at, target.clone(), self.inner.rules.doors().clone());
        let closed = self.inner.db.write(Durability::Full, args, |tx, (id, at, target, doors)| {
            Box::pin(async move {
                // The name may be another's by now: only what this takes away is reflected.
                let closed = repositories::mark_deleted(tx, *id, *at).await?;
                for shown in doors.of_format(target.format).filter(|_| closed) {
                    ask_to_reflect(tx, shown, (*id, &target.name), None, *at).await?;
                }
                Ok::<_, Error>(closed)
            })
        });
        closed.await
    }

    async fn end_in_bin(&self, id: i64, order: &Order) -> Result<()> {
        let args = (id, order.at);
        let ended =
            self.inner.db.write(Durability::Full, args, |tx, (id, at)| Box::pin(bin::end_repository(tx, *id, *at)));
        Ok(ended.await?)
    }
}
