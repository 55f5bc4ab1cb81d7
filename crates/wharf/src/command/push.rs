//! `wharf push`.

use std::path::PathBuf;

use serde_json::json;
use wharf_core::PushedFile;

use crate::client::{Client, Output, Remote};
use crate::failure::{Failure, Outcome};
use crate::out;

/// Arguments of `wharf push`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// The package files.
    #[arg(required = true, num_args = 1.., value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The repository, `team/debs` or with its format `apt/team/debs`.
    #[arg(required = true, value_name = "REPOSITORY")]
    repository: String,
    /// The format [default: by the repository, or by the name of the file].
    #[arg(long)]
    format: Option<String>,
    /// Into which index: a distribution of APT.
    #[arg(long)]
    channel: Option<String>,
    /// Where in the index: a component of APT.
    #[arg(long)]
    section: Option<String>,
    /// Wait until clients see what was pushed.
    #[arg(long)]
    wait: bool,
}

/// Where a file goes.
struct Way {
    name: String,
    path: String,
}

impl Args {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        let ways = self.files.iter().map(|file| self.way(file)).collect::<Outcome<Vec<_>>>()?;
        self.remote.run(async |client| {
            for (file, way) in self.files.iter().zip(&ways) {
                self.push(client, file, way).await?;
            }
            Ok(())
        })
    }

    async fn push(&self, client: &Client, file: &std::path::Path, way: &Way) -> Outcome {
        let sent = client.put_file(&way.path, file, &way.name).await?;
        match self.remote.output {
            Output::Table => {
                out::line(format!("{}: {}", way.name, if sent.new { "pushed" } else { "is there already" }))
            }
            Output::Json => {
                let told = json!({ "file": way.name, "path": way.path, "status": sent.status });
                out::line(told.to_string());
            }
        }
        Ok(())
    }

    fn way(&self, file: &std::path::Path) -> Outcome<Way> {
        let Some(name) = file.file_name().and_then(|name| name.to_str()) else {
            return Err(Failure::usage(format!("{} has no name that can be sent", file.display())));
        };
        let formats = crate::server::formats();
        let named = self.repository.trim_matches('/');
        let spoken = named.split_once('/').filter(|(first, rest)| {
            rest.contains('/') && formats.iter().any(|format| format.name().as_str() == *first)
        });
        let (wanted, repository) = match (&self.format, spoken) {
            (None, Some((format, rest))) => (Some(format), rest),
            (Some(format), Some((first, rest))) if format == first => (Some(format.as_str()), rest),
            (format, _) => (format.as_deref(), named),
        };
        let told = PushedFile { name, channel: self.channel.as_deref(), section: self.section.as_deref() };
        let mut candidates =
            formats.iter().filter(|format| wanted.is_none_or(|wanted| format.name().as_str() == wanted));
        let found = candidates.find_map(|format| Some((format.name(), format.push_path(&told)?)));
        let Some((format, path)) = found else {
            return Err(match wanted {
                Some(format) => Failure::usage(format!(
                    "{name} is no file that can be pushed to a repository of the format {format}"
                )),
                None => Failure::usage(format!("no format takes a file called {name}")).hint("say which by --format"),
            });
        };
        let wait = if self.wait { if path.contains('?') { "&wait=1" } else { "?wait=1" } } else { "" };
        Ok(Way { name: name.to_owned(), path: format!("/{format}/{repository}/{path}{wait}") })
    }
}
