//! Why is this kept: everything that holds on to a digest.

use std::collections::HashMap;

use wharf_db::Tx;
use wharf_db::catalog::{blobs, collection, doomed, holders, pins, reviews};
use wharf_types::{Digest, Timestamp};

use super::preview::name;
use crate::{Core, Error, Result};

/// One thing that holds on to a digest, or that will look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// `manifest`, `reference`, `link`, `package`, `index`, `bin`, `object`, `pin`, `review`.
    pub kind: &'static str,
    /// In which repository.
    pub repository: Option<String>,
    /// What it is, in words.
    pub what: String,
    /// Until when, where that is known.
    pub until: Option<Timestamp>,
    /// Whether it keeps the bytes: reviews and hidden links do not.
    pub keeps: bool,
}

/// What is known of a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Bytes, if they are here.
    pub size: Option<u64>,
    /// What holds on to it.
    pub holders: Vec<Holder>,
    /// Whether there are more of some kind than are told.
    pub more: bool,
}

/// Of each kind, so many are told.
const MOST: i64 = 100;
/// Of each manifest, so many tags.
const MOST_TAGS: i64 = 20;

struct Asking<'a, 'c> {
    tx: &'a mut Tx<'c>,
    names: HashMap<i64, String>,
    kept: Kept,
}

impl Core {
    /// Everything that holds on to a digest, up to a hundred of each kind.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn why_kept(&self, digest: &Digest) -> Result<Kept> {
        let args = (*digest, self.times().grace);
        let asked = self.inner.db.snapshot(&args, |tx, (digest, grace)| {
            Box::pin(async move {
                let size = blobs::find(tx, digest).await?.map(|blob| blob.size);
                let kept = Kept { size, holders: Vec::new(), more: false };
                let mut asking = Asking { tx, names: HashMap::new(), kept };
                asking.manifests(digest).await?;
                asking.links(digest, *grace).await?;
                asking.packages(digest).await?;
                asking.bin(digest).await?;
                asking.removal(digest).await?;
                Ok::<_, Error>(asking.kept)
            })
        });
        asked.await
    }
}

impl Asking<'_, '_> {
    async fn add(
        &mut self,
        kind: &'static str,
        repository: Option<i64>,
        what: String,
        until: Option<Timestamp>,
        keeps: bool,
    ) -> Result<()> {
        let repository = match repository {
            Some(id) => Some(name(self.tx, &mut self.names, id).await?),
            None => None,
        };
        self.kept.holders.push(Holder { kind, repository, what, until, keeps });
        Ok(())
    }

    fn told<T>(&mut self, rows: &[T]) {
        self.kept.more |= rows.len() as i64 >= MOST;
    }

    async fn manifests(&mut self, digest: &Digest) -> Result<()> {
        let found = holders::as_manifest(self.tx, digest, MOST).await?;
        self.told(&found);
        for repository in found {
            let tags = holders::tags(self.tx, repository, digest, MOST_TAGS).await?;
            let tags: Vec<_> = tags.iter().map(ToString::to_string).collect();
            let what = if tags.is_empty() { "a manifest without tags".to_owned() } else { tags.join(" ") };
            self.add("manifest", Some(repository), what, None, true).await?;
        }
        let found = holders::namers(self.tx, digest, MOST).await?;
        self.told(&found);
        for (repository, manifest, kind) in found {
            let tags = holders::tags(self.tx, repository, &manifest, MOST_TAGS).await?;
            let tags: Vec<_> = tags.iter().map(ToString::to_string).collect();
            let what = format!("{kind} of {manifest} {}", tags.join(" "));
            self.add("reference", Some(repository), what.trim_end().to_owned(), None, true).await?;
        }
        Ok(())
    }

    async fn links(&mut self, digest: &Digest, grace: std::time::Duration) -> Result<()> {
        let found = collection::links_to(self.tx, digest, MOST).await?;
        self.told(&found);
        for link in found {
            let (what, until) = match link.expiring_at {
                None if link.needed => (format!("linked since {}", link.created_at), None),
                None => (format!("linked since {}, and nothing uses it", link.created_at), None),
                Some(since) => (format!("unused and hidden since {since}"), Some(since.after(grace))),
            };
            self.add("link", Some(link.repository), what, until, link.expiring_at.is_none()).await?;
        }
        Ok(())
    }

    async fn packages(&mut self, digest: &Digest) -> Result<()> {
        let found = holders::packages(self.tx, digest, MOST).await?;
        self.told(&found);
        for (repository, path, _) in found {
            self.add("package", Some(repository), path, None, true).await?;
        }
        let found = holders::segments(self.tx, digest, MOST).await?;
        self.told(&found);
        for (repository, generation, path) in found {
            self.add("index", Some(repository), format!("{path} of generation {generation}"), None, true).await?;
        }
        Ok(())
    }

    async fn bin(&mut self, digest: &Digest) -> Result<()> {
        let found = holders::in_bin(self.tx, digest, MOST).await?;
        self.told(&found);
        for (repository, kind, name, until) in found {
            self.add("bin", Some(repository), format!("deleted {kind} {name}"), Some(until), true).await?;
        }
        Ok(())
    }

    async fn removal(&mut self, digest: &Digest) -> Result<()> {
        let found = doomed::of_digest(self.tx, digest, MOST).await?;
        self.told(&found);
        let pins = pins::living(self.tx, MOST).await?;
        for object in &found {
            let what = format!("object {} of a blob that is gone, {} bytes", object.object, object.size);
            self.add("object", None, what, Some(object.due_at), true).await?;
            for pin in pins.iter().filter(|pin| pin.since <= object.doomed_at) {
                self.add("pin", None, format!("{} needs object {}", pin.holder, object.object), None, true).await?;
            }
        }
        let found = reviews::of_digest(self.tx, digest, MOST).await?;
        self.told(&found);
        for review in found {
            let about = if review.repository.is_some() { "link" } else { "bytes" };
            let what = format!("{about} to be looked at: {}", review.reason);
            self.add("review", review.repository, what, Some(review.due_at), false).await?;
        }
        Ok(())
    }
}
