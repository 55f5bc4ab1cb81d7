//! `wharf robot`.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::expiry::{Expiry, Span};
use crate::client::table::Columns;
use crate::client::{Call, Output, Remote, confirm};
use crate::failure::{Failure, Outcome};
use crate::out;

const LIST: Columns =
    &[("NAME", "name"), ("DESCRIPTION", "description"), ("DISABLED", "disabled_at"), ("LAST USED", "last_used_at")];
const SHOW: Columns = &[
    ("name", "name"),
    ("project", "project"),
    ("description", "description"),
    ("created", "created_at"),
    ("disabled", "disabled_at"),
    ("last used", "last_used_at"),
    ("secrets", "secrets"),
];

/// Arguments of `wharf robot`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A robot signs in as PROJECT+NAME, or as server+NAME if it belongs to no project; both forms are taken where a \
                        robot is named."
)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the robots of a project, or server-wide ones.
    List {
        /// The project; without it, server-wide robots.
        #[arg(long)]
        project: Option<String>,
    },
    /// Shows a robot.
    Show {
        /// `PROJECT+NAME` or `server+NAME`.
        name: Name,
    },
    /// Makes a robot and prints its secret, this once.
    Create {
        /// `PROJECT+NAME` or `server+NAME`.
        name: Name,
        /// `ROLE` in its project, or `ROLE=REPOSITORIES` such as `pusher=web/**`. Can be repeated.
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// For server-wide robots: administrator, auditor or creator. Can be repeated.
        #[arg(long = "server-role", value_name = "ROLE")]
        server_roles: Vec<String>,
        /// For people.
        #[arg(long, default_value = "")]
        description: String,
        /// When its secret ends: a time from now such as 90d, or a point in time; never if not said.
        #[arg(long)]
        expires: Option<Expiry>,
    },
    /// Gives a robot a new secret and prints it, this once.
    Rotate {
        /// `PROJECT+NAME` or `server+NAME`.
        name: Name,
        /// How long the old secret stays good, such as 24h.
        #[arg(long, default_value = "0s")]
        overlap: Span,
        /// When the new secret ends; never if not said.
        #[arg(long)]
        expires: Option<Expiry>,
    },
    /// Locks a robot out.
    Disable {
        /// `PROJECT+NAME` or `server+NAME`.
        name: Name,
    },
    /// Lets a robot in again.
    Enable {
        /// `PROJECT+NAME` or `server+NAME`.
        name: Name,
    },
    /// Deletes a robot with its secrets and grants.
    Delete {
        /// `PROJECT+NAME` or `server+NAME`.
        name: Name,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// A robot as it signs in.
#[derive(Debug, Clone)]
struct Name {
    project: Option<String>,
    name: String,
}

impl std::str::FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('+') {
            Some(("server", name)) => Ok(Self { project: None, name: name.to_owned() }),
            Some((project, name)) => Ok(Self { project: Some(project.to_owned()), name: name.to_owned() }),
            None => Err(format!("a robot is named PROJECT+{text} or server+{text}")),
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}+{}", self.project.as_deref().unwrap_or("server"), self.name)
    }
}

/// The two operations of each verb.
fn call<'a>(name: Option<&Name>, project: Option<&str>, in_project: &'a str, on_server: &'a str) -> Call<'a> {
    let call = match project {
        Some(project) => Call::new(in_project).at("project", project),
        None => Call::new(on_server),
    };
    match name {
        Some(name) => call.at("robot", &name.name),
        None => call,
    }
}

impl Args {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        let remote = self.remote;
        let of = |name: &Name, in_project, on_server| call(Some(name), name.project.as_deref(), in_project, on_server);
        match self.command {
            Command::List { project } => {
                remote.list(call(None, project.as_deref(), "project-robots.list", "robots.list"), None, LIST)
            }
            Command::Show { name } => remote.show(of(&name, "project-robots.show", "robots.show"), SHOW),
            Command::Create { name, roles, server_roles, description, expires } => {
                let mut body = json!({ "name": name.name, "description": description, "expires_at": expires });
                match (&name.project, server_roles.is_empty(), roles.is_empty()) {
                    (Some(_), true, _) => body["grants"] = roles.iter().map(|role| grant(role)).collect(),
                    (None, _, true) => body["server_roles"] = json!(server_roles),
                    (Some(_), false, _) => return Err(Failure::usage("--server-role is for server-wide robots")),
                    (None, _, false) => {
                        let hint = format!("grant it roles afterwards: wharf grant add PROJECT robot:{name} ROLE");
                        return Err(Failure::usage("--role is for robots of a project").hint(hint));
                    }
                }
                let call = call(None, name.project.as_deref(), "project-robots.create", "robots.create");
                secret(&remote, call.body(body), &format!("robot {name} is made"))
            }
            Command::Rotate { name, overlap, expires } => {
                let body = json!({ "overlap_seconds": overlap.as_secs(), "expires_at": expires });
                let call = of(&name, "project-robots.rotate", "robots.rotate").body(body);
                secret(&remote, call, &format!("robot {name} has a new secret"))
            }
            Command::Disable { name } => {
                let call = of(&name, "project-robots.update", "robots.update").body(json!({ "disabled": true }));
                remote.change(call, &format!("robot {name} is locked out"))
            }
            Command::Enable { name } => {
                let call = of(&name, "project-robots.update", "robots.update").body(json!({ "disabled": false }));
                remote.change(call, &format!("robot {name} is let in again"))
            }
            Command::Delete { name, yes } => {
                confirm(yes, &format!("delete the robot {name} with its secrets and grants"))?;
                remote.change(of(&name, "project-robots.delete", "robots.delete"), &format!("robot {name} is deleted"))
            }
        }
    }
}

fn grant(role: &str) -> Value {
    match role.split_once('=') {
        Some((role, pattern)) => json!({ "role": role, "pattern": pattern }),
        None => json!({ "role": role }),
    }
}

/// Prints what was made: for people the secret alone on standard output, so that it can be piped on.
fn secret(remote: &Remote, call: Call<'_>, done: &str) -> Outcome {
    let made = remote.run(async |client| client.send(&call).await)?;
    match remote.output {
        Output::Json => out::line(serde_json::to_string_pretty(&made)?),
        Output::Table => {
            out::note(format!("{done}; it signs in with this secret, which is not shown again:"));
            out::line(made["secret"].as_str().unwrap_or_default());
        }
    }
    Ok(())
}
