//! The recycle bin.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wharf_auth::{Access, Refused, ServerVerb, Verb};
use wharf_core::{BinEntry, BinKind, BinOf, Restoring};
use wharf_types::{Digest, RepoName, Timestamp};

use super::answer::Done;
use super::body::{Json, Nothing};
use super::call::format_named;
use super::endpoint::Ask;
use super::page::{List, Page};
use super::problem::Problem;

/// Something that was deleted and can be restored.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Entry {
    /// Its number; not given again.
    id: i64,
    /// `tag`, `manifest` or `repository`.
    kind: &'static str,
    /// The format of its repository.
    format: String,
    /// The repository it was deleted from, or that was deleted.
    repository: String,
    /// The tag, the digest or the repository's name.
    name: String,
    /// The manifest, or where the tag pointed.
    #[schema(value_type = Option<String>)]
    digest: Option<Digest>,
    /// Who deleted it.
    actor: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    deleted_at: Timestamp,
    /// Until when it can be restored.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

impl From<BinEntry> for Entry {
    fn from(entry: BinEntry) -> Self {
        let BinEntry { id, kind, format, repository, name, digest, actor, deleted_at, expires_at, .. } = entry;
        let (kind, repository) = (kind.as_str(), repository.canonical().to_owned());
        Self { id, kind, format, repository, name, digest, actor, deleted_at, expires_at }
    }
}

/// How something is to be restored.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Restore {
    /// A repository: under this name instead of its own. Who asks must be an owner of that place too.
    #[serde(rename = "as")]
    #[schema(value_type = Option<String>)]
    name: Option<RepoName>,
    /// Tags that point elsewhere by now are moved back all the same.
    #[serde(default)]
    force_tags: bool,
}

/// What came back, and what did not.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Restored {
    /// `tag`, `manifest` or `repository`.
    kind: &'static str,
    /// The repository, by the name it has now.
    repository: String,
    /// The manifest, or where the tag points again.
    #[schema(value_type = Option<String>)]
    digest: Option<Digest>,
    /// The tags that point where they pointed.
    tags: Vec<String>,
    /// The tags that stay as they are.
    kept: Vec<Kept>,
    /// Manifests that a restored index names and that were deleted for themselves; they are restored by themselves.
    #[schema(value_type = Vec<String>)]
    missing: Vec<Digest>,
}

/// A tag that was not restored.
#[derive(Debug, Serialize, ToSchema)]
struct Kept {
    /// The tag.
    tag: String,
    /// Where it points.
    #[schema(value_type = String)]
    digest: Digest,
    /// Why it stays there.
    reason: String,
}

impl From<wharf_core::Restored> for Restored {
    fn from(restored: wharf_core::Restored) -> Self {
        let wharf_core::Restored { kind, repository, digest, tags, kept, missing } = restored;
        let shown =
            |kept: wharf_core::Unmoved| Kept { tag: kept.tag.to_string(), digest: kept.digest, reason: kept.reason };
        Self {
            kind: kind.as_str(),
            repository: repository.canonical().to_owned(),
            digest,
            tags: tags.iter().map(ToString::to_string).collect(),
            kept: kept.into_iter().map(shown).collect(),
            missing,
        }
    }
}

pub(super) async fn everything(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Entry>>, Problem> {
    page(&ask, &BinOf::Everything).await
}

pub(super) async fn of_project(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Entry>>, Problem> {
    page(&ask, &BinOf::Project(ask.project()?.clone())).await
}

pub(super) async fn of_repository(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Entry>>, Problem> {
    page(&ask, &BinOf::Repository(ask.repository()?)).await
}

async fn page(ask: &Ask<'_>, of: &BinOf) -> Result<Json<List<Entry>>, Problem> {
    let page = Page::of(ask)?;
    let found = ask.core.bin(of, page.after_number()?, page.wanted()).await?;
    Ok(Json(page.list(found, |entry| entry.id.to_string(), Entry::from)))
}

/// The path does not say whose repository it is about: what the entry says of it decides, and who may not see it is told the same
/// as if there were none.
pub(super) async fn show(ask: Ask<'_>, _: Nothing) -> Result<Json<Entry>, Problem> {
    let id = ask.number("entry")?;
    let found = ask.core.bin_entry(id, None).await;
    let entry = match found {
        Err(wharf_core::Error::SecondThought(_)) => return Err(no_entry(id)),
        found => found?,
    };
    let auth = ask.core.auth();
    let inspects = auth.may(ask.permit.identity(), &Access::Server(ServerVerb::InspectServer)).await?;
    let format = format_named(&entry.format, ask.formats)?;
    let access = Access::Repository { format, name: &entry.repository, verb: Verb::Delete };
    let deletes = entry.has_project && auth.may(ask.permit.identity(), &access).await?;
    if inspects || deletes { Ok(Json(entry.into())) } else { Err(no_entry(id)) }
}

fn no_entry(id: i64) -> Problem {
    Problem::not_found(format!("there is no entry {id} in the bin that you may restore"))
        .hint("it was restored or emptied, its time was up, or it is not yours: `wharf bin list --project PROJECT` shows what there is")
}

/// Who may delete a tag or manifest restores it; who may delete a repository restores that.
pub(super) async fn restore(ask: Ask<'_>, Json(how): Json<Restore>) -> Result<Json<Restored>, Problem> {
    let (target, id) = (ask.repository()?, ask.number("entry")?);
    let entry = ask.core.bin_entry(id, Some(&target)).await?;
    let is_repository = entry.kind == BinKind::Repository;
    let places = how.name.iter().chain(is_repository.then_some(&target.name));
    for name in places {
        let access = Access::Repository { format: target.format, name, verb: Verb::Govern };
        if !ask.core.auth().may(ask.permit.identity(), &access).await? {
            let reason = format!("restoring the repository {name} needs the role owner there; ask an administrator");
            return Err(Refused::Forbidden { reason }.into());
        }
    }
    let how = Restoring { name: how.name, force_tags: how.force_tags };
    Ok(Json(ask.core.restore(&target, id, how, &ask.actor()).await?.into()))
}

pub(super) async fn empty(ask: Ask<'_>, _: Nothing) -> Result<Done, Problem> {
    ask.core.empty_bin_entry(&ask.repository()?, ask.number("entry")?, &ask.actor()).await?;
    Ok(Done)
}
