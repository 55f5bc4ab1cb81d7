//! `wharf manifest`.

use clap::Subcommand;

use crate::client::table::Columns;
use crate::client::{Remote, confirm};
use crate::command::repo::at;
use crate::failure::Outcome;

const LIST: Columns = &[("DIGEST", "digest"), ("MEDIA TYPE", "media_type"), ("SIZE", "size"), ("PUSHED", "pushed_at")];
const SHOW: Columns = &[
    ("digest", "digest"),
    ("media type", "media_type"),
    ("artifact type", "artifact_type"),
    ("subject", "subject"),
    ("size", "size"),
    ("pushed", "pushed_at"),
    ("tags", "tags"),
    ("annotations", "annotations"),
];

/// Arguments of `wharf manifest`.
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
    /// Lists the manifests of a repository.
    List { repository: String },
    /// Shows what is known of a manifest.
    Show {
        repository: String,
        /// A tag or a digest.
        reference: String,
    },
    /// Deletes a manifest with all its tags.
    Delete {
        repository: String,
        digest: String,
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
            Command::List { repository } => {
                remote.list(at("manifests.list", format.as_deref(), &repository), None, LIST)
            }
            Command::Show { repository, reference } => {
                remote.show(at("manifests.show", format.as_deref(), &repository).at("reference", reference), SHOW)
            }
            Command::Delete { repository, digest, yes } => {
                confirm(yes, &format!("delete the manifest {digest} of {repository} with all its tags"))?;
                let call = at("manifests.delete", format.as_deref(), &repository).at("reference", &digest);
                remote.change(call, &format!("manifest {digest} of {repository} is deleted"))
            }
        }
    }
}
