//! The recycle bin: what was deleted and can still be restored, and the digests that it needs to be whole again.

use wharf_types::{Digest, RepoName, Timestamp};

use crate::{Engine, Result, Row, Tx};

/// What was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A tag; its manifest stayed.
    Tag,
    /// A manifest with its tags.
    Manifest,
    /// A repository with everything in it.
    Repository,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Tag, Self::Manifest, Self::Repository];

    /// As the column holds it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Manifest => "manifest",
            Self::Repository => "repository",
        }
    }
}

/// How an entry came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is where it was.
    Restored,
    /// Somebody did not want to wait.
    Emptied,
    /// Its time was up.
    Expired,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Restored, Self::Emptied, Self::Expired];

    /// As the column holds it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Restored => "restored",
            Self::Emptied => "emptied",
            Self::Expired => "expired",
        }
    }
}

/// An entry to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewEntry<'a> {
    /// The repository it was deleted from, or that was deleted.
    pub repository: i64,
    /// The repository's project.
    pub project: i64,
    /// What it is.
    pub kind: Kind,
    /// The tag, the digest or the repository's name.
    pub name: &'a str,
    /// The manifest, or where the tag pointed.
    pub digest: Option<Digest>,
    /// What else it takes to restore it, as JSON.
    pub payload: &'a str,
    /// Who deleted it.
    pub actor: &'a str,
    /// When.
    pub deleted_at: Timestamp,
    /// Until when it lies here.
    pub expires_at: Timestamp,
}

/// An entry's row, with its repository's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Pages by this; not given again.
    pub id: i64,
    /// The repository's key.
    pub repository_id: i64,
    /// The repository's project; `None` if that was deleted.
    pub project_id: Option<i64>,
    /// The repository's format.
    pub format: String,
    /// The repository's name, as it is or was when it was deleted.
    pub repository: RepoName,
    /// What it is.
    pub kind: Kind,
    /// The tag, the digest or the repository's name.
    pub name: String,
    /// The manifest, or where the tag pointed.
    pub digest: Option<Digest>,
    /// What else it takes to restore it, as JSON.
    pub payload: String,
    /// Who deleted it.
    pub actor: String,
    /// When.
    pub deleted_at: Timestamp,
    /// Until when it lies here.
    pub expires_at: Timestamp,
    /// How and when it came to its end.
    pub ended: Option<(Outcome, Timestamp)>,
    /// Whether the repository itself is deleted.
    pub repository_is_deleted: bool,
}

/// Entries of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// The whole server.
    Everything,
    /// A project.
    Project(i64),
    /// A repository.
    Repository(i64),
}

macro_rules! entries {
    ($condition:literal) => {
        concat!(
            "SELECT b.id, b.repository_id, r.project_id, r.format, r.name, b.kind, b.name, b.digest, b.payload, b.actor,
                    b.deleted_at, b.expires_at, b.ended_at, b.outcome, r.deleted_at
             FROM bin b JOIN repositories r ON r.id = b.repository_id WHERE ",
            $condition
        )
    };
}

fn entry(row: &Row) -> Result<Entry> {
    let corrupt = |what: &str, text: &str| crate::Error::Corrupt { what: format!("{what} {text:?} in the bin") };
    let kind: String = row.get(5)?;
    let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind).ok_or_else(|| corrupt("kind", &kind))?;
    let ended = match (row.get::<Option<Timestamp>>(12)?, row.get::<Option<String>>(13)?) {
        (Some(at), Some(text)) => {
            let outcome = Outcome::ALL.into_iter().find(|known| known.as_str() == text);
            Some((outcome.ok_or_else(|| corrupt("outcome", &text))?, at))
        }
        _ => None,
    };
    Ok(Entry {
        id: row.get(0)?,
        repository_id: row.get(1)?,
        project_id: row.get(2)?,
        format: row.get(3)?,
        repository: row.get(4)?,
        kind,
        name: row.get(6)?,
        digest: row.get(7)?,
        payload: row.get(8)?,
        actor: row.get(9)?,
        deleted_at: row.get(10)?,
        expires_at: row.get(11)?,
        ended,
        repository_is_deleted: row.get::<Option<Timestamp>>(14)?.is_some(),
    })
}

/// Makes an entry; its number.
///
/// # Errors
/// Those of the database.
pub async fn put(tx: &mut Tx<'_>, new: &NewEntry<'_>) -> Result<i64> {
    let sql = match tx.engine() {
        Engine::Postgres => {
            "INSERT INTO bin (repository_id, project_id, kind, name, digest, payload, actor, deleted_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING id"
        }
        // Which by itself would give the number of the newest again once that is gone.
        Engine::Sqlite => {
            "INSERT INTO bin (id, repository_id, project_id, kind, name, digest, payload, actor, deleted_at, expires_at)
             VALUES (1 + max(coalesce((SELECT max(id) FROM bin), 0), coalesce((SELECT last FROM bin_numbers), 0)),
               ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING id"
        }
    };
    let row = tx
        .query_opt(
            sql,
            &[
                &new.repository,
                &new.project,
                &new.kind.as_str(),
                &new.name,
                &new.digest,
                &new.payload,
                &new.actor,
                &new.deleted_at,
                &new.expires_at,
            ],
        )
        .await?;
    row.ok_or_else(|| crate::Error::Corrupt { what: "an insert without its row".into() })?.get(0)
}

/// Notes that the entry needs a digest.
///
/// # Errors
/// Those of the database.
pub async fn refer(tx: &mut Tx<'_>, id: i64, repository: i64, digest: &Digest) -> Result<()> {
    let sql = "INSERT INTO bin_references (bin_id, repository_id, digest) VALUES (?1, ?2, ?3)
               ON CONFLICT (bin_id, digest) DO NOTHING";
    tx.execute(sql, &[&id, &repository, digest]).await?;
    Ok(())
}

/// Notes that the entry needs what a manifest names, as far as the repository holds it: what it does not, a restored manifest
/// must not bring into it either.
///
/// # Errors
/// Those of the database.
pub async fn refer_to_targets(tx: &mut Tx<'_>, id: i64, repository: i64, manifest: &Digest) -> Result<()> {
    let sql = "INSERT INTO bin_references (bin_id, repository_id, digest)
               SELECT CAST(?1 AS BIGINT), f.repository_id, f.target FROM manifest_references f
               WHERE f.repository_id = ?2 AND f.manifest = ?3
                 AND (EXISTS (SELECT 1 FROM blob_links l WHERE l.repository_id = f.repository_id AND l.digest = f.target)
                   OR EXISTS (SELECT 1 FROM manifests m WHERE m.repository_id = f.repository_id AND m.digest = f.target))
               ON CONFLICT (bin_id, digest) DO NOTHING";
    tx.execute(sql, &[&id, &repository, manifest]).await?;
    Ok(())
}

/// The digests that an entry needs.
///
/// # Errors
/// Those of the database.
pub async fn references(tx: &mut Tx<'_>, id: i64) -> Result<Vec<Digest>> {
    let sql = "SELECT digest FROM bin_references WHERE bin_id = ?1 ORDER BY digest";
    tx.query(sql, &[&id]).await?.iter().map(|row| row.get(0)).collect()
}

/// The entry of this number, whether its time is up or not.
///
/// # Errors
/// Those of the database.
pub async fn find(tx: &mut Tx<'_>, id: i64) -> Result<Option<Entry>> {
    tx.query_opt(entries!("b.id = ?1"), &[&id]).await?.as_ref().map(entry).transpose()
}

/// The newest entry of a manifest that can be restored at `now`.
///
/// # Errors
/// Those of the database.
pub async fn of_manifest(tx: &mut Tx<'_>, repository: i64, digest: &Digest, now: Timestamp) -> Result<Option<Entry>> {
    let sql = entries!(
        "b.repository_id = ?1 AND b.digest = ?2 AND b.kind = 'manifest' AND b.ended_at IS NULL AND b.expires_at > ?3
         ORDER BY b.id DESC LIMIT 1"
    );
    tx.query_opt(sql, &[&repository, digest, &now]).await?.as_ref().map(entry).transpose()
}

/// The number of the entry of a deleted repository that can be restored at `now`.
///
/// # Errors
/// Those of the database.
pub async fn of_repository(tx: &mut Tx<'_>, repository: i64, now: Timestamp) -> Result<Option<i64>> {
    let sql =
        "SELECT id FROM bin WHERE repository_id = ?1 AND kind = 'repository' AND ended_at IS NULL AND expires_at > ?2
               ORDER BY id DESC LIMIT 1";
    tx.query_opt(sql, &[&repository, &now]).await?.map(|row| row.get(0)).transpose()
}

/// Up to `limit` entries that can be restored at `now`, newest first before the entry `before`.
///
/// # Errors
/// Those of the database.
pub async fn page(tx: &mut Tx<'_>, of: Of, now: Timestamp, before: Option<i64>, limit: i64) -> Result<Vec<Entry>> {
    let before = before.unwrap_or(i64::MAX);
    let rows = match of {
        Of::Everything => {
            let sql = entries!("b.id < ?1 AND b.ended_at IS NULL AND b.expires_at > ?2 ORDER BY b.id DESC LIMIT ?3");
            tx.query(sql, &[&before, &now, &limit]).await?
        }
        Of::Project(project) => {
            let sql = entries!(
                "b.id < ?1 AND b.ended_at IS NULL AND b.expires_at > ?2 AND b.project_id = ?4 ORDER BY b.id DESC LIMIT ?3"
            );
            tx.query(sql, &[&before, &now, &limit, &project]).await?
        }
        Of::Repository(repository) => {
            let sql = entries!(
                "b.id < ?1 AND b.ended_at IS NULL AND b.expires_at > ?2 AND b.repository_id = ?4
                 ORDER BY b.id DESC LIMIT ?3"
            );
            tx.query(sql, &[&before, &now, &limit, &repository]).await?
        }
    };
    rows.iter().map(entry).collect()
}

/// Up to `limit` entries whose time is up at `now`, ended ones among them, the oldest first.
///
/// # Errors
/// Those of the database.
pub async fn due(tx: &mut Tx<'_>, now: Timestamp, limit: i64) -> Result<Vec<Entry>> {
    let sql = entries!("b.expires_at <= ?1 ORDER BY b.expires_at, b.id LIMIT ?2");
    tx.query(sql, &[&now, &limit]).await?.iter().map(entry).collect()
}

/// How many entries can be restored at `now`, counted up to `most`, and since when the first of those waits whose time is up.
///
/// # Errors
/// Those of the database.
pub async fn backlog(tx: &mut Tx<'_>, now: Timestamp, most: i64) -> Result<(u64, Option<Timestamp>)> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM bin WHERE expires_at > ?1 AND ended_at IS NULL LIMIT ?2) few";
    let entries = tx.query_opt(sql, &[&now, &most]).await?.map_or(Ok(0), |row| row.get(0))?;
    let overdue =
        tx.query_opt("SELECT min(expires_at) FROM bin WHERE expires_at <= ?1 AND ended_at IS NULL", &[&now]).await?;
    Ok((entries, overdue.map_or(Ok(None), |row| row.get(0))?))
}

/// When the time of the first and of the last entry is up that can be restored at `now`.
///
/// # Errors
/// Those of the database.
pub async fn ahead(tx: &mut Tx<'_>, now: Timestamp) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
    let sql = "SELECT (SELECT min(expires_at) FROM bin WHERE expires_at > ?1 AND ended_at IS NULL),
                 (SELECT max(expires_at) FROM bin WHERE expires_at > ?1 AND ended_at IS NULL)";
    tx.query_opt(sql, &[&now]).await?.map_or(Ok((None, None)), |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Ends an entry: it needs nothing any more, and is forgotten after `until`. False if it was not there or had ended.
///
/// # Errors
/// Those of the database.
pub async fn end(tx: &mut Tx<'_>, id: i64, outcome: Outcome, at: Timestamp, until: Timestamp) -> Result<bool> {
    let sql = "UPDATE bin SET ended_at = ?2, outcome = ?3, expires_at = ?4, payload = '{}'
               WHERE id = ?1 AND ended_at IS NULL";
    if tx.execute(sql, &[&id, &at, &outcome.as_str(), &until]).await? == 0 {
        return Ok(false);
    }
    tx.execute("DELETE FROM bin_references WHERE bin_id = ?1", &[&id]).await?;
    Ok(true)
}

/// Asks for a review of everything that an entry needs, after `due`.
///
/// # Errors
/// Those of the database.
pub async fn review(tx: &mut Tx<'_>, id: i64, reason: &str, due: Timestamp) -> Result<()> {
    let sql = "INSERT INTO reviews (repository_id, digest, reason, due_at)
               SELECT repository_id, digest, CAST(?2 AS TEXT), CAST(?3 AS BIGINT) FROM bin_references WHERE bin_id = ?1";
    tx.execute(sql, &[&id, &reason, &due]).await?;
    Ok(())
}

/// Notes which numbers were given, before rows go.
///
/// # Errors
/// Those of the database.
pub async fn keep_numbers(tx: &mut Tx<'_>) -> Result<()> {
    if tx.engine() == Engine::Sqlite {
        let sql = "INSERT INTO bin_numbers (id, last) SELECT 1, coalesce(max(id), 0) FROM bin WHERE true
                   ON CONFLICT (id) DO UPDATE SET last = max(last, excluded.last)";
        tx.execute(sql, &[]).await?;
    }
    Ok(())
}

/// The entries of a repository are of its project, into which it was restored.
///
/// # Errors
/// Those of the database.
pub async fn move_to_project(tx: &mut Tx<'_>, repository: i64, project: i64) -> Result<()> {
    tx.execute("UPDATE bin SET project_id = ?2 WHERE repository_id = ?1", &[&repository, &project]).await?;
    Ok(())
}

/// Numbers of up to `limit` entries that could not be restored whole without the digest.
///
/// # Errors
/// Those of the database.
pub async fn needing(tx: &mut Tx<'_>, digest: &Digest, limit: i64) -> Result<Vec<i64>> {
    let sql = "SELECT b.id FROM bin_references r JOIN bin b ON b.id = r.bin_id
               WHERE r.digest = ?1 AND b.kind <> 'repository' AND b.ended_at IS NULL ORDER BY b.id LIMIT ?2";
    tx.query(sql, &[digest, &limit]).await?.iter().map(|row| row.get(0)).collect()
}

/// Ends the entry of a deleted repository, and keeps its row, so that its number means one thing.
///
/// # Errors
/// Those of the database.
pub async fn end_repository(tx: &mut Tx<'_>, repository: i64, at: Timestamp) -> Result<()> {
    let sql = "UPDATE bin SET ended_at = ?2, outcome = 'emptied', payload = '{}'
               WHERE repository_id = ?1 AND kind = 'repository' AND ended_at IS NULL";
    tx.execute(sql, &[&repository, &at]).await?;
    Ok(())
}

/// Ends an entry for the time that it would have lain here. False if it was not there or had ended.
///
/// # Errors
/// Those of the database.
pub async fn end_early(tx: &mut Tx<'_>, id: i64, at: Timestamp) -> Result<bool> {
    let sql = "UPDATE bin SET ended_at = ?2, outcome = 'emptied', payload = '{}' WHERE id = ?1 AND ended_at IS NULL";
    if tx.execute(sql, &[&id, &at]).await? == 0 {
        return Ok(false);
    }
    tx.execute("DELETE FROM bin_references WHERE bin_id = ?1", &[&id]).await?;
    Ok(true)
}

/// Forgets an entry that has ended. The newest of all stays, because SQLite would give its number again.
///
/// # Errors
/// Those of the database.
pub async fn forget(tx: &mut Tx<'_>, id: i64) -> Result<bool> {
    let sql = "DELETE FROM bin WHERE id = ?1 AND ended_at IS NOT NULL AND id < (SELECT max(id) FROM bin)";
    Ok(tx.execute(sql, &[&id]).await? > 0)
}
