//! Index generations: complete before a head points at them, unchanged afterwards, readable for a while after the head
//! has moved on, so that a client in the middle of an update finds what it was told of.

use std::sync::LazyLock;

use wharf_types::{Digest, Timestamp};

use super::batch::{BATCH, Texts, each, filled, places};
use crate::catalog::blobs::{self, Blob};
use crate::{Result, Row, ToValue, Tx};

/// A file of a generation: the concatenation of its segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path inside the repository's index.
    pub path: String,
    /// For Content-Type.
    pub media_type: String,
    /// Of the whole file.
    pub digest: Digest,
    /// The same by SHA-512, where a format wants it.
    pub sha512: Option<Digest>,
    /// Of the whole file, in bytes.
    pub size: u64,
    /// Blobs that the repository links to, in order.
    pub segments: Vec<Digest>,
    /// Midstates of the hashes at the ends of some segments, as whoever wrote them reads them.
    pub checkpoints: Vec<u8>,
}

/// A piece of a list: what the format makes of the packages from `first` to the next piece's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The position of its first package.
    pub first: String,
    /// The position of its last package.
    pub last: String,
    /// How many packages are in it.
    pub entries: u64,
    /// Its bytes.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// JSON: its compressed forms, as whoever wrote them reads them.
    pub encodings: String,
}

/// The pieces of one list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Which part of the channel.
    pub part: String,
    /// Of which kind of fragment.
    pub kind: String,
    /// In order.
    pub pieces: Vec<Piece>,
}

/// Begins a generation: nothing points at it yet. `signed_by` names the OpenPGP keys that signed it.
///
/// # Errors
/// Those of the database.
pub async fn create(tx: &mut Tx<'_>, repository: i64, channel: &str, signed_by: &str, at: Timestamp) -> Result<i64> {
    let sql = "INSERT INTO generations (repository_id, channel, signed_by, created_at) VALUES (?1, ?2, ?3, ?4)
               RETURNING id";
    let row = tx.query_opt(sql, &[&repository, &channel, &signed_by, &at]).await?;
    row.ok_or_else(|| crate::Error::Corrupt { what: "no id for a new generation".into() })?.get(0)
}

/// Adds a file to a generation that has no head yet.
///
/// # Errors
/// Those of the database; a constraint error if a segment is not stored.
pub async fn add_file(tx: &mut Tx<'_>, generation: i64, repository: i64, file: &File) -> Result<()> {
    tx.execute(
        "INSERT INTO generation_files (generation_id, path, repository_id, media_type, digest, sha512, size, checkpoints)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        &[
            &generation,
            &file.path,
            &repository,
            &file.media_type,
            &file.digest,
            &file.sha512,
            &file.size,
            &file.checkpoints,
        ],
    )
    .await?;
    add_segments(tx, generation, file).await
}

static ADD_SEGMENTS: Texts = Texts::new(|rows| {
    format!(
        "INSERT INTO generation_segments (generation_id, path, position, digest) VALUES {}
             ON CONFLICT (generation_id, path, position) DO NOTHING",
        each(rows, |row| format!("(?1, ?2, {})", places(3 + 2 * row, 2)))
    )
});

async fn add_segments(tx: &mut Tx<'_>, generation: i64, file: &File) -> Result<()> {
    let numbered: Vec<(i64, &Digest)> = (0_i64..).zip(&file.segments).collect();
    for batch in numbered.chunks(BATCH) {
        let mut params: Vec<&(dyn ToValue + Sync)> = vec![&generation, &file.path];
        for (position, digest) in filled(batch) {
            params.push(position);
            params.push(digest);
        }
        tx.execute(ADD_SEGMENTS.of(batch), &params).await?;
    }
    Ok(())
}

static ADD_PIECES: Texts = Texts::new(|rows| {
    format!(
            "INSERT INTO generation_pieces (generation_id, part, kind, number, first, last, entries, digest, size, encodings)
             VALUES {} ON CONFLICT (generation_id, part, kind, number) DO NOTHING",
            each(rows, |row| format!("(?1, ?2, ?3, {})", places(4 + 7 * row, 7)))
        )
});

/// Writes down of which pieces a list of a generation is made.
///
/// # Errors
/// Those of the database; a constraint error if a piece is not stored.
pub async fn add_list(tx: &mut Tx<'_>, generation: i64, list: &List) -> Result<()> {
    let numbered: Vec<(i64, &Piece)> = (0_i64..).zip(&list.pieces).collect();
    for batch in numbered.chunks(BATCH) {
        let mut params: Vec<&(dyn ToValue + Sync)> = vec![&generation, &list.part, &list.kind];
        for (number, piece) in filled(batch) {
            let Piece { first, last, entries, digest, size, encodings } = piece;
            let columns: [&(dyn ToValue + Sync); 7] = [number, first, last, entries, digest, size, encodings];
            params.extend(columns);
        }
        tx.execute(ADD_PIECES.of(batch), &params).await?;
    }
    Ok(())
}

/// The pieces of one list of the generation that a head points at, in order.
///
/// # Errors
/// Those of the database.
pub async fn current_pieces(
    tx: &mut Tx<'_>,
    repository: i64,
    channel: &str,
    part: &str,
    kind: &str,
) -> Result<Vec<Piece>> {
    let rows = tx
        .query(
            "SELECT p.first, p.last, p.entries, p.digest, p.size, p.encodings FROM generation_heads h
             JOIN generation_pieces p ON p.generation_id = h.generation_id AND p.part = ?3 AND p.kind = ?4
             WHERE h.repository_id = ?1 AND h.channel = ?2 ORDER BY p.number",
            &[&repository, &channel, &part, &kind],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let (first, last, entries) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Piece { first, last, entries, digest: row.get(3)?, size: row.get(4)?, encodings: row.get(5)? })
        })
        .collect()
}

/// Takes over what a generation has not of the files of another: those of a path that it has already are left out.
///
/// # Errors
/// Those of the database.
pub async fn copy_files(tx: &mut Tx<'_>, from: i64, to: i64) -> Result<()> {
    let own = tx.query("SELECT path FROM generation_files WHERE generation_id = ?1", &[&to]).await?;
    let own = own.iter().map(|row| row.get(0)).collect::<Result<Vec<String>>>()?;
    let rows = tx.query("SELECT path FROM generation_files WHERE generation_id = ?1", &[&from]).await?;
    for row in rows {
        let path: String = row.get(0)?;
        if own.contains(&path) {
            continue;
        }
        for sql in [
            "INSERT INTO generation_files (generation_id, path, repository_id, media_type, digest, sha512, size, checkpoints)
             SELECT ?2, path, repository_id, media_type, digest, sha512, size, checkpoints FROM generation_files
             WHERE generation_id = ?1 AND path = ?3",
            "INSERT INTO generation_segments (generation_id, path, position, digest)
             SELECT ?2, path, position, digest FROM generation_segments WHERE generation_id = ?1 AND path = ?3",
        ] {
            tx.execute(sql, &[&from, &to, &path]).await?;
        }
    }
    Ok(())
}

/// Takes over the lists of another generation.
///
/// # Errors
/// Those of the database.
pub async fn copy_lists(tx: &mut Tx<'_>, from: i64, to: i64) -> Result<()> {
    tx.execute(
        "INSERT INTO generation_pieces (generation_id, part, kind, number, first, last, entries, digest, size, encodings)
         SELECT ?2, part, kind, number, first, last, entries, digest, size, encodings FROM generation_pieces
         WHERE generation_id = ?1",
        &[&from, &to],
    )
    .await?;
    Ok(())
}

/// Retires a generation that was seen until now, although no head pointed at it.
///
/// # Errors
/// Those of the database.
pub async fn retire(tx: &mut Tx<'_>, generation: i64, at: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE generations SET retired_at = ?2
         WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM generation_heads h WHERE h.generation_id = ?1)",
        &[&generation, &at],
    )
    .await?;
    Ok(())
}

/// Flips the head of a channel to a generation and retires the one before.
///
/// # Errors
/// Those of the database.
pub async fn publish(tx: &mut Tx<'_>, repository: i64, channel: &str, generation: i64, at: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE generations SET retired_at = ?3 WHERE id IN
           (SELECT generation_id FROM generation_heads WHERE repository_id = ?1 AND channel = ?2)",
        &[&repository, &channel, &at],
    )
    .await?;
    tx.execute(
        "INSERT INTO generation_heads (repository_id, channel, generation_id) VALUES (?1, ?2, ?3)
         ON CONFLICT (repository_id, channel) DO UPDATE SET generation_id = excluded.generation_id",
        &[&repository, &channel, &generation],
    )
    .await?;
    Ok(())
}

/// The generation the head of a channel points at.
///
/// # Errors
/// Those of the database.
pub async fn head(tx: &mut Tx<'_>, repository: i64, channel: &str) -> Result<Option<i64>> {
    let sql = "SELECT generation_id FROM generation_heads WHERE repository_id = ?1 AND channel = ?2";
    tx.query_opt(sql, &[&repository, &channel]).await?.map(|row| row.get(0)).transpose()
}

/// Which OpenPGP keys signed a generation; empty where none did.
///
/// # Errors
/// Those of the database.
pub async fn signed_by(tx: &mut Tx<'_>, generation: i64) -> Result<String> {
    let row = tx.query_opt("SELECT signed_by FROM generations WHERE id = ?1", &[&generation]).await?;
    Ok(row.map(|row| row.get::<Option<String>>(0)).transpose()?.flatten().unwrap_or_default())
}

/// The channels of a repository that have an index.
///
/// # Errors
/// Those of the database.
pub async fn channels(tx: &mut Tx<'_>, repository: i64) -> Result<Vec<String>> {
    let sql = "SELECT channel FROM generation_heads WHERE repository_id = ?1 ORDER BY channel";
    tx.query(sql, &[&repository]).await?.iter().map(|row| row.get(0)).collect()
}

/// The files of the newest generation of each channel: channel and path.
///
/// # Errors
/// Those of the database.
pub async fn current_paths(tx: &mut Tx<'_>, repository: i64) -> Result<Vec<(String, String)>> {
    let sql =
        "SELECT h.channel, f.path FROM generation_heads h JOIN generation_files f ON f.generation_id = h.generation_id
               WHERE h.repository_id = ?1 ORDER BY h.channel, f.path";
    tx.query(sql, &[&repository]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

fn file(row: &Row) -> Result<(i64, File)> {
    let file = File {
        path: row.get(1)?,
        media_type: row.get(2)?,
        digest: row.get(3)?,
        sha512: row.get(4)?,
        size: row.get(5)?,
        segments: Vec::new(),
        checkpoints: row.get::<Option<Vec<u8>>>(6)?.unwrap_or_default(),
    };
    Ok((row.get(0)?, file))
}

async fn with_segments(tx: &mut Tx<'_>, found: Option<Row>) -> Result<Option<(File, Vec<Blob>)>> {
    let Some(row) = found else { return Ok(None) };
    let (generation, mut file) = file(&row)?;
    let rows = tx
        .query(
            "SELECT b.digest, b.size, b.content, b.storage, b.object FROM generation_segments s
             JOIN blobs b ON b.digest = s.digest WHERE s.generation_id = ?1 AND s.path = ?2 ORDER BY s.position",
            &[&generation, &file.path],
        )
        .await?;
    let blobs = rows.iter().map(blobs::blob).collect::<Result<Vec<_>>>()?;
    file.segments = blobs.iter().map(|blob| blob.digest).collect();
    Ok(Some((file, blobs)))
}

/// A file of the newest generation, with its segments, whether clients see it or not.
///
/// # Errors
/// Those of the database.
pub async fn current_file(
    tx: &mut Tx<'_>,
    repository: i64,
    channel: &str,
    path: &str,
) -> Result<Option<(File, Vec<Blob>)>> {
    let found = tx
        .query_opt(
            "SELECT f.generation_id, f.path, f.media_type, f.digest, f.sha512, f.size, f.checkpoints FROM generation_heads h
             JOIN generation_files f ON f.generation_id = h.generation_id AND f.path = ?3
             WHERE h.repository_id = ?1 AND h.channel = ?2",
            &[&repository, &channel, &path],
        )
        .await?;
    with_segments(tx, found).await
}

/// A file of one generation, with its segments.
///
/// # Errors
/// Those of the database.
pub async fn file_of(tx: &mut Tx<'_>, generation: i64, path: &str) -> Result<Option<(File, Vec<Blob>)>> {
    let found = tx
        .query_opt(
            "SELECT generation_id, path, media_type, digest, sha512, size, checkpoints FROM generation_files
             WHERE generation_id = ?1 AND path = ?2",
            &[&generation, &path],
        )
        .await?;
    with_segments(tx, found).await
}

/// A file as clients of the channel see it now: of the snapshot that is published, or of the newest generation.
///
/// # Errors
/// Those of the database.
pub async fn served_file(
    tx: &mut Tx<'_>,
    repository: i64,
    channel: &str,
    path: &str,
) -> Result<Option<(File, Vec<Blob>)>> {
    let found = tx
        .query_opt(
            "SELECT f.generation_id, f.path, f.media_type, f.digest, f.sha512, f.size, f.checkpoints FROM generation_heads h
             LEFT JOIN snapshots s ON s.id = h.snapshot_id
             JOIN generation_files f ON f.generation_id = COALESCE(s.generation_id, h.generation_id) AND f.path = ?3
             WHERE h.repository_id = ?1 AND h.channel = ?2",
            &[&repository, &channel, &path],
        )
        .await?;
    with_segments(tx, found).await
}

/// A file of any generation that is still kept, by its digest: by-hash paths and old repodata.
///
/// # Errors
/// Those of the database.
pub async fn file_by_digest(tx: &mut Tx<'_>, repository: i64, digest: &Digest) -> Result<Option<(File, Vec<Blob>)>> {
    let found = tx
        .query_opt(
            "SELECT generation_id, path, media_type, digest, sha512, size, checkpoints FROM generation_files
             WHERE repository_id = ?1 AND (digest = ?2 OR sha512 = ?2) ORDER BY generation_id DESC LIMIT 1",
            &[&repository, digest],
        )
        .await?;
    with_segments(tx, found).await
}

/// Up to `limit` generations of a channel, newest first: (id, made, retired).
///
/// # Errors
/// Those of the database.
pub async fn page(
    tx: &mut Tx<'_>,
    repository: i64,
    channel: &str,
    limit: i64,
) -> Result<Vec<(i64, Timestamp, Option<Timestamp>)>> {
    let sql = "SELECT id, created_at, retired_at FROM generations
               WHERE repository_id = ?1 AND channel = ?2 ORDER BY id DESC LIMIT ?3";
    let rows = tx.query(sql, &[&repository, &channel, &limit]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

/// One generation of so many milliseconds is kept of those that are not recent.
const THINNED: i64 = 10 * 60 * 1000;

/// A generation that nobody needs: no head points at it and no snapshot is made of it; it was retired before `?2`, or before `?1` and
/// another one was after it, but in the same stretch of time.
const SUPERFLUOUS: &str = "g.retired_at < ?1 AND (g.retired_at < ?2 OR EXISTS
      (SELECT 1 FROM generations o WHERE o.repository_id = g.repository_id AND o.channel = g.channel
       AND o.retired_at > g.retired_at AND o.retired_at < g.retired_at - g.retired_at % ?3 + ?3))
    AND NOT EXISTS (SELECT 1 FROM generation_heads h WHERE h.generation_id = g.id)
    AND NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.generation_id = g.id)";

static SUPERFLUOUS_OF_CHANNEL: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT g.id FROM generations g WHERE g.repository_id = ?4 AND g.channel = ?5 AND {SUPERFLUOUS}
         ORDER BY g.retired_at LIMIT ?6"
    )
});

static SUPERFLUOUS_ANYWHERE: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT g.repository_id, g.id FROM generations g WHERE {SUPERFLUOUS} ORDER BY g.retired_at LIMIT ?4")
});

/// Up to `limit` generations of a channel that may go: those that were retired before `before`, and those that were retired before
/// `recent` but for one of each ten minutes.
///
/// # Errors
/// Those of the database.
pub async fn superfluous(
    tx: &mut Tx<'_>,
    (repository, channel): (i64, &str),
    (recent, before): (Timestamp, Timestamp),
    limit: i64,
) -> Result<Vec<i64>> {
    let rows =
        tx.query(SUPERFLUOUS_OF_CHANNEL.as_str(), &[&recent, &before, &THINNED, &repository, &channel, &limit]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// The same of all channels, with the repository of each.
///
/// # Errors
/// Those of the database.
pub async fn superfluous_anywhere(
    tx: &mut Tx<'_>,
    (recent, before): (Timestamp, Timestamp),
    limit: i64,
) -> Result<Vec<(i64, i64)>> {
    let rows = tx.query(SUPERFLUOUS_ANYWHERE.as_str(), &[&recent, &before, &THINNED, &limit]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Drops a generation. Says which segments may have lost their last user.
///
/// # Errors
/// Those of the database; a constraint error if a head or a snapshot points at it.
pub async fn drop(tx: &mut Tx<'_>, generation: i64) -> Result<Vec<Digest>> {
    // Neighbours share most of theirs: only what this one alone has is worth a review.
    let sql = "SELECT digest FROM (SELECT digest FROM generation_segments WHERE generation_id = ?1
                 UNION SELECT digest FROM generation_pieces WHERE generation_id = ?1) own
               WHERE NOT EXISTS (SELECT 1 FROM generation_segments s
                 WHERE s.digest = own.digest AND s.generation_id <> ?1)
               AND NOT EXISTS (SELECT 1 FROM generation_pieces p
                 WHERE p.digest = own.digest AND p.generation_id <> ?1)";
    let orphans = tx.query(sql, &[&generation]).await?;
    for sql in [
        "DELETE FROM generation_pieces WHERE generation_id = ?1",
        "DELETE FROM generation_segments WHERE generation_id = ?1",
        "DELETE FROM generation_files WHERE generation_id = ?1",
        "DELETE FROM generations WHERE id = ?1",
    ] {
        tx.execute(sql, &[&generation]).await?;
    }
    orphans.iter().map(|row| row.get(0)).collect()
}
