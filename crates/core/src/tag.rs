//! Tags: listed by key, with the history of where they pointed.

use wharf_db::catalog::tags;
use wharf_types::{Digest, Timestamp};

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
    /// Where it pointed before; `None` when it was new.
    pub old: Option<Digest>,
    /// Where it pointed then; `None` when it was removed.
    pub new: Option<Digest>,
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

    /// The last `limit` moves of a tag, newest first.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`].
    pub async fn tag_history(&self, target: &Target, tag: &wharf_types::Tag, limit: usize) -> Result<Vec<TagMove>> {
        let args = (target, tag, i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self
            .inner
            .db
            .read(&args, |tx, (target, tag, limit)| {
                Box::pin(async move {
                    let repository = target.require(tx).await?;
                    Ok::<_, Error>(tags::history(tx, repository.id, tag, *limit).await?)
                })
            })
            .await?;
        let moved = |row: tags::Move| TagMove { old: row.old, new: row.new, actor: row.actor, at: row.at };
        Ok(rows.into_iter().map(moved).collect())
    }
}
