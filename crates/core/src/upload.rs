//! Blob uploads: begun, continued by any replica, finished under a verified digest.
//!
//! Order of writes: bytes, made durable, then in one transaction the blob's row, the link and the end of the upload. What
//! a crash leaves between the two is an upload that its client can finish, or that the sweep removes.

mod active;
mod session;

use wharf_db::Durability;
use wharf_db::catalog::{blobs, repositories, uploads};
use wharf_storage::{ByteStream, Hashing, ObjectKey, Progress, Storage};
use wharf_types::{Algorithm, Digest};

pub(crate) use active::ActiveUploads;
pub(crate) use session::Session;

use crate::repository::Target;
use crate::room::interrupted;
use crate::{Actor, Core, Error, Result};

/// Blobs up to this size lie in their row: one fsync less to write, one file less to open.
pub(crate) const INLINE_LIMIT: usize = 16 * 1024;

/// An upload as its client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// What to ask for it by.
    pub id: String,
    /// Bytes accepted so far.
    pub received: u64,
}

/// An upload's id and the revision that was read.
pub(crate) type Step = (String, i64);

struct Commit {
    upload: Option<Step>,
    repository: i64,
    blob: blobs::Blob,
    at: wharf_types::Timestamp,
}

impl Core {
    /// Begins an upload into `target`, making project and repository where the permit allows it. `announced` is the algorithm
    /// of the digest to come, if the client has said it.
    ///
    /// # Errors
    /// [`Error::ProjectUnknown`], or those of the database.
    pub async fn begin_upload(&self, target: &Target, announced: Option<Algorithm>, actor: &Actor) -> Result<Upload> {
        self.require_room().await?;
        let repository = self.ensure_repository(target, actor).await?;
        let session = Session::new(self.new_id(), repository, hashing_for(announced, &*self.inner.storage));
        let args = (session.to_row(), self.inner.clock.now());
        // Relaxed: a power cut may forget that an upload was begun; its client begins again.
        let begun = self.inner.db.write(Durability::Relaxed, args, |tx, (row, at)| {
            Box::pin(async move {
                // Deleted since it was found or made.
                if !repositories::is_living(tx, row.repository).await? {
                    return Ok(false);
                }
                uploads::insert(tx, row, *at).await.map(|()| true)
            })
        });
        if !begun.await.map_err(Error::from)? {
            return Err(Error::RepositoryUnknown(target.name.clone()));
        }
        Ok(Upload { id: session.id, received: 0 })
    }

    /// How far an upload has come.
    ///
    /// # Errors
    /// [`Error::UploadUnknown`].
    pub async fn upload_status(&self, target: &Target, id: &str) -> Result<Upload> {
        let session = self.load_session(target, id).await?;
        Ok(Upload { id: session.id, received: session.received })
    }

    /// Appends a chunk. `start` is where it says it begins; a stream without a range just goes on.
    ///
    /// # Errors
    /// [`Error::OutOfOrder`] with nothing taken; [`Error::Interrupted`] with what arrived kept.
    pub async fn append(&self, target: &Target, id: &str, start: Option<u64>, body: ByteStream) -> Result<Upload> {
        let (core, target, id) = (self.clone(), target.clone(), id.to_owned());
        to_the_end(async move { core.append_chunk(&target, &id, start, body).await }).await
    }

    async fn append_chunk(&self, target: &Target, id: &str, start: Option<u64>, body: ByteStream) -> Result<Upload> {
        let claim = self.inner.active.claim(id).await;
        let mut session = self.load_session(target, id).await?;
        session.check_start(start)?;
        self.require_room().await?;
        let cut = session.take(&self.inner, self.while_there_is_room(claim.guarded(body))).await?;
        self.save_session(&session).await?;
        match cut {
            None => Ok(Upload { id: session.id, received: session.received }),
            Some(error) => Err(interrupted(error)),
        }
    }

    /// Takes the last chunk, verifies the digest and lets the repository hand the blob out.
    ///
    /// # Errors
    /// [`Error::DigestMismatch`]: the upload has ended and nothing is kept. Otherwise as [`Core::append`].
    pub async fn finish_upload(
        &self,
        target: &Target,
        id: &str,
        start: Option<u64>,
        body: ByteStream,
        digest: Digest,
    ) -> Result<()> {
        let (core, target, id) = (self.clone(), target.clone(), id.to_owned());
        to_the_end(async move { core.finish(&target, &id, start, body, digest).await }).await
    }

    async fn finish(
        &self,
        target: &Target,
        id: &str,
        start: Option<u64>,
        body: ByteStream,
        digest: Digest,
    ) -> Result<()> {
        let claim = self.inner.active.claim(id).await;
        let mut session = match self.load_session(target, id).await {
            // The answer to this very request was lost, and its client asks again.
            Err(Error::UploadUnknown(_)) if self.blob(target, &digest).await.is_ok() => return Ok(()),
            loaded => loaded?,
        };
        session.check_start(start)?;
        if session.received == 0 {
            // Nothing was hashed yet, so the algorithm can still be chosen.
            session.hashing = Hashing::new(&[digest.algorithm()]);
        }
        let (known, before) = (session.unfinished().map(|(key, _)| key), session.received);
        if let Some(error) = session.take(&self.inner, self.while_there_is_room(claim.guarded(body))).await? {
            self.save_session(&session).await?;
            return Err(interrupted(error));
        }
        let object = session.unfinished();
        // The row has never heard of an object that this request began: nobody could go on with it.
        let ours = object.as_ref().map(|(key, _)| key) != known.as_ref();
        if object.is_some() && !ours && session.received > before {
            // Another replica may have appended to the same object: now one of the two goes on and seals.
            self.save_session(&session).await?;
            session.saved();
        }
        let step = session.step();
        let outcome = self.commit(session, Some(step.clone()), digest).await;
        match &outcome {
            Err(Error::DigestMismatch { .. }) => {
                if let (true, Some((key, progress))) = (self.end_upload(step).await? || ours, object) {
                    self.remove_object(key, &progress).await?;
                }
            }
            Err(error) if ours => self.abandon(error, object).await?,
            _ => {}
        }
        outcome
    }

    /// Stores a blob that comes in one request and was never announced as an upload.
    ///
    /// # Errors
    /// As [`Core::finish_upload`]; whatever goes wrong, nothing is kept.
    pub async fn upload_whole(&self, target: &Target, body: ByteStream, digest: Digest, actor: &Actor) -> Result<()> {
        self.require_room().await?;
        let repository = self.ensure_repository(target, actor).await?;
        let core = self.clone();
        to_the_end(async move { core.take_whole(repository, body, digest).await }).await
    }

    async fn take_whole(&self, repository: i64, body: ByteStream, digest: Digest) -> Result<()> {
        let mut session = Session::new(self.new_id(), repository, Hashing::new(&[digest.algorithm()]));
        let taken = session.take(&self.inner, self.while_there_is_room(body)).await;
        let object = session.unfinished();
        let outcome = match taken {
            Ok(None) => self.commit(session, None, digest).await,
            Ok(Some(error)) => Err(interrupted(error)),
            Err(error) => Err(error),
        };
        if let Err(error) = &outcome {
            self.abandon(error, object).await?;
        }
        outcome
    }

    /// Removes the object of a request that failed with `error`, unless the answer from the database may hide a commit.
    pub(crate) async fn abandon(&self, error: &Error, object: Option<(ObjectKey, Progress)>) -> Result<()> {
        match object {
            Some((key, progress)) if !matches!(error, Error::Db(_)) => self.remove_object(key, &progress).await,
            _ => Ok(()),
        }
    }

    /// Ends an upload and forgets its bytes.
    ///
    /// # Errors
    /// [`Error::UploadUnknown`].
    pub async fn cancel_upload(&self, target: &Target, id: &str) -> Result<()> {
        let _claim = self.inner.active.claim(id).await;
        let session = self.load_session(target, id).await?;
        self.forget(session).await
    }

    pub(crate) async fn forget(&self, session: Session) -> Result<()> {
        match (self.end_upload(session.step()).await?, session.unfinished()) {
            (true, Some((key, progress))) => self.remove_object(key, &progress).await,
            (true, None) => Ok(()),
            // Somebody has taken it on or finished it: then its bytes are theirs.
            (false, _) => Err(Error::UploadTaken(session.id)),
        }
    }

    /// Row before bytes: an upload that is found can always go on. False if it was not the caller's to end any more.
    async fn end_upload(&self, step: Step) -> Result<bool> {
        let removed = self
            .inner
            .db
            .write(Durability::Relaxed, step, |tx, (id, revision)| Box::pin(uploads::remove(tx, id, *revision)));
        Ok(removed.await?)
    }

    /// Sealed or not: an end that failed between the bytes and the row leaves a sealed one.
    pub(crate) async fn remove_object(&self, key: ObjectKey, progress: &Progress) -> Result<()> {
        self.inner.storage.discard(&key, progress).await?;
        Ok(self.inner.storage.remove(&[key]).await?)
    }

    pub(crate) async fn commit(&self, session: Session, upload: Option<Step>, digest: Digest) -> Result<()> {
        let actual = session.digest(&self.inner, digest.algorithm()).await?;
        if actual != digest {
            return Err(Error::DigestMismatch { expected: digest, actual });
        }
        let object = session.unfinished();
        if let Some((key, progress)) = &object {
            self.inner.storage.seal(key, progress).await.map_err(|error| lost(upload.as_ref(), error))?;
        }
        let (repository, at) = (session.repository, self.inner.clock.now());
        let blob = session.into_blob(digest, self.inner.storage.name());
        let (size, args) = (blob.size, Commit { upload, repository, blob, at });
        let fresh = self.inner.db.write(Durability::Full, args, |tx, c| Box::pin(commit_row(tx, c))).await?;
        // Somebody else's copy of the same bytes is in the catalog: this one is not needed.
        if let (false, Some((key, _))) = (fresh, object) {
            self.heal_manifest(&digest, size, &key).await?;
            self.inner.storage.remove(&[key]).await?;
        }
        Ok(())
    }

    async fn load_session(&self, target: &Target, id: &str) -> Result<Session> {
        let args = (target, id);
        let row = self
            .inner
            .db
            .read(&args, |tx, (target, id)| {
                Box::pin(async move {
                    let Some(found) = target.find(tx).await? else { return Ok::<_, Error>(None) };
                    Ok(uploads::find(tx, found.id, id).await?)
                })
            })
            .await?;
        Session::from_row(row.ok_or_else(|| Error::UploadUnknown(id.to_owned()))?)
    }

    async fn save_session(&self, session: &Session) -> Result<()> {
        let args = (session.to_row(), self.inner.clock.now());
        let advanced = self
            .inner
            .db
            .write(Durability::Relaxed, args, |tx, (row, at)| Box::pin(uploads::advance(tx, row, *at)))
            .await?;
        if advanced { Ok(()) } else { Err(Error::UploadTaken(session.id.clone())) }
    }

    fn new_id(&self) -> String {
        hex::encode(self.inner.entropy.bytes::<16>())
    }
}

impl crate::Inner {
    pub(crate) fn new_object_key(&self) -> ObjectKey {
        ObjectKey::at(self.clock.now(), self.entropy.bytes())
    }
}

/// Runs to its end even if the request is dropped in the middle, as HTTP/2 does when a client resets its stream: what arrived is
/// kept or removed, and not left lying. The body ends with an error then, so the end is near.
pub(crate) async fn to_the_end<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    match tokio::spawn(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(Error::Inconsistent(format!("the work of a request was cut off: {error}"))),
    }
}

/// An upload whose bytes are not all there any more has to begin again.
fn lost(upload: Option<&Step>, error: wharf_storage::Error) -> Error {
    match (error, upload) {
        (wharf_storage::Error::Truncated { .. } | wharf_storage::Error::NotFound(_), Some((id, _))) => {
            Error::UploadLost(id.clone())
        }
        (error, _) => error.into(),
    }
}

/// Without an announcement the digest that comes with the last byte may be of either algorithm. Hardly any is of SHA-512, which
/// costs twice as much as all the rest of an upload: where it can be read back, it is, and elsewhere both hashes are kept.
fn hashing_for(announced: Option<Algorithm>, storage: &dyn Storage) -> Hashing {
    match announced {
        Some(algorithm) => Hashing::new(&[algorithm]),
        None if !storage.is_remote() => Hashing::new(&[Algorithm::Sha256]),
        None => Hashing::new(&[Algorithm::Sha256, Algorithm::Sha512]),
    }
}

/// False if the catalog has the bytes already.
async fn commit_row(tx: &mut wharf_db::Tx<'_>, commit: &Commit) -> Result<bool> {
    let Commit { upload, repository, blob, at } = commit;
    if !repositories::is_living(tx, *repository).await? {
        let id = upload.as_ref().map_or("", |(id, _)| id.as_str());
        return Err(Error::UploadUnknown(id.to_owned()));
    }
    if let Some((id, revision)) = upload
        && !uploads::remove(tx, id, *revision).await?
    {
        // Gone: either this very commit ran before and its answer was lost, or another request ended the upload.
        if blobs::is_linked(tx, *repository, &blob.digest).await? {
            return Ok(blobs::find(tx, &blob.digest).await?.is_some_and(|found| found.place == blob.place));
        }
        return Err(Error::UploadUnknown(id.clone()));
    }
    let fresh = blobs::insert(tx, blob, *at).await?;
    blobs::link(tx, *repository, &blob.digest, *at).await?;
    if fresh {
        return Ok(true);
    }
    // An insert that ran twice finds its own row.
    Ok(blobs::find(tx, &blob.digest).await?.is_some_and(|found| found.place == blob.place))
}
