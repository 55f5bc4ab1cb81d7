//! Purges: content that must not be here goes at once.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wharf_core::{Broken, Error, Purging, Target};
use wharf_types::{Digest, RepoName, Timestamp};

use super::body::{Json, Nothing};
use super::call::format_named;
use super::endpoint::Ask;
use super::page::{List, Page};
use super::problem::Problem;

/// What is to be purged: a digest or a repository.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    /// A blob or a manifest, wherever it is.
    #[serde(default)]
    digest: Option<String>,
    /// A repository, be it deleted or not, with what only it has.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    repository: Option<RepoName>,
    /// The repository's format; `oci` if not said.
    #[serde(default)]
    format: Option<String>,
    /// Take along the manifests that name the digest, with their tags. Without it a purge that would break them is refused.
    #[serde(default)]
    force: bool,
    /// Why, for the audit log.
    #[serde(default)]
    reason: String,
}

/// A manifest that names what is purged.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Named {
    /// The repository it is in.
    repository: String,
    /// The manifest.
    #[schema(value_type = String)]
    manifest: Digest,
    /// As what it names it: `config`, `layer`, `manifest`.
    kind: String,
    /// Some of its tags.
    tags: Vec<String>,
}

impl From<Broken> for Named {
    fn from(broken: Broken) -> Self {
        let Broken { repository, manifest, kind, tags } = broken;
        Self { repository, manifest, kind, tags }
    }
}

/// What a purge did.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Purged {
    /// Manifests that went because they name it, up to a hundred.
    manifests: Vec<Named>,
    /// Indexes that name it and stay, incomplete; up to a hundred.
    incomplete: Vec<Named>,
    /// Tags that went, as `<repository>:<tag>`, up to a hundred.
    tags: Vec<String>,
    /// Packages that went.
    packages: Vec<String>,
    /// Entries of the recycle bin that went.
    bin: u64,
    /// Links of repositories that went.
    links: u64,
    /// Blobs that went, manifests among them.
    blobs: u64,
    /// Bytes of those blobs.
    bytes: u64,
    /// Objects whose bytes are gone from the storage.
    objects: u64,
    /// Objects that the storage did not remove; the server tries again until they are gone.
    waiting: u64,
    /// What stays because something else uses it, up to a hundred.
    #[schema(value_type = Vec<String>)]
    kept: Vec<Digest>,
    /// What this server cannot reach.
    backups: &'static str,
}

/// What backups do with it, by whether they know of the purge.
fn backups(noted: Option<bool>) -> &'static str {
    match noted {
        Some(true) => {
            "backups made before now still hold it; a restore from where this server writes them leaves it out, and `wharf backup prune` removes its bytes \
             there, those of manifests and of blobs up to 16 KiB with the last snapshot from before; copies elsewhere have to be \
             destroyed by hand, and whoever has pulled it has it"
        }
        Some(false) => {
            "backups made before now still hold it, and the purge could not be noted beside all of them: before it is, a restore brings it \
             back; `wharf purge --list` says whether the server still tries, `wharf job list` what is in the way; whoever has pulled it \
             has it"
        }
        None => {
            "backups made before now still hold it: a restore leaves it out only if there is a later backup beside the one that it is \
             from; their files have to be destroyed by hand, and whoever has pulled it has it"
        }
    }
}

/// A purge as it was written down.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Purge {
    /// The number of it.
    id: i64,
    /// The content, or null if it was a repository.
    #[schema(value_type = Option<String>)]
    digest: Option<Digest>,
    /// The repository with its format before it, or null if it was one digest.
    repository: Option<String>,
    /// Who asked for it.
    actor: String,
    /// Why.
    reason: String,
    /// When: what came later was pushed anew.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// `done`, or `under way` while the server still removes it or cannot note it beside all backups.
    state: &'static str,
}

impl From<wharf_core::Purge> for Purge {
    fn from(purge: wharf_core::Purge) -> Self {
        let wharf_core::Purge { id, digest, repository, actor, reason, at, under_way } = purge;
        let state = if under_way { "under way" } else { "done" };
        Self { id, digest, repository, actor, reason, at, state }
    }
}

pub(super) async fn purge(ask: Ask<'_>, Json(order): Json<Order>) -> Result<Json<Purged>, Problem> {
    let what = match (&order.digest, &order.repository) {
        (Some(digest), None) => Purging::Digest(digest.parse().map_err(Problem::invalid)?),
        (None, Some(name)) => {
            let format = format_named(order.format.as_deref().unwrap_or("oci"), ask.formats)?;
            Purging::Repository(Target::new(format, name.clone()))
        }
        _ => return Err(Problem::invalid("either digest or repository is to be given")),
    };
    let purged = ask.core.purge(&what, order.force, &order.reason, &ask.actor()).await.map_err(refused)?;
    let named = |all: Vec<Broken>| all.into_iter().map(Named::from).collect();
    Ok(Json(Purged {
        manifests: named(purged.manifests),
        incomplete: named(purged.incomplete),
        tags: purged.tags,
        packages: purged.packages,
        bin: purged.bin,
        links: purged.links,
        blobs: purged.blobs,
        bytes: purged.bytes,
        objects: purged.objects,
        waiting: purged.waiting,
        kept: purged.kept,
        backups: backups(purged.noted),
    }))
}

/// Names what stands in the way, because somebody has to decide about each of them.
fn refused(error: Error) -> Problem {
    const SHOWN: usize = 20;
    let Error::PurgeBreaks(broken) = &error else { return error.into() };
    let mut told: Vec<String> = broken
        .iter()
        .take(SHOWN)
        .map(|one| format!("{} {} ({})", one.repository, one.manifest, one.tags.join(" ")).replace(" ()", ""))
        .collect();
    told.extend((broken.len() > SHOWN).then(|| format!("and at least {} more", broken.len() - SHOWN)));
    let problem = Problem::conflict("in-use", format!("these manifests name it: {}", told.join(", ")));
    problem.hint("force (--force) takes images along that cannot be pulled without it, and leaves indexes incomplete")
}

pub(super) async fn list(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Purge>>, Problem> {
    let page = Page::of(&ask)?;
    let found = ask.core.purges(page.after_number()?.unwrap_or_default(), page.wanted()).await?;
    Ok(Json(page.list(found, |purge| purge.id.to_string(), Purge::from)))
}
