//! `wharf tag`.

use clap::Subcommand;
use serde_json::json;

use crate::client::table::Columns;
use crate::client::{Output, Remote, confirm};
use crate::command::bin::told;
use crate::command::repo::at;
use crate::failure::Outcome;
use crate::out;

const LIST: Columns = &[("TAG", "name"), ("DIGEST", "digest"), ("SINCE", "updated_at")];
const HISTORY: Columns = &[("WHEN", "at"), ("WHO", "actor"), ("BY", "action"), ("FROM", "old"), ("TO", "new")];

/// Arguments of `wharf tag`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// The format.
    #[arg(long, default_value = "oci", global = true)]
    format: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the tags of a repository.
    List { repository: String },
    /// Shows where a tag pointed, newest first.
    History {
        repository: String,
        tag: String,
        /// How many moves.
        #[arg(long, default_value = "100")]
        limit: usize,
    },
    /// Points a tag at what it pointed at before its last move; a manifest that was deleted comes out of the bin for it.
    Rollback {
        repository: String,
        tag: String,
        /// To this manifest instead.
        #[arg(long, value_name = "DIGEST")]
        to: Option<String>,
    },
    /// Deletes a tag; the manifest stays.
    Delete {
        repository: String,
        tag: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

impl Args {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        let (remote, format) = (self.remote, self.format);
        match self.command {
            Command::List { repository } => remote.list(at("tags.list", format.as_deref(), &repository), None, LIST),
            Command::History { repository, tag, limit } => {
                remote.list(at("tags.history", format.as_deref(), &repository).at("tag", tag), Some(limit), HISTORY)
            }
            Command::Rollback { repository, tag, to } => {
                let call = at("tags.rollback", format.as_deref(), &repository).at("tag", &tag);
                let done = remote.run(async |client| client.send(&call.body(json!({ "to": to }))).await)?;
                match remote.output {
                    Output::Json => out::line(serde_json::to_string_pretty(&done)?),
                    Output::Table => {
                        let word = |field: &str| done[field].as_str().unwrap_or("nothing").to_owned();
                        out::line(format!(
                            "tag {tag} of {repository} points at {}, not at {}",
                            word("to"),
                            word("from")
                        ));
                        done["restored"].as_array().into_iter().flatten().for_each(told);
                    }
                }
                Ok(())
            }
            Command::Delete { repository, tag, yes } => {
                confirm(yes, &format!("delete the tag {tag} of {repository}"))?;
                let call = at("tags.delete", format.as_deref(), &repository).at("tag", &tag);
                remote.change(call, &format!("tag {tag} of {repository} is deleted"))
            }
        }
    }
}
