//! `wharf gc`.

use serde_json::{Value, json};

use crate::client::table::{self, Columns};
use crate::client::{Call, Output, Remote};
use crate::failure::Outcome;
use crate::out;

const PREVIEW: Columns = &[
    ("FATE", "fate"),
    ("DIGEST", "digest"),
    ("REPOSITORY", "repository"),
    ("BYTES", "size"),
    ("WHY", "reason"),
    ("DUE", "due"),
];
const STATE: Columns = &[
    ("reviews due", "due"),
    ("oldest", "oldest"),
    ("objects to be removed", "doomed"),
    ("bytes of those", "doomed_bytes"),
    ("kept by", "pins"),
    ("digests looked at later", "waiting"),
    ("bytes of those", "waiting_bytes"),
    ("from", "waiting_from"),
    ("until", "waiting_until"),
    ("entries of the bin", "bin"),
    ("the first ends", "bin_from"),
    ("the last ends", "bin_until"),
    ("uploads under way", "uploads"),
    ("bytes of those", "uploads_bytes"),
    ("last run", "last_run"),
    ("failures", "failures"),
];
const RUN: Columns = &[
    ("links hidden", "hidden"),
    ("links gone", "links"),
    ("blobs gone", "blobs"),
    ("bytes of those", "bytes"),
    ("objects removed", "objects"),
    ("bytes freed", "freed"),
];
const COUNTED: [&str; 6] = ["hidden", "links", "blobs", "bytes", "objects", "freed"];

/// Arguments of `wharf gc`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// Says what would go now, how much and why, and changes nothing.
    #[arg(long, conflicts_with = "status")]
    dry_run: bool,
    /// Says how the collector is doing.
    #[arg(long)]
    status: bool,
    /// With --dry-run, how many lines at most [default: all of them].
    #[arg(long, requires = "dry_run")]
    limit: Option<usize>,
}

impl Args {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        let remote = self.remote;
        if self.status {
            return remote.show(Call::new("collection.show"), STATE);
        }
        if self.dry_run {
            return preview(&remote, self.limit);
        }
        let mut sum = COUNTED.map(|_| 0_u64);
        remote.run(async |client| {
            loop {
                let run = client.send(&Call::new("collection.run")).await?;
                for (total, field) in sum.iter_mut().zip(COUNTED) {
                    *total += run[field].as_u64().unwrap_or_default();
                }
                if run["more"] != true {
                    return Ok(());
                }
            }
        })?;
        let fields = COUNTED.iter().zip(sum).map(|(field, total)| ((*field).to_owned(), json!(total)));
        table::one(remote.output, &Value::Object(fields.collect()), RUN)
    }
}

fn preview(remote: &Remote, limit: Option<usize>) -> Outcome {
    let items = remote.run(async |client| client.all(Call::new("collection.preview"), limit).await)?;
    table::many(remote.output, &items, PREVIEW)?;
    if remote.output == Output::Table {
        let bytes = |fates: &[&str]| -> u64 {
            let of_fate = items.iter().filter(|item| item["fate"].as_str().is_some_and(|fate| fates.contains(&fate)));
            of_fate.filter_map(|item| item["size"].as_u64()).sum()
        };
        out::note(format!("{} bytes would go, {} of them at once", bytes(&["removed", "freed"]), bytes(&["freed"])));
        let state = remote.run(async |client| client.send(&Call::new("collection.show")).await)?;
        later(&state).into_iter().for_each(out::note);
    }
    Ok(())
}

/// Why less goes than somebody has deleted.
fn later(state: &Value) -> Vec<String> {
    let text = |field: &str| state[field].as_str().unwrap_or_default().to_owned();
    let number = |field: &str| state[field].as_u64().unwrap_or_default();
    let mut notes = Vec::new();
    if number("bin") > 0 {
        let (count, from, until) = (number("bin"), text("bin_from"), text("bin_until"));
        notes.push(format!(
            "entries of the bin, which keep what they need: {count}; the first ends {from}, the last {until}"
        ));
    }
    if number("waiting") > 0 {
        let (count, bytes, until) = (number("waiting"), number("waiting_bytes"), text("waiting_until"));
        notes.push(format!("digests that are looked at later: {count} with {bytes} bytes, the last {until}"));
    }
    notes
}
