//! Indexes that are said anew. apt keeps what it has where a Release is dated before it, so who goes back to a snapshot has to date
//! that anew; and what holds until some day, or was signed by a key that has gone, does so for snapshots too.

use wharf_db::catalog::{events, generations, snapshots};
use wharf_db::{Durability, Tx};
use wharf_types::Timestamp;

use super::not_made;
use super::order::ask_for_renewal;
use crate::repository::Target;
use crate::{Core, Result};

/// Why an index is said anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reissue {
    /// Clients are to see it from now on, whatever they have seen before.
    Shown,
    /// They see it already: only where other keys sign by now, or its time runs out.
    Due,
}

/// A generation that says anew what another says, on its way into its rows; of no files if nothing is said anew.
#[derive(Default)]
pub(crate) struct Reissued {
    files: Vec<generations::File>,
    signed_by: String,
    renewal: Option<Timestamp>,
}

/// A snapshot that clients go on seeing, said anew.
struct Renewal {
    target: Target,
    repository: i64,
    snapshot: snapshots::Snapshot,
    reissued: Reissued,
    at: Timestamp,
}

impl Core {
    /// Lets the format say anew what a generation says.
    pub(crate) async fn reissue(
        &self,
        target: &Target,
        (repository, channel): (i64, &str),
        generation: i64,
        why: Reissue,
    ) -> Result<Reissued> {
        let mut publication = self.publication(target, repository, channel);
        publication.before = Some(generation);
        publication.reissues = true;
        self.format_of(target)?.reissue(&mut publication, why).await.map_err(not_made)?;
        let files = if publication.keeps_current { Vec::new() } else { publication.files };
        let signed_by = publication.signers.map(|signers| signers.ids).unwrap_or_default();
        Ok(Reissued { files, signed_by, renewal: publication.renewal })
    }

    /// Says a snapshot anew that clients of a channel see, where that is due.
    pub(super) async fn renew_shown(&self, target: &Target, repository: i64, channel: &str) -> Result<()> {
        let args = (repository, channel);
        let shown =
            self.inner.db.read(&args, |tx, (repository, channel)| Box::pin(snapshots::shown(tx, *repository, channel)));
        let Some(snapshot) = shown.await.map_err(crate::Error::from)? else { return Ok(()) };
        let reissued = self.reissue(target, (repository, channel), snapshot.generation, Reissue::Due).await?;
        if reissued.files.is_empty() && reissued.renewal.is_none() {
            return Ok(());
        }
        let at = self.inner.clock.now();
        let renewal = Renewal { target: target.clone(), repository, snapshot, reissued, at };
        self.inner.db.write(Durability::Full, renewal, |tx, r| Box::pin(renew(tx, r))).await
    }
}

impl Reissued {
    /// Writes the generation down, and asks for the next where its time will run out; `None` if nothing is said anew.
    pub(crate) async fn write(
        &self,
        tx: &mut Tx<'_>,
        target: &Target,
        (repository, channel): (i64, &str),
        base: i64,
        at: Timestamp,
    ) -> Result<Option<i64>> {
        if let Some(due) = self.renewal {
            ask_for_renewal(tx, target, (repository, channel), due, at).await?;
        }
        if self.files.is_empty() {
            return Ok(None);
        }
        let generation = generations::create(tx, repository, channel, &self.signed_by, at).await?;
        for file in &self.files {
            generations::add_file(tx, generation, repository, file).await?;
        }
        generations::copy_files(tx, base, generation).await?;
        Ok(Some(generation))
    }
}

/// Puts what was said anew in the place of the generation that a snapshot kept.
pub(crate) async fn replace(
    tx: &mut Tx<'_>,
    target: &Target,
    repository: i64,
    snapshot: &snapshots::Snapshot,
    reissued: &Reissued,
    at: Timestamp,
) -> Result<bool> {
    let snapshots::Snapshot { id, channel, generation: base, .. } = snapshot;
    let Some(generation) = reissued.write(tx, target, (repository, channel), *base, at).await? else {
        return Ok(false);
    };
    snapshots::reissue(tx, *id, generation).await?;
    // Clients in the middle of it find it for a while.
    generations::retire(tx, *base, at).await?;
    Ok(true)
}

async fn renew(tx: &mut Tx<'_>, renewal: &Renewal) -> Result<()> {
    let Renewal { target, repository, snapshot, reissued, at } = renewal;
    // Somebody may have shown something else meanwhile, and said that anew.
    let shown = snapshots::shown(tx, *repository, &snapshot.channel).await?;
    if shown.is_none_or(|shown| (shown.id, shown.generation) != (snapshot.id, snapshot.generation)) {
        return Ok(());
    }
    if !replace(tx, target, *repository, snapshot, reissued, *at).await? {
        return Ok(());
    }
    let payload = serde_json::json!({
        "format": target.format, "repository": target.name.canonical(), "channel": snapshot.channel
    });
    Ok(events::append(tx, *at, "index.published", &payload.to_string()).await?)
}
