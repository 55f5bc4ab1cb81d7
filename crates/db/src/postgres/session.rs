//! A connection on loan from the pool.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{Client, Object};
use futures_util::TryStreamExt as _;
use futures_util::future::BoxFuture;
use tokio_postgres::{SimpleQueryMessage, Statement};

use super::commits::Token;
use super::failure;
use super::params::Param;
use super::texts::Texts;
use crate::row::Row;
use crate::tx::{Failed, Params, Remedy};
use crate::{Error, Result};

/// Goes back to the pool when dropped, unless a transaction is open on it or it is broken: then it is closed, which makes the
/// server roll back. So a caller that is dropped halfway leaves nothing behind.
pub(crate) struct Session {
    client: Option<Client>,
    texts: Arc<Texts>,
    clean: bool,
    /// How long a statement may go without an answer. The server ends its statements earlier, so one that is silent for longer is
    /// not working on it: it hangs, or the network has lost it.
    patience: Option<Duration>,
    /// It was silent for so long: nothing more is asked of it.
    silent: AtomicBool,
}

impl Session {
    pub(super) fn new(client: Client, texts: Arc<Texts>, patience: Duration) -> Self {
        let (client, patience, silent) = (Some(client), Some(patience), AtomicBool::new(false));
        Self { client, texts, clean: true, patience, silent }
    }

    /// Statements may take as long as they like.
    pub(super) fn take_time(&mut self) {
        self.patience = None;
    }

    async fn in_time<T, E: Into<Problem>>(&self, answer: impl Future<Output = Result<T, E>>) -> Result<T, Problem> {
        if self.silent.load(Ordering::Relaxed) {
            return Err(Problem::Silent);
        }
        let Some(patience) = self.patience else { return answer.await.map_err(Into::into) };
        tokio::time::timeout(patience, answer).await.map_or_else(
            |_| {
                self.silent.store(true, Ordering::Relaxed);
                Err(Problem::Silent)
            },
            |answer| answer.map_err(Into::into),
        )
    }

    // Boxed, as everything that goes to the server: the compiler would write the way there out again for each transaction of the
    // program, and every task would have room for it, on SQLite too.
    pub(crate) fn query<'a>(
        &'a self,
        sql: &'static str,
        params: Params<'a>,
    ) -> BoxFuture<'a, Result<Vec<Row>, Failed>> {
        Box::pin(async move { self.in_time(self.rows(sql, params)).await.map_err(|e| e.of(sql)) })
    }

    pub(crate) async fn query_opt(&self, sql: &'static str, params: Params<'_>) -> Result<Option<Row>, Failed> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    pub(crate) fn execute<'a>(&'a self, sql: &'static str, params: Params<'a>) -> BoxFuture<'a, Result<u64, Failed>> {
        Box::pin(async move { self.in_time(self.change(sql, params)).await.map_err(|e| e.of(sql)) })
    }

    pub(crate) fn script<'a>(&'a self, sql: &'a str) -> BoxFuture<'a, Result<(), Failed>> {
        Box::pin(async move {
            let client = self.client().map_err(|e| e.of(sql))?;
            self.in_time(client.batch_execute(sql)).await.map_err(|e| e.of(sql))
        })
    }

    /// Begins a transaction. Gives the first thing that `sql` selects.
    pub(super) fn begin<'a>(&'a mut self, sql: &'a str) -> BoxFuture<'a, Result<Option<String>, Failed>> {
        self.clean = false;
        Box::pin(async move {
            let client = self.client().map_err(|e| e.of(sql))?;
            let told = self.in_time(client.simple_query(sql)).await.map_err(|e| e.of(sql))?;
            Ok(told.iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            }))
        })
    }

    /// What was begun was ended by the same message.
    pub(super) fn is_over(&mut self) {
        self.clean = true;
    }

    /// Ends it, leaving a row to ask by; does nothing where none was begun.
    pub(super) async fn commit(&mut self, token: Option<&Token>) -> Result<(), Failed> {
        if !self.clean {
            match self.script(&token.map_or("COMMIT".to_owned(), Token::commit)).await {
                // It may have been heard all the same.
                Err(failed) if self.silent.load(Ordering::Relaxed) => {
                    return Err(Failed { remedy: Remedy::Reconnect, ..failed });
                }
                answered => answered?,
            }
            self.clean = true;
        }
        Ok(())
    }

    /// Takes everything back. Where that fails, or the connection is known to be bad, it is closed instead.
    pub(super) async fn rollback(&mut self, remedy: Remedy) {
        if remedy == Remedy::Reconnect {
            self.clean = false;
        } else if !self.clean {
            self.clean = self.script("ROLLBACK").await.is_ok();
        }
    }

    async fn rows(&self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, Problem> {
        let (client, statement, params) = self.prepared(sql, params).await?;
        let stream = client.query_raw(&statement, params).await?;
        Ok(stream.map_ok(|row| Row::postgres(sql, row)).try_collect().await?)
    }

    async fn change(&self, sql: &'static str, params: Params<'_>) -> Result<u64, Problem> {
        let (client, statement, params) = self.prepared(sql, params).await?;
        Ok(client.execute_raw(&statement, params).await?)
    }

    /// Each connection prepares a statement once and keeps it.
    async fn prepared<'p>(
        &self,
        sql: &'static str,
        params: Params<'p>,
    ) -> Result<(&Client, Statement, Vec<Param<'p>>), Problem> {
        let client = self.client()?;
        let statement = client.prepare_cached(&self.texts.of(sql)).await?;
        Ok((client, statement, params.iter().map(|param| Param(param.to_value())).collect()))
    }

    fn client(&self) -> Result<&Client, Problem> {
        self.client.as_ref().ok_or(Problem::GivenBack)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end();
    }
}

impl Session {
    /// Gives the connection back, or closes it.
    pub(super) fn end(&mut self) {
        if let Some(client) = self.client.take()
            && (!self.clean || self.silent.load(Ordering::Relaxed))
        {
            drop(Object::take(client));
        }
    }
}

enum Problem {
    Driver(tokio_postgres::Error),
    GivenBack,
    Silent,
}

impl From<tokio_postgres::Error> for Problem {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Driver(error)
    }
}

impl Problem {
    fn of(self, sql: &str) -> Failed {
        match self {
            Self::Driver(error) => failure::of(sql, error),
            Self::Silent => Failed::for_good(Error::Unavailable("PostgreSQL does not answer".into())),
            Self::GivenBack => Failed::for_good(Error::Unavailable("the connection was given back".into())),
        }
    }
}
