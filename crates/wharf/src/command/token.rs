//! `wharf token`.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::expiry::Expiry;
use crate::client::table::Columns;
use crate::client::{Call, Output, Remote, confirm};
use crate::failure::Outcome;
use crate::out;

const LIST: Columns =
    &[("ID", "id"), ("NAME", "name"), ("BEGINS", "hint"), ("EXPIRES", "expires_at"), ("LAST USED", "last_used_at")];

/// Arguments of `wharf token`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists your tokens, or another user's.
    List {
        /// Whose; administrators and auditors only.
        #[arg(long)]
        user: Option<String>,
    },
    /// Makes a token for you and prints it, this once.
    Create {
        /// What you call it.
        name: String,
        /// At most what it may be used for: `VERB,VERB:REPOSITORIES` such as `pull,push:team/**`. Can be repeated.
        #[arg(long = "limit", value_name = "LIMIT")]
        limits: Vec<Limit>,
        /// When it ends: a time from now such as 90d, or a point in time; never if not said.
        #[arg(long)]
        expires: Option<Expiry>,
    },
    /// Ends a token at once.
    Revoke {
        /// Its number, as `wharf token list` shows it.
        id: i64,
        /// Whose; administrators only.
        #[arg(long)]
        user: Option<String>,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Clone)]
struct Limit(Value);

impl std::str::FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (verbs, repositories) =
            text.split_once(':').ok_or("expected VERB,VERB:REPOSITORIES such as pull,push:team/**")?;
        Ok(Self(json!({ "repositories": repositories, "verbs": verbs.split(',').collect::<Vec<_>>() })))
    }
}

impl Args {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        let remote = self.remote;
        match self.command {
            Command::List { user: None } => remote.list(Call::new("tokens.list"), None, LIST),
            Command::List { user: Some(user) } => {
                remote.list(Call::new("users.list-tokens").at("user", user), None, LIST)
            }
            Command::Create { name, limits, expires } => {
                let limits: Vec<Value> = limits.into_iter().map(|limit| limit.0).collect();
                let limits = if limits.is_empty() { Value::Null } else { Value::Array(limits) };
                create(&remote, json!({ "name": name, "limits": limits, "expires_at": expires }))
            }
            Command::Revoke { id, user, yes } => {
                confirm(yes, &format!("end the token {id}"))?;
                let call = match &user {
                    Some(user) => Call::new("users.revoke-token").at("user", user),
                    None => Call::new("tokens.revoke"),
                };
                remote.change(call.at("token", id), &format!("token {id} is revoked"))
            }
        }
    }
}

fn create(remote: &Remote, body: Value) -> Outcome {
    let made = remote.run(async |client| client.send(&Call::new("tokens.create").body(body)).await)?;
    match remote.output {
        Output::Json => out::line(serde_json::to_string_pretty(&made)?),
        Output::Table => {
            out::note("this token is not shown again:");
            out::line(made["secret"].as_str().unwrap_or_default());
        }
    }
    Ok(())
}
