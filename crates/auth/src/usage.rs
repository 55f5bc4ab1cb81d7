//! When credentials were last used: collected in memory, written now and then, never on the road of a request.

use std::collections::HashMap;

use parking_lot::Mutex;
use wharf_db::identity::{subjects, tokens};
use wharf_db::{Db, Durability, Error};
use wharf_types::Timestamp;

use crate::account::Account;

/// What was used since the last time it was written down.
#[derive(Default)]
pub(crate) struct Usage(Mutex<HashMap<Used, Timestamp>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Used {
    Subject(i64),
    Token(i64),
}

/// More than this in one transaction would keep other writers waiting.
const BATCH: usize = 1000;

impl Usage {
    /// Notes that an account signed in, with one of its tokens or without.
    pub(crate) fn note(&self, account: &Account, token: Option<i64>, now: Timestamp) {
        let Some(id) = account.subject.id() else { return };
        let token_touched = token.and_then(|id| account.tokens.get(&id)).is_some_and(|token| token.touched.now(now));
        let touched = account.touched.now(now);
        if !touched && !token_touched {
            return;
        }
        let mut used = self.0.lock();
        if touched {
            used.insert(Used::Subject(id), now);
        }
        if let Some(token) = token.filter(|_| token_touched) {
            used.insert(Used::Token(token), now);
        }
    }

    /// Writes down what was noted. What cannot be written is noted again.
    pub(crate) async fn flush(&self, db: &Db) -> Result<(), Error> {
        let mut noted: Vec<_> = std::mem::take(&mut *self.0.lock()).into_iter().collect();
        while !noted.is_empty() {
            let batch = noted.split_off(noted.len().saturating_sub(BATCH));
            let written = db.write(Durability::Relaxed, batch.clone(), |tx, batch| {
                Box::pin(async move {
                    for &(used, at) in batch {
                        match used {
                            Used::Subject(id) => subjects::used(tx, id, at).await?,
                            Used::Token(id) => tokens::used(tx, id, at).await?,
                        }
                    }
                    Ok::<_, Error>(())
                })
            });
            if let Err(error) = written.await {
                let mut used = self.0.lock();
                for (what, at) in noted.into_iter().chain(batch) {
                    used.entry(what).or_insert(at);
                }
                return Err(error);
            }
        }
        Ok(())
    }
}
