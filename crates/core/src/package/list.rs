//! Packages as lists have them, with what the index says of each; and their content, read by their format.

use std::io::{self, Read};

use tokio_util::io::{StreamReader, SyncIoBridge};
use wharf_db::catalog::{packages, placements};

use super::Package;
use crate::repository::Target;
use crate::{Blob, Core, Error, Result};

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stretch {
    /// The index; empty where a repository has one.
    pub channel: String,
    /// The list in it; empty where an index has one.
    pub part: String,
    /// The kind of fragment that is read with each package; those without it are left out.
    pub kind: String,
    /// From this position on.
    pub from: String,
    /// Up to, and without, this one; `None` is to the end.
    pub until: Option<String>,
}

/// A package in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry {
    /// Where.
    pub position: String,
    /// The package.
    pub package: Package,
    /// What the index says of it.
    pub fragment: Vec<u8>,
}

impl Core {
    /// Up to `limit` packages of a stretch of a list, in order.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`].
    pub async fn listed(&self, target: &Target, stretch: &Stretch, limit: usize) -> Result<Vec<ListEntry>> {
        let Stretch { channel, part, kind, from, until } = stretch.clone();
        let stretch = placements::Stretch { channel, part, kind, from, until };
        let args = (target, stretch, i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.inner.db.read(&args, |tx, (target, stretch, limit)| {
            Box::pin(async move {
                let repository = target.require(tx).await?.id;
                Ok::<_, Error>(placements::page(tx, repository, stretch, *limit).await?)
            })
        });
        let listed = |row: placements::Listed| {
            let placements::Listed { position, package, fragment } = row;
            ListEntry { position, package: package.into(), fragment }
        };
        Ok(rows.await?.into_iter().map(listed).collect())
    }

    /// One package by its path, with its fragment of this kind if it has one.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`Error::FileUnknown`].
    pub async fn package_with(&self, target: &Target, path: &str, kind: &str) -> Result<(Package, Option<Vec<u8>>)> {
        let args = (target, path, kind);
        let found = self.inner.db.read(&args, |tx, (target, path, kind)| {
            Box::pin(async move {
                let repository = target.require(tx).await?.id;
                let found = packages::find(tx, repository, path).await?;
                let packages::Package { id, package } = found.ok_or_else(|| Error::FileUnknown((*path).to_owned()))?;
                Ok::<_, Error>((package, packages::fragment(tx, id, kind).await?))
            })
        });
        let (package, fragment) = found.await?;
        Ok((package.into(), fragment))
    }

    /// Lets `read` have the content of a package, off the async threads and with few others at once.
    ///
    /// # Errors
    /// Those of the storage; [`Error::Inconsistent`] if `read` does not end.
    pub async fn read_package<T: Send + 'static>(
        &self,
        blob: &Blob,
        read: impl FnOnce(&mut dyn Read) -> io::Result<T> + Send + 'static,
    ) -> Result<io::Result<T>> {
        let turn = self.inner.inspections.turn().await;
        let content = self.open_blob(blob, 0..blob.size).await?;
        let mut file = SyncIoBridge::new(StreamReader::new(content));
        let done = tokio::task::spawn_blocking(move || read(&mut file)).await;
        drop(turn);
        done.map_err(|error| Error::Inconsistent(format!("a package was not read to its end: {error}")))
    }
}
