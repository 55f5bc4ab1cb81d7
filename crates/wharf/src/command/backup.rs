//! `wharf backup`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};
use wharf_core::Depot;
use wharf_core::backup::{self, Count, Progress, Snapshot};
use wharf_types::Clock;

use crate::client::table::{self, Columns};
use crate::client::{Call, Output, Remote, block_on, confirm, progress};
use crate::command::serve::Settings;
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::out;
use crate::server::backup as offline;

const BACKUPS: Columns = &[
    ("ID", "id"),
    ("ASKED", "asked_at"),
    ("TO", "to"),
    ("STATE", "state"),
    ("SNAPSHOT", "snapshot"),
    ("BLOBS", "blobs"),
    ("OF", "blobs_total"),
    ("BYTES", "bytes"),
    ("MISSING", "missing"),
    ("ERROR", "error"),
];
const SNAPSHOTS: Columns = &[
    ("SNAPSHOT", "id"),
    ("MARK", "mark"),
    ("BLOBS", "blobs"),
    ("BYTES", "bytes"),
    ("MISSING", "missing"),
    ("VERSION", "wharf"),
];

/// Arguments of `wharf backup`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "A backup does not contain the instance key (instance.key in the data directory). Keep a copy of it elsewhere: without it \
                  secrets in the backup cannot be opened."
)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// Where to write it. Of a running server: its `backup.path` or bucket, which is the default, or a folder in it. Of a stopped one:
    /// a directory, or `s3://BUCKET/PREFIX` (`gs://`, `az://`), reached as `[backup]` or WHARF_BACKUP_… says.
    #[arg(long, value_name = "PLACE")]
    to: Option<String>,
    /// Of a running server: begin again in a place where backups were written and none is now.
    #[arg(long)]
    anew: bool,
    #[command(flatten)]
    here: Here,
    #[command(subcommand)]
    command: Option<Command>,
}

/// The data of a server that is stopped.
#[derive(Debug, Clone, clap::Args)]
struct Here {
    /// Of a stopped server: its configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Of a stopped server: its data directory.
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Of a stopped server: its database.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Of a stopped server: the kind of its storage.
    #[arg(long, value_name = "KIND")]
    storage: Option<String>,
}

impl Here {
    fn is_given(&self) -> bool {
        self.config.is_some() || self.data.is_some() || self.database.is_some()
    }

    fn load(&self) -> Outcome<Config> {
        let Self { config, data, database, storage } = self.clone();
        Settings::offline_with(config, data, database, storage).load()
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the snapshots in a place, or the backups that the server was asked for.
    List {
        /// The directory, or the bucket as `s3://BUCKET/PREFIX`.
        place: Option<String>,
    },
    /// Hashes everything in a place. Fails if something is wrong.
    Verify {
        /// The directory, or the bucket as `s3://BUCKET/PREFIX`.
        place: String,
    },
    /// Removes old snapshots, and blobs that no other needs. Refused while a backup or a restore is at the place.
    Prune {
        /// The directory, or the bucket as `s3://BUCKET/PREFIX`.
        place: String,
        /// How many snapshots stay.
        #[arg(long, value_name = "N")]
        keep: usize,
    },
    /// Has the server forget its backups to a place that is gone for good, so that no purge waits to be noted there, and the next backup
    /// there begins anew. If the place comes back after all, a restore from it brings back what is purged meanwhile.
    Forget {
        /// The place, as `--to` takes it.
        place: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Fills an empty instance, on any database and storage. No server may be running on it.
    Restore {
        /// The directory of the backup, or its bucket as `s3://BUCKET/PREFIX`, reached as `[backup]` or WHARF_BACKUP_… says.
        #[arg(long, value_name = "PLACE")]
        from: String,
        /// Which snapshot; the newest if not said.
        #[arg(long, value_name = "ID")]
        snapshot: Option<String>,
        /// Restore a snapshot though it lacks the bytes of some blobs.
        #[arg(long)]
        allow_missing: bool,
        /// Restore though the instance key is lost, without the secrets that were sealed with it.
        #[arg(long)]
        new_instance_key: bool,
        #[command(flatten)]
        here: Box<Here>,
    },
}

impl Args {
    /// Does what was asked.
    pub(crate) fn run(self: Box<Self>) -> Outcome {
        let Self { remote, to, anew, here, command } = *self;
        let output = remote.output;
        match command {
            None if here.is_given() => make(to, here, output),
            None => ask(&remote, to.as_deref(), anew),
            Some(Command::List { place: Some(place) }) => list(output, &depot(&place)?),
            Some(Command::List { place: None }) => remote.list(Call::new("backups.list"), None, BACKUPS),
            Some(Command::Verify { place }) => verify(output, &depot(&place)?),
            Some(Command::Prune { place, keep }) => prune(output, &depot(&place)?, keep),
            Some(Command::Forget { place, yes }) => {
                confirm(
                    yes,
                    &format!("forget the backups to {place}; a restore from them brings back what is purged"),
                )?;
                let call = Call::new("backups.forget").with("to", Some(&place));
                remote.change(call, &format!("the backups to {place} are forgotten"))
            }
            Some(Command::Restore { from, snapshot, allow_missing, new_instance_key, here }) => {
                let wanted = offline::Wanted { snapshot, allow_missing, new_instance_key };
                restore(output, &from, &wanted, *here)
            }
        }
    }
}

/// The depot of this name, reached as the usual file and the environment say.
fn depot(place: &str) -> Outcome<Arc<dyn Depot>> {
    offline::depot(place, || Config::load(None, Vec::new()))
}

/// Has the server do it, and waits.
fn ask(remote: &Remote, to: Option<&str>, anew: bool) -> Outcome {
    let done = remote.run(async |client| {
        let made = client.send(&Call::new("backups.create").body(json!({ "to": to, "anew": anew }))).await?;
        let Some(id) = made["id"].as_i64() else {
            return Err(Failure::new("the server did not say which backup it is"));
        };
        let bar = progress::bar_for_people("backing up");
        loop {
            let state = client.send(&Call::new("backups.show").at("backup", id)).await?;
            if let Some(bar) = &bar {
                progress::show(bar, count(&state));
            }
            if !state["finished_at"].is_null() {
                return Ok(state);
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    })?;
    let text = |field: &str| done[field].as_str().unwrap_or_default().to_owned();
    if remote.output == Output::Json {
        out::line(serde_json::to_string_pretty(&done)?);
    } else if !done["snapshot"].is_null() {
        let Count { rows, blobs, bytes, .. } = count(&done);
        out::line(format!("snapshot {}: {rows} rows, {blobs} blobs of {bytes} bytes", text("snapshot")));
        out::note("it does not contain the instance key of the server: keep a copy of that elsewhere");
    }
    match done["state"].as_str() {
        Some("done") => Ok(()),
        Some("incomplete") => {
            Err(Failure::new(format!("{} blob(s) are not in it, such as {}", done["missing"], text("error")))
                .hint("`wharf scrub list` names all of them; push them again, then back up again"))
        }
        _ => Err(Failure::new(format!("the backup failed: {}", text("error")))),
    }
}

fn count(state: &Value) -> Count {
    let number = |field: &str| state[field].as_u64().unwrap_or_default();
    Count {
        rows: number("rows"),
        blobs: number("blobs"),
        bytes: number("bytes"),
        blobs_total: number("blobs_total"),
        bytes_total: number("bytes_total"),
    }
}

fn make(to: Option<String>, here: Here, output: Output) -> Outcome {
    let Some(to) = to else { return Err(Failure::usage("where to?").hint("name a directory or bucket with --to")) };
    let (config, counted) = (here.load()?, Progress::default());
    offline::check_place(&config, &to)?;
    let depot = offline::depot(&to, || here.load())?;
    let made = run(progress::counted("backing up", &counted, offline::make(&config, &depot, &counted)))?;
    told(output, &made, depot.place())
}

/// Prints what was made. That something is missing from it is a failure.
fn told(output: Output, made: &Snapshot, place: String) -> Outcome {
    match output {
        Output::Json => out::line(serde_json::to_string_pretty(&shown(made))?),
        Output::Table => out::line(format!(
            "snapshot {} is in {place}: {} rows, {} blobs of {} bytes; it needs the instance key {}, which it does not contain",
            made.id,
            made.tables.iter().map(|file| file.rows).sum::<u64>(),
            made.blobs,
            made.bytes,
            made.instance_key,
        )),
    }
    if made.missing.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = made.missing.iter().map(|missing| format!("{}: {}", missing.digest, missing.problem)).collect();
    Err(Failure::new(format!("{} blob(s) are not in it:\n  {}", lines.len(), lines.join("\n  ")))
        .hint("push them again, then back up again"))
}

fn shown(snapshot: &Snapshot) -> Value {
    let mut value = serde_json::to_value(snapshot).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        fields.remove("tables");
        fields.insert("rows".into(), json!(snapshot.tables.iter().map(|file| file.rows).sum::<u64>()));
    }
    value
}

fn list(output: Output, depot: &Arc<dyn Depot>) -> Outcome {
    let (found, unreadable) = block_on(async { backup::snapshots(depot).await.map_err(Failure::new) })?;
    if found.is_empty() && unreadable.is_empty() {
        return Err(Failure::new(format!("there is no snapshot in {}", depot.place())));
    }
    for problem in unreadable {
        out::note(problem);
    }
    let mut items: Vec<_> = found.iter().map(shown).collect();
    if matches!(output, Output::Table) {
        for item in &mut items {
            item["missing"] = json!(item["missing"].as_array().map_or(0, Vec::len));
        }
    }
    table::many(output, &items, SNAPSHOTS)
}

fn verify(output: Output, depot: &Arc<dyn Depot>) -> Outcome {
    let counted = Progress::default();
    let verifying = async { backup::verify(depot, &Clock::system(), &counted).await.map_err(Failure::new) };
    let verified = run(progress::counted("hashing", &counted, verifying))?;
    let findings: Vec<_> = verified.findings.iter().map(|found| format!("{}: {}", found.file, found.problem)).collect();
    match output {
        Output::Json => out::line(serde_json::to_string_pretty(&json!({
            "snapshots": verified.snapshots,
            "blobs": verified.blobs,
            "bytes": verified.bytes,
            "findings": findings,
        }))?),
        Output::Table => {
            let backup::Verified { snapshots, blobs, bytes, .. } = verified;
            out::line(format!("{snapshots} snapshots and {blobs} blobs of {bytes} bytes were read"));
        }
    }
    if verified.snapshots == 0 && findings.is_empty() {
        return Err(Failure::new(format!("there is no snapshot in {}", depot.place())));
    }
    if findings.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("{} file(s) are not as they should be:\n  {}", findings.len(), findings.join("\n  ")))
        .hint("back up again: damaged blobs that the server still has are copied anew; a snapshot that is damaged stays so, until `wharf backup prune` removes it"))
}

fn prune(output: Output, depot: &Arc<dyn Depot>, keep: usize) -> Outcome {
    if keep == 0 {
        return Err(
            Failure::usage("at least one snapshot stays").hint("remove the directory or prefix if you want none")
        );
    }
    let pruned = block_on(async { backup::prune(depot, keep, &Clock::system()).await.map_err(Failure::new) })?;
    match output {
        Output::Json => out::line(serde_json::to_string_pretty(&json!({
            "snapshots": pruned.snapshots,
            "halves": pruned.halves,
            "unreadable": pruned.unreadable,
            "blobs": pruned.blobs,
            "bytes": pruned.bytes,
        }))?),
        Output::Table => out::line(format!(
            "removed {} snapshots, {} unfinished ones, {} that cannot be read, and {} blobs of {} bytes",
            pruned.snapshots.len(),
            pruned.halves.len(),
            pruned.unreadable.len(),
            pruned.blobs,
            pruned.bytes
        )),
    }
    Ok(())
}

fn restore(output: Output, from: &str, wanted: &offline::Wanted, here: Here) -> Outcome {
    let (config, counted) = (here.load()?, Progress::default());
    let depot = offline::depot(from, || here.load())?;
    let restoring = offline::restore(&config, &depot, wanted, &counted);
    let (snapshot, restored) = run(progress::counted("restoring", &counted, restoring))?;
    match output {
        Output::Json => out::line(serde_json::to_string_pretty(&json!({
            "snapshot": snapshot.id,
            "mark": snapshot.mark,
            "rows": restored.rows,
            "blobs": restored.blobs,
            "bytes": restored.bytes,
            "missing": restored.missing,
            "purged": restored.purged,
            "unsealed": restored.unsealed,
        }))?),
        Output::Table => {
            out::line(format!(
                "snapshot {} is restored: {} rows, {} blobs of {} bytes, as of {}",
                snapshot.id, restored.rows, restored.blobs, restored.bytes, snapshot.mark
            ));
            if restored.missing > 0 {
                out::note(format!(
                    "{} blobs have no bytes: they are unknown until they are pushed again",
                    restored.missing
                ));
            }
            if restored.purged > 0 {
                out::note(format!("{} blobs were left out, because they were purged after it", restored.purged));
            }
            if restored.unsealed > 0 {
                out::note(format!("{} signing keys were left out: package indexes get new ones", restored.unsealed));
            }
        }
    }
    Ok(())
}

/// Hashing and compressing want more than one thread.
fn run<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}
