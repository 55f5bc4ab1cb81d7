//! `wharf job`.

use clap::Subcommand;

use crate::client::table::Columns;
use crate::client::{Call, Remote};
use crate::failure::Outcome;

const LIST: Columns = &[
    ("ID", "id"),
    ("KIND", "kind"),
    ("ABOUT", "key"),
    ("TRIED", "attempts"),
    ("DUE", "due_at"),
    ("LAST ERROR", "last_error"),
];

/// Arguments of `wharf job`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists jobs that are not done.
    List {
        /// Those that were given up.
        #[arg(long)]
        dead: bool,
    },
    /// Gives a dead job another chance.
    Retry { id: i64 },
}

impl Args {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        let remote = self.remote;
        match self.command {
            Command::List { dead } => {
                remote.list(Call::new("jobs.list").with("state", dead.then_some("dead")), None, LIST)
            }
            Command::Retry { id } => {
                remote.change(Call::new("jobs.retry").at("job", id), &format!("job {id} runs again"))
            }
        }
    }
}
