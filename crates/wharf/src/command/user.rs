//! `wharf user`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::table::{self, Columns};
use crate::client::{Call, Client, Output, Remote, confirm, progress};
use crate::command::login::password;
use crate::failure::{Failure, Outcome};
use crate::out;

const LIST: Columns = &[
    ("NAME", "name"),
    ("SERVER ROLES", "server_roles"),
    ("GROUPS", "groups"),
    ("DISABLED", "disabled_at"),
    ("LAST USED", "last_used_at"),
];
const SHOW: Columns = &[
    ("name", "name"),
    ("description", "description"),
    ("server roles", "server_roles"),
    ("groups", "groups"),
    ("password", "has_password"),
    ("created", "created_at"),
    ("disabled", "disabled_at"),
    ("last used", "last_used_at"),
];

/// Arguments of `wharf user`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists users.
    List,
    /// Shows a user.
    Show { name: String },
    /// Makes a user. The password is asked for, or read with --password-stdin.
    Create {
        name: String,
        /// For people.
        #[arg(long, default_value = "")]
        description: String,
        /// A server role: administrator, auditor or creator. Can be repeated.
        #[arg(long = "server-role", value_name = "ROLE")]
        server_roles: Vec<String>,
        /// Read the password from standard input.
        #[arg(long, conflicts_with = "no_password")]
        password_stdin: bool,
        /// A user who does not sign in by password.
        #[arg(long)]
        no_password: bool,
    },
    /// Changes your own password.
    ChangePassword {
        /// Read the old password and the new one from standard input, one a line.
        #[arg(long)]
        passwords_stdin: bool,
    },
    /// Sets another user's password and ends its sessions.
    SetPassword {
        name: String,
        /// Read the new password from standard input.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Locks a user out. Grants and tokens stay, and are no good meanwhile.
    Disable { name: String },
    /// Lets a user in again.
    Enable { name: String },
    /// Sets the server roles of a user; without any, takes them all away.
    Roles { name: String, roles: Vec<String> },
    /// Deletes a user with its tokens, memberships and grants.
    Delete {
        name: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Imports users and their bcrypt passwords from an htpasswd file (`-` for standard input).
    Import { file: PathBuf },
}

impl Args {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        let remote = self.remote;
        match self.command {
            Command::List => remote.list(Call::new("users.list"), None, LIST),
            Command::Show { name } => remote.show(Call::new("users.show").at("user", name), SHOW),
            Command::Create { name, description, server_roles, password_stdin, no_password } => {
                let password = if no_password { None } else { Some(password("Password", password_stdin)?) };
                let body = json!({
                    "name": name, "description": description, "password": password, "server_roles": server_roles,
                });
                remote.change(Call::new("users.create").body(body), &format!("user {name} is made"))
            }
            Command::ChangePassword { passwords_stdin } => change_password(&remote, passwords_stdin),
            Command::SetPassword { name, password_stdin } => {
                let body = json!({ "password": password("New password", password_stdin)? });
                let call = Call::new("users.set-password").at("user", &name).body(body);
                remote.change(call, &format!("the password of {name} is set"))
            }
            Command::Disable { name } => disable(&remote, &name, true),
            Command::Enable { name } => disable(&remote, &name, false),
            Command::Roles { name, roles } => {
                let call = Call::new("users.set-server-roles").at("user", &name).body(json!({ "server_roles": roles }));
                remote.change(call, &format!("the server roles of {name} are set"))
            }
            Command::Delete { name, yes } => {
                confirm(yes, &format!("delete the user {name} with its tokens, memberships and grants"))?;
                remote.change(Call::new("users.delete").at("user", &name), &format!("user {name} is deleted"))
            }
            Command::Import { file } => import(&remote, &file),
        }
    }
}

fn change_password(remote: &Remote, stdin: bool) -> Outcome {
    let (old, new) = if stdin {
        let lines = std::io::read_to_string(std::io::stdin())?;
        let mut lines = lines.lines().map(str::to_owned);
        match (lines.next(), lines.next()) {
            (Some(old), Some(new)) => (old, new),
            _ => {
                return Err(Failure::usage(
                    "standard input does not hold the old password and the new one, one a line",
                ));
            }
        }
    } else {
        (password("Old password", false)?, password("New password", false)?)
    };
    let call = Call::new("account.change-password").body(json!({ "old": old, "new": new }));
    remote.change(call, "your password is changed")
}

fn disable(remote: &Remote, name: &str, disabled: bool) -> Outcome {
    let call = Call::new("users.update").at("user", name).body(json!({ "disabled": disabled }));
    remote.change(call, &format!("user {name} is {}", if disabled { "locked out" } else { "let in again" }))
}

fn import(remote: &Remote, file: &Path) -> Outcome {
    let text = if file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())?
    } else {
        std::fs::read_to_string(file)
            .map_err(|error| Failure::new(format!("{} cannot be read: {error}", file.display())))?
    };
    let result = remote.run(async |client: &Client| import_lines(client, &text).await)?;
    let refused = result["refused"].as_array().map_or(&[][..], Vec::as_slice);
    match remote.output {
        Output::Json => out::line(serde_json::to_string_pretty(&result)?),
        Output::Table => {
            let count = |field: &str| result[field].as_array().map_or(0, Vec::len);
            out::line(format!(
                "{} made, {} there already, {} refused",
                count("created"),
                count("existing"),
                refused.len()
            ));
            if !refused.is_empty() {
                table::many(Output::Table, refused, &[("LINE", "line"), ("NAME", "name"), ("WHY", "reason")])?;
            }
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(Failure::new("some lines were refused")) }
}

/// Lines of a file are sent so many at a time: what was sent is done, and a file that is sent again goes on from there.
const IMPORT_STEP: usize = 200;

/// Imports a file step by step; the answers are put together as if it had been one.
async fn import_lines(client: &Client, text: &str) -> Outcome<Value> {
    let lines: Vec<&str> = text.lines().collect();
    let steps = progress::steps("importing users", lines.len());
    let mut result = json!({ "created": [], "existing": [], "refused": [] });
    for (index, part) in lines.chunks(IMPORT_STEP).enumerate() {
        let mut answer = client.send(&Call::new("users.import").text(part.join("\n"))).await?;
        for (field, all) in result.as_object_mut().into_iter().flatten() {
            let (Some(all), Some(found)) = (all.as_array_mut(), answer[field.as_str()].as_array_mut()) else {
                continue;
            };
            for item in found.iter_mut().filter(|item| item["line"].is_u64()) {
                item["line"] = json!(item["line"].as_u64().unwrap_or_default() + (index * IMPORT_STEP) as u64);
            }
            all.append(found);
        }
        steps.done(part.len());
    }
    Ok(result)
}
