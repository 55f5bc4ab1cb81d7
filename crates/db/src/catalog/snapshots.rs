//! Snapshots: generations that stay, under a name, and the packages that they need.

use std::sync::LazyLock;

use wharf_types::{Digest, SubjectName, Timestamp};

use crate::{Result, Row, Tx};

/// A snapshot's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Surrogate key.
    pub id: i64,
    /// Its name in the repository.
    pub name: SubjectName,
    /// Of which index.
    pub channel: String,
    /// The generation that stays.
    pub generation: i64,
    /// How many packages it lists.
    pub packages: u64,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Whether clients of the channel see it now.
    pub published: bool,
}

/// A snapshot on its way into its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSnapshot {
    /// The repository.
    pub repository: i64,
    /// Its name there.
    pub name: SubjectName,
    /// Of which index.
    pub channel: String,
    /// The generation that stays.
    pub generation: i64,
    /// Who makes it.
    pub created_by: String,
    /// When.
    pub at: Timestamp,
}

/// A package as a snapshot has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its own name.
    pub name: String,
    /// Its architecture; empty where a format has none.
    pub architecture: String,
    /// Its version.
    pub version: String,
    /// Its bytes.
    pub digest: Digest,
    /// Pages go on behind this.
    pub id: i64,
}

const COLUMNS: &str = "s.id, s.name, s.channel, s.generation_id, s.packages, s.created_by, s.created_at,
    (SELECT 1 FROM generation_heads h WHERE h.snapshot_id = s.id LIMIT 1)";

static FIND: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {COLUMNS} FROM snapshots s WHERE s.repository_id = ?1 AND s.name = ?2"));

static PAGE: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {COLUMNS} FROM snapshots s WHERE s.repository_id = ?1 AND s.name > ?2 ORDER BY s.name LIMIT ?3")
});

static SHOWN: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {COLUMNS} FROM generation_heads shown JOIN snapshots s ON s.id = shown.snapshot_id
         WHERE shown.repository_id = ?1 AND shown.channel = ?2"
    )
});

fn snapshot(row: &Row) -> Result<Snapshot> {
    Ok(Snapshot {
        id: row.get(0)?,
        name: row.get(1)?,
        channel: row.get(2)?,
        generation: row.get(3)?,
        packages: row.get(4)?,
        created_by: row.get(5)?,
        created_at: row.get(6)?,
        published: row.get::<Option<i64>>(7)?.is_some(),
    })
}

/// Makes a snapshot of what the channel lists now. `None` if the name is taken.
///
/// # Errors
/// Those of the database.
pub async fn create(tx: &mut Tx<'_>, new: &NewSnapshot) -> Result<Option<i64>> {
    let NewSnapshot { repository, name, channel, generation, created_by, at } = new;
    let row = tx
        .query_opt(
            "INSERT INTO snapshots (repository_id, name, channel, generation_id, packages, created_by, created_at)
             VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6) ON CONFLICT (repository_id, name) DO NOTHING RETURNING id",
            &[repository, name, channel, generation, created_by, at],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let id: i64 = row.get(0)?;
    let listed = tx
        .execute(
            "INSERT INTO snapshot_packages (snapshot_id, name, architecture, version, package_id, digest, listed)
             SELECT ?1, p.name, p.architecture, p.version, p.id, p.digest, 1 FROM packages p WHERE p.id IN
               (SELECT l.package_id FROM placements l WHERE l.repository_id = ?2 AND l.channel = ?3)",
            &[&id, repository, channel],
        )
        .await?;
    tx.execute(
        "INSERT INTO snapshot_packages (snapshot_id, name, architecture, version, package_id, digest, listed)
         SELECT ?1, p.name, p.architecture, p.version, p.id, p.digest, 0 FROM packages p
         WHERE p.repository_id = ?2 AND p.removed_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM placements l WHERE l.package_id = p.id)",
        &[&id, repository],
    )
    .await?;
    let listed = i64::try_from(listed).unwrap_or(i64::MAX);
    tx.execute("UPDATE snapshots SET packages = ?2 WHERE id = ?1", &[&id, &listed]).await?;
    Ok(Some(id))
}

/// The snapshot of a name.
///
/// # Errors
/// Those of the database.
pub async fn find(tx: &mut Tx<'_>, repository: i64, name: &SubjectName) -> Result<Option<Snapshot>> {
    tx.query_opt(FIND.as_str(), &[&repository, name]).await?.as_ref().map(snapshot).transpose()
}

/// Up to `limit` snapshots of a repository, by name after `after`.
///
/// # Errors
/// Those of the database.
pub async fn page(tx: &mut Tx<'_>, repository: i64, after: &str, limit: i64) -> Result<Vec<Snapshot>> {
    tx.query(PAGE.as_str(), &[&repository, &after, &limit]).await?.iter().map(snapshot).collect()
}

/// Up to `limit` packages that a snapshot lists, by name, architecture and version, behind `after`.
///
/// # Errors
/// Those of the database.
pub async fn packages(tx: &mut Tx<'_>, snapshot: i64, after: Option<&Held>, limit: i64) -> Result<Vec<Held>> {
    let held = |row: &Row| {
        let (name, architecture, version) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Held { name, architecture, version, digest: row.get(3)?, id: row.get(4)? })
    };
    let (name, architecture, version, id) = after.map_or(("", "", "", 0), |held| {
        (held.name.as_str(), held.architecture.as_str(), held.version.as_str(), held.id)
    });
    let rows = tx
        .query(
            "SELECT name, architecture, version, digest, package_id FROM snapshot_packages
             WHERE snapshot_id = ?1 AND listed = 1 AND (name, architecture, version, package_id) > (?2, ?3, ?4, ?5)
             ORDER BY name, architecture, version, package_id LIMIT ?6",
            &[&snapshot, &name, &architecture, &version, &id, &limit],
        )
        .await?;
    rows.iter().map(held).collect()
}

/// Whether a snapshot needs a package.
///
/// # Errors
/// Those of the database.
pub async fn hold(tx: &mut Tx<'_>, package: i64) -> Result<bool> {
    let sql = "SELECT 1 FROM snapshot_packages WHERE package_id = ?1 LIMIT 1";
    Ok(tx.query_opt(sql, &[&package]).await?.is_some())
}

/// Removes a snapshot; its generation is one like others again.
///
/// # Errors
/// Those of the database; a constraint error if clients see it.
pub async fn delete(tx: &mut Tx<'_>, snapshot: i64) -> Result<()> {
    tx.execute("DELETE FROM snapshot_packages WHERE snapshot_id = ?1", &[&snapshot]).await?;
    tx.execute("DELETE FROM snapshots WHERE id = ?1", &[&snapshot]).await?;
    Ok(())
}

/// The snapshot that clients of a channel see, if it is one.
///
/// # Errors
/// Those of the database.
pub async fn shown(tx: &mut Tx<'_>, repository: i64, channel: &str) -> Result<Option<Snapshot>> {
    tx.query_opt(SHOWN.as_str(), &[&repository, &channel]).await?.as_ref().map(snapshot).transpose()
}

/// Lets a snapshot keep another generation, which says the same anew.
///
/// # Errors
/// Those of the database.
pub async fn reissue(tx: &mut Tx<'_>, snapshot: i64, generation: i64) -> Result<()> {
    tx.execute("UPDATE snapshots SET generation_id = ?2 WHERE id = ?1", &[&snapshot, &generation]).await?;
    Ok(())
}

/// Lets clients of a channel see a snapshot, or with `None` the newest generation. False if the channel has no index.
///
/// # Errors
/// Those of the database.
pub async fn publish(tx: &mut Tx<'_>, repository: i64, channel: &str, snapshot: Option<i64>) -> Result<bool> {
    let sql = "UPDATE generation_heads SET snapshot_id = ?3 WHERE repository_id = ?1 AND channel = ?2";
    Ok(tx.execute(sql, &[&repository, &channel, &snapshot]).await? > 0)
}
