//! `wharf snapshot`.

use clap::Subcommand;
use serde_json::json;

use super::key::Named;
use crate::client::table::Columns;
use crate::client::{Remote, confirm};
use crate::failure::Outcome;

const LIST: Columns = &[
    ("NAME", "name"),
    ("CHANNEL", "channel"),
    ("PACKAGES", "packages"),
    ("PUBLISHED", "published"),
    ("BY", "created_by"),
    ("AT", "created_at"),
];
const SHOW: Columns = &[
    ("name", "name"),
    ("channel", "channel"),
    ("packages", "packages"),
    ("published", "published"),
    ("by", "created_by"),
    ("at", "created_at"),
];
const DIFF: Columns =
    &[("CHANGE", "change"), ("NAME", "name"), ("ARCHITECTURE", "architecture"), ("FROM", "from"), ("TO", "to")];

/// Arguments of `wharf snapshot`. A repository is written `apt/team/debs`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a snapshot of what is listed now.
    Create {
        repository: Named,
        name: String,
        /// Of which index: a distribution of APT.
        #[arg(long, default_value = "")]
        channel: String,
    },
    /// Lists the snapshots of a repository.
    List { repository: Named },
    /// Shows a snapshot.
    Show { repository: Named, name: String },
    /// Lists what was added, removed and changed from one snapshot to another.
    Diff { repository: Named, from: String, to: String },
    /// Lets clients see a snapshot. Uploads go on, and nobody sees them until the newest index is published again.
    Publish {
        repository: Named,
        /// The snapshot.
        #[arg(required_unless_present = "live", conflicts_with = "live")]
        name: Option<String>,
        /// Not a snapshot, but the newest index, and those that follow.
        #[arg(long)]
        live: bool,
        /// Of which index `--live` speaks.
        #[arg(long, default_value = "", requires = "live")]
        channel: String,
    },
    /// Deletes a snapshot.
    Delete {
        repository: Named,
        name: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

impl Args {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        let remote = self.remote;
        match self.command {
            Command::Create { repository, name, channel } => {
                let call = repository.call("snapshots.create").body(json!({ "name": name, "channel": channel }));
                remote.change(call, &format!("{repository} has the snapshot {name}"))
            }
            Command::List { repository } => remote.list(repository.call("snapshots.list"), None, LIST),
            Command::Show { repository, name } => {
                remote.show(repository.call("snapshots.show").at("snapshot", name), SHOW)
            }
            Command::Diff { repository, from, to } => {
                let call = repository.call("snapshots.diff").at("snapshot", from).with("with", Some(to));
                remote.list(call, None, DIFF)
            }
            Command::Publish { repository, name: Some(name), .. } => {
                let call = repository.call("snapshots.publish").at("snapshot", &name);
                remote.change(call, &format!("clients of {repository} see the snapshot {name}"))
            }
            Command::Publish { repository, name: None, channel, .. } => {
                let call = repository.call("snapshots.live").body(json!({ "channel": channel }));
                remote.change(call, &format!("clients of {repository} see the newest index"))
            }
            Command::Delete { repository, name, yes } => {
                confirm(yes, &format!("delete the snapshot {name} of {repository}, and what only it kept"))?;
                let call = repository.call("snapshots.delete").at("snapshot", &name);
                remote.change(call, &format!("the snapshot {name} of {repository} is deleted"))
            }
        }
    }
}
