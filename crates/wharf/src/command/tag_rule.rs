//! `wharf tag-rule`.

use clap::Subcommand;
use serde_json::json;

use crate::client::table::Columns;
use crate::client::{Call, Remote, confirm};
use crate::failure::Outcome;

const LIST: Columns = &[
    ("NAME", "name"),
    ("REPOSITORIES", "repositories"),
    ("TAGS", "pattern"),
    ("BUT NOT", "exclusions"),
    ("SINCE", "created_at"),
];

/// Arguments of `wharf tag-rule`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the rules of a project.
    List { project: String },
    /// Adds a rule: tags that it covers can be made, and then neither move nor go.
    Add {
        project: String,
        /// Its name: refusals tell it.
        name: String,
        /// Which tags, such as `v*`, `v[0-9]*` or `{stable,release}-*`.
        tags: String,
        /// In which repositories, the project's name left out.
        #[arg(long, value_name = "PATTERN", default_value = "**")]
        repositories: String,
        /// Which of those tags it does not cover; may be repeated [default: sha256-*, where clients keep lists of signatures].
        #[arg(long, value_name = "PATTERN")]
        except: Vec<String>,
        /// Cover every tag that fits, lists of signatures too.
        #[arg(long, conflicts_with = "except")]
        no_exceptions: bool,
    },
    /// Removes a rule.
    Remove {
        project: String,
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
            Command::List { project } => remote.list_whole(Call::new("tag-rules.list").at("project", project), LIST),
            Command::Add { project, name, tags, repositories, except, no_exceptions } => {
                let exclusions = (no_exceptions || !except.is_empty()).then_some(except);
                let call = Call::new("tag-rules.add").at("project", &project).body(json!({
                    "name": name, "pattern": tags, "repositories": repositories, "exclusions": exclusions,
                }));
                remote.change(call, &format!("the rule {name} of {project} keeps tags {tags} where they are"))
            }
            Command::Remove { project, name, yes } => {
                confirm(yes, &format!("remove the rule {name} of {project}, so that its tags may move and go"))?;
                let call = Call::new("tag-rules.remove").at("project", &project).at("rule", &name);
                remote.change(call, &format!("the rule {name} of {project} is removed"))
            }
        }
    }
}
