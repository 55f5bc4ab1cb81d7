//! Work to do. A lease is a time with a holder, never a flag: whoever dies holding one only delays the work.

use std::time::Duration;

use wharf_types::Timestamp;

use super::batch::{Texts, params, places};
use crate::{Result, Row, Tx};

/// A job as a worker gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Surrogate key.
    pub id: i64,
    /// Which handler it is for.
    pub kind: String,
    /// What it is about; one waiting job per kind and key.
    pub key: String,
    /// JSON for the handler.
    pub payload: String,
    /// How often it was tried before.
    pub attempts: u64,
    /// What the last try said.
    pub last_error: Option<String>,
    /// Not before this.
    pub due_at: Timestamp,
}

fn job(row: &Row) -> Result<Job> {
    Ok(Job {
        id: row.get(0)?,
        kind: row.get(1)?,
        key: row.get(2)?,
        payload: row.get(3)?,
        attempts: row.get(4)?,
        last_error: row.get(5)?,
        due_at: row.get(6)?,
    })
}

/// Asks for work at `due`. Asking again before it has begun keeps the earlier time.
///
/// # Errors
/// Those of the database.
pub async fn enqueue(
    tx: &mut Tx<'_>,
    kind: &str,
    key: &str,
    payload: &str,
    due: Timestamp,
    at: Timestamp,
) -> Result<()> {
    tx.execute(
        "INSERT INTO jobs (kind, key, payload, due_at, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (kind, key) WHERE leased_by IS NULL AND dead_at IS NULL
         DO UPDATE SET due_at = CASE WHEN excluded.due_at < jobs.due_at THEN excluded.due_at ELSE jobs.due_at END",
        &[&kind, &key, &payload, &due, &at],
    )
    .await?;
    Ok(())
}

/// Writes down work that `holder` has begun, leased for `span`: if it does not come to the end, others go on. No twin of it may wait
/// or run.
///
/// # Errors
/// Those of the database.
pub async fn begin(
    tx: &mut Tx<'_>,
    (kind, key, payload): (&str, &str, &str),
    holder: &str,
    span: Duration,
    at: Timestamp,
) -> Result<Job> {
    let until = tx.now().await?.after(span);
    let row = tx
        .query_opt(
            "INSERT INTO jobs (kind, key, payload, due_at, created_at, leased_by, leased_until, attempts)
             VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, 1) RETURNING id, kind, key, payload, attempts, last_error, due_at",
            &[&kind, &key, &payload, &at, &holder, &until],
        )
        .await?;
    row.as_ref().map(job).transpose()?.ok_or_else(|| crate::Error::Corrupt { what: "a job without its row".into() })
}

/// For how long jobs are leased.
#[derive(Debug, Clone, Copy)]
pub struct Spans<'a> {
    /// Any kind but these.
    pub others: Duration,
    /// One kind, and for how long it is leased.
    pub of: (&'a str, Duration),
}

impl Spans<'_> {
    /// For how long a job of this kind is leased.
    pub fn of(&self, kind: &str) -> Duration {
        if kind == self.of.0 { self.of.1 } else { self.others }
    }
}

/// Leases the job of these kinds that has been due longest at `now`, if there is one, to `holder`. Others are left alone: a newer
/// program knows what to do with them, or another worker. Two jobs of one kind and key
/// never run at once, so a job asked for while its twin runs waits for it. Leases are measured by the database's clock,
/// because replicas' own need not agree.
///
/// # Errors
/// Those of the database.
pub async fn lease(
    tx: &mut Tx<'_>,
    holder: &str,
    now: Timestamp,
    kinds: &[&str],
    spans: Spans<'_>,
) -> Result<Option<Job>> {
    static SQL: Texts = Texts::new(|rows| {
        format!(
            "UPDATE jobs SET leased_by = ?1, leased_until = CASE WHEN kind = ?5 THEN CAST(?6 AS BIGINT) ELSE CAST(?3 AS BIGINT) END,
               attempts = attempts + 1 WHERE id = (
               SELECT id FROM jobs j WHERE dead_at IS NULL AND due_at <= ?2 AND kind IN ({kinds})
                 AND (leased_by IS NULL OR leased_until < ?4)
                 AND NOT EXISTS (SELECT 1 FROM jobs o WHERE o.kind = j.kind AND o.key = j.key AND o.id <> j.id
                                 AND o.leased_by IS NOT NULL AND o.leased_until >= ?4 AND o.dead_at IS NULL)
               ORDER BY due_at, id LIMIT 1)
             RETURNING id, kind, key, payload, attempts, last_error, due_at",
            kinds = places(7, rows)
        )
    });
    let here = tx.now().await?;
    let (others, of) = (here.after(spans.others), here.after(spans.of.1));
    let params = params(&[&holder, &now, &others, &here, &spans.of.0, &of], kinds);
    tx.query_opt(SQL.of(kinds), &params).await?.as_ref().map(job).transpose()
}

/// Prolongs a lease. False if it was lost to somebody else.
///
/// # Errors
/// Those of the database.
pub async fn heartbeat(tx: &mut Tx<'_>, id: i64, holder: &str, span: Duration) -> Result<bool> {
    let until = tx.now().await?.after(span);
    let sql = "UPDATE jobs SET leased_until = ?3 WHERE id = ?1 AND leased_by = ?2";
    Ok(tx.execute(sql, &[&id, &holder, &until]).await? > 0)
}

/// Says in the job how far its work is, for whoever takes it up.
///
/// # Errors
/// Those of the database.
pub async fn set_payload(tx: &mut Tx<'_>, id: i64, payload: &str) -> Result<()> {
    tx.execute("UPDATE jobs SET payload = ?2 WHERE id = ?1", &[&id, &payload]).await?;
    Ok(())
}

/// The work is done.
///
/// # Errors
/// Those of the database.
pub async fn finish(tx: &mut Tx<'_>, id: i64, holder: &str) -> Result<bool> {
    Ok(tx.execute("DELETE FROM jobs WHERE id = ?1 AND leased_by = ?2", &[&id, &holder]).await? > 0)
}

/// The work failed: again at `due`, unless a twin is waiting, which will do it.
///
/// # Errors
/// Those of the database.
pub async fn retry(tx: &mut Tx<'_>, job: &Job, holder: &str, error: &str, due: Timestamp) -> Result<()> {
    let twin = tx
        .query_opt(
            "SELECT 1 FROM jobs WHERE kind = ?1 AND key = ?2 AND leased_by IS NULL AND dead_at IS NULL",
            &[&job.kind, &job.key],
        )
        .await?;
    if twin.is_some() {
        finish(tx, job.id, holder).await?;
        return Ok(());
    }
    tx.execute(
        "UPDATE jobs SET leased_by = NULL, leased_until = NULL, last_error = ?3, due_at = ?4
         WHERE id = ?1 AND leased_by = ?2",
        &[&job.id, &holder, &error, &due],
    )
    .await?;
    Ok(())
}

/// What waits of this kind is due at `now`.
///
/// # Errors
/// Those of the database.
pub async fn hurry(tx: &mut Tx<'_>, kind: &str, now: Timestamp) -> Result<()> {
    let sql = "UPDATE jobs SET due_at = ?2 WHERE kind = ?1 AND due_at > ?2 AND leased_by IS NULL AND dead_at IS NULL";
    tx.execute(sql, &[&kind, &now]).await.map(drop)
}

/// The work failed for good: it stays to be seen, and waits for somebody to ask for it again.
///
/// # Errors
/// Those of the database.
pub async fn bury(tx: &mut Tx<'_>, id: i64, holder: &str, error: &str, at: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE jobs SET dead_at = ?4, last_error = ?3, leased_by = NULL, leased_until = NULL
         WHERE id = ?1 AND leased_by = ?2",
        &[&id, &holder, &error, &at],
    )
    .await?;
    Ok(())
}

/// Takes a job that was given up out of its grave. `None` if there is no such job.
///
/// # Errors
/// Those of the database.
pub async fn exhume(tx: &mut Tx<'_>, id: i64) -> Result<Option<Job>> {
    let row = tx
        .query_opt(
            "DELETE FROM jobs WHERE id = ?1 AND dead_at IS NOT NULL
             RETURNING id, kind, key, payload, attempts, last_error, due_at",
            &[&id],
        )
        .await?;
    row.as_ref().map(job).transpose()
}

/// What stands between a request and the end of the work it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Whether it was given up.
    pub dead: bool,
    /// What went wrong last.
    pub last_error: Option<String>,
}

/// Whether work of this kind and key is not done yet: first what still has a chance, then what was given up.
///
/// # Errors
/// Those of the database.
pub async fn pending(tx: &mut Tx<'_>, kind: &str, key: &str) -> Result<Option<Pending>> {
    let row = tx
        .query_opt(
            "SELECT CASE WHEN dead_at IS NULL THEN 0 ELSE 1 END AS dead, last_error FROM jobs
             WHERE kind = ?1 AND key = ?2 ORDER BY dead, id DESC LIMIT 1",
            &[&kind, &key],
        )
        .await?;
    row.map(|row| Ok(Pending { dead: row.get::<i64>(0)? == 1, last_error: row.get(1)? })).transpose()
}

/// When the next job of these kinds becomes due, counting those whose lease will have run out. One whose twin runs is looked at by
/// whoever runs that one.
///
/// # Errors
/// Those of the database.
pub async fn next_due(tx: &mut Tx<'_>, kinds: &[&str]) -> Result<Option<Timestamp>> {
    static SQL: Texts = Texts::new(|rows| {
        format!(
            "SELECT min(CASE WHEN leased_by IS NULL THEN due_at ELSE leased_until END) FROM jobs j
             WHERE dead_at IS NULL AND kind IN ({})
               AND NOT EXISTS (SELECT 1 FROM jobs o WHERE o.kind = j.kind AND o.key = j.key AND o.id <> j.id
                               AND o.leased_by IS NOT NULL AND o.leased_until >= ?1 AND o.dead_at IS NULL)",
            places(2, rows)
        )
    });
    let here = tx.now().await?;
    tx.query_opt(SQL.of(kinds), &params(&[&here], kinds)).await?.map_or(Ok(None), |row| row.get(0))
}

/// Jobs not yet done (`dead` false) or given up (`dead` true), by id after `after`.
///
/// # Errors
/// Those of the database.
pub async fn page(tx: &mut Tx<'_>, dead: bool, after: i64, limit: i64) -> Result<Vec<Job>> {
    let rows = tx
        .query(
            "SELECT id, kind, key, payload, attempts, last_error, due_at FROM jobs
             WHERE id > ?1 AND (dead_at IS NOT NULL) = (?2 = 1) ORDER BY id LIMIT ?3",
            &[&after, &dead, &limit],
        )
        .await?;
    rows.iter().map(job).collect()
}

/// How the work stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Jobs that were given up.
    pub dead: u64,
    /// Since when the one waits that is due longest at `now` and that nobody does; one whose twin is being done does not wait.
    pub oldest: Option<Timestamp>,
    /// Jobs of the kind that was asked for, which are not done.
    pub of_kind: u64,
}

/// How the work stands at `now`, and how much of it is of one kind.
///
/// # Errors
/// Those of the database.
pub async fn standing(tx: &mut Tx<'_>, now: Timestamp, kind: &str) -> Result<Standing> {
    let here = tx.now().await?;
    let sql = "SELECT (SELECT count(*) FROM jobs WHERE dead_at IS NOT NULL),
        (SELECT min(due_at) FROM jobs j WHERE dead_at IS NULL AND due_at <= ?1 AND (leased_by IS NULL OR leased_until < ?2)
           AND NOT EXISTS (SELECT 1 FROM jobs o WHERE o.kind = j.kind AND o.key = j.key AND o.id <> j.id
                           AND o.leased_by IS NOT NULL AND o.leased_until >= ?2 AND o.dead_at IS NULL)),
        (SELECT count(*) FROM jobs WHERE kind = ?3 AND dead_at IS NULL)";
    let row = tx.query_opt(sql, &[&now, &here, &kind]).await?;
    let read = |row: Row| Ok(Standing { dead: row.get(0)?, oldest: row.get(1)?, of_kind: row.get(2)? });
    row.map_or_else(|| Ok(Standing::default()), read)
}
