//! Packages of formats that publish an index: taken in, listed by the next generation, taken out.

use std::time::Duration;

use tokio_util::io::{StreamReader, SyncIoBridge};
use wharf_db::catalog::{audit, blobs, events, jobs, packages, reviews};
use wharf_db::{Durability, Tx};
use wharf_storage::{ByteStream, Hashing};
use wharf_types::{Algorithm, Digest, FormatName, Timestamp};

use crate::actor::about;
use crate::repository::Target;
use crate::upload::Session;
use crate::{Actor, Blob, Contents, Core, Error, Format, Result};

/// What the request says of the package it brings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arrival {
    /// The index it goes into; empty where a repository has one.
    pub channel: String,
    /// The file name it came under, if it had one.
    pub file_name: Option<String>,
}

/// A package that was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// Where clients fetch it once it is published.
    pub path: String,
    /// What it hashes to.
    pub digest: Digest,
    /// False if the very same package was here already.
    pub new: bool,
}

struct Add {
    target: Target,
    repository: i64,
    blob: blobs::Blob,
    package: packages::Package,
    actor: Actor,
    publish_at: Timestamp,
}

struct Take {
    target: Target,
    path: String,
    actor: Actor,
    at: Timestamp,
    due: Timestamp,
}

impl Core {
    /// Takes a package in: stores it, has its format inspect it, writes it down and asks for a new index.
    ///
    /// # Errors
    /// [`Error::PackageInvalid`], [`Error::PackageExists`] if the path holds other content.
    pub async fn add_package(
        &self,
        target: &Target,
        arrival: Arrival,
        body: ByteStream,
        actor: &Actor,
    ) -> Result<Added> {
        let format = self.format_of(target)?;
        let repository = self.ensure_repository(target, actor).await?;
        let mut session = Session::new(String::new(), repository, Hashing::new(&[Algorithm::Sha256]));
        let taken = session.take(&self.inner, body).await?;
        let object = session.unfinished();
        let outcome = match taken {
            Some(error) => Err(Error::Interrupted(error)),
            None => self.take_in(target, format, arrival, session, actor).await,
        };
        // An answer from the database that never came may hide a commit: then the object must stay.
        let known = matches!(&outcome, Ok((_, true)) | Err(Error::Db(_)));
        if let (false, Some((key, progress))) = (known, object) {
            self.inner.storage.discard(&key, &progress).await?;
            self.inner.storage.remove(&[key]).await?;
        }
        let (added, _) = outcome?;
        self.inner.work.notify_one();
        Ok(added)
    }

    /// With the flag whether the catalog points at the new bytes.
    async fn take_in(
        &self,
        target: &Target,
        format: std::sync::Arc<dyn Format>,
        arrival: Arrival,
        session: Session,
        actor: &Actor,
    ) -> Result<(Added, bool)> {
        let digest = session.digest(&self.inner, Algorithm::Sha256).await?;
        if let Some((key, progress)) = session.unfinished() {
            self.inner.storage.seal(&key, &progress).await?;
        }
        let repository = session.repository;
        let blob = session.into_blob(digest, self.inner.storage.name());
        let channel = arrival.channel.clone();
        let contents = self.inspect(format, &blob, arrival).await?;
        let at = self.inner.clock.now();
        let package = packages::Package {
            path: contents.path,
            name: contents.name,
            version: contents.version,
            architecture: contents.architecture,
            digest,
            size: blob.size,
            channel,
            fragment: contents.fragment,
            created_at: at,
        };
        let publish_at = at.after(self.inner.config.publish_delay);
        let (target, actor) = (target.clone(), actor.clone());
        let args = Add { target, repository, blob, package, actor, publish_at };
        self.inner.db.write(Durability::Full, args, |tx, a| Box::pin(add(tx, a))).await
    }

    async fn inspect(
        &self,
        format: std::sync::Arc<dyn Format>,
        blob: &blobs::Blob,
        arrival: Arrival,
    ) -> Result<Contents> {
        let content = self.open_place(&blob.place, 0..blob.size).await?;
        let mut file = SyncIoBridge::new(StreamReader::new(content));
        let inspected = tokio::task::spawn_blocking(move || format.inspect(&mut file, &arrival)).await;
        let contents = match inspected {
            Ok(Ok(contents)) => contents,
            Ok(Err(refused)) => return Err(Error::PackageInvalid(refused.0)),
            Err(_) => return Err(Error::PackageInvalid("the package cannot be read".into())),
        };
        // A path comes out of an untrusted file, and goes into URLs and mirrors' file systems.
        let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', '\0']);
        if !contents.path.split('/').all(plain) {
            return Err(Error::PackageInvalid(format!("its path would be {:?}", contents.path)));
        }
        Ok(contents)
    }

    pub(crate) fn format_of(&self, target: &Target) -> Result<std::sync::Arc<dyn Format>> {
        let found = self.inner.formats.iter().find(|format| format.name() == target.format).cloned();
        found.ok_or_else(|| Error::Inconsistent(format!("no format {} is installed", target.format)))
    }

    /// The names of the kinds of goods this server takes.
    pub fn formats(&self) -> Vec<FormatName> {
        self.inner.formats.iter().map(|format| format.name()).collect()
    }

    /// The kind of goods of this name.
    pub fn format_named(&self, text: &str) -> Option<FormatName> {
        self.formats().into_iter().find(|name| name.as_str() == text)
    }

    /// The package at a path.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`Error::FileUnknown`].
    pub async fn package(&self, target: &Target, path: &str) -> Result<Blob> {
        let args = (target, path);
        let found = self
            .inner
            .db
            .read(&args, |tx, (target, path)| {
                Box::pin(async move {
                    let repository = target.require(tx).await?.id;
                    let unknown = || Error::FileUnknown((*path).to_owned());
                    let package = packages::find(tx, repository, path).await?.ok_or_else(unknown)?;
                    blobs::linked(tx, repository, &package.digest).await?.ok_or_else(unknown)
                })
            })
            .await?;
        Ok(found.into())
    }

    /// Takes a package out and asks for a new index.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`Error::FileUnknown`].
    pub async fn remove_package(&self, target: &Target, path: &str, actor: &Actor) -> Result<()> {
        let at = self.inner.clock.now();
        let due = at.after(self.inner.config.review_delay);
        let args = Take { target: target.clone(), path: path.to_owned(), actor: actor.clone(), at, due };
        self.inner.db.write(Durability::Full, args, |tx, t| Box::pin(take(tx, t))).await?;
        self.inner.work.notify_one();
        Ok(())
    }

    /// Waits until the index of a channel lists everything that was taken in before the call.
    ///
    /// # Errors
    /// [`Error::NotPublished`] when `patience` runs out or the work was given up.
    pub async fn wait_until_published(&self, target: &Target, channel: &str, patience: Duration) -> Result<()> {
        let waiting = async {
            loop {
                let heard = self.inner.published.heard();
                let args = (target, channel);
                let pending = self
                    .inner
                    .db
                    .read(&args, |tx, (target, channel)| {
                        Box::pin(async move {
                            let repository = target.require(tx).await?.id;
                            Ok::<_, Error>(jobs::pending(tx, PUBLISH, &job_key(repository, channel)).await?)
                        })
                    })
                    .await?;
                match pending {
                    None => return Ok(()),
                    Some(job) if job.dead => return Err(Error::NotPublished(job.last_error.unwrap_or_default())),
                    // Another replica may do the work, and then nothing is heard here.
                    Some(_) => drop(tokio::time::timeout(Duration::from_millis(100), heard).await),
                }
            }
        };
        let late = || Error::NotPublished("it was not published in time and still will be".into());
        tokio::time::timeout(patience, waiting).await.unwrap_or_else(|_| Err(late()))
    }
}

/// The kind of the jobs that publish indexes.
pub(crate) const PUBLISH: &str = "publish";

pub(crate) fn job_key(repository: i64, channel: &str) -> String {
    format!("{repository}/{channel}")
}

async fn ask_for_index(tx: &mut Tx<'_>, target: &Target, id: i64, channel: &str, due: Timestamp, at: Timestamp) -> Result<()> {
    let payload = serde_json::json!({
        "repository": id, "channel": channel, "format": target.format, "name": target.name.canonical(),
    });
    Ok(jobs::enqueue(tx, PUBLISH, &job_key(id, channel), &payload.to_string(), due, at).await?)
}

async fn add(tx: &mut Tx<'_>, add: &Add) -> Result<(Added, bool)> {
    let Add { target, repository, blob, package, actor, publish_at } = add;
    let at = package.created_at;
    let added = |new| Added { path: package.path.clone(), digest: package.digest, new };
    if let Some(there) = packages::find(tx, *repository, &package.path).await? {
        if there.digest != package.digest || there.channel != package.channel {
            return Err(Error::PackageExists { path: package.path.clone() });
        }
        let ours = blobs::find(tx, &blob.digest).await?.is_some_and(|found| found.place == blob.place);
        return Ok((added(false), ours));
    }
    let fresh = blobs::insert(tx, blob, at).await?;
    blobs::link(tx, *repository, &blob.digest, at).await?;
    packages::insert(tx, *repository, package).await?;
    let entry = actor.did("package.add", &target.name, at);
    audit::append(tx, &about(entry, Some(package.path.clone()), Some(package.digest))).await?;
    let payload = serde_json::json!({
        "format": target.format, "repository": target.name.canonical(), "path": package.path, "digest": package.digest,
    });
    events::append(tx, at, "package.added", &payload.to_string()).await?;
    ask_for_index(tx, target, *repository, &package.channel, *publish_at, at).await?;
    Ok((added(true), fresh))
}

async fn take(tx: &mut Tx<'_>, take: &Take) -> Result<()> {
    let Take { target, path, actor, at, due } = take;
    let repository = target.require(tx).await?.id;
    let found = packages::find(tx, repository, path).await?;
    let package = found.ok_or_else(|| Error::FileUnknown(path.clone()))?;
    packages::remove(tx, repository, path).await?;
    reviews::enqueue(tx, Some(repository), &package.digest, "package removed", *due).await?;
    let entry = actor.did("package.remove", &target.name, *at);
    audit::append(tx, &about(entry, Some(path.clone()), Some(package.digest))).await?;
    ask_for_index(tx, target, repository, &package.channel, *at, *at).await
}
