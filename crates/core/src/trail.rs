//! The audit log, read: changes and accesses as one list by time.

mod merge;

use std::fmt;
use std::str::FromStr;

use wharf_db::catalog::projects;
use wharf_db::catalog::trail::{self, Direction, Half, Lead, Step};
use wharf_types::{Digest, ProjectName, RepoName, Timestamp};

use crate::{Core, Error, Result};
use merge::{Stretch, merge};

/// What is written down where changes are, for as long as they are, though it came to nothing: that a purge whose line is there was
/// given up.
pub(crate) const PURGE_REFUSED: &str = "content.purge-refused";

const OK: &str = "ok";
const FAILED: &str = "failed";

/// One line: who did what, when, from where, with which credential, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// Pages by this.
    pub key: AuditKey,
    /// When; for what happened several times, the first time.
    pub at: Timestamp,
    /// The last time.
    pub last_at: Timestamp,
    /// How often in between.
    pub times: u64,
    /// Who.
    pub actor: String,
    /// With which credential.
    pub credential: String,
    /// The operation.
    pub action: String,
    /// `ok`, `denied` or `failed`.
    pub outcome: String,
    /// The project concerned.
    pub project: Option<String>,
    /// The repository concerned.
    pub repository: Option<String>,
    /// What inside it.
    pub subject: Option<String>,
    /// Which content.
    pub digest: Option<Digest>,
    /// From where.
    pub address: Option<String>,
    /// In which request.
    pub request_id: Option<String>,
    /// Anything else.
    pub detail: Option<String>,
}

/// The place of a line: by time, then by half, then by number. Lines never move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditKey {
    at: Timestamp,
    half: Half,
    id: i64,
}

/// A text that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the key of a line of the audit log")]
pub struct InvalidAuditKey;

impl fmt::Display for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let half = match self.half {
            Half::Accesses => 'a',
            Half::Changes => 'c',
        };
        write!(f, "{}-{half}{}", self.at.as_millis(), self.id)
    }
}

impl FromStr for AuditKey {
    type Err = InvalidAuditKey;

    fn from_str(text: &str) -> std::result::Result<Self, InvalidAuditKey> {
        let (at, rest) = text.rsplit_once('-').ok_or(InvalidAuditKey)?;
        let (half, id) = match (rest.strip_prefix('a'), rest.strip_prefix('c')) {
            (Some(id), _) => (Half::Accesses, id),
            (_, Some(id)) => (Half::Changes, id),
            _ => return Err(InvalidAuditKey),
        };
        let number = |text: &str| text.parse::<i64>().map_err(|_| InvalidAuditKey);
        Ok(Self { at: Timestamp::from_millis(number(at)?), half, id: number(id)? })
    }
}

/// In which order lines are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuditOrder {
    /// The newest first: for people.
    #[default]
    NewestFirst,
    /// The oldest first: for copies that are carried on later.
    OldestFirst,
}

/// Lines, and where to go on. A page may be short, or empty, and still not be the last: a request looks at no more than some
/// thousand lines, however few of them fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditPage {
    /// The lines.
    pub lines: Vec<AuditLine>,
    /// The place after which the next page begins; none after the last.
    pub next: Option<AuditKey>,
}

/// Which lines are asked for; every part that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// Of this actor.
    pub actor: Option<String>,
    /// About this project or anything in it.
    pub project: Option<ProjectName>,
    /// About this repository.
    pub repository: Option<RepoName>,
    /// About this content.
    pub digest: Option<Digest>,
    /// What was done: an operation's name.
    pub action: Option<String>,
    /// What came of it.
    pub outcome: Option<String>,
    /// From this address.
    pub address: Option<String>,
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// Older than this.
    pub until: Option<Timestamp>,
}

impl AuditFilter {
    /// The part that there is an index for, and that leaves the fewest lines.
    fn lead(&self, half: Half) -> Lead {
        match self {
            Self { digest: Some(digest), .. } => Lead::Digest(*digest),
            Self { repository: Some(name), .. } => Lead::Repository(name.canonical().to_owned()),
            Self { actor: Some(actor), .. } => Lead::Actor(actor.clone()),
            Self { project: Some(project), .. } => Lead::Project(project.to_string()),
            // There is no index of changes by it: they are few, and read in steps.
            Self { address: Some(address), .. } if half == Half::Accesses => Lead::Address(address.clone()),
            _ => Lead::Everything,
        }
    }

    /// Whether a change could be among what is asked for: what was refused has changed nothing.
    fn asks_for_changes(&self) -> bool {
        match (self.outcome.as_deref(), self.action.as_deref()) {
            (None, _) => true,
            (Some(outcome), Some(action)) => outcome == of_change(action),
            (Some(outcome), None) => [OK, FAILED].contains(&outcome),
        }
    }

    /// All of it but the times, which bound what is read.
    fn fits(&self, line: &AuditLine) -> bool {
        fn is<T: AsRef<str>>(wanted: Option<T>, found: Option<&str>) -> bool {
            wanted.is_none_or(|wanted| found == Some(wanted.as_ref()))
        }
        is(self.actor.as_deref(), Some(&line.actor))
            && is(self.project.as_ref().map(ProjectName::as_str), line.project.as_deref())
            && is(self.repository.as_ref().map(RepoName::canonical), line.repository.as_deref())
            && self.digest.is_none_or(|digest| line.digest == Some(digest))
            && is(self.action.as_deref(), Some(&line.action))
            && is(self.outcome.as_deref(), Some(&line.outcome))
            && is(self.address.as_deref(), line.address.as_deref())
    }
}

/// Where reading begins and ends, with times and numbers beyond any line's for what is open.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    direction: Direction,
    since: Timestamp,
    until: Timestamp,
    after: Option<AuditKey>,
}

impl Bounds {
    fn of(filter: &AuditFilter, after: Option<AuditKey>, order: AuditOrder) -> Self {
        let direction = match order {
            AuditOrder::NewestFirst => Direction::Back,
            AuditOrder::OldestFirst => Direction::Forth,
        };
        let (first, last) = (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX));
        Self { direction, since: filter.since.unwrap_or(first), until: filter.until.unwrap_or(last), after }
    }

    /// The line of `half` beyond which reading begins.
    fn beyond(&self, half: Half) -> (Timestamp, i64) {
        let (edge, open) = match self.direction {
            Direction::Back => (self.until, i64::MIN),
            Direction::Forth => (self.since, i64::MIN),
        };
        let Some(after) = self.after else { return (edge, open) };
        // At the same time the halves have an order too: the other one is wholly before the key, or wholly after it.
        let id = match after.half.cmp(&half) {
            std::cmp::Ordering::Equal => after.id,
            std::cmp::Ordering::Less => i64::MIN,
            std::cmp::Ordering::Greater => i64::MAX,
        };
        match self.direction {
            Direction::Back => (after.at, id).min((edge, open)),
            Direction::Forth => (after.at, id).max((edge, open)),
        }
    }

    fn end(&self) -> Timestamp {
        match self.direction {
            Direction::Back => self.since,
            Direction::Forth => self.until,
        }
    }
}

impl Core {
    /// Up to `limit` lines after `after`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn audit(
        &self,
        filter: &AuditFilter,
        after: Option<AuditKey>,
        order: AuditOrder,
        limit: usize,
    ) -> Result<AuditPage> {
        let bounds = Bounds::of(filter, after, order);
        let (changes, accesses) = (
            self.stretch(Half::Changes, filter, &bounds, limit).await?,
            self.stretch(Half::Accesses, filter, &bounds, limit).await?,
        );
        Ok(merge(changes, accesses, bounds.direction, limit))
    }

    /// The same about one project. What an earlier project of the same name did is nobody's business who belongs to this one.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn audit_of_project(
        &self,
        filter: &AuditFilter,
        project: &ProjectName,
        after: Option<AuditKey>,
        order: AuditOrder,
        limit: usize,
    ) -> Result<AuditPage> {
        let found = self.inner.db.read(project, |tx, name| Box::pin(projects::find(tx, name))).await;
        let Some(found) = found.map_err(Error::from)? else { return Ok(AuditPage::default()) };
        let since = filter.since.unwrap_or_default().max(found.created_at);
        let filter = AuditFilter { project: Some(project.clone()), since: Some(since), ..filter.clone() };
        self.audit(&filter, after, order, limit).await
    }

    /// What of one half fits, up to one line more than `limit`; looks at a bounded number of lines.
    async fn stretch(&self, half: Half, filter: &AuditFilter, bounds: &Bounds, limit: usize) -> Result<Stretch> {
        const STEPS: usize = 4;
        const STEP: usize = 500;
        if half == Half::Changes && !filter.asks_for_changes() {
            return Ok(Stretch::default());
        }
        let limit = limit.saturating_add(1);
        let mut step = Step {
            half,
            direction: bounds.direction,
            lead: filter.lead(half),
            beyond: bounds.beyond(half),
            end: bounds.end(),
            limit: i64::try_from(limit.max(STEP)).unwrap_or(i64::MAX),
        };
        let mut stretch = Stretch::default();
        for _ in 0..STEPS {
            let rows = self.inner.db.read(&step, |tx, step| Box::pin(trail::read(tx, step))).await;
            let rows = rows.map_err(Error::from)?;
            let whole = i64::try_from(rows.len()).unwrap_or(i64::MAX) < step.limit;
            for row in rows {
                let line = line(half, row);
                step.beyond = (line.at, line.key.id);
                stretch.reached = Some(line.key);
                if filter.fits(&line) {
                    stretch.lines.push(line);
                    if stretch.lines.len() == limit {
                        return Ok(stretch);
                    }
                }
            }
            if whole {
                stretch.reached = None;
                return Ok(stretch);
            }
        }
        Ok(stretch)
    }
}

/// The outcome of a change, whose line has none of its own.
fn of_change(action: &str) -> &'static str {
    if action == PURGE_REFUSED { FAILED } else { OK }
}

fn line(half: Half, row: trail::Line) -> AuditLine {
    let trail::Line { id, access } = row;
    let outcome = match half {
        Half::Changes => of_change(&access.action).to_owned(),
        Half::Accesses => access.outcome,
    };
    AuditLine {
        key: AuditKey { at: access.at, half, id },
        at: access.at,
        last_at: access.last_at,
        times: access.times,
        actor: access.actor,
        credential: access.credential,
        action: access.action,
        outcome,
        project: access.project,
        repository: access.repository,
        subject: access.subject,
        digest: access.digest,
        address: access.address,
        request_id: access.request_id,
        detail: access.detail,
    }
}
