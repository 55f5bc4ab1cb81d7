//! `wharf whoami`.

use crate::client::{Call, Remote};
use crate::failure::Outcome;

/// Arguments of `wharf whoami`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
}

impl Args {
    /// Asks the server.
    pub(crate) fn run(self) -> Outcome {
        let columns =
            &[("name", "name"), ("kind", "kind"), ("credential", "credential"), ("server roles", "server_roles")];
        self.remote.show(Call::new("whoami"), columns)
    }
}
