//! Users, tokens, robots, groups and grants: the use cases behind the API. Each change is one transaction with its line in the
//! audit log and a new epoch. Whoever calls them holds a [`Permit`](crate::Permit) for the operation; what they check beyond
//! that is what no permission can allow.

pub(crate) mod bootstrap;
pub(crate) mod grantee;
pub(crate) mod grants;
pub(crate) mod groups;
pub(crate) mod htpasswd;
pub(crate) mod robots;
pub(crate) mod tokens;
pub(crate) mod users;

use std::time::Duration;

use serde::Serialize;
use wharf_db::catalog::{audit, projects};
use wharf_db::identity::subjects::{self, Kind};
use wharf_db::identity::{epoch, users as rows};
use wharf_db::{Durability, Error, Tx, Work};
use wharf_types::{ProjectName, SubjectName};

use crate::{Auth, Identity, InvalidPattern, Origin, Rejected, ServerRole};

/// Why a change to identities was not made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IdentityError {
    /// What was named does not exist.
    #[error("no {what} {name:?}")]
    NoSuch {
        /// `user`, `robot`, `group`, `project`, `token`, `grant`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// The name is in use.
    #[error("the name {name:?} is taken")]
    Taken {
        /// The name.
        name: String,
    },
    /// Something about the request is not as it must be.
    #[error("{0}")]
    Invalid(String),
    /// Nobody would be left to manage the server.
    #[error("this is the last administrator who can sign in: make another one first")]
    LastAdministrator,
    /// Not with this credential.
    #[error("{0}")]
    NotAllowed(String),
    /// Too much to do now.
    #[error("too many passwords are being hashed, try again in {} s", .0.as_secs())]
    Busy(Duration),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Error),
}

impl From<InvalidPattern> for IdentityError {
    fn from(error: InvalidPattern) -> Self {
        Self::Invalid(error.to_string())
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to pass as `after` for the next part; none at the end.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page out of one row more than it may hold.
    fn of(mut items: Vec<T>, limit: usize, key: impl Fn(&T) -> String) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(key);
        Self { items, next }
    }

    fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(each).collect(), next: self.next }
    }
}

/// The most items of one page.
const LARGEST_PAGE: usize = 1000;

fn page_limit(limit: usize) -> usize {
    limit.clamp(1, LARGEST_PAGE)
}

/// How many rows to ask for to know whether there are more than `limit`.
fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

impl Auth {
    fn entry(&self, by: &Identity, origin: &Origin, action: &str, subject: impl ToString) -> audit::Entry {
        audit::Entry {
            at: self.0.clock.now(),
            actor: by.subject().name(),
            credential: by.credential(),
            action: action.to_owned(),
            subject: Some(subject.to_string()),
            address: origin.address.map(|address| address.to_string()),
            request_id: origin.request_id.clone(),
            ..audit::Entry::default()
        }
    }

    async fn change<A, T>(&self, args: A, work: Work<A, T, IdentityError>) -> Result<T, IdentityError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.0.db.write(Durability::Full, args, work).await
    }

    async fn hash(&self, password: &str) -> Result<String, IdentityError> {
        if let Some(problem) = crate::password::unfit(password) {
            return Err(IdentityError::Invalid(problem.to_owned()));
        }
        self.0.passwords.hash(password).await.map_err(|rejected| match rejected {
            Rejected::Throttled { retry_after } => IdentityError::Busy(retry_after),
            other => IdentityError::Database(Error::Unavailable(other.to_string())),
        })
    }
}

/// A change to one subject.
struct Target {
    kind: Kind,
    name: SubjectName,
    entry: audit::Entry,
}

impl Target {
    async fn find(&self, tx: &mut Tx<'_>) -> Result<subjects::Subject, IdentityError> {
        find(tx, self.kind, &self.name).await
    }
}

async fn find(tx: &mut Tx<'_>, kind: Kind, name: &SubjectName) -> Result<subjects::Subject, IdentityError> {
    let found = subjects::find(tx, kind, name).await?;
    found.ok_or_else(|| IdentityError::NoSuch { what: kind.as_str(), name: name.to_string() })
}

async fn find_project(tx: &mut Tx<'_>, name: &ProjectName) -> Result<projects::Project, IdentityError> {
    let found = projects::find(tx, name).await?;
    found.ok_or_else(|| IdentityError::NoSuch { what: "project", name: name.to_string() })
}

/// Makes a subject. A second run of the same transaction finds its own row, and gives its id as if it had just been made.
async fn create(tx: &mut Tx<'_>, new: &subjects::NewSubject<'_>) -> Result<i64, IdentityError> {
    if let Some(id) = subjects::create(tx, new).await? {
        return Ok(id);
    }
    match subjects::find(tx, new.kind, new.name).await? {
        Some(own) if own.generation == new.generation => Ok(own.id),
        _ => Err(IdentityError::Taken { name: new.name.to_string() }),
    }
}

/// What every change ends with.
async fn record(tx: &mut Tx<'_>, entry: &audit::Entry) -> Result<(), IdentityError> {
    epoch::bump(tx).await?;
    Ok(audit::append(tx, entry).await?)
}

/// Whether anybody can sign in as an administrator.
async fn administrated(tx: &mut Tx<'_>) -> Result<bool, IdentityError> {
    Ok(rows::anybody_has(tx, ServerRole::Administrator.as_str()).await?)
}

/// Refuses to end a transaction in which the last administrator went.
async fn still_administrated(tx: &mut Tx<'_>, before: bool) -> Result<(), IdentityError> {
    if before && !administrated(tx).await? { Err(IdentityError::LastAdministrator) } else { Ok(()) }
}

/// A name, or why not.
fn name_of(text: &str) -> Result<SubjectName, IdentityError> {
    text.parse().map_err(|error: wharf_types::InvalidName| IdentityError::Invalid(error.to_string()))
}
