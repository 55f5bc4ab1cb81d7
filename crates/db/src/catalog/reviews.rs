//! Digests that lost a reference and wait to be looked at by the collector.

use wharf_types::{Digest, Timestamp};

use crate::{Result, Tx};

/// Asks for a review of `digest` after `due`. `repository` names the link that may go; without it only the bytes may.
///
/// # Errors
/// Those of the database.
pub async fn enqueue(
    tx: &mut Tx<'_>,
    repository: Option<i64>,
    digest: &Digest,
    reason: &str,
    due: Timestamp,
) -> Result<()> {
    tx.execute(
        "INSERT INTO reviews (repository_id, digest, reason, due_at) VALUES (?1, ?2, ?3, ?4)",
        &[&repository, digest, &reason, &due],
    )
    .await?;
    Ok(())
}
