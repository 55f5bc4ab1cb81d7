//! `wharf audit`.

use crate::client::table::Columns;
use crate::client::{Call, Remote};
use crate::failure::Outcome;

const LIST: Columns = &[
    ("WHEN", "at"),
    ("WHO", "actor"),
    ("BY", "credential"),
    ("WHAT", "action"),
    ("REPOSITORY", "repository"),
    ("SUBJECT", "subject"),
    ("DETAIL", "detail"),
];

/// Arguments of `wharf audit`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// Only what this user or robot did.
    #[arg(long)]
    actor: Option<String>,
    /// Only about this project: what its maintainers may read too.
    #[arg(long)]
    project: Option<String>,
    /// Only about this repository.
    #[arg(long)]
    repository: Option<String>,
    /// Only about this content.
    #[arg(long)]
    digest: Option<String>,
    /// How many lines, the newest first.
    #[arg(long, default_value = "100")]
    limit: usize,
}

impl Args {
    /// Prints the lines.
    pub(crate) fn run(self) -> Outcome {
        let call = match &self.project {
            Some(project) => Call::new("audit.list-project").at("project", project),
            None => Call::new("audit.list"),
        };
        let call = call.with("actor", self.actor).with("repository", self.repository).with("digest", self.digest);
        self.remote.list(call, Some(self.limit), LIST)
    }
}
