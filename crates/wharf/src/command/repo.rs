//! `wharf repo`.

use clap::Subcommand;
use serde_json::Value;

use crate::client::table::Columns;
use crate::client::{Call, Client, Output, Remote, confirm, progress};
use crate::failure::Outcome;
use crate::out;

const LIST: Columns = &[("NAME", "name"), ("FORMAT", "format"), ("CREATED", "created_at")];
const SHOW: Columns = &[("name", "name"), ("format", "format"), ("project", "project"), ("created", "created_at")];

/// Arguments of `wharf repo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// The format [default: all of them in a list, else oci].
    #[arg(long, global = true)]
    format: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the repositories that you may see.
    List {
        /// Only of this project.
        #[arg(long)]
        project: Option<String>,
    },
    /// Shows a repository.
    Show { name: String },
    /// Deletes a repository with everything in it. It lies in the bin for a while.
    Delete {
        name: String,
        /// Also if a rule of the project keeps one of its tags.
        #[arg(long)]
        force: bool,
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
            Command::List { project } => {
                let call = Call::new("repositories.list").with("format", format).with("project", project);
                remote.list(call, None, LIST)
            }
            Command::Show { name } => remote.show(at("repositories.show", format.as_deref(), &name), SHOW),
            Command::Delete { name, force, yes } => {
                confirm(yes, &format!("delete the repository {name} with everything in it"))?;
                let call = at("repositories.delete", format.as_deref(), &name).with("force", force.then_some(true));
                let work =
                    async |client: &Client| progress::during(&format!("deleting {name}"), client.send(&call)).await;
                let answer: Value = remote.run(work)?;
                match remote.output {
                    Output::Table => {
                        out::line(format!("repository {name} is deleted"));
                        for artifact in answer["staying"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                            out::line(format!("what it listed of oci/{artifact} can still be pulled from there"));
                        }
                    }
                    Output::Json => out::line(answer.to_string()),
                }
                Ok(())
            }
        }
    }
}

/// A call about a repository, of OCI artifacts if nobody says of what.
pub(crate) fn at<'a>(operation: &'a str, format: Option<&str>, repository: &str) -> Call<'a> {
    Call::new(operation).at("format", format.unwrap_or("oci")).at("repository", repository)
}
