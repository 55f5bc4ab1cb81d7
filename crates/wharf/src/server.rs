//! The server: put together, announced, run and stopped.

mod assembly;
pub(crate) mod backup;
mod data;
mod first;
mod key;
mod log;
mod memory;
mod password;
mod signal;
mod welcome;

use std::sync::Arc;
use std::time::Duration;

use wharf_auth::{Auth, Bootstrap};
use wharf_core::Core;
use wharf_web::{App, Listener};

use crate::config::{Config, Database};
use crate::failure::{Failure, Outcome};
pub(crate) use assembly::formats;
pub(crate) use password::reset as reset_password;

/// How often it is written down when credentials were last used.
const FLUSH_INTERVAL: Duration = Duration::from_secs(5);

/// What the database says of its schema.
///
/// # Errors
/// If there is none, or another process has it to itself.
pub(crate) async fn database_status(config: &Config) -> Outcome<wharf_db::Status> {
    if let Database::Sqlite { path } = config.database()
        && !path.exists()
    {
        return Err(Failure::usage(format!("there is no database at {}", path.display()))
            .hint("name the data directory of the server with --data"));
    }
    assembly::install_tls_provider();
    let locked = "a server runs on these data, so it is up to date; `wharf version` says what it knows";
    wharf_db::Status::of(&config.database()).await.map_err(|error| assembly::not_opened(&error, locked))
}

/// Runs the server until it is told to stop.
///
/// # Errors
/// Whatever keeps it from starting, with what to do about it.
pub(crate) async fn run(config: &Config) -> Outcome {
    let log = log::start(config)?;
    signal::survive_hangups()?;
    let stopped = signal::stop()?;
    assembly::install_tls_provider();
    let (core, parts) =
        assembly::core(config, "stop the other server, or give this one other data with --data").await?;
    if let Some(bucket) = parts.backups {
        bucket.try_out().await?;
    }
    let web = config.web();
    // Before an administrator is made: a password that was shown for a server that did not start is lost.
    let listener =
        Listener::bind(&web).map_err(|error| Failure::new(error).hint("choose another address with --listen"))?;
    let app = App::new(core.clone(), parts.doors, parts.api, &web).map_err(Failure::new)?;
    let administrator = first::administrator(config, core.auth()).await?;
    log.flush();
    welcome::print(&welcome::Place::of(config, &listener), &administrator);
    tracing::info!(address = %listener.address(), version = env!("CARGO_PKG_VERSION"), "ready");
    serve(&core, listener, app, stopped).await?;
    tracing::info!("stopped");
    Ok(())
}

async fn serve(core: &Core, listener: Listener, app: Arc<App>, stopped: impl Future<Output = ()>) -> Outcome {
    let workers = core.start_workers();
    let flusher = tokio::spawn(flush(core.auth().clone()));
    let keeper = tokio::spawn(memory::give_back());
    let served = listener.serve(app, stopped).await.map_err(Failure::new);
    workers.stop().await;
    flusher.abort();
    keeper.abort();
    if let Err(error) = core.auth().flush().await {
        tracing::warn!(%error, "when credentials were last used was not written down");
    }
    served
}

async fn flush(auth: Auth) {
    let mut ticks = tokio::time::interval(FLUSH_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = auth.flush().await {
            tracing::warn!(%error, "when credentials were last used was not written down, trying again");
        }
    }
}

/// What the first start did about an administrator, for the welcome.
struct Administrator {
    name: String,
    made: Bootstrap,
}
