//! The way back in for whoever has the server's own machine.

use rand::distr::{Alphanumeric, SampleString};
use wharf_auth::Auth;
use wharf_types::Clock;

use super::{assembly, key};
use crate::config::{Config, Database};
use crate::failure::{Failure, Outcome};

/// Sets the password of an administrator. Gives the password back if it was made up here.
///
/// # Errors
/// If the server runs on these data, or there are none.
pub(crate) async fn reset(config: &Config, user: &str, given: Option<String>) -> Outcome<Option<String>> {
    match config.database() {
        Database::Sqlite { path } if !path.exists() => {
            let message = format!("there is no database at {}", path.display());
            return Err(Failure::usage(message).hint("name the data directory of the server with --data"));
        }
        Database::SqliteMemory => return Err(Failure::usage("a database in memory has no passwords to reset")),
        _ => {}
    }
    assembly::install_tls_provider();
    let locked = "stop the server first; while it runs, an administrator uses `wharf user set-password`";
    let db = assembly::database(config, locked).await?;
    let clock = Clock::system();
    let key = key::bind(config, &db, &clock).await?;
    let auth = Auth::new(db, &key, clock, config.auth());
    let made_up = given.is_none().then(|| Alphanumeric.sample_string(&mut rand::rng(), 24));
    let password = given.as_deref().or(made_up.as_deref()).unwrap_or_default();
    auth.reset_administrator(user, password).await.map_err(Failure::new)?;
    Ok(made_up)
}
