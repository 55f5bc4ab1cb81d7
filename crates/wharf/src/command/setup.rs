//! `wharf setup`.

use super::key::Named;
use crate::client::{Output, Remote};
use crate::failure::Outcome;
use crate::out;

/// Arguments of `wharf setup`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// The repository with its format: `apt/team/debs`.
    repository: Named,
}

impl Args {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        let setup = self.remote.run(async |client| client.send(&self.repository.call("setup.show")).await)?;
        match self.remote.output {
            Output::Table => out::raw(setup["text"].as_str().unwrap_or_default().as_bytes()),
            Output::Json => out::line(serde_json::to_string_pretty(&setup)?),
        }
        Ok(())
    }
}
