//! A repository goes with what only it has.

use wharf_db::Durability;
use wharf_db::catalog::{bin, purges, repositories};

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
            // What it has is written down before anybody may take it apart, and again when nobody can push to it any more.
            self.write_down_held(id, order).await?;
            self.close(id, target, order).await?;
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

    async fn write_down_held(&self, id: i64, order: &Order) -> Result<()> {
        let mut after = Vec::new();
        loop {
            let args = (order.run, id, after);
            let written = self.inner.db.write(Durability::Relaxed, args, |tx, (run, id, after)| {
                Box::pin(async move {
                    let held = purges::held_by(tx, *id, after, PAGE).await?;
                    purges::add_candidates(tx, *run, *id, &held).await?;
                    Ok::<_, Error>(held.last().copied())
                })
            });
            let Some(last) = written.await? else { return Ok(()) };
            after = last.to_bytes();
        }
    }

    /// From now on it is nowhere, and no bin brings it back.
    async fn close(&self, id: i64, target: &Target, order: &Order) -> Result<()> {
        let args = (id, order.at, target.clone(), self.inner.rules.doors().clone());
        let closed = self.inner.db.write(Durability::Full, args, |tx, (id, at, target, doors)| {
            Box::pin(async move {
                for shown in doors.of_format(target.format) {
                    ask_to_reflect(tx, shown, (*id, &target.name), None, *at).await?;
                }
                repositories::mark_deleted(tx, *id, *at).await?;
                Ok::<_, Error>(bin::end_repository(tx, *id, *at).await?)
            })
        });
        closed.await
    }
}
