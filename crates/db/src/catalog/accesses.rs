//! Reads, logins and refusals, written in batches long after they were answered.

use std::fmt::Write as _;
use std::sync::LazyLock;

use wharf_types::{Digest, Timestamp};

use crate::{Result, ToValue, Tx};

/// Everything that was the same within a few seconds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// The first time.
    pub at: Timestamp,
    /// The last time.
    pub last_at: Timestamp,
    /// How often.
    pub times: u64,
    /// Who, by name.
    pub actor: String,
    /// With which credential; never a secret.
    pub credential: String,
    /// What was asked for: the operation's name.
    pub action: String,
    /// What came of it.
    pub outcome: String,
    /// The project concerned.
    pub project: Option<String>,
    /// The repository concerned, by its canonical name.
    pub repository: Option<String>,
    /// What inside it: tag, path, or the name somebody tried to sign in by.
    pub subject: Option<String>,
    /// Which content.
    pub digest: Option<Digest>,
    /// From which address.
    pub address: Option<String>,
    /// In which request, the first time.
    pub request_id: Option<String>,
    /// Anything else worth reading.
    pub detail: Option<String>,
}

/// Rows in one statement: on PostgreSQL each statement is a round trip.
const TOGETHER: usize = 32;
const COLUMNS: usize = 14;

static MANY: LazyLock<String> = LazyLock::new(|| insert(TOGETHER));
static ONE: LazyLock<String> = LazyLock::new(|| insert(1));

fn insert(rows: usize) -> String {
    let mut sql = String::from(
        "INSERT INTO accesses (at, last_at, times, actor, credential, action, outcome, project, repository, subject, \
         digest, address, request_id, detail) VALUES ",
    );
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=COLUMNS {
            let separator = if column == 1 { "" } else { ", " };
            // Writing to a String does not fail.
            let _ = write!(sql, "{separator}?{}", row * COLUMNS + column);
        }
        sql.push(')');
    }
    sql
}

impl Access {
    fn values(&self) -> [&(dyn ToValue + Sync); COLUMNS] {
        [
            &self.at,
            &self.last_at,
            &self.times,
            &self.actor,
            &self.credential,
            &self.action,
            &self.outcome,
            &self.project,
            &self.repository,
            &self.subject,
            &self.digest,
            &self.address,
            &self.request_id,
            &self.detail,
        ]
    }
}

/// Writes lines.
///
/// # Errors
/// Those of the database.
pub async fn append(tx: &mut Tx<'_>, lines: &[Access]) -> Result<()> {
    let (many, one): (&'static str, &'static str) = (&MANY, &ONE);
    let mut chunks = lines.chunks_exact(TOGETHER);
    for chunk in &mut chunks {
        let values: Vec<_> = chunk.iter().flat_map(Access::values).collect();
        tx.execute(many, &values).await?;
    }
    for line in chunks.remainder() {
        tx.execute(one, &line.values()).await?;
    }
    Ok(())
}

/// Removes up to `limit` lines that began before `before`, the oldest first, and says how many.
///
/// # Errors
/// Those of the database.
pub async fn trim(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<u64> {
    tx.execute(
        "DELETE FROM accesses WHERE id IN (SELECT id FROM accesses WHERE at < ?1 ORDER BY at, id LIMIT ?2)",
        &[&before, &limit],
    )
    .await
}
