//! Who did what.

use std::io;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::stream;
use serde::Serialize;
use utoipa::ToSchema;
use wharf_core::{AuditFilter, AuditKey, AuditLine, AuditOrder, AuditPage, ByteStream, Core};
use wharf_types::{Digest, ProjectName, Timestamp};

use super::answer::Lines;
use super::body::{Json, Nothing};
use super::endpoint::{Ask, Parameter};
use super::page::{AFTER, LIMIT, List, Page};
use super::problem::Problem;

const ACTOR: Parameter = ("actor", "Only what this user or robot did.");
const IN_PROJECT: Parameter = ("project", "Only about this project.");
const REPOSITORY: Parameter = ("repository", "Only about this repository.");
const DIGEST: Parameter = ("digest", "Only about this content.");
const ACTION: Parameter = ("action", "Only this operation, such as manifest.read or login.");
const OUTCOME: Parameter = ("outcome", "Only what came to this: ok, denied or failed.");
const ADDRESS: Parameter = ("address", "Only from this address.");
const SINCE: Parameter = ("since", "Only what is not older than this (RFC 3339).");
const UNTIL: Parameter = ("until", "Only what is older than this (RFC 3339).");
/// An export that ends now would miss what is written down a little later, and whoever goes on after it would never see that.
const SETTLED: Parameter =
    ("until", "Only what is older than this (RFC 3339); 30 seconds ago if not said, by when every line is written.");
/// What narrows the log of everything.
pub(super) const EVERYTHING: [Parameter; 11] =
    [LIMIT, AFTER, ACTOR, IN_PROJECT, REPOSITORY, DIGEST, ACTION, OUTCOME, ADDRESS, SINCE, UNTIL];
/// What narrows the log of a project.
pub(super) const PROJECT: [Parameter; 10] =
    [LIMIT, AFTER, ACTOR, REPOSITORY, DIGEST, ACTION, OUTCOME, ADDRESS, SINCE, UNTIL];
/// What narrows the log of what one did oneself.
pub(super) const OWN: [Parameter; 9] = [LIMIT, AFTER, REPOSITORY, DIGEST, ACTION, OUTCOME, ADDRESS, SINCE, UNTIL];
/// What narrows an export of everything.
pub(super) const EXPORT: [Parameter; 10] =
    [AFTER_KEY, ACTOR, IN_PROJECT, REPOSITORY, DIGEST, ACTION, OUTCOME, ADDRESS, SINCE, SETTLED];
/// What narrows an export of a project.
pub(super) const EXPORT_PROJECT: [Parameter; 9] =
    [AFTER_KEY, ACTOR, REPOSITORY, DIGEST, ACTION, OUTCOME, ADDRESS, SINCE, SETTLED];
const AFTER_KEY: Parameter = ("after", "Goes on after the line with this `id`.");

/// A line of the audit log: a change, or what was the same of reads, logins and refusals within some seconds.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Entry {
    /// The place of the line in the log.
    id: String,
    /// When; the first time, if it happened several times.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The last time.
    #[schema(value_type = String, format = DateTime)]
    last_at: Timestamp,
    /// How often in between.
    times: u64,
    /// Who.
    actor: String,
    /// By which credential.
    credential: String,
    /// What was done.
    action: String,
    /// What came of it: `ok`, `denied` or `failed`.
    outcome: String,
    /// The project concerned.
    project: Option<String>,
    /// The repository concerned.
    repository: Option<String>,
    /// What inside it, or who.
    subject: Option<String>,
    /// Which content.
    #[schema(value_type = Option<String>)]
    digest: Option<Digest>,
    /// From where.
    address: Option<String>,
    /// In which request, the first time.
    request_id: Option<String>,
    /// Anything else.
    detail: Option<String>,
}

impl From<AuditLine> for Entry {
    fn from(line: AuditLine) -> Self {
        Self {
            id: line.key.to_string(),
            at: line.at,
            last_at: line.last_at,
            times: line.times,
            actor: line.actor,
            credential: line.credential,
            action: line.action,
            outcome: line.outcome,
            project: line.project,
            repository: line.repository,
            subject: line.subject,
            digest: line.digest,
            address: line.address,
            request_id: line.request_id,
            detail: line.detail,
        }
    }
}

pub(super) async fn everything(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Entry>>, Problem> {
    let scope = Scope::Everything;
    page(&ask, &scope, &AuditFilter { project: ask.parameter("project")?, ..asked(&ask)? }).await
}

/// Lines about the project of the path and no other, whatever the parameters say: all of them must hold.
pub(super) async fn of_project(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Entry>>, Problem> {
    let scope = Scope::Project(ask.project()?.clone());
    page(&ask, &scope, &asked(&ask)?).await
}

/// What one did oneself; logins are seen here, by auditors, and nowhere else.
pub(super) async fn own(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Entry>>, Problem> {
    let identity = ask.permit.identity();
    let (actor, born) = (Some(identity.subject().name()), ask.core.auth().known_since(identity).await?);
    let filter = asked(&ask)?;
    let since = filter.since.map_or(born, |since| since.max(born));
    page(&ask, &Scope::Everything, &AuditFilter { actor, since: Some(since), ..filter }).await
}

pub(super) async fn export(ask: Ask<'_>, _: Nothing) -> Result<Lines<Entry>, Problem> {
    let filter = AuditFilter { project: ask.parameter("project")?, ..asked(&ask)? };
    exported(&ask, Scope::Everything, filter)
}

pub(super) async fn export_of_project(ask: Ask<'_>, _: Nothing) -> Result<Lines<Entry>, Problem> {
    let scope = Scope::Project(ask.project()?.clone());
    let filter = asked(&ask)?;
    exported(&ask, scope, filter)
}

/// How much of the log is open.
#[derive(Debug, Clone)]
enum Scope {
    Everything,
    Project(ProjectName),
}

impl Scope {
    async fn read(
        &self,
        core: &Core,
        filter: &AuditFilter,
        after: Option<AuditKey>,
        order: AuditOrder,
        limit: usize,
    ) -> wharf_core::Result<AuditPage> {
        match self {
            Self::Everything => core.audit(filter, after, order, limit).await,
            Self::Project(project) => core.audit_of_project(filter, project, after, order, limit).await,
        }
    }
}

fn asked(ask: &Ask<'_>) -> Result<AuditFilter, Problem> {
    Ok(AuditFilter {
        actor: ask.parameter("actor")?,
        project: None,
        repository: ask.parameter("repository")?,
        digest: ask.parameter("digest")?,
        action: ask.parameter("action")?,
        outcome: ask.parameter::<Outcome>("outcome")?.map(|Outcome(outcome)| outcome),
        // An address has several spellings; the log has one.
        address: ask.parameter::<std::net::IpAddr>("address")?.map(|address| address.to_canonical().to_string()),
        since: ask.parameter("since")?,
        until: ask.parameter("until")?,
    })
}

struct Outcome(String);

impl FromStr for Outcome {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ok" | "denied" | "failed" => Ok(Self(text.to_owned())),
            _ => Err("neither ok, denied nor failed"),
        }
    }
}

async fn page(ask: &Ask<'_>, scope: &Scope, filter: &AuditFilter) -> Result<Json<List<Entry>>, Problem> {
    let page = Page::of(ask)?;
    let after = Some(&page.after).filter(|after| !after.is_empty()).map(|after| key(after)).transpose()?;
    let AuditPage { lines, next } = scope.read(ask.core, filter, after, AuditOrder::NewestFirst, page.limit).await?;
    let items = lines.into_iter().map(Entry::from).collect();
    Ok(Json(List { items, next: next.map(|next| next.to_string()) }))
}

fn key(text: &str) -> Result<AuditKey, Problem> {
    text.parse().map_err(|_| Problem::invalid(format!("after: {text:?} is not the id of a line or a `next`")))
}

/// What is written in batches is there by then, if the database was.
const SETTLED_AFTER: Duration = Duration::from_secs(30);

fn exported(ask: &Ask<'_>, scope: Scope, mut filter: AuditFilter) -> Result<Lines<Entry>, Problem> {
    let after = ask.parameter::<String>("after")?.map(|after| key(&after)).transpose()?;
    filter.until.get_or_insert_with(|| ask.core.clock().now().before(SETTLED_AFTER));
    let reading = Reading { core: ask.core.clone(), scope, filter, next: Next::After(after) };
    Ok(Lines(reading.stream(), PhantomData))
}

/// An export under way: a page is read when the client has taken the one before.
struct Reading {
    core: Core,
    scope: Scope,
    filter: AuditFilter,
    next: Next,
}

enum Next {
    After(Option<AuditKey>),
    End,
}

impl Reading {
    fn stream(self) -> ByteStream {
        Box::pin(stream::try_unfold(self, async |mut reading| {
            let page = reading.page().await?;
            Ok(page.map(|page| (page, reading)))
        }))
    }

    async fn page(&mut self) -> io::Result<Option<Bytes>> {
        const LINES: usize = 500;
        while let Next::After(after) = self.next {
            let page = self.scope.read(&self.core, &self.filter, after, AuditOrder::OldestFirst, LINES).await;
            let page = page.map_err(io::Error::other)?;
            self.next = page.next.map_or(Next::End, |next| Next::After(Some(next)));
            let mut text = BytesMut::new().writer();
            for line in page.lines {
                serde_json::to_writer(&mut text, &Entry::from(line))?;
                text.get_mut().put_u8(b'\n');
            }
            let text = text.into_inner().freeze();
            if !text.is_empty() {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }
}
