//! Backups of the whole server, and the scrub.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wharf_core::Error;
use wharf_types::{Digest, Timestamp};

use super::answer::{Created, Done};
use super::body::{Json, Nothing};
use super::endpoint::{Ask, Parameter};
use super::page::{List, Page};
use super::problem::Problem;

/// Where the backups lie that are forgotten.
pub(super) const WHERE: [Parameter; 1] =
    [("to", "Where they were to go; empty for the server's place for backups itself.")];

/// A backup that was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Backup {
    /// The number of it, which grows with time.
    id: i64,
    /// Where to, below the server's place for backups; empty for that place itself.
    to: String,
    /// Who asked.
    actor: String,
    /// `waiting`, `running`, `done`, `incomplete` (blobs could not be copied) or `failed`.
    state: String,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    asked_at: Timestamp,
    /// When it was over.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// The snapshot that was made.
    snapshot: Option<String>,
    /// Rows written.
    rows: u64,
    /// Blobs copied, or found to be there.
    blobs: u64,
    /// Blobs in all, once that is known.
    blobs_total: u64,
    /// Bytes of the blobs done.
    bytes: u64,
    /// Bytes of all blobs.
    bytes_total: u64,
    /// Blobs that could not be copied.
    missing: u64,
    /// What went wrong last.
    error: Option<String>,
}

impl From<wharf_core::backup::Backup> for Backup {
    fn from(backup: wharf_core::backup::Backup) -> Self {
        let wharf_core::backup::Backup {
            id,
            destination,
            actor,
            state,
            asked_at,
            finished_at,
            snapshot,
            count,
            missing,
            error,
        } = backup;
        Self {
            id,
            to: destination,
            actor,
            state,
            asked_at,
            finished_at,
            snapshot,
            rows: count.rows,
            blobs: count.blobs,
            blobs_total: count.blobs_total,
            bytes: count.bytes,
            bytes_total: count.bytes_total,
            missing,
            error,
        }
    }
}

/// A backup to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBackup {
    /// Where to: a folder in the server's place for backups, or that place itself if not said.
    #[serde(default)]
    to: String,
    /// Begin again in a place where backups were written and none is now. Without it that is refused: a disk may not be mounted.
    #[serde(default)]
    anew: bool,
}

/// How far the scrub is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Scrub {
    /// When the pass began.
    #[schema(value_type = Option<String>, format = DateTime)]
    begun_at: Option<Timestamp>,
    /// When it came to its end.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// Blobs read in it.
    blobs: u64,
    /// Bytes read in it.
    bytes: u64,
    /// Blobs that were found to be damaged, and could not be taken again from a backup.
    damaged: u64,
    /// Blobs that could not be read. They are served as before and tried again each hour.
    unread: u64,
}

/// A blob that is not served, because its bytes are wrong or gone.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DamagedBlob {
    /// Which.
    #[schema(value_type = String)]
    digest: Digest,
    /// Bytes it should have.
    size: u64,
    /// What is wrong.
    problem: String,
    /// When it was found.
    #[schema(value_type = String, format = DateTime)]
    found_at: Timestamp,
}

pub(super) async fn list(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Backup>>, Problem> {
    let page = Page::of(&ask)?;
    let found = ask.core.backups(page.after_number()?, page.wanted()).await?;
    Ok(Json(page.list(found, |backup| backup.id.to_string(), Backup::from)))
}

pub(super) async fn create(ask: Ask<'_>, Json(new): Json<NewBackup>) -> Result<Created<Backup>, Problem> {
    let made = ask.core.ask_for_backup(&new.to, new.anew, &ask.actor()).await.map_err(|error| match error {
        Error::Backup(problem) => Problem::invalid(problem),
        error => error.into(),
    })?;
    Ok(Created(format!("/api/v1/backups/{}", made.id), made.into()))
}

pub(super) async fn forget(ask: Ask<'_>, _: Nothing) -> Result<Done, Problem> {
    let to: Option<String> = ask.parameter("to")?;
    let to =
        to.ok_or_else(|| Problem::invalid("to: which place? Empty, it is the server's place for backups itself"))?;
    let forgotten = ask.core.forget_backups(&to, &ask.actor()).await.map_err(|error| match error {
        Error::Backup(problem) => Problem::conflict("in-use", problem),
        error => error.into(),
    })?;
    if forgotten {
        return Ok(Done);
    }
    Err(Problem::not_found(format!("no backup was to go to {to:?}")).hint("`wharf backup list` says where each went"))
}

pub(super) async fn show(ask: Ask<'_>, _: Nothing) -> Result<Json<Backup>, Problem> {
    let id = ask.number("backup")?;
    let found = ask.core.backup(id).await?;
    found.map(|found| Json(found.into())).ok_or_else(|| Problem::not_found(format!("there is no backup {id}")))
}

pub(super) async fn scrub(ask: Ask<'_>, _: Nothing) -> Result<Json<Scrub>, Problem> {
    let wharf_core::Pass { begun_at, finished_at, blobs, bytes, damaged, unread, .. } = ask.core.scrub_pass().await?;
    Ok(Json(Scrub { begun_at, finished_at, blobs, bytes, damaged, unread }))
}

pub(super) async fn start_scrub(ask: Ask<'_>, _: Nothing) -> Result<Done, Problem> {
    ask.core.start_scrub(&ask.actor()).await?;
    Ok(Done)
}

pub(super) async fn damaged(ask: Ask<'_>, _: Nothing) -> Result<Json<List<DamagedBlob>>, Problem> {
    let page = Page::of(&ask)?;
    let after = match page.after.as_str() {
        "" => None,
        text => Some(text.parse::<Digest>().map_err(|error| Problem::invalid(format!("after: {error}")))?),
    };
    let found = ask.core.damaged(after.as_ref(), page.wanted()).await?;
    Ok(Json(page.list(
        found,
        |damaged| damaged.digest.to_string(),
        |damaged| {
            let wharf_core::Damaged { digest, size, problem, found_at } = damaged;
            DamagedBlob { digest, size, problem, found_at }
        },
    )))
}
