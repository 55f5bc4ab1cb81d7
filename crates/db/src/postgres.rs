//! PostgreSQL: a pool of connections, transactions that are run again until one run counts.

mod commits;
mod connect;
mod failure;
mod params;
mod session;
mod texts;
mod tls;
mod url;

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

use crate::db::{Durability, Work};
use crate::migrate::{self, Migration};
use crate::tx::{Failed, Remedy, Tx};
use crate::{Error, Result};
use commits::Token;
pub(crate) use connect::Limits;
pub(crate) use params::value_of;
pub(crate) use session::Session;
use texts::Texts;

/// How often a transaction is run whose connection breaks each time.
const TRIES: u32 = 10;
/// How often a transaction loses against others before it takes turns with those of this process that lose as often.
const LOST: u32 = 4;
/// How often it loses before that is reported. In turns it loses only against newcomers and other replicas.
const LOST_IN_TURNS: u32 = 60;
/// The longest pause between two runs.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// How statements hang together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Each statement sees what is committed when it starts.
    Read,
    /// All statements see the same.
    Snapshot,
    /// All statements happen at one instant or not at all.
    Write(Durability),
    /// A step of the schema: it waits for a lock first and must then see what its predecessor committed.
    Migrate,
}

impl Mode {
    fn begin(self) -> Option<&'static str> {
        match self {
            Self::Read => None,
            Self::Snapshot => Some("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
            Self::Write(Durability::Full) => Some(concat!(
                "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE; ",
                "SELECT concat(pg_backend_pid(), ' ', extract(epoch FROM now()))"
            )),
            Self::Write(Durability::Relaxed) => Some(concat!(
                "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE; SET LOCAL synchronous_commit = off; ",
                "SELECT concat(pg_backend_pid(), ' ', extract(epoch FROM now()))"
            )),
            Self::Migrate => Some("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL statement_timeout = 0"),
        }
    }
}

/// An open PostgreSQL database.
pub(crate) struct Postgres {
    pool: Pool,
    texts: Arc<Texts>,
    patience: Duration,
    trimming: commits::Trimming,
    /// Whose turn it is among those who have lost again and again: so many writers of one row are slow, and none is refused.
    turns: Mutex<()>,
}

/// What a statement may take beyond the time after which the server ends it.
const GRACE: Duration = Duration::from_secs(1);

/// What one run of a closure came to.
enum Run<T, E> {
    Finished(Result<T, E>),
    /// Nothing of it counts, for another transaction won; the error is for the case that there is no other run.
    Lost(E),
    /// Nothing of it counts, for the connection broke; the error likewise.
    Broken(E),
    /// COMMIT was sent and not answered: what it came to if it was carried out, the error if not, and what to ask by.
    Unknown(T, E, Token, String),
}

impl Postgres {
    /// Connects to the server and applies missing migrations.
    pub(crate) async fn open(url: &str, limits: &Limits, migrations: &'static [Migration]) -> Result<Self> {
        let (pool, patience) = (connect::pool(url, limits)?, limits.statement_timeout.saturating_add(GRACE));
        let postgres = Self {
            pool,
            texts: Arc::default(),
            patience,
            trimming: commits::Trimming::default(),
            turns: Mutex::default(),
        };
        // Without any step nothing is changed, not even what keeps account of them.
        while !migrations.is_empty()
            && postgres.run(Mode::Migrate, &migrations, |tx, all| Box::pin(migrate::step(tx, all))).await?
        {}
        Ok(postgres)
    }

    /// Runs `work` as often as it takes, within limits.
    pub(crate) async fn run<A, T, E>(&self, mode: Mode, args: &A, work: Work<A, T, E>) -> Result<T, E>
    where
        A: Sync,
        T: Send,
        E: From<Error> + Send,
    {
        let (mut lost, mut broken, mut turn) = (0, 0, None);
        loop {
            let mut session = self.session().await?;
            let error = match once(&mut session, mode, args, work).await {
                Run::Finished(result) => {
                    drop(session);
                    if matches!(mode, Mode::Write(_)) && self.trimming.is_due() {
                        self.trim();
                    }
                    return result;
                }
                Run::Lost(error) => {
                    lost += 1;
                    error
                }
                Run::Broken(error) => {
                    broken += 1;
                    error
                }
                Run::Unknown(value, error, token, process) => {
                    // The connection is broken; asking may need its place in the pool.
                    session.end();
                    if self.was_committed(&token, &process).await? {
                        return Ok(value);
                    }
                    broken += 1;
                    error
                }
            };
            // Before the wait: those whose turn it is need connections too.
            drop(session);
            if broken == TRIES || lost == LOST_IN_TURNS {
                return Err(error);
            }
            if lost == LOST && turn.is_none() {
                turn = Some(self.turns.lock().await);
            }
            tokio::time::sleep(pause(if turn.is_some() { 1 } else { lost + broken })).await;
        }
    }

    fn session(&self) -> BoxFuture<'_, Result<Session>> {
        Box::pin(async {
            let client = self.pool.get().await.map_err(|e| failure::connecting(&e, self.pool.status().max_size))?;
            Ok(Session::new(client, Arc::clone(&self.texts), self.patience))
        })
    }
}

/// Runs a closure once, and commits what it did if it is to be committed.
async fn once<A, T, E>(session: &mut Session, mode: Mode, args: &A, work: Work<A, T, E>) -> Run<T, E>
where
    A: Sync,
    T: Send,
    E: From<Error> + Send,
{
    let mut process = None;
    if mode == Mode::Migrate {
        session.take_time();
    }
    if let Some(begin) = mode.begin() {
        match session.begin(begin).await {
            Ok(told) => process = told,
            Err(failed) => return again_if(failed.remedy, failed.error.into()),
        }
    }
    let atomic = mode != Mode::Read;
    let mut tx = Tx::postgres(session, atomic);
    let result = work(&mut tx, args).await;
    match (result, tx.into_failure()) {
        (Ok(value), None) => {
            let asked = matches!(mode, Mode::Write(_)).then(Token::draw).zip(process);
            match session.commit(asked.as_ref().map(|(token, _)| token)).await {
                Ok(()) => Run::Finished(Ok(value)),
                // The server's answer may have been lost, and not its work.
                Err(Failed { remedy: Remedy::Reconnect, error }) => match asked {
                    Some((token, process)) => Run::Unknown(value, error.into(), token, process),
                    None => Run::Broken(error.into()),
                },
                Err(failed) => {
                    session.rollback(failed.remedy).await;
                    again_if(failed.remedy, failed.error.into())
                }
            }
        }
        (Ok(value), Some(_)) if !atomic => Run::Finished(Ok(value)),
        (Ok(_), Some(failed)) => {
            session.rollback(failed.remedy).await;
            again_if(failed.remedy, Error::Aborted.into())
        }
        (Err(error), failed) => {
            let remedy = failed.map_or(Remedy::None, |failed| failed.remedy);
            session.rollback(remedy).await;
            again_if(remedy, error)
        }
    }
}

fn again_if<T, E>(remedy: Remedy, error: E) -> Run<T, E> {
    match remedy {
        Remedy::None => Run::Finished(Err(error)),
        Remedy::Again => Run::Lost(error),
        Remedy::Reconnect => Run::Broken(error),
    }
}

/// A random part of a span that doubles with each try, so that those who met once do not meet again.
fn pause(tries: u32) -> Duration {
    let span = Duration::from_millis(2).saturating_mul(1 << tries.min(16)).min(LONGEST_PAUSE);
    span.mul_f64(rand::random::<f64>())
}
