//! `wharf group`.

use clap::Subcommand;
use serde_json::json;

use crate::client::table::Columns;
use crate::client::{Call, Remote, confirm};
use crate::failure::Outcome;

const LIST: Columns = &[("NAME", "name"), ("DESCRIPTION", "description"), ("CREATED", "created_at")];
const SHOW: Columns = &[("name", "name"), ("description", "description"), ("created", "created_at")];

/// Arguments of `wharf group`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists groups.
    List,
    /// Shows a group.
    Show { name: String },
    /// Makes a group.
    Create {
        name: String,
        /// For people.
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Deletes a group with its grants.
    Delete {
        name: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Lists the members of a group.
    Members { group: String },
    /// Puts a user into a group.
    Add { group: String, user: String },
    /// Takes a user out of a group.
    Remove { group: String, user: String },
}

impl Args {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        let remote = self.remote;
        match self.command {
            Command::List => remote.list(Call::new("groups.list"), None, LIST),
            Command::Show { name } => remote.show(Call::new("groups.show").at("group", name), SHOW),
            Command::Create { name, description } => {
                let call = Call::new("groups.create").body(json!({ "name": name, "description": description }));
                remote.change(call, &format!("group {name} is made"))
            }
            Command::Delete { name, yes } => {
                confirm(yes, &format!("delete the group {name} with its grants"))?;
                remote.change(Call::new("groups.delete").at("group", &name), &format!("group {name} is deleted"))
            }
            Command::Members { group } => {
                remote.list(Call::new("groups.members").at("group", group), None, &[("NAME", "name")])
            }
            Command::Add { group, user } => {
                let call = Call::new("groups.add-member").at("group", &group).at("member", &user);
                remote.change(call, &format!("{user} is in {group}"))
            }
            Command::Remove { group, user } => {
                let call = Call::new("groups.remove-member").at("group", &group).at("member", &user);
                remote.change(call, &format!("{user} is no longer in {group}"))
            }
        }
    }
}
