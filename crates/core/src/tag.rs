//! Tags: listed by key, moved in one way only, with the history of where they pointed.

mod mover;
mod rollback;

use wharf_db::catalog::tags;
use wharf_types::{Digest, Timestamp};

pub use rollback::RolledBack;
pub use wharf_db::catalog::tags::Act;

pub(crate) use mover::Mover;

use crate::repository::Target;
use crate::{Core, Error, Result};

/// A tag as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Its name.
    pub name: wharf_types::Tag,
    /// What it points at.
    pub digest: Digest,
    /// Since when.
    pub updated_at: Timestamp,
}

/// A move of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagMove {
    /// Pages by this, newest first.
    pub id: i64,
    /// Where it pointed before; `None` when it was new.
    pub old: Option<Digest>,
    /// Where it pointed then; `None` when it was removed.
    pub new: Option<Digest>,
    /// By which act.
    pub act: Act,
    /// Who moved it.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

impl Core {
    /// Up to `limit` tags with names after `after`, bytewise.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`].
    pub async fn tags(&self, target: &Target, after: &str, limit: usize) -> Result<Vec<Tag>> {
        let args = (target, after, i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self
            .inner
            .db
            .read(&args, |tx, (target, after, limit)| {
                Box::pin(async move {
                    let repository = target.require(tx).await?;
                    Ok::<_, Error>(tags::page(tx, repository.id, after, *limit).await?)
                })
            })
            .await?;
        let tag = |row: tags::Tagged| Tag { name: row.name, digest: row.digest, updated_at: row.updated_at };
        Ok(rows.into_iter().map(tag).collect())
    }

    /// The names of up to `limit` tags after `after`, bytewise.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`].
    pub async fn tag_names(&self, target: &Target, after: &str, limit: usize) -> Result<Vec<String>> {
        let args = (target, after, i64::try_from(limit).unwrap_or(i64::MAX));
        let names = self.inner.db.read(&args, |tx, (target, after, limit)| {
            Box::pin(async move {
                let repository = target.require(tx).await?;
                Ok::<_, Error>(tags::names(tx, repository.id, after, *limit).await?)
            })
        });
        names.await
    }

    /// Up to `limit` moves of a tag before the move `before`, newest first. A tag that never was has none.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`].
    pub async fn tag_history(
        &self,
        target: &Target,
        tag: &wharf_types::Tag,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<TagMove>> {
        let args = (target, tag, before, i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self
            .inner
            .db
            .read(&args, |tx, (target, tag, before, limit)| {
                Box::pin(async move {
                    let repository = target.require(tx).await?;
                    Ok::<_, Error>(tags::history(tx, repository.id, tag, *before, *limit).await?)
                })
            })
            .await?;
        let moved = |row: tags::Move| {
            let tags::Move { id, old, new, act, actor, at, .. } = row;
            TagMove { id, old, new, act, actor, at }
        };
        Ok(rows.into_iter().map(moved).collect())
    }
}
