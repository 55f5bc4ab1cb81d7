//! That nothing unreferenced stays for ever: with all waits set short, what crashes left behind goes by itself.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rand::SeedableRng as _;
use reqwest::Method;
use wharf_db::Db;
use wharf_db::catalog::blobs;
use wharf_storage::Storage as _;
use wharf_storage::bucket::Bucket;

use crate::registry::Registry;
use crate::site::{On, Site};
use crate::wire::{Ask, Outcome, Wire};

/// How long the server has for it.
const PATIENCE: Duration = Duration::from_secs(150);

/// Starts the servers with short waits, lets them clean up, stops them, and compares storage and database. Then everything is
/// deleted, and the storage must become empty.
///
/// # Errors
/// If something stays that nothing points at, or work is given up or stuck.
pub(crate) async fn nothing_stays(site: &Site) -> Result<()> {
    site.stop_all().await?;
    for key in ["retention.uploads", "retention.orphans", "retention.unreferenced", "sweep.interval", "sweep.grace"] {
        site.set(key, "1s").await;
    }
    for key in ["collection.grace", "collection.wait"] {
        site.set(key, "1s").await;
    }
    if site.has_bin() {
        site.set("retention.bin", "1s").await;
    }
    site.start_all().await?;
    let began = Instant::now();
    loop {
        let orphans = settle(site).await?;
        if orphans.is_empty() {
            break;
        }
        let shown = &orphans[..orphans.len().min(5)];
        ensure!(began.elapsed() < PATIENCE, "{} objects stay that nothing points at: {shown:?}", orphans.len());
    }
    everything_goes(site).await?;
    no_job_is_dead(site).await
}

/// Deletes all repositories.
async fn everything_goes(site: &Site) -> Result<()> {
    let url = site.url(&mut rand::rngs::StdRng::seed_from_u64(0)).await.to_string();
    let server = Registry { wire: Wire::new()?, url };
    let catalog = server.get("/v2/_catalog?n=10000").await?;
    let catalog: serde_json::Value = serde_json::from_slice(catalog.body.as_deref().unwrap_or_default())?;
    let repositories = catalog["repositories"].as_array().context("a list of repositories")?;
    ensure!(!repositories.is_empty(), "there is nothing to delete");
    let before = objects(site).await?.len();
    for repository in repositories.iter().filter_map(|name| name.as_str()) {
        let answer = server.delete(&format!("/api/v1/repositories/oci/{repository}")).await?;
        ensure!(answer.status < 300, "{repository}: {}", answer.shown());
    }
    let began = Instant::now();
    loop {
        let left = objects(site).await?;
        if left.is_empty() {
            println!("  {before} objects went with {} repositories in {:?}", repositories.len(), began.elapsed());
            return Ok(());
        }
        let shown = &left[..left.len().min(5)];
        ensure!(began.elapsed() < PATIENCE, "everything is deleted, and {} objects stay: {shown:?}", left.len());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Runs the servers for some sweeps, stops them, and names the objects that no row points at. They run again afterwards.
async fn settle(site: &Site) -> Result<Vec<String>> {
    tokio::time::sleep(Duration::from_secs(5)).await;
    no_job_is_dead(site).await?;
    site.stop_all().await?;
    let orphans = orphans(site).await?;
    site.start_all().await?;
    Ok(orphans)
}

async fn no_job_is_dead(site: &Site) -> Result<()> {
    let url = site.url(&mut rand::rngs::StdRng::seed_from_u64(0)).await;
    let ask = Ask::new(Method::GET, format!("{url}/api/v1/jobs?state=dead"));
    let Outcome::Answered(answer) = Wire::new()?.send(ask).await? else { anyhow::bail!("no answer about jobs") };
    let body: serde_json::Value = serde_json::from_slice(answer.body.as_deref().unwrap_or_default())?;
    let dead = body["items"].as_array().context("a list of jobs")?;
    ensure!(answer.status == 200 && dead.is_empty(), "jobs were given up: {body}");
    Ok(())
}

/// Objects, finished or not, that no row points at. The servers are stopped.
async fn orphans(site: &Site) -> Result<Vec<String>> {
    let config = match site.on {
        On::FilesSqlite => wharf_db::Config::Sqlite { path: site.launch(0).await.data.join("wharf.db") },
        On::FilesPostgres | On::Replicas | On::S3Postgres => {
            wharf_db::Config::postgres(&site.launch(0).await.settings["WHARF_DATABASE_URL"])
        }
    };
    let db = Db::open(&config).await?;
    let mut orphans = Vec::new();
    for key in objects(site).await? {
        if !db.read(&key, |tx, key| Box::pin(blobs::object_in_use(tx, key))).await? {
            orphans.push(key);
        }
    }
    Ok(orphans)
}

/// The keys of all objects, finished or not.
async fn objects(site: &Site) -> Result<Vec<String>> {
    let Some(config) = site.bucket() else { return files(&site.launch(0).await.data.join("storage")) };
    let bucket = Bucket::open(config, rand::random()).await?;
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let page = bucket.survey(after.as_ref(), 1000).await?;
        let Some(last) = page.last() else { return Ok(keys) };
        after = Some(last.key.clone());
        keys.extend(page.iter().map(|object| object.key.to_string()));
    }
}

/// The names of files of objects. They are listed beside a server that runs, so not by its own storage, which is locked.
fn files(storage: &Path) -> Result<Vec<String>> {
    let mut folders = vec![storage.join("incoming"), storage.join("objects")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
    }
    Ok(files)
}
