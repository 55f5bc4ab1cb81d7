//! An object store that is slow, fails, breaks off and goes away under load, with the collector at work.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use wharf_testkit::{Fault, FaultProxy};

use crate::away::recovers;
use crate::full_disk::registry;
use crate::goods::{Blob, Image};
use crate::kill::Load;
use crate::registry::Registry;
use crate::remains;
use crate::site::{On, Site};

/// How much of it.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// How often the store misbehaves, in each of its ways.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// How many clients work at once.
    #[arg(long, default_value_t = 20)]
    pub clients: usize,
    /// What all choices follow from.
    #[arg(long)]
    pub seed: Option<u64>,
}

/// What the store does, in turn.
const WAYS: [(&str, Fault); 5] = [
    ("slow", Fault::Slow(Duration::from_millis(300))),
    ("failing every tenth request", Fault::Every(10)),
    ("breaking off", Fault::Short),
    ("sending halves", Fault::Half),
    ("away", Fault::Away),
];

/// Runs it.
///
/// # Errors
/// Whatever does not hold, with the seed.
pub async fn run(program: PathBuf, options: Options) -> Result<()> {
    let seed = options.seed.unwrap_or_else(rand::random);
    println!("store away: {} rounds, {} clients, --seed {seed}", options.rounds, options.clients);
    let site = Arc::new(Site::new(&program, On::S3Postgres).await?);
    let outcome = run_on(&site, &options, seed).await;
    site.end(&outcome).await;
    outcome.with_context(|| format!("--seed {seed}"))
}

async fn run_on(site: &Arc<Site>, options: &Options, seed: u64) -> Result<()> {
    let direct = site.bucket().and_then(|bucket| bucket.endpoint.clone()).context("a bucket")?;
    let proxy = FaultProxy::start(direct.trim_start_matches("http://").parse()?).await;
    site.set("storage.endpoint", &proxy.url()).await;
    // So that who asks a store that is away is told soon.
    for (key, value) in [("retries", "3"), ("connect_timeout", "2s"), ("request_timeout", "5s")] {
        site.set(&format!("storage.{key}"), value).await;
    }
    site.start_all().await?;
    let server = registry(site)?;
    let known = Image::of(vec![Blob::new(seed, 500), Blob::new(seed ^ 1, 50_000)]);
    // Of more than one part.
    let large = Image::of(vec![Blob::new(seed, 500), Blob::new(seed ^ 2, 6_000_000)]);
    for (tag, image) in [("known", &known), ("large", &large)] {
        ensure!(server.push("away/app", tag, image).await?.status == 201, "a push while all is well");
    }
    let mut load = Load::start(site, options.clients, seed)?;
    let mut rng = StdRng::seed_from_u64(seed ^ 0x5702);
    for (way, fault) in WAYS.iter().cycle().take(options.rounds * WAYS.len()) {
        load.run_for(Duration::from_millis(rng.random_range(500..1500))).await?;
        proxy.set(*fault);
        let checked = match fault {
            Fault::Away => says_so(&server, &large).await,
            // Slow or in pieces, it is right.
            _ => server.verify("away/app", "large", &large).await,
        };
        checked.with_context(|| format!("the store is {way}"))?;
        load.run_for(Duration::from_millis(rng.random_range(1000..2500))).await?;
        proxy.set(Fault::None);
        let began = Instant::now();
        recovers(&server, &known).await.with_context(|| format!("after the store was {way}"))?;
        println!("  {way}: {} requests, well after {} ms", proxy.seen().len(), began.elapsed().as_millis());
    }
    load.stop().await?.verify().await?;
    site.set("storage.endpoint", &direct).await;
    remains::nothing_stays(site).await?;
    let panics = site.logged(&["panicked"]);
    ensure!(panics.is_empty(), "a server panicked: {panics:?}");
    println!("store away: everything acknowledged is there, and it comes back by itself");
    Ok(())
}

/// 503 with Retry-After for what lies in the store; what lies in the database is served, the process is alive and not ready.
async fn says_so(server: &Registry, large: &Image) -> Result<()> {
    let blob = large.blobs.last().context("a blob")?;
    let blob = server.get(&format!("/v2/away/app/blobs/{}", blob.digest)).await?;
    ensure!(blob.status == 503, "a blob is answered {}", blob.status);
    ensure!(!blob.header("retry-after").is_empty(), "there is no Retry-After: {:?}", blob.headers);
    let manifest = server.get("/v2/away/app/manifests/large").await?;
    ensure!(manifest.status == 200, "a manifest is answered {}", manifest.shown());
    let ready = server.get("/readyz").await?;
    ensure!(ready.status == 503, "/readyz answers {}", ready.shown());
    let live = server.get("/livez").await?;
    ensure!(live.status == 200, "/livez answers {}", live.shown());
    Ok(())
}
