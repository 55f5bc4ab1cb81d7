//! What is damaged, made right again.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use futures_util::TryStreamExt as _;
use serde_json::json;
use wharf_db::Durability;
use wharf_db::catalog::blobs::{Blob, Place};
use wharf_db::catalog::{events, scrub};
use wharf_storage::{ByteStream, Depot, ObjectKey, Progress};
use wharf_types::Digest;

use crate::backup::{blob_name, checked, content_in_rows, is_wrong, mismatch};
use crate::{Core, Error, Result};

/// No manifest is larger.
const LARGEST_ROW: u64 = 4 << 20;

impl Core {
    /// Serves a damaged blob again from where it lies.
    pub(super) async fn acquit(&self, blob: &Blob, object: Option<&str>) -> Result<bool> {
        let args = (blob.digest, object.map(str::to_owned), self.inner.clock.now());
        let acquitted = self.inner.db.write(Durability::Full, args, |tx, (digest, object, at)| {
            Box::pin(async move {
                let acquitted = scrub::acquit(tx, digest, object.as_deref()).await?;
                if acquitted {
                    events::append(tx, *at, "blob.healed", &json!({ "digest": digest }).to_string()).await?;
                }
                Ok::<_, wharf_db::Error>(acquitted)
            })
        });
        let acquitted = acquitted.await?;
        if acquitted {
            self.inner.scrubbed.healed.fetch_add(1, Relaxed);
            tracing::info!(digest = %blob.digest, "a blob that was damaged is right again");
        }
        Ok(acquitted)
    }

    /// Forgets that it could not be read.
    pub(super) async fn was_read(&self, blob: &Blob) -> Result<()> {
        let forgotten =
            self.inner.db.write(Durability::Relaxed, blob.digest, |tx, digest| Box::pin(scrub::was_read(tx, digest)));
        Ok(forgotten.await?)
    }

    /// Takes a damaged blob again from the backup, if there is one that has it. The old object, should it still be there, is
    /// nobody's then, and the sweep removes it after some days. What goes wrong with the backup or the storage is logged.
    pub(super) async fn heal(&self, blob: &Blob) -> Result<bool> {
        let Ok(depot) = (self.inner.depots)("") else { return Ok(false) };
        let healed = if self.belongs_into_its_row(blob).await? {
            self.heal_row(&depot, blob).await
        } else {
            self.heal_object(&depot, blob).await
        };
        let healed = match healed {
            Err(Error::Db(error)) => return Err(error.into()),
            Err(error) => {
                tracing::error!(digest = %blob.digest, %error, "a damaged blob could not be taken again from the backup");
                false
            }
            Ok(healed) => healed,
        };
        if healed {
            self.inner.scrubbed.healed.fetch_add(1, Relaxed);
            tracing::info!(digest = %blob.digest, "a damaged blob was taken again from the backup");
        }
        Ok(healed)
    }

    /// Small blobs, and manifests of any size: pulls read those out of their row.
    async fn belongs_into_its_row(&self, blob: &Blob) -> Result<bool> {
        if matches!(blob.place, Place::Here(_)) {
            return Ok(true);
        }
        let read = self.inner.db.read(&blob.digest, |tx, digest| Box::pin(scrub::is_manifest(tx, digest)));
        Ok(read.await?)
    }

    /// Rows are in the tables of snapshots; bytes that came as a blob of the storage once lie beside them.
    async fn heal_row(&self, depot: &Arc<dyn Depot>, blob: &Blob) -> Result<bool> {
        let beside = match depot.get(&blob_name(&blob.digest)).await {
            Ok(content) if blob.size <= LARGEST_ROW => whole(content, &blob.digest).await,
            _ => None,
        };
        let content = match beside {
            Some(content) => Some(content),
            None => content_in_rows(depot, &blob.digest).await?,
        };
        match content {
            Some(content) => self.replace(&blob.digest, Place::Here(content)).await,
            None => Ok(false),
        }
    }

    async fn heal_object(&self, depot: &Arc<dyn Depot>, blob: &Blob) -> Result<bool> {
        let content = match depot.get(&blob_name(&blob.digest)).await {
            Err(wharf_storage::DepotError::NotFound(_)) => return Ok(false),
            content => content?,
        };
        let (key, storage) = (self.inner.new_object_key(), &self.inner.storage);
        // Bytes before row.
        let written = storage.append(&key, &Progress::default(), checked(content, blob.digest)).await?;
        if let Some(error) = written.interrupted {
            storage.discard(&key, &written.progress).await?;
            if mismatch(&error).is_some() {
                is_wrong(depot, &blob.digest).await;
            }
            return Err(Error::Backup(format!("the backup is damaged too: {error}")));
        }
        storage.seal(&key, &written.progress).await?;
        let place = Place::Stored { storage: storage.name().to_owned(), object: key.to_string() };
        let healed = self.replace(&blob.digest, place).await?;
        if !healed {
            storage.remove(&[key]).await?;
        }
        Ok(healed)
    }

    /// Brings the bytes of a damaged manifest back into its row, out of an object that somebody has just pushed as a blob.
    pub(crate) async fn heal_manifest(&self, digest: &Digest, size: u64, object: &ObjectKey) -> Result<()> {
        let damaged = self.inner.db.read(digest, |tx, digest| Box::pin(scrub::is_damaged(tx, digest))).await?;
        if !damaged || size > LARGEST_ROW {
            return Ok(());
        }
        if let Some(content) = whole(self.inner.storage.read(object, 0..size).await?, digest).await {
            self.replace(digest, Place::Here(content)).await?;
        }
        Ok(())
    }

    async fn replace(&self, digest: &Digest, place: Place) -> Result<bool> {
        let args = (*digest, place, self.inner.clock.now());
        let healed = self.inner.db.write(Durability::Full, args, |tx, (digest, place, at)| {
            Box::pin(async move {
                let healed = scrub::replace(tx, digest, place).await?;
                if healed {
                    events::append(tx, *at, "blob.healed", &json!({ "digest": digest }).to_string()).await?;
                }
                Ok::<_, wharf_db::Error>(healed)
            })
        });
        Ok(healed.await?)
    }
}

/// The bytes, if they are right.
async fn whole(content: ByteStream, digest: &Digest) -> Option<Vec<u8>> {
    let (mut content, mut all) = (checked(content, *digest), Vec::new());
    while let Some(chunk) = content.try_next().await.ok()? {
        all.extend_from_slice(&chunk);
    }
    Some(all)
}
