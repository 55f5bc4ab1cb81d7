//! A transaction on its way through the writer.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::db::{Durability, Work};
use crate::sqlite;
use crate::tx::Tx;
use crate::{Error, Result};

/// A [`Task`] whose types the writer does not know.
pub(super) trait Job: Send {
    fn durability(&self) -> Durability;

    /// Runs the closure and keeps its result for later. Returns the failure of a statement, if one failed.
    fn run(&mut self, connection: &mut Connection) -> Option<Error>;

    /// Whether what it did is to be kept.
    fn succeeded(&self) -> bool;

    /// Tells the caller, after the commit of the group or with the reason why there was none.
    fn answer(self: Box<Self>, failure: Option<&Error>);
}

/// A closure, its arguments, and who waits for it.
pub(super) struct Task<A, T, E> {
    durability: Durability,
    args: A,
    work: Work<A, T, E>,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<A, T, E> Task<A, T, E> {
    pub(super) fn new(
        durability: Durability,
        args: A,
        work: Work<A, T, E>,
        reply: oneshot::Sender<Result<T, E>>,
    ) -> Self {
        Self { durability, args, work, result: None, reply }
    }
}

impl<A, T, E> Job for Task<A, T, E>
where
    A: Send + Sync,
    T: Send,
    E: From<Error> + Send,
{
    fn durability(&self) -> Durability {
        self.durability
    }

    fn run(&mut self, connection: &mut Connection) -> Option<Error> {
        let mut tx = Tx::sqlite(connection, true);
        // After a panic everything it touched is rolled back or dropped, so nothing half-done is seen again.
        let run = catch_unwind(AssertUnwindSafe(|| sqlite::run(&mut tx, &self.args, self.work)));
        let failure = tx.into_failure().map(|failed| failed.error);
        self.result = Some(match run {
            Ok(Ok(_)) if failure.is_some() => Err(Error::Aborted.into()),
            Ok(result) => result,
            Err(panic) => Err(Error::Panicked(message(&*panic)).into()),
        });
        failure
    }

    fn succeeded(&self) -> bool {
        matches!(self.result, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, failure: Option<&Error>) {
        let result = match (failure, self.result) {
            (None, Some(result)) => result,
            (Some(error), _) => Err(error.clone().into()),
            (None, None) => Err(Error::Unavailable("the transaction was not run".into()).into()),
        };
        // A caller that has gone away is no longer interested.
        drop(self.reply.send(result));
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".into())
}
