//! That nothing unreferenced stays for ever: with all waits set short, what crashes left behind goes by itself.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rand::SeedableRng as _;
use reqwest::Method;
use wharf_db::Db;
use wharf_db::catalog::blobs;

use crate::site::{On, Site};
use crate::wire::{Ask, Outcome, Wire};

/// How long the server has for it.
const PATIENCE: Duration = Duration::from_secs(90);

/// Starts the servers with short waits, lets them clean up, stops them, and compares storage and database.
///
/// # Errors
/// If something stays that nothing points at, or work is given up or stuck.
pub(crate) async fn nothing_stays(site: &Site) -> Result<()> {
    site.stop_all().await?;
    for (key, value) in [
        ("retention.uploads", "1s"),
        ("retention.orphans", "1s"),
        ("sweep.interval", "1s"),
        ("sweep.grace", "1s"),
        ("jobs.poll", "200ms"),
    ] {
        site.set(key, value).await;
    }
    site.start_all().await?;
    let storage = site.launch(0).await.data.join("storage");
    let began = Instant::now();
    loop {
        let orphans = settle(site, &storage).await?;
        if orphans.is_empty() {
            break;
        }
        let shown = &orphans[..orphans.len().min(5)];
        ensure!(began.elapsed() < PATIENCE, "{} objects stay that nothing points at: {shown:?}", orphans.len());
    }
    Ok(())
}

/// Runs the servers for some sweeps, stops them, and names the files that no row points at. They run again afterwards.
async fn settle(site: &Site, storage: &Path) -> Result<Vec<PathBuf>> {
    tokio::time::sleep(Duration::from_secs(5)).await;
    no_job_is_dead(site).await?;
    site.stop_all().await?;
    let orphans = orphans(site, storage).await?;
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

async fn orphans(site: &Site, storage: &Path) -> Result<Vec<PathBuf>> {
    let config = match site.on {
        On::FilesSqlite => wharf_db::Config::Sqlite { path: site.launch(0).await.data.join("wharf.db") },
        On::FilesPostgres | On::Replicas => {
            wharf_db::Config::postgres(&site.launch(0).await.settings["WHARF_DATABASE_URL"])
        }
    };
    let db = Db::open(&config).await?;
    let mut orphans = Vec::new();
    for file in files(storage)? {
        let key = file.file_name().and_then(|name| name.to_str()).context("a name that is text")?.to_owned();
        let used = db.read(&key, |tx, key| Box::pin(blobs::object_in_use(tx, key))).await?;
        let unsealed = file.parent().is_some_and(|folder| folder.ends_with("incoming"));
        if !used || unsealed {
            orphans.push(file);
        }
    }
    Ok(orphans)
}

/// Files of objects, finished or not.
fn files(storage: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = vec![storage.join("incoming"), storage.join("objects")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    Ok(files)
}
