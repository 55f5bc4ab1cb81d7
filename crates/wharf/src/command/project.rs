//! `wharf project`.

use clap::Subcommand;
use serde_json::json;

use crate::client::table::Columns;
use crate::client::{Call, Remote, confirm};
use crate::failure::Outcome;

const LIST: Columns = &[("NAME", "name"), ("PUBLIC", "public"), ("CREATED", "created_at")];
const SHOW: Columns = &[("name", "name"), ("public", "public"), ("created", "created_at")];

/// Arguments of `wharf project`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the projects that you may see.
    List,
    /// Shows a project.
    Show { name: String },
    /// Makes a project, and you its owner.
    Create {
        name: String,
        /// Everyone may see it and pull from it.
        #[arg(long)]
        public: bool,
    },
    /// Lets everyone see a project and pull from it.
    Publish { name: String },
    /// Lets only those with a grant see a project.
    Hide { name: String },
    /// Deletes a project that has no repositories any more.
    Delete {
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
            Command::List => remote.list(Call::new("projects.list"), None, LIST),
            Command::Show { name } => remote.show(Call::new("projects.show").at("project", name), SHOW),
            Command::Create { name, public } => {
                let call = Call::new("projects.create").body(json!({ "name": name, "public": public }));
                remote.change(call, &format!("project {name} is made"))
            }
            Command::Publish { name } => set_public(&remote, &name, true),
            Command::Hide { name } => set_public(&remote, &name, false),
            Command::Delete { name, yes } => {
                confirm(yes, &format!("delete the project {name} with its grants and robots"))?;
                remote.change(Call::new("projects.delete").at("project", &name), &format!("project {name} is deleted"))
            }
        }
    }
}

fn set_public(remote: &Remote, name: &str, public: bool) -> Outcome {
    let call = Call::new("projects.update").at("project", name).body(json!({ "public": public }));
    remote.change(call, &format!("project {name} is {}", if public { "public" } else { "private" }))
}
