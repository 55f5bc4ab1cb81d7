//! `wharf import`: what another server holds, out of its files.

mod apt;
mod charts;
mod checked;
mod folder;
mod kind;
mod registry;
mod server;
mod stop;
mod tally;
mod yum;

use std::path::PathBuf;

use wharf_types::RepoName;

use crate::client::Remote;
use crate::failure::{Failure, Outcome};
use folder::Folder;
use kind::Kind;
use server::Server;
use tally::Tally;

/// Arguments of `wharf import`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// What the other server serves: an APT tree, a YUM repository, a folder of charts, or a registry's storage.
    folder: PathBuf,
    /// The repository, `team/debs`; for a registry what its names are put behind, `team` or nothing.
    destination: Option<String>,
    /// What the folder is [default: found by looking].
    #[arg(long, value_name = "KIND")]
    from: Option<Kind>,
    /// Look and check, and send nothing.
    #[arg(long)]
    dry_run: bool,
    /// Of a registry: manifests too that no tag leads to.
    #[arg(long)]
    untagged: bool,
    /// Of a registry: tags that are at the destination already and lead elsewhere stay where they are.
    #[arg(long)]
    keep_newer: bool,
    /// How many files are sent at a time.
    #[arg(long, default_value_t = 4, value_name = "COUNT", value_parser = clap::value_parser!(u8).range(1..=32))]
    jobs: u8,
    /// Of an APT tree without dists: the distribution.
    #[arg(long, default_value = "stable", value_name = "NAME")]
    channel: String,
    /// Of an APT tree without dists: the component.
    #[arg(long, default_value = "main", value_name = "NAME")]
    section: String,
}

/// An import under way.
struct Import<'a> {
    folder: Folder,
    server: Server<'a>,
    tally: Tally,
    jobs: usize,
}

impl Args {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        let folder = Folder::open(&self.folder)?;
        let kind = self.from.map_or_else(|| Kind::of(&folder, &self.folder), Ok)?;
        let destination = self.destination(kind)?;
        let shown = destination.clone();
        self.remote.run(async |client| {
            let server = Server::new(client);
            let import = Import { folder, server, tally: Tally::new(self.dry_run), jobs: self.jobs.into() };
            let ended = match kind {
                Kind::Apt => apt::import(&import, &destination, (&self.channel, &self.section)).await,
                Kind::Yum => yum::import(&import, &destination).await,
                Kind::Charts => charts::import(&import, &destination).await,
                Kind::Registry => registry::import(&import, &destination, self.bringing()).await,
            };
            import.tally.finish(self.remote.output, kind.name(), &shown, ended.map_err(server::resumable))
        })
    }

    fn bringing(&self) -> registry::Bringing {
        registry::Bringing { untagged: self.untagged, keep_newer: self.keep_newer }
    }

    /// The name of the repository, in full; for a registry what names are put behind, which may be nothing.
    fn destination(&self, kind: Kind) -> Outcome<String> {
        let named = self.destination.as_deref().unwrap_or_default().trim_matches('/');
        if kind == Kind::Registry {
            return match named {
                "" => Ok(String::new()),
                // A prefix is as good as a name with something behind it.
                _ => format!("{named}/a").parse::<RepoName>().map(|_| named.to_owned()).map_err(Failure::usage),
            };
        }
        if named.is_empty() {
            return Err(Failure::usage("into which repository?").hint("name it behind the folder, as team/debs"));
        }
        let spoken = named.split_once('/').filter(|(first, rest)| *first == kind.format() && rest.contains('/'));
        let name: RepoName = spoken.map_or(named, |(_, rest)| rest).parse().map_err(Failure::usage)?;
        Ok(name.full())
    }
}
