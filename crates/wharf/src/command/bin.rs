//! `wharf bin` and `wharf restore`.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::table::Columns;
use crate::client::{Call, Client, Output, Remote, confirm};
use crate::command::repo::at;
use crate::failure::{Failure, Outcome};
use crate::out;

const LIST: Columns = &[
    ("ENTRY", "id"),
    ("KIND", "kind"),
    ("REPOSITORY", "repository"),
    ("NAME", "name"),
    ("DIGEST", "digest"),
    ("WHO", "actor"),
    ("WHEN", "deleted_at"),
    ("UNTIL", "expires_at"),
];

/// Arguments of `wharf bin`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists what was deleted and can be restored, newest first.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Lets entries go before their time: they cannot be restored any more.
    Empty {
        /// The numbers of the entries.
        #[arg(required_unless_present = "project")]
        entries: Vec<i64>,
        /// All entries of this project.
        #[arg(long, conflicts_with = "entries")]
        project: Option<String>,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// Arguments of `wharf restore`.
#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    remote: Remote,
    /// The number of the entry; without it, what can be restored is listed.
    #[arg(conflicts_with_all = ["project", "repository"])]
    entry: Option<i64>,
    #[command(flatten)]
    place: Place,
    /// A repository: under this name instead of its own.
    #[arg(long = "as", value_name = "NAME", requires = "entry")]
    name: Option<String>,
    /// Move tags back that point elsewhere by now.
    #[arg(long, requires = "entry")]
    force_tags: bool,
}

/// Which entries.
#[derive(Debug, clap::Args)]
struct Place {
    /// Only of this project, with its deleted repositories.
    #[arg(long, conflicts_with = "repository")]
    project: Option<String>,
    /// Only of this repository.
    #[arg(long, value_name = "NAME")]
    repository: Option<String>,
    /// The format of that repository.
    #[arg(long, requires = "repository")]
    format: Option<String>,
}

impl Args {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        let remote = self.remote;
        match self.command {
            Command::List { place } => remote.list(place.call(), None, LIST),
            Command::Empty { entries, project: None, yes } => {
                let told: Vec<_> = entries.iter().map(ToString::to_string).collect();
                confirm(yes, &format!("end the entries {} of the bin for good", told.join(", ")))?;
                remote.run(async |client| {
                    let mut found = Vec::new();
                    for id in &entries {
                        found.push(show(client, *id).await?);
                    }
                    empty(client, &remote, &found).await
                })
            }
            Command::Empty { project: Some(project), yes, .. } => {
                confirm(yes, &format!("end all entries of the project {project} in the bin for good"))?;
                remote.run(async |client| {
                    let call = Call::new("bin.list-project").at("project", &project);
                    empty(client, &remote, &client.all(call, None).await?).await
                })
            }
        }
    }
}

impl Restore {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        let Self { remote, entry, place, name, force_tags } = self;
        let Some(id) = entry else { return remote.list(place.call(), None, LIST) };
        let restored = remote.run(async |client| {
            let found = show(client, id).await?;
            let call = of_entry("bin.restore", &found)?.body(json!({ "as": name, "force_tags": force_tags }));
            client.send(&call).await
        })?;
        match remote.output {
            Output::Table => told(&restored),
            Output::Json => out::line(serde_json::to_string_pretty(&restored)?),
        }
        Ok(())
    }
}

impl Place {
    fn call(&self) -> Call<'static> {
        match (&self.project, &self.repository) {
            (Some(project), _) => Call::new("bin.list-project").at("project", project),
            (None, Some(repository)) => at("bin.list-repository", self.format.as_deref(), repository),
            (None, None) => Call::new("bin.list"),
        }
    }
}

async fn show(client: &Client, id: i64) -> Outcome<Value> {
    client.send(&Call::new("bin.show").at("entry", id)).await
}

/// A call about an entry as the server showed it.
fn of_entry<'a>(operation: &'a str, entry: &Value) -> Outcome<Call<'a>> {
    match (entry["format"].as_str(), entry["repository"].as_str(), entry["id"].as_i64()) {
        (Some(format), Some(repository), Some(id)) => Ok(at(operation, Some(format), repository).at("entry", id)),
        _ => Err(Failure::new("the server shows entries in a form that this program does not know")),
    }
}

async fn empty(client: &Client, remote: &Remote, entries: &[Value]) -> Outcome {
    for entry in entries {
        client.send(&of_entry("bin.empty", entry)?).await?;
        if remote.output == Output::Table {
            out::line(format!("entry {} of the bin is no more", entry["id"]));
        }
    }
    if remote.output == Output::Json {
        out::line(serde_json::to_string_pretty(entries)?);
    }
    Ok(())
}

/// What came back, for people, and what did not.
pub(crate) fn told(restored: &Value) {
    let text = |field: &str| restored[field].as_str().unwrap_or_default().to_owned();
    let tags: Vec<_> = restored["tags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let what = match restored["kind"].as_str() {
        Some("repository") => format!("the repository {}", text("repository")),
        Some("tag") => format!("the tag {} of {} at {}", tags.join(", "), text("repository"), text("digest")),
        _ if tags.is_empty() => format!("the manifest {} of {}", text("digest"), text("repository")),
        _ => format!("the manifest {} of {} with its tags {}", text("digest"), text("repository"), tags.join(", ")),
    };
    out::line(format!("restored {what}"));
    for kept in restored["kept"].as_array().into_iter().flatten() {
        let word = |field: &str| kept[field].as_str().unwrap_or_default();
        out::line(format!("the tag {} stays at {}: {}", word("tag"), word("digest"), word("reason")));
    }
    for missing in restored["missing"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        out::line(format!("the manifest {missing} that it names was deleted for itself and is not restored"));
    }
}
