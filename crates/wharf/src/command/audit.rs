//! `wharf audit`.

use crate::client::expiry::Moment;
use crate::client::table::Columns;
use crate::client::{Call, Remote};
use crate::failure::Outcome;

const LIST: Columns = &[
    ("WHEN", "at"),
    ("TIMES", "times"),
    ("WHO", "actor"),
    ("BY", "credential"),
    ("WHAT", "action"),
    ("OUTCOME", "outcome"),
    ("PROJECT", "project"),
    ("REPOSITORY", "repository"),
    ("SUBJECT", "subject"),
    ("DIGEST", "digest"),
    ("FROM", "address"),
    ("DETAIL", "detail"),
];

/// Arguments of `wharf audit`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    filter: Filter,
    /// Only what you did yourself, logins included. Needs no role.
    #[arg(long, conflicts_with_all = ["actor", "project"])]
    own: bool,
    /// How many lines, the newest first.
    #[arg(long, default_value = "100")]
    limit: usize,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Prints all lines as JSON, one a line, the oldest first. Without --until those of the last 30 seconds are left out:
    /// some of them are not written yet, and an export that goes on after this one would miss them.
    Export(Export),
}

#[derive(Debug, clap::Args)]
struct Export {
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    filter: Filter,
    /// Goes on after the line with this id, the last one of an earlier export.
    #[arg(long, value_name = "ID")]
    after: Option<String>,
}

/// Which lines.
#[derive(Debug, clap::Args)]
struct Filter {
    /// Only what this user or robot did.
    #[arg(long)]
    actor: Option<String>,
    /// Only about this project: what its maintainers may read too.
    #[arg(long)]
    project: Option<String>,
    /// Only about this repository.
    #[arg(long)]
    repository: Option<String>,
    /// Only about this content: who pushed, pulled and deleted it.
    #[arg(long)]
    digest: Option<String>,
    /// Only this operation, such as manifest.read, blob.read, login or tag.delete.
    #[arg(long)]
    action: Option<String>,
    /// Only what came to this.
    #[arg(long, value_parser = ["ok", "denied", "failed"])]
    outcome: Option<String>,
    /// Only from this address.
    #[arg(long)]
    address: Option<String>,
    /// Only what is not older: a span such as 7d, or a point such as 2030-12-31T00:00:00Z.
    #[arg(long)]
    since: Option<Moment>,
    /// Only what is older.
    #[arg(long)]
    until: Option<Moment>,
}

impl Filter {
    /// The call narrowed by it; the project is in the path.
    fn narrow(self, call: Call<'static>) -> Call<'static> {
        call.with("actor", self.actor)
            .with("repository", self.repository)
            .with("digest", self.digest)
            .with("action", self.action)
            .with("outcome", self.outcome)
            .with("address", self.address)
            .with("since", self.since)
            .with("until", self.until)
    }
}

impl Args {
    /// Prints the lines.
    pub(crate) fn run(self) -> Outcome {
        let Self { command, remote, filter, own, limit } = self;
        if let Some(Command::Export(export)) = command {
            return export.run();
        }
        let call = match &filter.project {
            Some(project) => Call::new("audit.list-project").at("project", project),
            None if own => Call::new("audit.list-own"),
            None => Call::new("audit.list"),
        };
        remote.list(filter.narrow(call), Some(limit), LIST)
    }
}

impl Export {
    fn run(self) -> Outcome {
        let call = match &self.filter.project {
            Some(project) => Call::new("audit.export-project").at("project", project),
            None => Call::new("audit.export"),
        };
        let call = self.filter.narrow(call).with("after", self.after);
        self.remote.run(async |client| client.copy(&call).await)
    }
}
