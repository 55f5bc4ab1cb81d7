//! What became of a COMMIT that was not answered.
//!
//! A transaction's number does not tell: after a crash the server gives numbers again that it has not written down, and the
//! commit of whoever got ours would be taken for ours. So each transaction that writes leaves a row of its own, in one message
//! with its COMMIT, and who was not answered inserts the same row. If that finds it, the transaction was carried out. If not, it
//! was not, and cannot be any more, however late its message arrives: the row stands in its way, and `fence` tells it from the
//! transaction's own.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;

use super::{LONGEST_PAUSE, Postgres, Session, TRIES};
use crate::{Error, Result};

/// For so long a row can be asked for; all attempts to ask take less.
const KEPT: Duration = Duration::from_secs(30 * 60);
/// Commits of this process from one trimming to the next.
const TRIM_EVERY: u64 = 5000;
/// After so many questions without an answer whoever stands in the way is ended.
const PATIENCE: u32 = 3;

/// The key of a transaction's row, as SQL: when it was drawn, so that old ones lie together, and 80 random bits.
#[derive(Debug)]
pub(super) struct Token(String);

impl Token {
    pub(super) fn draw() -> Self {
        Self::of(now(), rand::random())
    }

    fn of(at: Duration, random: [u8; 10]) -> Self {
        let millis = u64::try_from(at.as_millis()).unwrap_or(u64::MAX).to_be_bytes();
        let mut text = String::from("'\\x");
        for byte in millis[2..].iter().chain(&random) {
            // Writing into a String does not fail.
            write!(text, "{byte:02x}").ok();
        }
        text.push_str("'::bytea");
        Self(text)
    }

    /// What ends a transaction. One that has changed nothing leaves no row either.
    pub(super) fn commit(&self) -> String {
        let Self(token) = self;
        format!("INSERT INTO commits (token) SELECT {token} WHERE pg_current_xact_id_if_assigned() IS NOT NULL; COMMIT")
    }

    /// Not SERIALIZABLE: nobody who commits shall meet it.
    fn question(&self) -> String {
        let Self(token) = self;
        format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
             INSERT INTO commits (token, fence) VALUES ({token}, 1)
             ON CONFLICT (token) DO UPDATE SET fence = commits.fence RETURNING fence;
             COMMIT"
        )
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// When old rows are to go.
#[derive(Debug, Default)]
pub(super) struct Trimming(AtomicU64);

impl Trimming {
    /// Called once for each commit.
    pub(super) fn is_due(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) % TRIM_EVERY == TRIM_EVERY - 1
    }
}

impl Postgres {
    /// Whether the transaction of this token, which `process` ran, was carried out. A process that has not noticed that we are gone
    /// is ended, so that its locks go.
    pub(super) fn was_committed<'a>(&'a self, token: &'a Token, process: &'a str) -> BoxFuture<'a, Result<bool>> {
        Box::pin(self.asked_until_known(token, process))
    }

    async fn asked_until_known(&self, token: &Token, process: &str) -> Result<bool> {
        let mut problem = "it still runs".to_owned();
        for tries in 1..=TRIES {
            let asked = async {
                let mut session = self.session().await?;
                let fence = session.begin(&token.question()).await.map_err(|failed| failed.error)?;
                session.is_over();
                Ok::<_, Error>(fence)
            };
            match asked.await {
                Ok(Some(fence)) if fence == "0" => return Ok(true),
                Ok(_) => {
                    self.end(process).await.ok();
                    return Ok(false);
                }
                Err(error) => problem = error.to_string(),
            }
            if tries >= PATIENCE {
                self.end(process).await.ok();
            }
            tokio::time::sleep(LONGEST_PAUSE).await;
        }
        let problem = format!("the connection broke during COMMIT, and what became of it is not known: {problem}");
        Err(Error::Unavailable(problem))
    }

    /// Ends the process that ran the transaction, if it still does.
    async fn end(&self, process: &str) -> Result<()> {
        const END: &str = "SELECT CAST(pg_terminate_backend(pid) AS TEXT) FROM pg_stat_activity
                           WHERE concat(pid, ' ', extract(epoch FROM xact_start)) = CAST(?1 AS TEXT)
                             AND pid <> pg_backend_pid()";
        let session = self.session().await?;
        session.query_opt(END, &[&process]).await.map(drop).map_err(|failed| failed.error)
    }

    /// Removes old rows, beside what goes on.
    pub(super) fn trim(&self) {
        let Token(before) = Token::of(now().saturating_sub(KEPT), [0; 10]);
        let (pool, texts, patience) = (self.pool.clone(), self.texts.clone(), self.patience);
        tokio::spawn(async move {
            let Ok(client) = pool.get().await else { return };
            let mut session = Session::new(client, texts, patience);
            let sql = format!(
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL synchronous_commit = off;
                 DELETE FROM commits WHERE token < {before}; COMMIT"
            );
            match session.begin(&sql).await {
                Ok(_) => session.is_over(),
                // The next one takes them along.
                Err(failed) => tracing::debug!(error = %failed.error, "old rows of commits were not removed"),
            }
        });
    }
}
