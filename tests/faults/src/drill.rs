//! The restore drill: a backup, an empty place, a restore, and everything that was acknowledged before the backup is there.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Method;
use serde_json::{Value, json};

use crate::backup;
use crate::goods::{Blob, Image};
use crate::kill::Load;
use crate::registry::Registry;
use crate::site::{On, PASSWORD, Site};
use crate::wire::{Ask, Wire, sha256};

/// How much of it.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// How long clients work before and during the backup.
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// How many clients work at once.
    #[arg(long, default_value_t = 20)]
    pub clients: usize,
    /// What the first servers store in.
    #[arg(long, value_enum, default_value = "files-sqlite")]
    pub on: On,
    /// What it is restored to.
    #[arg(long, value_enum, default_value = "files-sqlite")]
    pub to: On,
    /// What all choices follow from.
    #[arg(long)]
    pub seed: Option<u64>,
}

/// What must come back, as the server told it before the backup began.
const TOLD: [&str; 9] = [
    "/api/v1/users",
    "/api/v1/users/reader",
    "/api/v1/groups",
    "/api/v1/groups/crew/members",
    "/api/v1/robots",
    "/api/v1/projects/drill",
    "/api/v1/projects/drill/grants",
    "/api/v1/projects/drill/robots",
    "/api/v1/repositories/oci/drill/app/-/tags",
];

/// Of what is acknowledged before the backup: how often the audit log must have it at least, and about which project.
const DONE: [(&str, Option<&str>, usize); 7] = [
    ("manifest.push", Some("drill"), 12),
    ("tag.delete", Some("drill"), 1),
    ("user.create", None, 1),
    ("group.create", None, 1),
    ("group.add", None, 1),
    ("grant.give", Some("drill"), 2),
    ("robot.create", Some("drill"), 1),
];

/// Runs it.
///
/// # Errors
/// Whatever did not come back, with the seed.
pub async fn run(program: PathBuf, options: Options) -> Result<()> {
    let seed = options.seed.unwrap_or_else(rand::random);
    let Options { seconds, clients, on, to, .. } = options;
    println!("drill: {seconds} seconds, {clients} clients, {on:?} to {to:?}, --seed {seed}");
    let (site, place) = (Arc::new(Site::new(&program, on).await?), Arc::new(Site::new(&program, to).await?));
    let outcome = run_on(&site, &place, &options, seed).await;
    place.end(&outcome).await;
    site.end(&outcome).await;
    outcome.with_context(|| format!("--seed {seed}"))
}

async fn run_on(site: &Arc<Site>, place: &Arc<Site>, options: &Options, seed: u64) -> Result<()> {
    site.start_all().await?;
    let server = registry(site)?;
    let mut load = Load::start(site, options.clients, seed)?;
    load.run_for(Duration::from_secs(options.seconds)).await?;
    let known = Known::make(&server, seed).await?;
    let folder = site.folder.join("backups");
    let target = folder.to_str().context("a path that is text")?;
    take(site, &mut load, target).await?;
    load.run_for(Duration::from_secs(1)).await?;
    load.stop().await?;
    site.stop_all().await?;
    restore(site, place, &folder).await?;
    place.start_all().await?;
    let restored = registry(place)?;
    known.verify(&restored).await?;
    let images = whole(&restored).await?;
    let lines = known.audit.len();
    println!("drill: users, robots, grants, tags, {lines} lines of the audit log and {images} images are there");
    Ok(())
}

fn registry(site: &Site) -> Result<Registry> {
    Ok(Registry { wire: Wire::new()?, url: site.url_of(0).context("a server that runs")?.to_string() })
}

/// Backs up while clients work; a build that backs up only what is stopped is stopped for it.
async fn take(site: &Arc<Site>, load: &mut Load, target: &str) -> Result<()> {
    let mut client = site.launch(0).await;
    client.settings.clear();
    let url = site.url_of(0).context("a server that runs")?;
    backup::command(&client, &["login", &url, "-u", "admin", "--password-stdin"], Some(PASSWORD)).await?;
    let made = async { backup::command(&client, &["backup", "--to", target], None).await };
    tokio::pin!(made);
    let outcome = loop {
        tokio::select! {
            made = &mut made => break made,
            worked = load.run_for(Duration::from_millis(200)) => worked?,
        }
    };
    let Err(error) = outcome else { return Ok(()) };
    println!("  THE BACKUP IS TAKEN FROM A STOPPED SERVER: {error:#}");
    site.stop_all().await?;
    let launch = site.launch(0).await;
    let data = launch.data.to_str().context("a path that is text")?;
    backup::command(&launch, &["backup", "--data", data, "--to", target], None).await?;
    site.start_all().await
}

/// Into a place where nothing is but the instance key, which is kept apart from backups.
async fn restore(site: &Site, place: &Site, folder: &Path) -> Result<()> {
    let (from, to) = (site.launch(0).await.data, place.launch(0).await);
    std::fs::create_dir_all(&to.data)?;
    std::fs::copy(from.join("instance.key"), to.data.join("instance.key"))?;
    let (folder, data) = (folder.to_str().context("text")?, to.data.to_str().context("text")?);
    backup::command(&to, &["backup", "verify", folder], None).await?;
    let said = backup::command(&to, &["backup", "restore", "--from", folder, "--data", data], None).await?;
    println!("  {}", said.trim());
    Ok(())
}

/// What was acknowledged before the backup began.
struct Known {
    images: Vec<(String, Image)>,
    deleted: String,
    told: Vec<(&'static str, Value)>,
    /// The whole log as it was told, by the ids of its lines.
    audit: HashMap<String, Value>,
    /// Name and secret.
    robot: (String, String),
}

impl Known {
    async fn make(server: &Registry, seed: u64) -> Result<Self> {
        let mut rng = StdRng::seed_from_u64(seed ^ 0xd211);
        let mut images = Vec::new();
        for number in 0..12 {
            let size = [200, 15_000, 40_000, 3_000_000][number % 4];
            let image = Image::of(vec![Blob::new(rng.random(), 300), Blob::new(rng.random(), size)]);
            let tag = format!("v{number}");
            let answer = server.push("drill/app", &tag, &image).await?;
            ensure!(answer.status == 201, "{}", answer.shown());
            images.push((tag, image));
        }
        let (deleted, _) = images.remove(3);
        ensure!(server.delete(&format!("/v2/drill/app/manifests/{deleted}")).await?.status == 202, "a tag is deleted");
        for (path, body) in [
            ("/api/v1/users", json!({ "name": "reader", "password": "a reader's own words" })),
            ("/api/v1/groups", json!({ "name": "crew" })),
        ] {
            made(server, Method::POST, path, &body).await?;
        }
        made(server, Method::PUT, "/api/v1/groups/crew/members/reader", &Value::Null).await?;
        for grant in [
            json!({ "kind": "user", "name": "reader", "role": "puller" }),
            json!({ "kind": "group", "name": "crew", "role": "pusher" }),
        ] {
            made(server, Method::PUT, "/api/v1/projects/drill/grants", &grant).await?;
        }
        let robot = json!({ "name": "builder", "grants": [{ "role": "pusher" }] });
        let robot = made(server, Method::POST, "/api/v1/projects/drill/robots", &robot).await?;
        let told = |text: &Value| text.as_str().map(str::to_owned).context("name and secret of a robot");
        let robot = (told(&robot["robot"]["name"])?, told(&robot["secret"])?);
        let mut told = Vec::new();
        for path in TOLD {
            told.push((path, items(server, path).await?));
        }
        let audit = audit(server).await?;
        for (action, project, count) in DONE {
            let of = |line: &&Value| line["action"] == action && line["project"].as_str() == project;
            let found = audit.values().filter(of).count();
            ensure!(found >= count, "{count} times {action} was acknowledged, and the audit log has {found}");
        }
        Ok(Self { images, deleted, told, audit, robot })
    }

    async fn verify(&self, restored: &Registry) -> Result<()> {
        for (tag, image) in &self.images {
            restored.verify("drill/app", tag, image).await?;
        }
        let deleted = restored.get(&format!("/v2/drill/app/manifests/{}", self.deleted)).await?;
        ensure!(deleted.status == 404, "a tag that was deleted came back: {}", deleted.shown());
        for (path, before) in &self.told {
            let after = items(restored, path).await?;
            ensure!(same(before, &after), "{path} was {before} and is {after}");
        }
        let after = audit(restored).await?;
        let lost: Vec<_> =
            self.audit.iter().filter(|(id, line)| !after.get(*id).is_some_and(|other| same(line, other))).collect();
        ensure!(lost.is_empty(), "{} lines of the audit log are lost, the first is {:?}", lost.len(), lost.first());
        for (name, secret) in [("reader", "a reader's own words"), (&self.robot.0, &self.robot.1)] {
            let status = restored.wire.signed_in(&format!("{}/api/v1/whoami", restored.url), name, secret).await?;
            ensure!(status == 200, "{name} cannot sign in any more: {status}");
        }
        Ok(())
    }
}

/// Sends JSON that must be taken.
async fn made(server: &Registry, method: Method, path: &str, body: &Value) -> Result<Value> {
    let text = if body.is_null() { Bytes::new() } else { body.to_string().into() };
    let media_type = if body.is_null() { "" } else { "application/json" };
    let answer = server.ask(Ask::new(method, path.to_owned()).body(media_type, text)).await?;
    ensure!(answer.status < 300, "{path}: {}", answer.shown());
    Ok(serde_json::from_slice(answer.body.as_deref().unwrap_or_default()).unwrap_or(Value::Null))
}

/// All pages of a list, or the one thing that is there.
async fn items(server: &Registry, path: &str) -> Result<Value> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let answer = server.get(&format!("{path}{after}")).await?;
        ensure!(answer.status == 200, "{path}: {}", answer.shown());
        let page: Value = serde_json::from_slice(answer.body.as_deref().unwrap_or_default())?;
        let Some(items) = page["items"].as_array() else { return Ok(page) };
        all.extend(items.iter().cloned());
        match &page["next"] {
            Value::String(next) => after = format!("?limit=1000&after={next}"),
            _ => return Ok(Value::Array(all)),
        }
    }
}

/// All lines of the server's audit log, by their ids.
async fn audit(server: &Registry) -> Result<HashMap<String, Value>> {
    let lines = items(server, "/api/v1/audit").await?;
    let lines = lines.as_array().context("lines of the audit log")?.iter();
    lines.map(|line| Ok((line["id"].as_str().context("an id")?.to_owned(), line.clone()))).collect()
}

/// Whether two answers say the same, but for when something was last used.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let told = |key: &&String| !key.starts_with("last_");
            let keys = |of: &serde_json::Map<String, Value>| of.keys().filter(told).cloned().collect::<Vec<_>>();
            keys(one) == keys(other) && keys(one).iter().all(|key| same(&one[key], &other[key]))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (one, other) => one == other,
    }
}

/// Pulls everything there is: whatever was under way when the backup was taken is there whole, or not at all.
async fn whole(server: &Registry) -> Result<usize> {
    let mut images = 0;
    let catalog = items_of(server, "/v2/_catalog?n=10000", "repositories").await?;
    for repository in catalog {
        for tag in items_of(server, &format!("/v2/{repository}/tags/list"), "tags").await? {
            let path = format!("/v2/{repository}/manifests/{tag}");
            let answer = server.get(&path).await?;
            ensure!(answer.status == 200, "{path}: {}", answer.shown());
            let manifest: Value = serde_json::from_slice(answer.body.as_deref().unwrap_or_default())?;
            let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
            for blob in layers.iter().chain([&manifest["config"]]) {
                let digest = blob["digest"].as_str().context("a digest")?;
                let path = format!("/v2/{repository}/blobs/{digest}");
                let answer = server.get(&path).await?;
                ensure!(answer.status == 200, "{path}: {}", answer.shown());
                ensure!(sha256(answer.body.as_deref().unwrap_or_default()) == digest, "{path}: other content");
            }
            images += 1;
        }
    }
    Ok(images)
}

async fn items_of(server: &Registry, path: &str, key: &str) -> Result<Vec<String>> {
    let answer = server.get(path).await?;
    ensure!(answer.status == 200, "{path}: {}", answer.shown());
    let list: Value = serde_json::from_slice(answer.body.as_deref().unwrap_or_default())?;
    let list = list[key].as_array().cloned().unwrap_or_default();
    Ok(list.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect())
}
