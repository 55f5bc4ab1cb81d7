//! The pool and the settings of its connections.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};

use super::{tls, url};
use crate::{Error, Result};

/// How long a peer may stay silent before its connection counts as dead.
const SILENCE: Duration = Duration::from_secs(30);

/// How much of a server one process uses, and how long it waits for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    pub(crate) connect_timeout: Duration,
    pub(crate) statement_timeout: Duration,
}

/// A pool for the server of `url`; connects when it is first asked.
pub(super) fn pool(url: &str, limits: &Limits) -> Result<Pool> {
    let Limits { connections, connect_timeout, statement_timeout } = *limits;
    let url::Target { mut config, trust } = url::parse(url)?;
    config.connect_timeout(connect_timeout).keepalives_idle(SILENCE).tcp_user_timeout(SILENCE);
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(config, tls::connector(&trust)?, recycling);
    let settings: Arc<str> = settings(statement_timeout).into();
    let set_up = Hook::async_fn(move |client, _| {
        let settings = Arc::clone(&settings);
        Box::pin(async move {
            let set = tokio::time::timeout(connect_timeout, client.batch_execute(&settings)).await;
            set.map_err(|_| HookError::message("the server does not answer"))?.map_err(HookError::Backend)
        })
    });
    let pool = Pool::builder(manager)
        .max_size(connections.max(1))
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(connect_timeout))
        .create_timeout(Some(connect_timeout))
        .post_create(set_up)
        .build();
    pool.map_err(|e| Error::Config(format!("PostgreSQL: {e}")))
}

/// Only a transaction that says so may write, as on SQLite. Sequential scans are the last resort of the planner: under
/// SERIALIZABLE one locks its whole table, and on a small table they would make every writer conflict with every other. What
/// has no other way costs so much on paper then that PostgreSQL would compile it, for 40 ms each time.
fn settings(statement_timeout: Duration) -> String {
    format!(
        "SET default_transaction_read_only = on; SET enable_seqscan = off; SET jit = off; SET statement_timeout = {};
         SET idle_in_transaction_session_timeout = '60s'",
        statement_timeout.as_millis()
    )
}
