//! From tags to packages: makes what a format lists agree with where tags point.

use serde::{Deserialize, Serialize};
use wharf_db::catalog::blobs::{self, Place};
use wharf_db::catalog::{jobs, manifests, packages, repositories, tags};
use wharf_db::{Db, Tx};
use wharf_types::{Digest, RepoName, Tag, Timestamp};

use super::{Doors, Shown, twin, view_of};
use crate::package::{Adding, Pointed};
use crate::repository::Target;
use crate::{Actor, Arrival, Contents, Core, Error, Result};

/// The kind of the jobs that look where tags point.
pub(crate) const REFLECT: &str = "reflect";

/// Rows of one read.
const PAGE: usize = 500;

/// What the job row says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The format that lists packages.
    shown_by: String,
    /// The artifacts' repository, and the name it had.
    repository: i64,
    name: RepoName,
    /// One tag, or all of them.
    tag: Option<Tag>,
    /// Whether repository and name are those of the format that lists packages, and everything below is meant.
    #[serde(default)]
    below: bool,
}

impl Order {
    fn read(payload: &str) -> Result<Self> {
        serde_json::from_str(payload).map_err(|error| Error::Inconsistent(format!("an order to reflect: {error}")))
    }

    /// What it is about, for people.
    pub(crate) fn subject(payload: &str) -> Option<String> {
        let Self { name, tag, below, .. } = Self::read(payload).ok()?;
        if below {
            return Some(format!("{name}/*"));
        }
        Some(tag.map_or_else(|| name.to_string(), |tag| format!("{name}:{tag}")))
    }
}

/// Writes the order with the change that asks for it.
pub(crate) async fn ask_to_reflect(
    tx: &mut Tx<'_>,
    shown: Shown,
    (repository, name): (i64, &RepoName),
    tag: Option<&Tag>,
    at: Timestamp,
) -> Result<()> {
    if view_of(name).is_none() {
        return Ok(());
    }
    let key = format!("{}/{repository}/{}/{}", shown.by, name.canonical(), tag.map(Tag::as_str).unwrap_or_default());
    enqueue(tx, &key, &order(shown, (repository, name), tag), at).await
}

/// The same for every artifact that a repository, which was just made, is to list: it may have lain there for long.
pub(crate) async fn ask_to_reflect_below(
    tx: &mut Tx<'_>,
    shown: Shown,
    (repository, name): (i64, &RepoName),
    at: Timestamp,
) -> Result<()> {
    let key = format!("{}/{repository}/{}/*", shown.by, name.canonical());
    enqueue(tx, &key, &Order { below: true, ..order(shown, (repository, name), None) }, at).await
}

fn order(shown: Shown, (repository, name): (i64, &RepoName), tag: Option<&Tag>) -> Order {
    Order { shown_by: shown.by.to_string(), repository, name: name.clone(), tag: tag.cloned(), below: false }
}

async fn enqueue(tx: &mut Tx<'_>, key: &str, order: &Order, at: Timestamp) -> Result<()> {
    let payload = serde_json::to_string(order).map_err(|error| Error::Inconsistent(error.to_string()))?;
    Ok(jobs::enqueue(tx, REFLECT, key, &payload, at, at).await?)
}

/// The first hundred repositories that hold as artifacts what a repository lists.
pub(crate) async fn artifacts_of(tx: &mut Tx<'_>, shown: Shown, (id, name): (i64, &RepoName)) -> Result<Vec<RepoName>> {
    let mut found = Vec::new();
    for row in artifacts_below(tx, shown, name, "", 100).await? {
        let Some((_, package)) = view_of(&row.name).filter(|(view, _)| view.full() == name.full()) else { continue };
        if !packages::named(tx, id, (&package, None), "", 1).await?.is_empty() {
            found.push(row.name);
        }
    }
    Ok(found)
}

/// Up to `limit` repositories that hold artifacts of what this repository lists, by name after `after`.
async fn artifacts_below(
    tx: &mut Tx<'_>,
    shown: Shown,
    view: &RepoName,
    after: &str,
    limit: i64,
) -> Result<Vec<repositories::Repository>> {
    let prefix = format!("{}/", view.full());
    let begin = if after.is_empty() { prefix.as_str() } else { after };
    let mut rows = repositories::page(tx, shown.form.format().as_str(), None, true, begin, limit).await?;
    rows.retain(|row| row.name.canonical().starts_with(&prefix));
    Ok(rows)
}

/// Asks for it if one of the manifests, between which a tag has moved, is an artifact that some format lists. `known` saves a look
/// at the one that is just being pushed.
pub(crate) async fn reflect_move(
    tx: &mut Tx<'_>,
    doors: &Doors,
    (repository, name): (i64, &RepoName),
    tag: &Tag,
    between: [Option<&Digest>; 2],
    known: Option<&(Digest, Option<String>)>,
    at: Timestamp,
) -> Result<()> {
    if doors.is_empty() || view_of(name).is_none() {
        return Ok(());
    }
    for digest in between.into_iter().flatten() {
        let kind = match known.filter(|(known, _)| known == digest) {
            Some((_, kind)) => kind.clone(),
            None => manifests::find(tx, repository, digest).await?.and_then(|manifest| manifest.artifact_type),
        };
        if let Some(shown) = kind.and_then(|kind| doors.of_type(&kind)) {
            return ask_to_reflect(tx, shown, (repository, name), Some(tag), at).await;
        }
    }
    Ok(())
}

/// The same for a manifest that comes or goes with all these tags. Where they are many, one order is for all of the repository.
pub(crate) async fn reflect_manifest(
    tx: &mut Tx<'_>,
    doors: &Doors,
    (repository, name): (i64, &RepoName),
    artifact_type: Option<&str>,
    tags: &[Tag],
    at: Timestamp,
) -> Result<()> {
    const FEW: usize = 16;
    let Some(shown) = artifact_type.and_then(|kind| doors.of_type(kind)) else { return Ok(()) };
    if tags.len() > FEW {
        return ask_to_reflect(tx, shown, (repository, name), None, at).await;
    }
    for tag in tags {
        ask_to_reflect(tx, shown, (repository, name), Some(tag), at).await?;
    }
    Ok(())
}

/// Where a tag points, and what is listed of it.
struct Sight {
    pointed: Option<Digest>,
    package: Option<Digest>,
    companion: Option<Digest>,
    listed: Option<Digest>,
    listed_companions: Vec<Option<Digest>>,
}

/// One tag and its package.
struct Pair<'a> {
    shown: Shown,
    artifacts: (i64, &'a RepoName),
    view: Target,
    tag: &'a Tag,
    path: String,
    companions: Vec<String>,
}

impl Core {
    /// Runs a job of the kind [`REFLECT`].
    pub(crate) async fn reflect(&self, payload: &str) -> Result<()> {
        let order = Order::read(payload)?;
        let Some(shown) = self.inner.rules.doors().shown_by(&order.shown_by) else { return Ok(()) };
        if order.below {
            return self.reflect_below(shown, &order).await;
        }
        let Some((view, name)) = view_of(&order.name) else { return Ok(()) };
        let view = Target::new(shown.by, view);
        if let Some(tag) = &order.tag {
            return self.reflect_tag(shown, &order, &view, &name, tag).await;
        }
        let mut after = String::new();
        loop {
            let page = self.listed_tags(shown, &view, &name, &mut after).await?;
            if page.is_empty() {
                break;
            }
            for tag in &page {
                self.reflect_tag(shown, &order, &view, &name, tag).await?;
            }
        }
        self.reflect_all_tags(shown, &order, &view, &name).await
    }

    async fn reflect_below(&self, shown: Shown, whole: &Order) -> Result<()> {
        let target = Target::new(shown.by, whole.name.clone());
        let mut after = String::new();
        loop {
            let args = (shown, whole, after.as_str());
            let page = self.inner.db.read(&args, |tx, (shown, whole, after)| {
                Box::pin(async move {
                    // Whoever has deleted the repository meanwhile shall not have it back.
                    if !repositories::living(tx, whole.repository).await?.is_some_and(|row| row.name == whole.name) {
                        return Ok(Vec::new());
                    }
                    artifacts_below(tx, *shown, &whole.name, after, PAGE as i64).await
                })
            });
            let page: Vec<repositories::Repository> = page.await?;
            let Some(last) = page.last() else { return Ok(()) };
            last.name.canonical().clone_into(&mut after);
            for row in &page {
                if let Some((_, name)) = view_of(&row.name).filter(|(view, _)| view.full() == whole.name.full()) {
                    let one = order(shown, (row.id, &row.name), None);
                    self.reflect_all_tags(shown, &one, &target, &name).await?;
                }
            }
        }
    }

    async fn reflect_all_tags(&self, shown: Shown, order: &Order, view: &Target, name: &str) -> Result<()> {
        let artifacts = Target::new(shown.form.format(), order.name.clone());
        let mut after = String::new();
        loop {
            let page = match self.tags(&artifacts, &after, PAGE).await {
                Ok(page) => page,
                Err(Error::RepositoryUnknown(_)) => return Ok(()),
                Err(error) => return Err(error),
            };
            let Some(last) = page.last() else { return Ok(()) };
            last.name.as_str().clone_into(&mut after);
            for tag in &page {
                self.reflect_tag(shown, order, view, name, &tag.name).await?;
            }
        }
    }

    /// The tags of some of the packages of this name.
    async fn listed_tags(&self, shown: Shown, view: &Target, name: &str, after: &mut String) -> Result<Vec<Tag>> {
        let args = (view, name, after.as_str());
        let page = self.inner.db.read(&args, |tx, (view, name, after)| {
            Box::pin(async move {
                let Some(repository) = view.find(tx).await? else { return Ok::<_, Error>(Vec::new()) };
                Ok(packages::named(tx, repository.id, (name, None), after, PAGE as i64).await?)
            })
        });
        let page = page.await?;
        if let Some(last) = page.last() {
            last.package.path.clone_into(after);
        }
        let tag = |row: &packages::Package| Some(shown.form.address(&row.package.name, &row.package.version)?.1);
        let mut tags: Vec<Tag> = page.iter().filter_map(tag).collect();
        tags.dedup();
        // What has no tag is listed and stays; the reading goes on.
        if tags.is_empty() && !page.is_empty() {
            return Box::pin(self.listed_tags(shown, view, name, after)).await;
        }
        Ok(tags)
    }

    async fn reflect_tag(&self, shown: Shown, order: &Order, view: &Target, name: &str, tag: &Tag) -> Result<()> {
        let Some(path) = shown.form.path(name, tag) else { return Ok(()) };
        let companions = self.format_of(view)?.companions(&path);
        let (artifacts, view) = ((order.repository, &order.name), view.clone());
        let pair = Pair { shown, artifacts, view, tag, path, companions };
        let sight = look(&self.inner.db, &pair).await?;
        let Some(package) = sight.package else { return self.unlist_artifact(&pair, &sight).await };
        if sight.listed != Some(package) && !self.list_artifact(&pair, &sight, package, String::new()).await? {
            return self.unlist_artifact(&pair, &sight).await;
        }
        if let Some(companion) = sight.companion.filter(|digest| !sight.listed_companions.contains(&Some(*digest))) {
            let section = shown.form.companion().1.to_owned();
            self.list_artifact(&pair, &sight, companion, section).await?;
        }
        Ok(())
    }

    async fn unlist_artifact(&self, pair: &Pair<'_>, sight: &Sight) -> Result<()> {
        if sight.listed.is_none() {
            return Ok(());
        }
        let still = Pointed { repository: pair.artifacts.0, tag: pair.tag.clone(), digest: sight.pointed };
        self.remove_reflected(&pair.view, &pair.path, still).await
    }

    /// Reads a layer as what it should be and lists it. False if it is not: then that is told in the log, for whoever pushed it
    /// may push what he likes.
    async fn list_artifact(&self, pair: &Pair<'_>, sight: &Sight, digest: Digest, section: String) -> Result<bool> {
        let args = (pair.artifacts.0, digest);
        let blob = self.inner.db.read(&args, |tx, (id, digest)| Box::pin(blobs::linked(tx, *id, digest))).await;
        let Some(blob) = blob.map_err(Error::from)? else { return Ok(false) };
        let is_companion = !section.is_empty();
        let arrival = Arrival { section, replaces: true, ..Arrival::default() };
        let inspected = self.inspect(self.format_of(&pair.view)?, &blob, arrival.clone()).await;
        let contents: Contents = match inspected {
            Ok(contents) => contents,
            Err(Error::PackageInvalid(why)) => return Ok(pair.is_not_shown(&why)),
            Err(error) => return Err(error),
        };
        let expected = if is_companion { pair.companions.contains(&contents.path) } else { contents.path == pair.path };
        if !expected {
            return Ok(pair.is_not_shown(&format!("it says of itself that it is {}", contents.path)));
        }
        let still = Pointed { repository: pair.artifacts.0, tag: pair.tag.clone(), digest: sight.pointed };
        let adding = Adding { target: &pair.view, arrival, actor: &Actor::system(), still: Some(still) };
        match self.write_package(adding, blob, contents).await {
            Ok(_) => Ok(true),
            Err(Error::PackageInvalid(why)) => Ok(pair.is_not_shown(&why)),
            Err(error) => Err(error),
        }
    }
}

impl Pair<'_> {
    fn is_not_shown(&self, why: &str) -> bool {
        let Self { shown, artifacts: (_, name), tag, .. } = self;
        tracing::warn!(repository.name = %name, %tag, format = %shown.by, why, "an artifact is not listed as the package it claims to be");
        false
    }
}

async fn look(db: &Db, pair: &Pair<'_>) -> Result<Sight> {
    let sight = db.snapshot(pair, |tx, pair| {
        Box::pin(async move {
            let (pointed, content) = artifact(tx, pair).await?;
            let (package, companion) = content.map_or((None, None), |content| twin::layers(&content, pair.shown.form));
            let (mut listed, mut listed_companions) = (None, Vec::new());
            if let Some(view) = pair.view.find(tx).await? {
                listed = packages::find(tx, view.id, &pair.path).await?.map(|row| row.package.digest);
                for path in &pair.companions {
                    listed_companions.push(packages::find(tx, view.id, path).await?.map(|row| row.package.digest));
                }
            }
            Ok::<_, Error>(Sight { pointed, package, companion, listed, listed_companions })
        })
    });
    sight.await
}

/// Where the tag points, and the manifest if it is one of the artifacts that are listed.
async fn artifact(tx: &mut Tx<'_>, pair: &Pair<'_>) -> Result<(Option<Digest>, Option<Vec<u8>>)> {
    let (id, name) = pair.artifacts;
    let living = repositories::living(tx, id).await?.is_some_and(|row| row.name == *name);
    let pointed = if living { tags::find(tx, id, pair.tag).await? } else { None };
    let Some(digest) = pointed else { return Ok((None, None)) };
    let kind = manifests::find(tx, id, &digest).await?.and_then(|manifest| manifest.artifact_type);
    if kind.as_deref() != Some(pair.shown.form.config_type()) {
        return Ok((pointed, None));
    }
    match blobs::find(tx, &digest).await? {
        Some(blobs::Blob { place: Place::Here(content), .. }) => Ok((pointed, Some(content))),
        _ => Ok((pointed, None)),
    }
}
