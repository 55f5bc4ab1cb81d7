//! Snapshots of what a repository lists.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wharf_types::{SubjectName, Timestamp};

use super::answer::{Created, Done};
use super::body::{Json, Nothing};
use super::endpoint::{Ask, Parameter};
use super::page::{AFTER, LIMIT, List, Page};
use super::problem::Problem;

/// What a comparison takes.
pub(super) const DIFF: [Parameter; 3] =
    [LIMIT, AFTER, ("with", "The snapshot to compare with: the differences lead from that in the path to this one.")];

/// A snapshot.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Snapshot {
    /// Its name in the repository.
    name: String,
    /// Of which index (a distribution of APT); empty where a repository has one.
    channel: String,
    /// How many packages it lists.
    packages: u64,
    /// Whether it is what clients see.
    published: bool,
    /// Who made it.
    created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<wharf_core::Snapshot> for Snapshot {
    fn from(snapshot: wharf_core::Snapshot) -> Self {
        let wharf_core::Snapshot { name, channel, packages, created_by, created_at, published } = snapshot;
        Self { name: name.to_string(), channel, packages, published, created_by, created_at }
    }
}

/// A snapshot to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSnapshot {
    /// Its name in the repository.
    #[schema(value_type = String)]
    name: SubjectName,
    /// Of which index; without, of the only one.
    #[serde(default)]
    channel: String,
}

/// A package of which two snapshots have different versions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Difference {
    /// `added`, `removed` or `changed`.
    change: &'static str,
    /// Its name.
    name: String,
    /// Its architecture; empty where a format has none.
    architecture: String,
    /// The versions of the first snapshot.
    from: Vec<String>,
    /// The versions of the other.
    to: Vec<String>,
}

impl From<wharf_core::Difference> for Difference {
    fn from(difference: wharf_core::Difference) -> Self {
        let wharf_core::Difference { name, architecture, from, to } = difference;
        let change = match (from.is_empty(), to.is_empty()) {
            (true, _) => "added",
            (_, true) => "removed",
            _ => "changed",
        };
        Self { change, name, architecture, from, to }
    }
}

/// Which index clients are to see the newest of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Live {
    /// The index; without, the only one.
    #[serde(default)]
    channel: String,
}

pub(super) async fn list(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Snapshot>>, Problem> {
    let page = Page::of(&ask)?;
    let found = ask.core.snapshots(&ask.repository()?, &page.after, page.wanted()).await?;
    Ok(Json(page.list(found, |snapshot| snapshot.name.to_string(), Snapshot::from)))
}

pub(super) async fn create(ask: Ask<'_>, Json(new): Json<NewSnapshot>) -> Result<Created<Snapshot>, Problem> {
    let target = ask.repository()?;
    let made = ask.core.create_snapshot(&target, &new.channel, new.name, &ask.actor()).await?;
    let path = format!("/api/v1/repositories/{}/{}/-/snapshots/{}", target.format, target.name, made.name);
    Ok(Created(path, made.into()))
}

pub(super) async fn show(ask: Ask<'_>, _: Nothing) -> Result<Json<Snapshot>, Problem> {
    Ok(Json(ask.core.snapshot(&ask.repository()?, ask.subject("snapshot")?).await?.into()))
}

pub(super) async fn diff(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Difference>>, Problem> {
    let page = Page::of(&ask)?;
    let Some(with) = ask.parameter::<SubjectName>("with")? else {
        return Err(Problem::invalid("with: say which snapshot to compare with"));
    };
    let after = page.after.rsplit_once('/').unwrap_or_default();
    let after = (after.0.to_owned(), after.1.to_owned());
    let names = (ask.subject("snapshot")?, &with);
    let found = ask.core.diff_snapshots(&ask.repository()?, names, after, page.limit).await?;
    let next = found.next.map(|(name, architecture)| format!("{name}/{architecture}"));
    Ok(Json(List { items: found.items.into_iter().map(Difference::from).collect(), next }))
}

pub(super) async fn publish(ask: Ask<'_>, _: Nothing) -> Result<Done, Problem> {
    ask.core.publish_snapshot(&ask.repository()?, ask.subject("snapshot")?, &ask.actor()).await?;
    Ok(Done)
}

pub(super) async fn live(ask: Ask<'_>, Json(of): Json<Live>) -> Result<Done, Problem> {
    ask.core.publish_live(&ask.repository()?, &of.channel, &ask.actor()).await?;
    Ok(Done)
}

pub(super) async fn delete(ask: Ask<'_>, _: Nothing) -> Result<Done, Problem> {
    ask.core.delete_snapshot(&ask.repository()?, ask.subject("snapshot")?, &ask.actor()).await?;
    Ok(Done)
}
