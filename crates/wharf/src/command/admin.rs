//! `wharf admin`.

use std::path::PathBuf;

use clap::Subcommand;

use crate::client::block_on;
use crate::command::login::password;
use crate::command::serve::Settings;
use crate::failure::Outcome;
use crate::{out, server};

/// Arguments of `wharf admin`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Gives an administrator a new password and prints it. The server must not be running on these data.
    ///
    /// The user is let in again if it was locked out, made an administrator if it was none, and made if it was not there.
    ResetPassword {
        /// Whose password.
        #[arg(default_value = "admin")]
        user: String,
        /// The configuration file of the server.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// The data directory of the server.
        #[arg(long, value_name = "DIR")]
        data: Option<String>,
        /// The database of the server.
        #[arg(long, value_name = "URL")]
        database: Option<String>,
        /// Read the new password from standard input instead of making one up.
        #[arg(long)]
        password_stdin: bool,
    },
}

impl Args {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        let Command::ResetPassword { user, config, data, database, password_stdin } = self.command;
        let config = Settings::offline(config, data, database).load()?;
        let given = if password_stdin { Some(password("New password", true)?) } else { None };
        let made = block_on(server::reset_password(&config, &user, given))?;
        match made {
            Some(password) => {
                out::note(format!(
                    "{user} is an administrator and signs in with this password, which is not shown again:"
                ));
                out::line(&*password);
            }
            None => out::note(format!("{user} is an administrator and signs in with the password given")),
        }
        Ok(())
    }
}
