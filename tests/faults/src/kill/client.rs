//! One client of the load: its own tags in a repository of its own and in shared ones, and a book of what it knows.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Method;
use serde_json::Value;

use crate::book::{Book, Buried, Held, Text};
use crate::goods::{Blob, Image, MANIFEST};
use crate::site::Site;
use crate::wire::{Answer, Ask, Outcome, Wire, sha256};

/// How often a request is sent before the server counts as broken.
const PATIENCE: usize = 200;

/// Between an answer that says "later" and the next request.
const BREATH: Duration = Duration::from_millis(50);

/// Images of one client in one repository: with more, one is deleted first.
const MOST_IMAGES: usize = 12;

/// Requests that are remembered for a report.
const TRAIL: usize = 120;

/// What happened how often: operation and outcome.
pub(super) type Tally = Mutex<BTreeMap<(&'static str, String), u64>>;

pub(super) struct Client {
    pub(super) rng: StdRng,
    pub(super) book: Book,
    pub(super) own: Text,
    pub(super) shared: Vec<Text>,
    pub(super) tags: Vec<Text>,
    /// The own repository as it was when it was last deleted for certain.
    pub(super) buried: Option<Buried>,
    pub(super) bases: Arc<Vec<Blob>>,
    pub(super) site: Arc<Site>,
    pub(super) wire: Wire,
    pub(super) tally: Arc<Tally>,
    /// The last requests and what came of them.
    trail: VecDeque<String>,
}

impl Client {
    pub(super) fn new(
        number: usize,
        seed: u64,
        site: &Arc<Site>,
        wire: &Wire,
        bases: &Arc<Vec<Blob>>,
        tally: &Arc<Tally>,
    ) -> Self {
        let rng = StdRng::seed_from_u64(seed.wrapping_add(number as u64));
        let own = Text::from(format!("faults/own-{number}"));
        Self {
            rng,
            book: Book::new(own.clone(), site.waits()),
            own,
            shared: (0..4).map(|index| format!("faults/shared-{index}").into()).collect(),
            tags: (0..3).map(|index| format!("t{number}-{index}").into()).collect(),
            buried: None,
            bases: Arc::clone(bases),
            site: Arc::clone(site),
            wire: wire.clone(),
            tally: Arc::clone(tally),
            trail: VecDeque::new(),
        }
    }

    /// The last requests, for whoever has to find out how it came to what was seen.
    pub(super) fn trail(&self) -> String {
        self.trail.iter().map(|line| format!("\n  {line}")).collect()
    }

    fn note(&mut self, ask: &Ask<'_>, outcome: String) {
        if self.trail.len() == TRAIL {
            self.trail.pop_front();
        }
        self.trail.push_back(format!("{} {}: {outcome}", ask.method, ask.url));
    }

    pub(super) fn count(&self, operation: &'static str, outcome: impl ToString) {
        *self.tally.lock().entry((operation, outcome.to_string())).or_default() += 1;
    }

    /// Sends a request to a server that runs. `None`: it may have been carried out, and its server is gone.
    pub(super) async fn ask(&mut self, operation: &'static str, ask: &Ask<'_>) -> Result<Option<Answer>> {
        for _ in 0..PATIENCE {
            let url = self.site.url(&mut self.rng).await;
            let whole = Ask { url: format!("{url}{}", ask.url), ..ask.clone() };
            match self.wire.send(whole).await? {
                Outcome::Answered(answer) => {
                    self.count(operation, answer.status);
                    self.note(ask, answer.shown());
                    if matches!(answer.status, 503 | 507) {
                        let told = answer.status == 507 || !answer.header("retry-after").is_empty();
                        ensure!(told, "{operation} {}: 503 without Retry-After", ask.url);
                        // It says that it may not know; and that it can be asked again.
                        tokio::time::sleep(BREATH).await;
                        return Ok(None);
                    }
                    ensure!(answer.status < 500, "{operation} {}: {}", ask.url, answer.shown());
                    return Ok(Some(answer));
                }
                Outcome::NotSent => self.site.gone(&url).await?,
                Outcome::Unknown => {
                    self.count(operation, "no answer");
                    self.note(ask, "no answer".into());
                    self.site.gone(&url).await?;
                    return Ok(None);
                }
            }
        }
        bail!("{operation} {}: no server takes it", ask.url)
    }

    /// A tag of this client, and the repository it is in.
    pub(super) fn place(&mut self) -> (Text, Text) {
        let repository = match self.rng.random_range(0..3) {
            0 => self.shared[self.rng.random_range(0..self.shared.len())].clone(),
            _ => self.own.clone(),
        };
        (repository, self.tags[self.rng.random_range(0..self.tags.len())].clone())
    }

    /// One operation, drawn.
    pub(super) async fn step(&mut self) -> Result<()> {
        let (repository, tag) = self.place();
        self.book.forget();
        if self.book.held(&repository).len() > MOST_IMAGES {
            return self.delete_manifest(&repository).await;
        }
        match self.rng.random_range(0..100) {
            0..35 => {
                let image = Arc::new(Image::random(&mut self.rng, &self.bases));
                self.push(&repository, &tag, &image).await
            }
            35..52 => self.move_tag(&repository, &tag).await,
            52..60 => self.delete_tag(&repository, &tag).await,
            60..67 => self.delete_manifest(&repository).await,
            67..71 => self.delete_blob().await,
            71..74 => self.delete_repository().await,
            74..77 => self.abandon_upload(&repository).await,
            77..82 if self.site.has_bin() => self.restore().await,
            82..86 if self.site.has_bin() => self.roll_back(&repository, &tag).await,
            _ => self.pull(&repository, &tag).await,
        }
    }

    /// Blobs, then the manifest under the tag.
    pub(super) async fn push(&mut self, repository: &Text, tag: &Text, image: &Arc<Image>) -> Result<()> {
        for blob in &image.blobs {
            let known = self.book.must_have(repository, &blob.digest) && self.rng.random_bool(0.7);
            if !known || !self.has_blob(repository, &blob.digest).await? {
                self.put_blob(repository, blob).await?;
            }
        }
        self.put_manifest(repository, tag, image).await
    }

    async fn put_manifest(&mut self, repository: &Text, tag: &Text, image: &Arc<Image>) -> Result<()> {
        let path = format!("/v2/{repository}/manifests/{tag}");
        let again = self.rng.random_bool(0.7);
        loop {
            let ask = Ask::new(Method::PUT, path.clone()).body(MANIFEST, image.manifest.clone());
            match self.ask("push manifest", &ask).await? {
                Some(answer) if answer.status == 201 => {
                    ensure!(answer.header("docker-content-digest") == &*image.digest, "{}", answer.shown());
                    self.book.pushed(repository, tag, image, true);
                    return Ok(());
                }
                Some(answer) => {
                    let lost = image.blobs.iter().find(|blob| !self.book.may_name(repository, &blob.digest));
                    ensure!(lost.is_some() && answer.status == 400, "{path}: {}", answer.shown());
                    return Ok(());
                }
                None => {
                    self.book.pushed(repository, tag, image, false);
                    if !again {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn move_tag(&mut self, repository: &Text, tag: &Text) -> Result<()> {
        let held = self.book.held(repository);
        if held.is_empty() {
            return Ok(());
        }
        let image = Arc::clone(&held[self.rng.random_range(0..held.len())]);
        self.put_manifest(repository, tag, &image).await
    }

    async fn delete_tag(&mut self, repository: &Text, tag: &Text) -> Result<()> {
        let ask = Ask::new(Method::DELETE, format!("/v2/{repository}/manifests/{tag}"));
        match self.ask("delete tag", &ask).await? {
            Some(answer) if answer.status == 202 => {
                let legal = self.book.legal(repository, tag);
                ensure!(legal.iter().any(Option::is_some), "{repository}:{tag} was deleted, and there was none");
                self.book.untagged(repository, tag, true);
            }
            Some(answer) if answer.status == 404 => self.book.saw_tag(repository, tag, None)?,
            Some(answer) => bail!("{}: {}", ask.url, answer.shown()),
            None => self.book.untagged(repository, tag, false),
        }
        Ok(())
    }

    async fn delete_manifest(&mut self, repository: &Text) -> Result<()> {
        let held = self.book.held(repository);
        if held.is_empty() {
            return Ok(());
        }
        let digest = held[self.rng.random_range(0..held.len())].digest.clone();
        let ask = Ask::new(Method::DELETE, format!("/v2/{repository}/manifests/{digest}"));
        match self.ask("delete manifest", &ask).await? {
            Some(answer) if answer.status == 202 => self.book.deleted(repository, &digest, true),
            Some(answer) if answer.status == 404 => self.book.saw_manifest(repository, &digest, false)?,
            Some(answer) => bail!("{}: {}", ask.url, answer.shown()),
            None => self.book.deleted(repository, &digest, false),
        }
        Ok(())
    }

    /// Only in the own repository: in the others somebody may be about to use it.
    async fn delete_blob(&mut self) -> Result<()> {
        let repository = self.own.clone();
        let blobs: Vec<Text> =
            self.book.blobs().into_iter().filter(|(own, _)| *own == repository).map(|(_, digest)| digest).collect();
        if blobs.is_empty() {
            return Ok(());
        }
        let digest = blobs[self.rng.random_range(0..blobs.len())].clone();
        let (ask, sent) = (Ask::new(Method::DELETE, format!("/v2/{repository}/blobs/{digest}")), Instant::now());
        let named = self.book.is_named(&repository, &digest, Held::Yes);
        let perhaps = named || self.book.is_named(&repository, &digest, Held::Maybe);
        match self.ask("delete blob", &ask).await? {
            Some(answer) if answer.status == 202 => {
                ensure!(!named, "{}: a blob that a manifest names was deleted", ask.url);
                self.book.unlinked(&repository, &digest, true);
            }
            Some(answer) if answer.status == 404 => self.book.saw_blob(&repository, &digest, false, sent)?,
            Some(answer) if answer.status == 409 => {
                ensure!(perhaps || self.names_a_forgotten_one(&answer), "{}: {}", ask.url, answer.shown());
            }
            Some(answer) => bail!("{}: {}", ask.url, answer.shown()),
            None if named => {}
            None => self.book.unlinked(&repository, &digest, false),
        }
        Ok(())
    }

    /// Whether a refusal speaks of a manifest of long ago, of which nothing is known but that it was pushed: it may have come back
    /// out of the bin.
    fn names_a_forgotten_one(&self, answer: &Answer) -> bool {
        let said: Value = serde_json::from_slice(answer.body.as_deref().unwrap_or_default()).unwrap_or_default();
        let manifest = said["errors"][0]["detail"]["manifest"].as_str().unwrap_or_default();
        self.book.was_pushed(manifest) && self.book.image(manifest).is_none()
    }

    async fn delete_repository(&mut self) -> Result<()> {
        let repository = self.own.clone();
        let ask = Ask::new(Method::DELETE, format!("/api/v1/repositories/oci/{repository}"));
        match self.ask("delete repository", &ask).await? {
            Some(answer) if answer.status < 300 => {
                self.buried = Some(self.book.bury(&repository));
                self.book.repository_deleted(&repository, true);
            }
            Some(answer) if answer.status == 404 => {
                for (own, digest) in self.book.manifests() {
                    if own == repository {
                        self.book.saw_manifest(&repository, &digest, false)?;
                    }
                }
                self.buried = None;
                self.book.repository_deleted(&repository, true);
            }
            Some(answer) => bail!("{}: {}", ask.url, answer.shown()),
            None => {
                self.buried = None;
                self.book.repository_deleted(&repository, false);
            }
        }
        Ok(())
    }

    /// Reads a tag and everything below it.
    pub(super) async fn pull(&mut self, repository: &Text, tag: &Text) -> Result<()> {
        match self.get(format!("/v2/{repository}/manifests/{tag}")).await? {
            None => Ok(()),
            Some((404, _)) => self.book.saw_tag(repository, tag, None),
            Some((200, body)) => {
                let digest = sha256(&body);
                self.book.saw_tag(repository, tag, Some(&digest))?;
                self.pull_blobs(repository, &digest, &body).await
            }
            Some((status, _)) => bail!("{repository}:{tag} answers {status}"),
        }
    }

    /// Reads a manifest and everything below it.
    pub(super) async fn pull_manifest(&mut self, repository: &Text, digest: &Text) -> Result<()> {
        match self.get(format!("/v2/{repository}/manifests/{digest}")).await? {
            None => Ok(()),
            Some((404, _)) => self.book.saw_manifest(repository, digest, false),
            Some((200, body)) => {
                ensure!(sha256(&body) == **digest, "{repository}@{digest}: other content");
                self.book.saw_manifest(repository, digest, true)?;
                self.pull_blobs(repository, digest, &body).await
            }
            Some((status, _)) => bail!("{repository}@{digest} answers {status}"),
        }
    }

    /// What the manifest itself names: it may be so old that its image is forgotten, and have come out of the bin.
    async fn pull_blobs(&mut self, repository: &Text, manifest: &str, content: &[u8]) -> Result<()> {
        ensure!(self.book.was_pushed(manifest), "{manifest} was never pushed");
        for digest in named(content).with_context(|| format!("{manifest} is no manifest"))? {
            match self.get(format!("/v2/{repository}/blobs/{digest}")).await? {
                None => return Ok(()),
                Some((200, body)) => ensure!(sha256(&body) == *digest, "{repository}: {digest} has other content"),
                Some((status, _)) => bail!("{repository}: {digest} of {manifest} answers {status}"),
            }
        }
        Ok(())
    }

    /// Reads a blob that no manifest need name.
    pub(super) async fn pull_blob(&mut self, repository: &Text, digest: &Text) -> Result<()> {
        let sent = Instant::now();
        match self.get(format!("/v2/{repository}/blobs/{digest}")).await? {
            None => Ok(()),
            Some((404, _)) => self.book.saw_blob(repository, digest, false, sent),
            Some((200, body)) => {
                ensure!(sha256(&body) == **digest, "{repository}: {digest} has other content");
                self.book.saw_blob(repository, digest, true, sent)
            }
            Some((status, _)) => bail!("{repository}: blob {digest} answers {status}"),
        }
    }

    /// Status and whole body; `None` if the server died before the end of it.
    async fn get(&mut self, path: String) -> Result<Option<(u16, Bytes)>> {
        let answer = self.ask("pull", &Ask::new(Method::GET, path)).await?;
        Ok(answer.and_then(|answer| Some((answer.status, answer.body?))))
    }

    pub(super) async fn has_blob(&mut self, repository: &Text, digest: &Text) -> Result<bool> {
        let ask = Ask::new(Method::HEAD, format!("/v2/{repository}/blobs/{digest}"));
        for _ in 0..PATIENCE {
            let sent = Instant::now();
            match self.ask("look for blob", &ask).await?.map(|answer| answer.status) {
                None => {}
                Some(status @ (200 | 404)) => {
                    self.book.saw_blob(repository, digest, status == 200, sent)?;
                    return Ok(status == 200);
                }
                Some(status) => bail!("{}: {status}", ask.url),
            }
        }
        bail!("{}: no answer", ask.url)
    }

    /// Everything in the book, read once.
    pub(super) async fn verify(&mut self) -> Result<()> {
        for (repository, tag) in self.book.tags() {
            self.pull(&repository, &tag).await?;
        }
        for (repository, digest) in self.book.manifests() {
            self.pull_manifest(&repository, &digest).await?;
        }
        for (repository, digest) in self.book.blobs() {
            self.pull_blob(&repository, &digest).await?;
        }
        Ok(())
    }
}

/// The digests of a manifest's config and layers.
fn named(manifest: &[u8]) -> Result<Vec<String>> {
    let manifest: Value = serde_json::from_slice(manifest)?;
    let layers = manifest["layers"].as_array().into_iter().flatten();
    let digests = std::iter::once(&manifest["config"]).chain(layers).map(|blob| blob["digest"].as_str());
    digests.map(|digest| Ok(digest.context("a descriptor without a digest")?.to_owned())).collect()
}
