//! Both halves of the audit log, read by time: changes and accesses.

use wharf_types::{Digest, Timestamp};

use super::accesses::Access;
use crate::{Params, Result, Row, ToValue, Tx};

/// Which half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Half {
    /// What was read, who signed in, who was refused.
    Accesses,
    /// What was changed.
    Changes,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The newest line first.
    Back,
    /// The oldest line first.
    Forth,
}

/// Where lines are looked up. Conditions beyond this one are the caller's: it reads in bounded steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lead {
    /// All of them.
    Everything,
    /// About this content.
    Digest(Digest),
    /// About this repository, by its canonical name.
    Repository(String),
    /// Of this actor.
    Actor(String),
    /// About this project.
    Project(String),
    /// From this address. Changes have no index by it.
    Address(String),
}

/// A step of reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which half.
    pub half: Half,
    /// Which way.
    pub direction: Direction,
    /// Which lines.
    pub lead: Lead,
    /// Beyond this line, in the direction of reading.
    pub beyond: (Timestamp, i64),
    /// The other end: back, the time of the oldest line; forth, the time before which all are.
    pub end: Timestamp,
    /// At most so many.
    pub limit: i64,
}

/// A line of either half; a change has happened once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number in its half.
    pub id: i64,
    /// What happened.
    pub access: Access,
}

/// The texts of one half, by direction and lead. Row values are compared by the index over (…, at, id).
macro_rules! texts {
    ($from:literal) => {
        [
            texts!($from: "(at, id) < (?1, ?2) AND at >= ?3", "ORDER BY at DESC, id DESC LIMIT ?4"),
            texts!($from: "(at, id) > (?1, ?2) AND at < ?3", "ORDER BY at, id LIMIT ?4"),
        ]
    };
    ($from:literal: $bounds:literal, $order:literal) => {
        [
            concat!("SELECT ", $from, " WHERE ", $bounds, " ", $order),
            concat!("SELECT ", $from, " WHERE digest = ?5 AND ", $bounds, " ", $order),
            concat!("SELECT ", $from, " WHERE repository = ?5 AND ", $bounds, " ", $order),
            concat!("SELECT ", $from, " WHERE actor = ?5 AND ", $bounds, " ", $order),
            concat!("SELECT ", $from, " WHERE project = ?5 AND ", $bounds, " ", $order),
            concat!("SELECT ", $from, " WHERE address = ?5 AND ", $bounds, " ", $order),
        ]
    };
}

static TEXTS: [[[&str; 6]; 2]; 2] = [
    texts!(
        "id, at, last_at, times, actor, credential, action, outcome, project, repository, subject, digest, address, request_id, detail FROM accesses"
    ),
    texts!(
        "id, at, at, CAST(1 AS BIGINT), actor, credential, action, CAST('ok' AS TEXT), project, repository, subject, digest, address, request_id, detail FROM audit"
    ),
];

impl Step {
    fn sql(&self) -> &'static str {
        let half = match self.half {
            Half::Accesses => 0,
            Half::Changes => 1,
        };
        let direction = match self.direction {
            Direction::Back => 0,
            Direction::Forth => 1,
        };
        let lead = match &self.lead {
            Lead::Everything => 0,
            Lead::Digest(_) => 1,
            Lead::Repository(_) => 2,
            Lead::Actor(_) => 3,
            Lead::Project(_) => 4,
            Lead::Address(_) => 5,
        };
        TEXTS[half][direction][lead]
    }
}

/// The next lines.
///
/// # Errors
/// Those of the database.
pub async fn read(tx: &mut Tx<'_>, step: &Step) -> Result<Vec<Line>> {
    let bounds: [&(dyn ToValue + Sync); 4] = [&step.beyond.0, &step.beyond.1, &step.end, &step.limit];
    let [at, id, end, limit] = bounds;
    let params: Params<'_> = match &step.lead {
        Lead::Everything => &bounds,
        Lead::Digest(digest) => &[at, id, end, limit, digest],
        Lead::Repository(text) | Lead::Actor(text) | Lead::Project(text) | Lead::Address(text) => {
            &[at, id, end, limit, text]
        }
    };
    tx.query(step.sql(), params).await?.iter().map(line).collect()
}

fn line(row: &Row) -> Result<Line> {
    Ok(Line {
        id: row.get(0)?,
        access: Access {
            at: row.get(1)?,
            last_at: row.get(2)?,
            times: row.get(3)?,
            actor: row.get(4)?,
            credential: row.get(5)?,
            action: row.get(6)?,
            outcome: row.get(7)?,
            project: row.get(8)?,
            repository: row.get(9)?,
            subject: row.get(10)?,
            digest: row.get(11)?,
            address: row.get(12)?,
            request_id: row.get(13)?,
            detail: row.get(14)?,
        },
    })
}
