//! `wharf purge`.

use serde_json::json;

use crate::client::table::{self, Columns};
use crate::client::{Call, Output, Remote, confirm};
use crate::failure::{Failure, Outcome};
use crate::out;

const LIST: Columns = &[
    ("WHEN", "at"),
    ("WHO", "actor"),
    ("STATE", "state"),
    ("DIGEST", "digest"),
    ("REPOSITORY", "repository"),
    ("REASON", "reason"),
];
const DONE: Columns = &[
    ("blobs gone", "blobs"),
    ("bytes of those", "bytes"),
    ("objects removed", "objects"),
    ("objects the storage did not remove yet", "waiting"),
    ("links gone", "links"),
    ("entries of the bin gone", "bin"),
    ("packages gone", "packages"),
    ("used elsewhere and kept", "kept"),
];
const MANIFESTS: Columns = &[("REPOSITORY", "repository"), ("MANIFEST", "manifest"), ("TAGS", "tags")];

/// Arguments of `wharf purge`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// A digest, which goes wherever it is, or a repository, be it deleted or not.
    #[arg(required_unless_present = "list")]
    what: Option<String>,
    /// The repository's format.
    #[arg(long, default_value = "oci")]
    format: String,
    /// Take along the manifests that name the digest, with their tags.
    #[arg(long)]
    force: bool,
    /// Why, for the audit log.
    #[arg(long, default_value = "")]
    reason: String,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Lists what was purged.
    #[arg(long, conflicts_with = "what")]
    list: bool,
}

impl Args {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        let Some(what) = self.what.filter(|_| !self.list) else {
            return self.remote.list(Call::new("purges.list"), None, LIST);
        };
        if what.is_empty() {
            return Err(Failure::usage("a digest or a repository is to be named"));
        }
        // No name of a repository holds a colon.
        let is_digest = what.contains(':');
        let meant = if is_digest { "wherever it is" } else { "with everything that only it has" };
        confirm(self.yes, &format!("remove {what} for good, {meant}; nobody can restore it"))?;
        let (digest, repository) = if is_digest { (Some(&what), None) } else { (None, Some(&what)) };
        let format = repository.map(|_| &self.format);
        let body = json!({
            "digest": digest, "repository": repository, "format": format, "force": self.force, "reason": self.reason,
        });
        let done = self.remote.run(async |client| client.send(&Call::new("purges.create").body(body)).await)?;
        let mut shown = done.clone();
        if self.remote.output == Output::Table {
            shown["kept"] = json!(done["kept"].as_array().map_or(0, Vec::len));
        }
        table::one(self.remote.output, &shown, DONE)?;
        if self.remote.output == Output::Table {
            for (field, said) in [("manifests", "these went with it:"), ("incomplete", "these indexes lack it now:")] {
                if let Some(named) = done[field].as_array().filter(|named| !named.is_empty()) {
                    out::note(said);
                    table::many(Output::Table, named, MANIFESTS)?;
                }
            }
            if ["blobs", "links", "bin", "objects"].iter().all(|field| done[field] == 0) {
                out::note("nothing of it was here");
            }
            let tags: Vec<_> = done["tags"].as_array().into_iter().flatten().filter_map(|tag| tag.as_str()).collect();
            if !tags.is_empty() {
                out::note(format!("tags gone: {}", tags.join(" ")));
            }
            out::note(done["backups"].as_str().unwrap_or_default());
        }
        Ok(())
    }
}
