//! `wharf grant`.

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use crate::client::table::Columns;
use crate::client::{Call, Remote, confirm};
use crate::failure::Outcome;

const LIST: Columns =
    &[("KIND", "kind"), ("NAME", "name"), ("ROLE", "role"), ("REPOSITORIES", "pattern"), ("SINCE", "created_at")];

/// Arguments of `wharf grant`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists who has which role in a project.
    List { project: String },
    /// Gives a role in a project, or changes it.
    Add {
        project: String,
        /// `NAME` of a user, `group:NAME` or `robot:NAME`.
        who: String,
        /// What they may do there.
        role: Role,
        /// Only in repositories that match, such as `web/**`; the project's name is left out.
        #[arg(long, default_value = "**")]
        repositories: String,
    },
    /// Takes a role away.
    Remove {
        project: String,
        /// `NAME` of a user, `group:NAME` or `robot:NAME`.
        who: String,
        /// The repositories that the grant is for.
        #[arg(long, default_value = "**")]
        repositories: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    /// Sees that it exists.
    Viewer,
    /// Also pulls.
    Puller,
    /// Also pushes.
    Pusher,
    /// Also deletes, sets rules and reads the audit log.
    Maintainer,
    /// Also decides who is a member.
    Owner,
}

impl Args {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        let remote = self.remote;
        match self.command {
            Command::List { project } => remote.list(Call::new("grants.list").at("project", project), None, LIST),
            Command::Add { project, who, role, repositories } => {
                let (kind, name) = subject(&who);
                let role = role.to_possible_value().map(|value| value.get_name().to_owned());
                let body = json!({ "kind": kind, "name": name, "role": role, "pattern": repositories });
                let done = format!("{who} is {} of {project}/{repositories}", role.unwrap_or_default());
                remote.change(Call::new("grants.put").at("project", project).body(body), &done)
            }
            Command::Remove { project, who, repositories, yes } => {
                confirm(yes, &format!("take the role of {who} in {project}/{repositories} away"))?;
                let (kind, name) = subject(&who);
                let call = Call::new("grants.remove").at("project", &project);
                let call = call.with("kind", Some(kind)).with("name", Some(name)).with("pattern", Some(&repositories));
                remote.change(call, &format!("{who} has no role in {project}/{repositories} any more"))
            }
        }
    }
}

fn subject(who: &str) -> (&'static str, &str) {
    if let Some(name) = who.strip_prefix("group:") {
        ("group", name)
    } else if let Some(name) = who.strip_prefix("robot:") {
        ("robot", name)
    } else {
        ("user", who.strip_prefix("user:").unwrap_or(who))
    }
}
