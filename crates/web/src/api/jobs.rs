//! Background work.

use serde::Serialize;
use utoipa::ToSchema;
use wharf_types::Timestamp;

use super::answer::Done;
use super::body::{Json, Nothing};
use super::endpoint::{Ask, Parameter};
use super::page::{AFTER, LIMIT, List, Page};
use super::problem::Problem;

/// What narrows the list.
pub(super) const FILTER: [Parameter; 3] = [
    LIMIT,
    AFTER,
    ("state", "`open` for jobs that wait or run, `dead` for those that were given up; `open` if not said."),
];

/// A job that is not done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Job {
    /// The number of it.
    id: i64,
    /// What kind of work.
    kind: String,
    /// What it is about.
    key: String,
    /// How often it was tried.
    attempts: u64,
    /// What went wrong last.
    last_error: Option<String>,
    /// Not before this.
    #[schema(value_type = String, format = DateTime)]
    due_at: Timestamp,
}

impl From<wharf_core::Job> for Job {
    fn from(job: wharf_core::Job) -> Self {
        let wharf_core::Job { id, kind, key, attempts, last_error, due_at } = job;
        Self { id, kind, key, attempts, last_error, due_at }
    }
}

pub(super) async fn list(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Job>>, Problem> {
    let page = Page::of(&ask)?;
    let dead = match ask.parameter::<String>("state")?.as_deref() {
        None | Some("open") => false,
        Some("dead") => true,
        Some(other) => return Err(Problem::invalid(format!("state: {other:?} is neither open nor dead"))),
    };
    let found = ask.core.jobs(dead, page.after_number()?.unwrap_or_default(), page.wanted()).await?;
    Ok(Json(page.list(found, |job| job.id.to_string(), Job::from)))
}

pub(super) async fn retry(ask: Ask<'_>, _: Nothing) -> Result<Done, Problem> {
    let id = ask.number("job")?;
    if ask.core.retry_job(id, &ask.actor()).await? {
        return Ok(Done);
    }
    Err(Problem::not_found(format!("there is no job {id} that was given up")))
}
