//! Manifests, what they name, and who refers to them.

use wharf_types::{Digest, FormatName, MediaType, RepoName, Timestamp};

use super::batch::{BATCH, Texts, each, filled, places};
use crate::{Result, Row, Tx};

/// A manifest's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// What its bytes hash to.
    pub digest: Digest,
    /// As its content says.
    pub media_type: MediaType,
    /// `artifactType`, or what the specification puts in its place.
    pub artifact_type: Option<String>,
    /// The manifest it is attached to; that need not be here.
    pub subject: Option<Digest>,
    /// Its annotations as a JSON object.
    pub annotations: Option<String>,
    /// Bytes.
    pub size: u64,
    /// When it was first pushed here.
    pub pushed_at: Timestamp,
}

/// How a manifest names another piece of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The configuration of an image or artifact.
    Config,
    /// A layer.
    Layer,
    /// Another manifest, in an index.
    Manifest,
}

impl Kind {
    /// As the column holds it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Layer => "layer",
            Self::Manifest => "manifest",
        }
    }
}

fn manifest(row: &Row) -> Result<Manifest> {
    Ok(Manifest {
        digest: row.get(0)?,
        media_type: row.get(1)?,
        artifact_type: row.get(2)?,
        subject: row.get(3)?,
        annotations: row.get(4)?,
        size: row.get(5)?,
        pushed_at: row.get(6)?,
    })
}

/// What a pull of a manifest needs, in one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Its digest.
    pub digest: Digest,
    /// Its media type, for Content-Type.
    pub media_type: MediaType,
    /// How many bytes it has.
    pub size: u64,
    /// They, if there are not more of them than was asked for.
    pub content: Option<Vec<u8>>,
}

fn served(row: &Row) -> Result<Served> {
    Ok(Served { digest: row.get(0)?, media_type: row.get(1)?, size: row.get(2)?, content: row.get(3)? })
}

/// The manifest a tag points at, with its bytes if there are at most `most`.
///
/// # Errors
/// Those of the database.
pub async fn by_tag(
    tx: &mut Tx<'_>,
    format: FormatName,
    name: &RepoName,
    tag: &str,
    most: u64,
) -> Result<Option<Served>> {
    let row = tx
        .query_opt(
            // No join, whose order PostgreSQL would choose by what it knows of the tables: of new ones nothing, and then it reads
            // all manifests of the repository to find the one with the tag.
            "SELECT m.digest, m.media_type, m.size, CASE WHEN m.size <= ?4 THEN b.content END FROM manifests m
             JOIN blobs b ON b.digest = m.digest AND b.damaged_at IS NULL
             WHERE m.repository_id =
                 (SELECT r.id FROM repositories r WHERE r.format = ?1 AND r.name = ?2 AND r.deleted_at IS NULL)
               AND m.digest = (SELECT t.digest FROM tags t WHERE t.name = ?3 AND t.repository_id =
                 (SELECT r.id FROM repositories r WHERE r.format = ?1 AND r.name = ?2 AND r.deleted_at IS NULL))",
            &[&format.as_str(), &name.canonical(), &tag, &most],
        )
        .await?;
    row.as_ref().map(served).transpose()
}

/// The manifest of this digest, with its bytes if there are at most `most`.
///
/// # Errors
/// Those of the database.
pub async fn by_digest(
    tx: &mut Tx<'_>,
    format: FormatName,
    name: &RepoName,
    digest: &Digest,
    most: u64,
) -> Result<Option<Served>> {
    let row = tx
        .query_opt(
            "SELECT m.digest, m.media_type, m.size, CASE WHEN m.size <= ?4 THEN b.content END FROM repositories r
             JOIN manifests m ON m.repository_id = r.id AND m.digest = ?3
             JOIN blobs b ON b.digest = m.digest AND b.damaged_at IS NULL
             WHERE r.format = ?1 AND r.name = ?2 AND r.deleted_at IS NULL",
            &[&format.as_str(), &name.canonical(), digest, &most],
        )
        .await?;
    row.as_ref().map(served).transpose()
}

/// What the head of a pull needs: digest, media type and size, without the bytes.
pub type Head = (Digest, MediaType, u64);

fn head(row: &Row) -> Result<Head> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

/// The head of the manifest a tag points at.
///
/// # Errors
/// Those of the database.
pub async fn head_by_tag(tx: &mut Tx<'_>, format: FormatName, name: &RepoName, tag: &str) -> Result<Option<Head>> {
    let row = tx
        .query_opt(
            // As in `by_tag`.
            "SELECT m.digest, m.media_type, m.size FROM manifests m
             WHERE m.repository_id =
                 (SELECT r.id FROM repositories r WHERE r.format = ?1 AND r.name = ?2 AND r.deleted_at IS NULL)
               AND m.digest = (SELECT t.digest FROM tags t WHERE t.name = ?3 AND t.repository_id =
                 (SELECT r.id FROM repositories r WHERE r.format = ?1 AND r.name = ?2 AND r.deleted_at IS NULL))",
            &[&format.as_str(), &name.canonical(), &tag],
        )
        .await?;
    row.as_ref().map(head).transpose()
}

/// The head of the manifest of this digest.
///
/// # Errors
/// Those of the database.
pub async fn head_by_digest(
    tx: &mut Tx<'_>,
    format: FormatName,
    name: &RepoName,
    digest: &Digest,
) -> Result<Option<Head>> {
    let row = tx
        .query_opt(
            "SELECT m.digest, m.media_type, m.size FROM repositories r
             JOIN manifests m ON m.repository_id = r.id AND m.digest = ?3
             WHERE r.format = ?1 AND r.name = ?2 AND r.deleted_at IS NULL",
            &[&format.as_str(), &name.canonical(), digest],
        )
        .await?;
    row.as_ref().map(head).transpose()
}

/// Whether the repository holds the manifest.
///
/// # Errors
/// Those of the database.
pub async fn exists(tx: &mut Tx<'_>, repository: i64, digest: &Digest) -> Result<bool> {
    let sql = "SELECT 1 FROM manifests WHERE repository_id = ?1 AND digest = ?2";
    Ok(tx.query_opt(sql, &[&repository, digest]).await?.is_some())
}

/// Writes a manifest's row; its bytes must have a blob row. False if it was there.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, repository: i64, manifest: &Manifest) -> Result<bool> {
    let inserted = tx
        .execute(
            "INSERT INTO manifests
               (repository_id, digest, media_type, artifact_type, subject, annotations, size, pushed_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (repository_id, digest) DO NOTHING",
            &[
                &repository,
                &manifest.digest,
                &manifest.media_type,
                &manifest.artifact_type,
                &manifest.subject,
                &manifest.annotations,
                &manifest.size,
                &manifest.pushed_at,
            ],
        )
        .await?;
    Ok(inserted > 0)
}

static REFER: Texts = Texts::new(|rows| {
    format!(
        "INSERT INTO manifest_references (repository_id, manifest, target, kind) VALUES {}
             ON CONFLICT (repository_id, manifest, target, kind) DO NOTHING",
        each(rows, |row| format!("(?1, ?2, {})", places(3 + 2 * row, 2)))
    )
});

/// Records what `manifest` names. Naming something twice is recorded once.
///
/// # Errors
/// Those of the database.
pub async fn refer(tx: &mut Tx<'_>, repository: i64, manifest: &Digest, targets: &[(Digest, Kind)]) -> Result<()> {
    for batch in targets.chunks(BATCH) {
        let rows: Vec<(&Digest, &str)> = filled(batch).map(|(target, kind)| (target, kind.as_str())).collect();
        let mut params: Vec<&(dyn crate::ToValue + Sync)> = vec![&repository, manifest];
        for (target, kind) in &rows {
            params.push(*target);
            params.push(kind);
        }
        tx.execute(REFER.of(batch), &params).await?;
    }
    Ok(())
}

/// A manifest of the repository that names the blob or manifest `target`, if there is one.
///
/// # Errors
/// Those of the database.
pub async fn user_of(tx: &mut Tx<'_>, repository: i64, target: &Digest) -> Result<Option<Digest>> {
    let sql = "SELECT manifest FROM manifest_references WHERE target = ?2 AND repository_id = ?1 LIMIT 1";
    tx.query_opt(sql, &[&repository, target]).await?.map(|row| row.get(0)).transpose()
}

/// What a manifest names: for the collector, when the manifest goes.
///
/// # Errors
/// Those of the database.
pub async fn targets(tx: &mut Tx<'_>, repository: i64, manifest: &Digest) -> Result<Vec<Digest>> {
    let sql = "SELECT DISTINCT target FROM manifest_references WHERE repository_id = ?1 AND manifest = ?2";
    tx.query(sql, &[&repository, manifest]).await?.iter().map(|row| row.get(0)).collect()
}

/// The row of a manifest.
///
/// # Errors
/// Those of the database.
pub async fn find(tx: &mut Tx<'_>, repository: i64, digest: &Digest) -> Result<Option<Manifest>> {
    let row = tx
        .query_opt(
            "SELECT digest, media_type, artifact_type, subject, annotations, size, pushed_at
             FROM manifests WHERE repository_id = ?1 AND digest = ?2",
            &[&repository, digest],
        )
        .await?;
    row.as_ref().map(manifest).transpose()
}

/// Removes a manifest and the record of what it names; tags that point at it must be gone. False if it was not there.
///
/// # Errors
/// Those of the database.
pub async fn remove(tx: &mut Tx<'_>, repository: i64, digest: &Digest) -> Result<bool> {
    let sql = "DELETE FROM manifests WHERE repository_id = ?1 AND digest = ?2";
    Ok(tx.execute(sql, &[&repository, digest]).await? > 0)
}

/// Up to `limit` manifests whose subject is `subject`, by digest after `after` (the bytes of one), optionally of one artifact type.
///
/// # Errors
/// Those of the database.
pub async fn referrers(
    tx: &mut Tx<'_>,
    repository: i64,
    subject: &Digest,
    artifact_type: Option<&str>,
    after: &[u8],
    limit: i64,
) -> Result<Vec<Manifest>> {
    let rows = match artifact_type {
        None => {
            tx.query(
                "SELECT digest, media_type, artifact_type, subject, annotations, size, pushed_at FROM manifests
                 WHERE repository_id = ?1 AND subject = ?2 AND digest > ?3 ORDER BY digest LIMIT ?4",
                &[&repository, subject, &after, &limit],
            )
            .await?
        }
        Some(wanted) => {
            tx.query(
                "SELECT digest, media_type, artifact_type, subject, annotations, size, pushed_at FROM manifests
                 WHERE repository_id = ?1 AND subject = ?2 AND artifact_type = ?5 AND digest > ?3
                 ORDER BY digest LIMIT ?4",
                &[&repository, subject, &after, &limit, &wanted],
            )
            .await?
        }
    };
    rows.iter().map(manifest).collect()
}

/// Up to `limit` manifests of a repository by digest after `after`, without their annotations, which may be long.
///
/// # Errors
/// Those of the database.
pub async fn page(tx: &mut Tx<'_>, repository: i64, after: &[u8], limit: i64) -> Result<Vec<Manifest>> {
    let rows = tx
        .query(
            "SELECT digest, media_type, artifact_type, subject, NULL, size, pushed_at FROM manifests
             WHERE repository_id = ?1 AND digest > ?2 ORDER BY digest LIMIT ?3",
            &[&repository, &after, &limit],
        )
        .await?;
    rows.iter().map(manifest).collect()
}
