//! `wharf logout`.

use crate::client::credentials::Credentials;
use crate::client::{Call, Client, Proof, base_url, block_on};
use crate::failure::{Failure, Outcome};
use crate::out;

/// Arguments of `wharf logout`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The server [default: the one of the last login].
    #[arg(value_name = "URL")]
    server: Option<String>,
}

impl Args {
    /// Forgets the server, and revokes the token made for this machine.
    pub(crate) fn run(self) -> Outcome {
        let mut credentials = Credentials::read()?;
        let base = match self.server.as_deref().or(credentials.current.as_deref()) {
            Some(server) => base_url(server)?,
            None => return Err(Failure::usage("you are not signed in anywhere")),
        };
        let Some(login) = credentials.forget(&base) else {
            return Err(Failure::usage(format!("you are not signed in to {base}")));
        };
        credentials.write()?;
        let client = Client::new(base.clone(), Proof::Token(login.token))?;
        match block_on(async { client.send(&Call::new("tokens.revoke").at("token", login.token_id)).await }) {
            Ok(_) => out::line(format!("signed out of {base}")),
            // Forgotten is forgotten; but the owner should know that the token may still be good.
            Err(failure) => {
                out::line(format!("{base} is forgotten"));
                out::note(format!("warning: its token was not revoked\n{failure}"));
            }
        }
        Ok(())
    }
}
