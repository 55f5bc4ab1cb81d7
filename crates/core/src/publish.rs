//! Index generations: put together by the format, written down complete, and made current by one pointer.

pub mod encode;
mod file;
mod order;
mod pieces;
mod published;
mod reissue;

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use wharf_db::catalog::{blobs, events, generations, packages, placements, reviews, settings};
use wharf_db::{Durability, Tx};
use wharf_types::{Algorithm, FormatName, RepoName, Timestamp};

use order::ask_for_renewal;
pub(crate) use order::{Order, PUBLISH, RENEW, ask_for_index};
pub(crate) use published::Announcements;

use crate::repository::Target;
use crate::signing::Signers;
use crate::{Core, Error, IndexError, Package, Result, Signature};
pub use file::{IndexFile, NewFile, Segment};
use pieces::Changes;
pub use pieces::{ListPlan, Piece, Render};
pub use published::PublishedFile;
pub use reissue::Reissue;
pub(crate) use reissue::{Reissued, replace};

/// One run of a format's index, for one channel of one repository.
pub struct Publication {
    core: Core,
    repository: i64,
    name: RepoName,
    channel: String,
    algorithms: &'static [Algorithm],
    changes: Changes,
    lists: Vec<generations::List>,
    files: Vec<generations::File>,
    keeps_current: bool,
    format: FormatName,
    /// The generation that was current when the work began; where one is said anew, that one.
    before: Option<i64>,
    /// Whether an earlier generation is said anew.
    reissues: bool,
    signers: Option<Signers>,
    renewal: Option<Timestamp>,
}

/// Generations that were current less long ago are all kept.
const RECENT: Duration = Duration::from_secs(10 * 60);
/// Dropped with one publication: as many as keep the number from growing, and no more than a client may wait for.
const THINNED_AT_ONCE: i64 = 8;
/// How long a request waits for what it did to be visible: less than proxies wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

struct Flip {
    repository: i64,
    channel: String,
    known_changes: BTreeSet<i64>,
    lists: Vec<generations::List>,
    files: Vec<generations::File>,
    /// Nothing but the changes is written: the current generation has them all.
    keeps_current: bool,
    signed_by: String,
    renewal: Option<Timestamp>,
    format: FormatName,
    name: RepoName,
    /// The generation that was current when the work began.
    before: Option<i64>,
    at: Timestamp,
    /// Until when generations were retired that may be thinned, and that may go.
    thinned: (Timestamp, Timestamp),
    review_due: Timestamp,
}

impl Publication {
    /// The repository.
    pub fn repository(&self) -> &RepoName {
        &self.name
    }

    /// The channel; empty where a repository has one.
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// The time to write into the index.
    pub fn now(&self) -> Timestamp {
        self.core.inner.clock.now()
    }

    /// Up to `limit` packages of the channel, by path after `after`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn packages(&self, after: &str, limit: usize) -> Result<Vec<Package>> {
        let args = (self.repository, self.channel.as_str(), after, i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.core.inner.db.read(&args, |tx, (repository, channel, after, limit)| {
            Box::pin(packages::page(tx, *repository, channel, after, *limit))
        });
        let rows = rows.await.map_err(Error::from)?;
        Ok(rows.into_iter().map(|row| Package::from(row.package)).collect())
    }

    /// The segments of a file of the generation that is current now, for taking over what has not changed; of the one that is said
    /// anew, where it is that.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn current(&self, path: &str) -> Result<Option<(IndexFile, Vec<Segment>)>> {
        let found = self.file_before(path).await?;
        Ok(found.map(|(file, blobs)| (IndexFile::from(&file), blobs.iter().map(Segment::from).collect())))
    }

    async fn file_before(&self, path: &str) -> Result<Option<(generations::File, Vec<blobs::Blob>)>> {
        let base = self.before.filter(|_| self.reissues);
        let args = (self.repository, self.channel.as_str(), path, base);
        let found = self.core.inner.db.snapshot(&args, |tx, (repository, channel, path, base)| {
            Box::pin(async move {
                match base {
                    Some(base) => generations::file_of(tx, *base, path).await,
                    None => generations::current_file(tx, *repository, channel, path).await,
                }
            })
        });
        found.await.map_err(Error::from)
    }

    /// The content of a small file: of the generation that [`current`](Self::current) reads.
    ///
    /// # Errors
    /// Those of storage and database.
    pub async fn current_content(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let Some((_, segments)) = self.current(path).await? else { return Ok(None) };
        self.joined(&segments).await.map(Some)
    }

    /// The content of a small file as clients see it now.
    ///
    /// # Errors
    /// Those of storage and database.
    pub async fn seen_content(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let args = (self.repository, self.channel.as_str(), path);
        let found = self.core.inner.db.snapshot(&args, |tx, (repository, channel, path)| {
            Box::pin(generations::served_file(tx, *repository, channel, path))
        });
        let Some((_, blobs)) = found.await.map_err(Error::from)? else { return Ok(None) };
        let segments: Vec<_> = blobs.iter().map(Segment::from).collect();
        self.joined(&segments).await.map(Some)
    }

    async fn joined(&self, segments: &[Segment]) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        for segment in segments {
            content.extend_from_slice(&self.read(segment).await?);
        }
        Ok(content)
    }

    /// The content of a segment.
    ///
    /// # Errors
    /// [`Error::BlobUnknown`] if the repository has no such segment; those of storage and database.
    pub async fn read(&self, segment: &Segment) -> Result<Bytes> {
        self.core.read_segment(self.repository, segment).await
    }

    /// From now on files are hashed with SHA-512 too.
    pub fn with_sha512(&mut self) {
        self.algorithms = &[Algorithm::Sha256, Algorithm::Sha512];
    }

    /// Stores a segment.
    ///
    /// # Errors
    /// Those of storage and database.
    pub async fn store(&self, content: Bytes) -> Result<Segment> {
        self.core.store_segment(self.repository, content).await
    }

    /// Begins a file that is put together from segments. What the current generation's file begins with too is neither stored nor
    /// hashed again.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn begin(&self, path: &str, media_type: &str) -> Result<NewFile> {
        NewFile::begin(self, path, media_type).await
    }

    /// Adds a file that is complete.
    ///
    /// # Errors
    /// Those of storage and database.
    pub async fn finish(&mut self, file: NewFile) -> Result<IndexFile> {
        let file = file.into_row().await?;
        let told = IndexFile::from(&file);
        self.files.push(file);
        Ok(told)
    }

    /// Stores `content` and adds it as a file of one segment.
    ///
    /// # Errors
    /// Those of storage and database.
    pub async fn add_whole(&mut self, path: &str, media_type: &str, content: Bytes) -> Result<IndexFile> {
        let mut file = self.begin(path, media_type).await?;
        file.push(content).await?;
        self.finish(file).await
    }

    /// Signs `message` with every active key of the repository: two during a rotation. A key is made if there is none.
    ///
    /// # Errors
    /// Those of the database, and a key that the instance key does not open.
    pub async fn sign(&self, message: &[u8]) -> Result<Vec<Signature>> {
        self.core.sign(self.repository, message).await
    }

    /// Signs a text with every active OpenPGP key of the repository, two during a rotation, around the text itself: `InRelease`. A
    /// key is made if there is none. Blanks at the ends of lines go.
    ///
    /// # Errors
    /// Those of the database, and a key that the instance key does not open.
    pub async fn clear_sign(&mut self, text: &str) -> Result<String> {
        let now = self.now();
        let keys = &self.signers().await?.keys;
        wharf_trust::openpgp::clear_sign(text, keys, now).map_err(crate::signing::unusable)
    }

    /// Signs with every active OpenPGP key of the repository, as one armored file beside what is signed: `Release.gpg`,
    /// `repomd.xml.asc`. A key is made if there is none.
    ///
    /// # Errors
    /// Those of the database, and a key that the instance key does not open.
    pub async fn sign_detached(&mut self, data: &[u8]) -> Result<String> {
        let now = self.now();
        let keys = &self.signers().await?.keys;
        wharf_trust::openpgp::sign_detached(data, keys, now).map_err(crate::signing::unusable)
    }

    /// Whether other OpenPGP keys sign now than signed the current generation: then [`keep_current`](Self::keep_current) must not be
    /// said, though no package has changed.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn keys_have_changed(&self) -> Result<bool> {
        self.core.keys_have_changed(self.repository, self.before).await
    }

    /// The fingerprints of the keys that [`clear_sign`](Self::clear_sign) signs with.
    ///
    /// # Errors
    /// Those of the database, and a key that the instance key does not open.
    pub async fn signed_by(&mut self) -> Result<Vec<String>> {
        Ok(self.signers().await?.keys.iter().map(|key| key.certificate().fingerprint()).collect())
    }

    async fn signers(&mut self) -> Result<&Signers> {
        let signers = match self.signers.take() {
            Some(signers) => signers,
            None => {
                let target = Target::new(self.format, self.name.clone());
                self.core.signers(&target, self.repository).await?
            }
        };
        Ok(self.signers.insert(signers))
    }

    /// What the format was told about the repository (the channel is empty) or about a channel of it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn settings(&self, channel: &str) -> Result<Option<String>> {
        let args = (self.repository, channel);
        let found = self
            .core
            .inner
            .db
            .read(&args, |tx, (repository, channel)| Box::pin(settings::get(tx, *repository, channel)));
        found.await.map_err(Error::from)
    }

    /// Asks to be made again at this time, although nothing may have changed: what an index says of itself may run out.
    pub fn renew_at(&mut self, at: Timestamp) {
        self.renewal = Some(at);
    }

    /// Nothing has changed: what was added is dropped and the current generation stays.
    pub fn keep_current(&mut self) {
        self.keeps_current = true;
    }
}

impl Core {
    /// Runs a job of the kind `publish`.
    pub(crate) async fn publish(&self, payload: &str) -> Result<()> {
        let order = Order::read(payload)?;
        let installed = self.format_named(&order.format);
        let format =
            installed.ok_or_else(|| Error::Inconsistent(format!("format {} is not installed", order.format)))?;
        let target = Target::new(format, order.name.clone());
        let Some(before) = self.current_generation(&target, &order).await? else { return Ok(()) };
        let Order { repository, channel, .. } = order;
        let mut publication = self.publication(&target, repository, &channel);
        publication.changes = self.changes_of(repository, &channel).await?;
        publication.before = before;
        self.format_of(&target)?.index(&mut publication).await.map_err(not_made)?;
        let at = self.inner.clock.now();
        let flip = Flip {
            repository,
            channel: publication.channel,
            known_changes: publication.changes.ids,
            lists: publication.lists,
            files: publication.files,
            keeps_current: publication.keeps_current,
            signed_by: publication.signers.map(|signers| signers.ids).unwrap_or_default(),
            renewal: publication.renewal,
            format,
            name: target.name.clone(),
            before,
            at,
            thinned: self.thinned(at),
            review_due: at.after(self.inner.config.review_delay),
        };
        self.inner.db.write(Durability::Full, flip, |tx, f| Box::pin(make_current(tx, f))).await?;
        self.renew_shown(&target, repository, &channel).await
    }

    fn publication(&self, target: &Target, repository: i64, channel: &str) -> Publication {
        Publication {
            core: self.clone(),
            repository,
            name: target.name.clone(),
            channel: channel.to_owned(),
            algorithms: &[Algorithm::Sha256],
            changes: Changes::default(),
            lists: Vec::new(),
            files: Vec::new(),
            keeps_current: false,
            format: target.format,
            before: None,
            reissues: false,
            signers: None,
            renewal: None,
        }
    }

    /// Clients in the middle of an update find what they were told of: all generations of the last minutes are kept, and of those
    /// before one of each ten minutes, for those who are slow.
    fn thinned(&self, at: Timestamp) -> (Timestamp, Timestamp) {
        let before = at.before(self.inner.config.generation_retention);
        (at.before(RECENT).max(before), before)
    }

    /// Thins the generations of all repositories: where nothing is published any more nobody else does.
    pub(crate) async fn thin_generations(&self) -> Result<()> {
        let now = self.inner.clock.now();
        let args = (self.thinned(now), now.after(self.inner.config.review_delay));
        loop {
            let dropped = self.inner.db.write(Durability::Full, args, |tx, (thinned, review_due)| {
                Box::pin(async move {
                    let found = generations::superfluous_anywhere(tx, *thinned, THINNED_AT_ONCE).await?;
                    for (repository, generation) in &found {
                        drop_generation(tx, *repository, *generation, *review_due).await?;
                    }
                    Ok::<_, Error>(found.len())
                })
            });
            if dropped.await? == 0 {
                return Ok(());
            }
        }
    }

    async fn changes_of(&self, repository: i64, channel: &str) -> Result<Changes> {
        let args = (repository, channel);
        let rows = self
            .inner
            .db
            .read(&args, |tx, (repository, channel)| Box::pin(placements::changes(tx, *repository, channel, i64::MAX)));
        Ok(Changes::new(rows.await.map_err(Error::from)?))
    }

    /// The generation to be followed, if there is one; `None` if the repository was deleted, for then nothing is to be done.
    async fn current_generation(&self, target: &Target, order: &Order) -> Result<Option<Option<i64>>> {
        let args = (target, order.repository, order.channel.as_str());
        let found = self.inner.db.read(&args, |tx, (target, repository, channel)| {
            Box::pin(async move {
                let there = target.find(tx).await?.is_some_and(|found| found.id == *repository);
                if !there {
                    return Ok::<_, Error>(None);
                }
                Ok(Some(generations::head(tx, *repository, channel).await?))
            })
        });
        found.await
    }
}

fn not_made(error: IndexError) -> Error {
    match error {
        IndexError::Core(error) => error,
        IndexError::Format(text) => Error::NotPublished(text),
    }
}

async fn drop_generation(tx: &mut Tx<'_>, repository: i64, generation: i64, review_due: Timestamp) -> Result<()> {
    for orphan in generations::drop(tx, generation).await? {
        reviews::enqueue(tx, Some(repository), &orphan, "index generation dropped", review_due).await?;
    }
    Ok(())
}

async fn make_current(tx: &mut Tx<'_>, flip: &Flip) -> Result<()> {
    let Flip { repository, channel, files, lists, format, name, before, at, thinned, review_due, .. } = flip;
    // Whoever lost the lease in the middle must not put an older index over a newer one. If it is our own of a run whose commit
    // nobody told us of, the next attempt finds nothing to do.
    if generations::head(tx, *repository, channel).await? != *before {
        return Err(Error::NotPublished("another worker has published meanwhile".to_owned()));
    }
    placements::forget_changes(tx, *repository, channel, &flip.known_changes).await?;
    if let Some(due) = flip.renewal {
        ask_for_renewal(tx, &Target::new(*format, name.clone()), (*repository, channel), due, *at).await?;
    }
    if flip.keeps_current {
        return Ok(());
    }
    let generation = generations::create(tx, *repository, channel, &flip.signed_by, *at).await?;
    for file in files {
        generations::add_file(tx, generation, *repository, file).await?;
    }
    for list in lists {
        generations::add_list(tx, generation, list).await?;
    }
    generations::publish(tx, *repository, channel, generation, *at).await?;
    for generation in generations::superfluous(tx, (*repository, channel), *thinned, THINNED_AT_ONCE).await? {
        drop_generation(tx, *repository, generation, *review_due).await?;
    }
    let payload = serde_json::json!({ "format": format, "repository": name.canonical(), "channel": channel });
    Ok(events::append(tx, *at, "index.published", &payload.to_string()).await?)
}
