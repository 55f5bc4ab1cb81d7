//! A database that goes away and comes back: stopped, cut off, and silent, under load.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::full_disk::registry;
use crate::goods::{Blob, Image};
use crate::kill::Load;
use crate::registry::Registry;
use crate::relay::{Mood, Relay};
use crate::remains;
use crate::site::{On, Site};

/// How much of it.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// How often the database goes away, in each of three ways.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// How many clients work at once.
    #[arg(long, default_value_t = 20)]
    pub clients: usize,
    /// What all choices follow from.
    #[arg(long)]
    pub seed: Option<u64>,
}

/// The server waits so long for the database.
const WAIT: &str = "2s";
/// From the return of the database until everything works again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs it.
///
/// # Errors
/// Whatever does not hold, with the seed.
pub async fn run(program: PathBuf, options: Options) -> Result<()> {
    let seed = options.seed.unwrap_or_else(rand::random);
    println!("database away: {} rounds, {} clients, --seed {seed}", options.rounds, options.clients);
    let site = Arc::new(Site::new(&program, On::FilesPostgres).await?);
    let outcome = run_on(&site, &options, seed).await;
    site.end(&outcome).await;
    outcome.with_context(|| format!("--seed {seed}"))
}

async fn run_on(site: &Arc<Site>, options: &Options, seed: u64) -> Result<()> {
    let cluster = site.cluster().context("a cluster")?;
    let relay = Relay::start(cluster.folder().join(".s.PGSQL.5432")).await?;
    let direct = site.launch(0).await.settings["WHARF_DATABASE_URL"].clone();
    let database = direct.rsplit('/').next().context("a name")?.to_owned();
    site.set("database.url", &format!("postgres://wharf@{}/{database}", relay.address)).await;
    site.set("database.connect_timeout", WAIT).await;
    site.set("database.statement_timeout", WAIT).await;
    site.start_all().await?;
    let server = registry(site)?;
    let known = Image::of(vec![Blob::new(seed, 500), Blob::new(seed ^ 1, 50_000)]);
    ensure!(server.push("away/app", "known", &known).await?.status == 201, "a push while all is well");
    let mut load = Load::start(site, options.clients, seed)?;
    let mut rng = StdRng::seed_from_u64(seed ^ 0xa3a1);
    for round in 0..options.rounds * 3 {
        load.run_for(Duration::from_millis(rng.random_range(500..1500))).await?;
        let way = ["stopped", "cut off", "silent"][round % 3];
        match way {
            "stopped" => tokio::task::block_in_place(|| cluster.stop()),
            "cut off" => relay.is(Mood::Cuts),
            _ => relay.is(Mood::Stalls),
        }
        says_so(&server).await.with_context(|| format!("the database is {way}"))?;
        load.run_for(Duration::from_millis(rng.random_range(500..1500))).await?;
        match way {
            "stopped" => tokio::task::block_in_place(|| cluster.resume()),
            // What stalled does not come back to life: its packets are gone.
            _ => relay.is(Mood::Cuts),
        }
        relay.is(Mood::Passes);
        let began = Instant::now();
        recovers(&server, &known).await.with_context(|| format!("after the database was {way}"))?;
        println!("  {way}, and back after {} ms", began.elapsed().as_millis());
    }
    load.stop().await?.verify().await?;
    site.set("database.url", &direct).await;
    remains::nothing_stays(site).await?;
    let panics = site.logged(&["panicked"]);
    ensure!(panics.is_empty(), "the server panicked: {panics:?}");
    println!("database away: no wrong answer, and it comes back by itself");
    Ok(())
}

/// 503 with Retry-After for what needs the database; the process is alive and not ready.
async fn says_so(server: &Registry) -> Result<()> {
    let answer = server.get("/v2/away/app/tags/list").await?;
    ensure!(answer.status == 503, "a list is answered {}", answer.shown());
    ensure!(!answer.header("retry-after").is_empty(), "there is no Retry-After: {:?}", answer.headers);
    let api = server.get("/api/v1/projects").await?;
    ensure!(api.status == 503 && !api.header("retry-after").is_empty(), "the API answers {}", api.shown());
    let ready = server.get("/readyz").await?;
    ensure!(ready.status == 503, "/readyz answers {}", ready.shown());
    let live = server.get("/livez").await?;
    ensure!(live.status == 200, "/livez answers {}", live.shown());
    Ok(())
}

/// Waits until the server is ready, takes pushes and has what was there before.
pub(crate) async fn recovers(server: &Registry, known: &Image) -> Result<()> {
    let began = Instant::now();
    loop {
        let ready = server.get("/readyz").await?.status == 200;
        if ready && server.push("away/app", "again", known).await?.status == 201 {
            return server.verify("away/app", "known", known).await;
        }
        ensure!(began.elapsed() < PATIENCE, "it does not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
