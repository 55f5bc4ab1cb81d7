//! The first administrator.

use wharf_auth::{Auth, Bootstrap, Presented, Rejected};

use super::Administrator;
use crate::config::Config;
use crate::failure::{Failure, Outcome};

/// Makes sure that somebody is administrator, by the password that was given or one that is made up.
pub(super) async fn administrator(config: &Config, auth: &Auth) -> Outcome<Administrator> {
    let name = config.text("admin.user").unwrap_or("admin").to_owned();
    let password = config.text("admin.password");
    let made = auth.bootstrap(&name, password).await.map_err(|error| {
        let origin = config.origin("admin.password");
        Failure::new(format!("the administrator {name} cannot be made: {error} ({origin})"))
    })?;
    if let (Bootstrap::AlreadyThere, Some(password)) = (&made, password) {
        // Hashing takes its time, and nobody waits for the answer.
        tokio::spawn(compare(auth.clone(), name.clone(), password.to_owned()));
    }
    Ok(Administrator { name, made })
}

/// Whoever changes the password in the environment and wonders why it does not count finds out here.
async fn compare(auth: Auth, name: String, password: String) {
    let shown = Presented::Basic { user: &name, password: &password };
    if let Err(Rejected::BadCredentials) = auth.authenticate(shown, None).await {
        tracing::warn!(
            user.name = name,
            "the administrator's password that is configured is not the one in the database: it is read only when the \
             database is new; change it in the API, or by `wharf admin reset-password` while the server is stopped"
        );
    }
}
