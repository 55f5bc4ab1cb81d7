//! The collector: how it is doing, what it would do, what it does, and why it leaves something alone.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;
use wharf_core::{Candidate, Collected, Holder};
use wharf_types::{Digest, Timestamp};

use super::body::{Json, Nothing};
use super::endpoint::Ask;
use super::page::{List, Page};
use super::problem::Problem;

/// One request collects for so long at most.
const BUDGET: Duration = Duration::from_secs(20);

/// What went.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Run {
    /// Links that were hidden: they go when their grace is over and no manifest has named them.
    hidden: u64,
    /// Links that went.
    links: u64,
    /// Blobs that went.
    blobs: u64,
    /// Bytes of those blobs.
    bytes: u64,
    /// Objects that were removed from the storage.
    objects: u64,
    /// Bytes of those objects.
    freed: u64,
    /// Whether more is due: ask again.
    more: bool,
}

impl Run {
    fn of(collected: &Collected, more: bool) -> Self {
        let Collected { hidden, links, blobs, bytes, objects, freed, .. } = *collected;
        Self { hidden, links, blobs, bytes, objects, freed, more }
    }
}

/// How the collector is doing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct State {
    /// Reviews that are due, counted up to 100 000.
    due: u64,
    /// Since when the first of them is.
    #[schema(value_type = Option<String>, format = DateTime)]
    oldest: Option<Timestamp>,
    /// Objects that wait to be removed from the storage, counted up to 100 000.
    doomed: u64,
    /// Bytes of those that were counted.
    doomed_bytes: u64,
    /// Who keeps them: backups under way.
    pins: Vec<String>,
    /// Digests that lost a reference and are looked at later, counted up to 100 000 reviews. What still uses them is asked then.
    waiting: u64,
    /// Their bytes: so many may go.
    waiting_bytes: u64,
    /// When the first of them is looked at.
    #[schema(value_type = Option<String>, format = DateTime)]
    waiting_from: Option<Timestamp>,
    /// When the last is. What is hidden then goes when its grace is over.
    #[schema(value_type = Option<String>, format = DateTime)]
    waiting_until: Option<Timestamp>,
    /// Entries of the bin, counted up to 100 000. What only they use is looked at when they end.
    bin: u64,
    /// When the first of them ends.
    #[schema(value_type = Option<String>, format = DateTime)]
    bin_from: Option<Timestamp>,
    /// When the last does.
    #[schema(value_type = Option<String>, format = DateTime)]
    bin_until: Option<Timestamp>,
    /// Uploads that have not ended, counted up to 100 000.
    uploads: u64,
    /// Bytes that they have received.
    uploads_bytes: u64,
    /// When the server that answers last looked.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_run: Option<Timestamp>,
    /// How often it had to stop early since it started.
    failures: u64,
    /// What it has collected since it started.
    collected: Run,
}

/// One thing that would change.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Change {
    /// `hidden` and `unlinked` of a repository's link, `removed` of a blob, `freed` of bytes whose blob is gone.
    fate: &'static str,
    /// What it would happen to.
    #[schema(value_type = Option<String>)]
    digest: Option<Digest>,
    /// The repository whose link it is.
    repository: Option<String>,
    /// Bytes.
    size: u64,
    /// Why.
    reason: String,
    /// Since when it may.
    #[schema(value_type = String, format = DateTime)]
    due: Timestamp,
}

impl From<Candidate> for Change {
    fn from(candidate: Candidate) -> Self {
        let Candidate { fate, digest, repository, size, reason, due } = candidate;
        Self { fate: fate.as_str(), digest, repository, size, reason, due }
    }
}

/// Why a digest is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Why {
    /// The digest.
    #[schema(value_type = String)]
    digest: Digest,
    /// Its bytes; null if it is not here.
    size: Option<u64>,
    /// Whether anything keeps it.
    kept: bool,
    /// What holds on to it, up to a hundred of each kind.
    holders: Vec<Reason>,
    /// Whether there are more than are told.
    more: bool,
}

/// One thing that holds on to a digest, or that will look at it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reason {
    /// `manifest`, `reference`, `link`, `package`, `index`, `bin`, `object`, `pin`, `review`.
    kind: &'static str,
    /// Where.
    repository: Option<String>,
    /// What it is.
    what: String,
    /// Until when, or from when on a review is due.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

impl From<Holder> for Reason {
    fn from(holder: Holder) -> Self {
        let Holder { kind, repository, what, until, .. } = holder;
        Self { kind, repository, what, until }
    }
}

pub(super) async fn show(ask: Ask<'_>, _: Nothing) -> Result<Json<State>, Problem> {
    let (state, ahead) = (ask.core.collection_state().await?, ask.core.collection_outlook().await?);
    Ok(Json(State {
        due: state.due,
        oldest: state.oldest,
        doomed: state.doomed,
        doomed_bytes: state.doomed_bytes,
        pins: state.pins,
        waiting: ahead.reviews.count,
        waiting_bytes: ahead.reviews.bytes,
        waiting_from: ahead.reviews.from,
        waiting_until: ahead.reviews.until,
        bin: ahead.bin.count,
        bin_from: ahead.bin.from,
        bin_until: ahead.bin.until,
        uploads: ahead.uploads.0,
        uploads_bytes: ahead.uploads.1,
        last_run: state.last_run,
        failures: state.failures,
        collected: Run::of(&state.collected, state.due > 0),
    }))
}

pub(super) async fn run(ask: Ask<'_>, _: Nothing) -> Result<Json<Run>, Problem> {
    let (collected, more) = ask.core.collect_for(&ask.actor(), Some(BUDGET)).await?;
    Ok(Json(Run::of(&collected, more)))
}

pub(super) async fn preview(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Change>>, Problem> {
    let page = Page::of(&ask)?;
    let Some(preview) = ask.core.preview_collection(&page.after, page.limit).await? else {
        return Err(Problem::invalid(format!("after: {:?} is not a `next` of this list", page.after)));
    };
    let items = preview.candidates.into_iter().map(Change::from).collect();
    Ok(Json(List { items, next: preview.next }))
}

pub(super) async fn why(ask: Ask<'_>, _: Nothing) -> Result<Json<Why>, Problem> {
    let digest = ask.digest()?;
    let found = ask.core.why_kept(digest).await?;
    let kept = found.holders.iter().any(|holder| holder.keeps);
    let holders = found.holders.into_iter().map(Reason::from).collect();
    Ok(Json(Why { digest: *digest, size: found.size, kept, holders, more: found.more }))
}
