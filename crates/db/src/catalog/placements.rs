//! Which lists packages stand in, and which places of them have changed since the last index.

use std::collections::BTreeSet;

use super::packages::NewPackage;
use crate::{Result, Row, Tx};

/// Where a package stands: a part of a channel's index, in the order of positions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The index.
    pub channel: String,
    /// The list in it; empty where an index has one.
    pub part: String,
    /// Where in the list, bytewise.
    pub position: String,
}

/// A package in a list, with what this list says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Where in the list.
    pub position: String,
    /// The package.
    pub package: NewPackage,
    /// What the index says of it.
    pub fragment: Vec<u8>,
}

/// A place that has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// To be forgotten by.
    pub id: i64,
    /// The list.
    pub part: String,
    /// Where in it.
    pub position: String,
}

/// Lists a package in a place, and notes the change. False if it stands in that list already.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, repository: i64, package: i64, place: &Place) -> Result<bool> {
    let Place { channel, part, position } = place;
    let there = "SELECT 1 FROM placements WHERE package_id = ?1 AND channel = ?2 AND part = ?3";
    if tx.query_opt(there, &[&package, channel, part]).await?.is_some() {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO placements (repository_id, channel, part, position, package_id) VALUES (?1, ?2, ?3, ?4, ?5)",
        &[&repository, channel, part, position, &package],
    )
    .await?;
    note(tx, repository, place).await?;
    Ok(true)
}

/// Takes a package out of one list, and notes the change.
///
/// # Errors
/// Those of the database.
pub async fn remove(tx: &mut Tx<'_>, repository: i64, place: &Place) -> Result<()> {
    let Place { channel, part, position } = place;
    let sql = "DELETE FROM placements WHERE repository_id = ?1 AND channel = ?2 AND part = ?3 AND position = ?4";
    tx.execute(sql, &[&repository, channel, part, position]).await?;
    note(tx, repository, place).await
}

async fn note(tx: &mut Tx<'_>, repository: i64, place: &Place) -> Result<()> {
    let Place { channel, part, position } = place;
    tx.execute(
        "INSERT INTO package_changes (repository_id, channel, part, position) VALUES (?1, ?2, ?3, ?4)",
        &[&repository, channel, part, position],
    )
    .await?;
    Ok(())
}

/// Where a package stands.
///
/// # Errors
/// Those of the database.
pub async fn of_package(tx: &mut Tx<'_>, package: i64) -> Result<Vec<Place>> {
    let sql = "SELECT channel, part, position FROM placements WHERE package_id = ?1 ORDER BY channel, part";
    let rows = tx.query(sql, &[&package]).await?;
    rows.iter().map(|row| Ok(Place { channel: row.get(0)?, part: row.get(1)?, position: row.get(2)? })).collect()
}

/// The lists of a channel that hold packages, by name.
///
/// # Errors
/// Those of the database.
pub async fn parts(tx: &mut Tx<'_>, repository: i64, channel: &str) -> Result<Vec<String>> {
    // One step along the key for each part, not one for each package.
    let sql = "SELECT part FROM placements WHERE repository_id = ?1 AND channel = ?2 AND part > ?3
               ORDER BY part LIMIT 1";
    let first = "SELECT part FROM placements WHERE repository_id = ?1 AND channel = ?2 ORDER BY part LIMIT 1";
    let mut parts: Vec<String> = Vec::new();
    loop {
        let next = match parts.last() {
            None => tx.query_opt(first, &[&repository, &channel]).await?,
            Some(last) => tx.query_opt(sql, &[&repository, &channel, last]).await?,
        };
        let Some(row) = next else { return Ok(parts) };
        parts.push(row.get(0)?);
    }
}

fn listed(row: &Row) -> Result<Listed> {
    let package = NewPackage {
        path: row.get(1)?,
        name: row.get(2)?,
        version: row.get(3)?,
        architecture: row.get(4)?,
        digest: row.get(5)?,
        size: row.get(6)?,
        sorts_as: row.get(7)?,
        created_at: row.get(8)?,
    };
    Ok(Listed { position: row.get(0)?, package, fragment: row.get(9)? })
}

/// A stretch of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The index.
    pub channel: String,
    /// The list.
    pub part: String,
    /// Of which kind the fragments are.
    pub kind: String,
    /// From this position on.
    pub from: String,
    /// Up to, and without, this one; `None` is to the end.
    pub until: Option<String>,
}

/// Up to `limit` packages of a stretch, in order, each with its fragment of one kind; those that have none are left out.
///
/// # Errors
/// Those of the database.
pub async fn page(tx: &mut Tx<'_>, repository: i64, stretch: &Stretch, limit: i64) -> Result<Vec<Listed>> {
    let Stretch { channel, part, kind, from, until } = stretch;
    let rows = tx
        .query(
            "SELECT l.position, p.path, p.name, p.version, p.architecture, p.digest, p.size,
               p.sorts_as, p.created_at, f.content
             FROM placements l JOIN packages p ON p.id = l.package_id
             JOIN package_fragments f ON f.package_id = p.id AND f.kind = ?4
             WHERE l.repository_id = ?1 AND l.channel = ?2 AND l.part = ?3
               AND l.position >= ?5 AND (l.position < ?6 OR ?6 IS NULL)
             ORDER BY l.position LIMIT ?7",
            &[&repository, channel, part, kind, from, until, &limit],
        )
        .await?;
    rows.iter().map(listed).collect()
}

/// Up to `limit` changes of a channel, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn changes(tx: &mut Tx<'_>, repository: i64, channel: &str, limit: i64) -> Result<Vec<Change>> {
    let rows = tx
        .query(
            "SELECT id, part, position FROM package_changes WHERE repository_id = ?1 AND channel = ?2
             ORDER BY id LIMIT ?3",
            &[&repository, &channel, &limit],
        )
        .await?;
    rows.iter().map(|row| Ok(Change { id: row.get(0)?, part: row.get(1)?, position: row.get(2)? })).collect()
}

/// Forgets the changes that an index knows of now.
///
/// Numbers are not given in the order of commits: one lower than the highest may have come after the changes were read. All up to the
/// highest go in one statement, and those that nobody knew of come back.
///
/// # Errors
/// Those of the database.
pub async fn forget_changes(tx: &mut Tx<'_>, repository: i64, channel: &str, known: &BTreeSet<i64>) -> Result<()> {
    let Some(highest) = known.last() else { return Ok(()) };
    let gone = tx
        .query(
            "DELETE FROM package_changes WHERE repository_id = ?1 AND channel = ?2 AND id <= ?3
             RETURNING id, part, position",
            &[&repository, &channel, highest],
        )
        .await?;
    for row in gone {
        if !known.contains(&row.get(0)?) {
            let place = Place { channel: channel.to_owned(), part: row.get(1)?, position: row.get(2)? };
            note(tx, repository, &place).await?;
        }
    }
    Ok(())
}
