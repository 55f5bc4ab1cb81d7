//! The storage of a registry: repositories with their tags, what these lead to, and what refers to that.
//!
//! A blob is asked for first, then mounted from a repository that has it, and sent only if neither does.

mod layout;
mod repository;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use reqwest::Method;
use reqwest::header::LOCATION;
use wharf_types::{Digest, RepoName};

use super::Import;
use super::checked::{Claim, check};
use super::server::Ask;
use super::stop::{One, Stop};
use crate::failure::Outcome;
pub(super) use layout::root;
use layout::{Layout, Tagged};
use repository::{Held, Repository};

/// Most tags that one push may set.
const MOST_TAGS: usize = 100;

/// What of a storage is to be brought.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bringing {
    /// Manifests too that no tag leads to.
    pub(super) untagged: bool,
    /// Tags that lead elsewhere on the server stay where they are.
    pub(super) keep_newer: bool,
}

/// Imports a storage.
pub(super) async fn import(import: &Import<'_>, prefix: &str, bringing: Bringing) -> Outcome {
    let Some(base) = root(&import.folder) else {
        let failed = "there is no docker/registry/v2 in it, with blobs and repositories";
        return Err(crate::failure::Failure::usage(failed).hint("name the registry's rootdirectory"));
    };
    let layout = Layout::new(&import.folder, base);
    let places = RefCell::default();
    for name in layout.repositories() {
        let into = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        if let Err(error) = into.parse::<RepoName>() {
            import.tally.failed(&name, &One::new(error));
            continue;
        }
        let mut tags = layout.tags(&name);
        if bringing.keep_newer {
            tags = not_elsewhere(import, &into, &name, tags).await?;
        }
        let repository = Repository::read(import, &layout, &name, tags, bringing);
        Mover { import, layout: &layout, into: &into, repository: &repository, places: &places }.bring().await?;
    }
    Ok(())
}

/// The tags without those that are on the server and lead elsewhere, which are told. One that cannot be asked for is not moved either.
/// Whoever pushes a tag after this look and before ours finds it moved, as by any push that comes later; its history has theirs.
async fn not_elsewhere(import: &Import<'_>, into: &str, name: &str, tags: Vec<Tagged>) -> Outcome<Vec<Tagged>> {
    let wanted = RefCell::new(Vec::new());
    import
        .tally
        .each(
            import.jobs,
            tags,
            |(tag, _)| format!("{name}:{tag}"),
            async |(tag, digest)| {
                if let Ok(digest) = &digest
                    && let Some(here) = head(import, into, &tag).await?
                    && here != digest.to_string()
                {
                    import.tally.left(&format!("{name}:{tag}"), &here);
                } else {
                    wanted.borrow_mut().push((tag, digest));
                }
                Ok(())
            },
        )
        .await?;
    Ok(wanted.into_inner())
}

/// The digest that a reference leads to on the server, if it is there.
async fn head(import: &Import<'_>, into: &str, reference: &str) -> Result<Option<String>, Stop> {
    let path = format!("/v2/{into}/manifests/{reference}");
    let found = import.server.find(Ask::new(Method::HEAD, path), "it").await?;
    Ok(found.as_ref().and_then(|answer| answer.header("docker-content-digest")).map(str::to_owned))
}

/// One repository on its way.
struct Mover<'a> {
    import: &'a Import<'a>,
    layout: &'a Layout<'a>,
    into: &'a str,
    repository: &'a Repository,
    /// In which repository of the server a blob is known to be.
    places: &'a RefCell<HashMap<Digest, String>>,
}

impl Mover<'_> {
    async fn bring(&self) -> Outcome {
        let tally = &self.import.tally;
        let all = &self.repository.manifests;
        let missing = RefCell::new(BTreeSet::new());
        tally
            .each(
                self.import.jobs,
                all.keys().copied(),
                |digest| self.named(digest),
                async |digest| {
                    if self.has(&digest.to_string(), &digest).await? {
                        self.remember(all[&digest].blobs());
                        tally.there(0);
                    } else {
                        missing.borrow_mut().insert(digest);
                    }
                    Ok(())
                },
            )
            .await?;
        let missing = missing.into_inner();
        let lost = self.bring_blobs(&missing).await?;
        for level in self.repository.levels() {
            let level = level.into_iter().filter(|digest| missing.contains(digest));
            tally
                .each(
                    self.import.jobs,
                    level,
                    |digest| self.named(digest),
                    async |digest| {
                        let held = &all[&digest];
                        if let Some(blob) = held.blobs().find(|blob| lost.contains(blob)) {
                            return Err(One::new(format!("{blob}, which it needs, could not be brought")).into());
                        }
                        self.put(&digest, held, self.repository.tags_of(&digest)).await?;
                        tally.sent(held.content.len() as u64);
                        Ok(())
                    },
                )
                .await?;
        }
        let there = self.repository.tags.iter().filter(|(_, digest)| !missing.contains(*digest));
        let name = |(tag, _): &(&String, &Digest)| format!("{}:{tag}", self.repository.name);
        tally.each(self.import.jobs, there, name, async |(tag, digest)| self.point(tag, digest).await).await
    }

    fn named(&self, digest: &Digest) -> String {
        match self.repository.tags_of(digest).first() {
            Some(tag) => format!("{}:{tag}", self.repository.name),
            None => format!("{}@{digest}", self.repository.name),
        }
    }

    /// Whether a reference leads to this manifest on the server.
    async fn has(&self, reference: &str, digest: &Digest) -> Result<bool, Stop> {
        Ok(head(self.import, self.into, reference).await?.is_some_and(|said| said == digest.to_string()))
    }

    fn remember(&self, blobs: impl Iterator<Item = Digest>) {
        let mut places = self.places.borrow_mut();
        for blob in blobs {
            places.entry(blob).or_insert_with(|| self.into.to_owned());
        }
    }

    /// Brings the blobs of these manifests. Says which could not be.
    async fn bring_blobs(&self, manifests: &BTreeSet<Digest>) -> Outcome<BTreeSet<Digest>> {
        let tally = &self.import.tally;
        let named = manifests.iter().filter_map(|digest| self.repository.manifests.get(digest));
        let mut blobs: BTreeMap<Digest, u64> = BTreeMap::new();
        for held in named {
            blobs.extend(held.blobs().map(|blob| (blob, self.layout.size(&blob).unwrap_or_default())));
            // What may lie elsewhere is brought if it lies here.
            blobs.extend(held.parsed.foreign.iter().filter_map(|blob| Some((*blob, self.layout.size(blob)?))));
        }
        tally.expect(blobs.values().copied().fold(0, u64::saturating_add));
        let brought = RefCell::new(BTreeSet::new());
        tally
            .each(
                self.import.jobs,
                blobs.iter(),
                |(blob, _)| self.layout.blob(blob),
                async |(blob, size)| {
                    self.bring_blob(blob, *size).await?;
                    brought.borrow_mut().insert(*blob);
                    Ok(())
                },
            )
            .await?;
        let brought = brought.into_inner();
        Ok(blobs.into_keys().filter(|blob| !brought.contains(blob)).collect())
    }

    async fn bring_blob(&self, blob: &Digest, size: u64) -> Result<(), Stop> {
        let (server, tally) = (&self.import.server, &self.import.tally);
        let base = format!("/v2/{}/blobs", self.into);
        if server.find(Ask::new(Method::HEAD, format!("{base}/{blob}")), "it").await?.is_some() {
            tally.there(size);
        } else if self.mount(&base, blob).await? {
            tally.bar().inc(size);
            tally.changed();
        } else {
            let claim = Claim::of(blob.algorithm().as_str(), &blob.hex());
            let checked = check(&self.import.folder, &self.layout.blob(blob), &claim).await?;
            if !tally.dry() {
                let ask = Ask::new(Method::POST, format!("{base}/uploads/?digest={blob}"))
                    .header("content-type", "application/octet-stream")
                    .file(&checked.path, checked.size, tally.bar());
                server.send(ask, "it").await?;
            }
            tally.sent(checked.size);
        }
        self.remember(std::iter::once(*blob));
        Ok(())
    }

    /// Takes a blob over from a repository that has it; false if none does.
    async fn mount(&self, base: &str, blob: &Digest) -> Result<bool, Stop> {
        let Some(from) = self.places.borrow().get(blob).cloned() else { return Ok(false) };
        if self.import.tally.dry() {
            return Ok(true);
        }
        let ask = Ask::new(Method::POST, format!("{base}/uploads/?mount={blob}&from={from}"));
        let answer = self.import.server.send(ask, "it").await?;
        if answer.status == reqwest::StatusCode::CREATED {
            return Ok(true);
        }
        // An upload has begun in its place, which nobody goes on with. That it cannot be ended is no harm.
        if let Some(path) = answer.header(LOCATION.as_str()).and_then(|place| Some(&place[place.find("/v2/")?..])) {
            self.import.server.answer(Ask::new(Method::DELETE, path)).await?;
        }
        Ok(false)
    }

    /// Pushes a manifest under its digest, with tags.
    async fn put(&self, digest: &Digest, held: &Held, tags: &[String]) -> Result<(), Stop> {
        if self.import.tally.dry() {
            return Ok(());
        }
        let none: &[String] = &[];
        for tags in if tags.is_empty() { vec![none] } else { tags.chunks(MOST_TAGS).collect() } {
            let query: Vec<String> = tags.iter().map(|tag| format!("tag={tag}")).collect();
            let path = format!("/v2/{}/manifests/{digest}?{}", self.into, query.join("&"));
            let ask = Ask::new(Method::PUT, path.trim_end_matches('?'))
                .header("content-type", held.parsed.media_type.as_str())
                .bytes(held.content.clone());
            self.import.server.send(ask, "it").await?;
        }
        Ok(())
    }

    /// Sees to it that a tag leads to a manifest that is there.
    async fn point(&self, tag: &str, digest: &Digest) -> Result<(), Stop> {
        let Some(held) = self.repository.manifests.get(digest) else { return Ok(()) };
        if self.has(tag, digest).await? {
            return Ok(());
        }
        self.put(digest, held, &[tag.to_owned()]).await?;
        self.import.tally.changed();
        Ok(())
    }
}
