//! `wharf scrub`.

use clap::Subcommand;

use crate::client::table::Columns;
use crate::client::{Call, Remote};
use crate::failure::Outcome;

const STATUS: Columns = &[
    ("begun", "begun_at"),
    ("finished", "finished_at"),
    ("blobs", "blobs"),
    ("bytes", "bytes"),
    ("damaged", "damaged"),
    ("unread", "unread"),
];
const LIST: Columns = &[("DIGEST", "digest"), ("BYTES", "size"), ("FOUND", "found_at"), ("PROBLEM", "problem")];

/// Arguments of `wharf scrub`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// How far the server has read what it holds.
    Status,
    /// Begins to read everything now, unless that is under way.
    Run,
    /// Lists blobs that are damaged and not served: push them again.
    List,
}

impl Args {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        let remote = self.remote;
        match self.command {
            Command::Status => remote.show(Call::new("scrub.show"), STATUS),
            Command::Run => remote.change(Call::new("scrub.run"), "everything is being read; see `wharf scrub status`"),
            Command::List => remote.list(Call::new("scrub.damaged"), None, LIST),
        }
    }
}
