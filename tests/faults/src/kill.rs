//! `kill -9` at random instants under load, and what must hold afterwards.

mod client;
mod load;
mod second;
mod upload;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::remains;
use crate::site::{On, Site};
pub(crate) use load::Load;

/// How much of it.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// How often a server is killed.
    #[arg(long, default_value_t = 50)]
    pub kills: usize,
    /// What the servers store in.
    #[arg(long, value_enum, default_value = "files-sqlite")]
    pub on: On,
    /// How many clients work at once.
    #[arg(long, default_value_t = 200)]
    pub clients: usize,
    /// Another version for the second server, which is started last and meets the database of the first: a roll-out.
    #[arg(long, value_name = "PROGRAM")]
    pub beside: Option<PathBuf>,
    /// What all choices follow from. Printed; the same seed makes the same choices.
    #[arg(long)]
    pub seed: Option<u64>,
}

/// Runs it.
///
/// # Errors
/// Whatever does not hold, with the seed. The servers' folder is kept then.
pub async fn run(program: PathBuf, options: Options) -> Result<()> {
    let seed = options.seed.unwrap_or_else(rand::random);
    println!("kill: {} kills, {} clients, {:?}, --seed {seed}", options.kills, options.clients, options.on);
    let site = Arc::new(Site::new(&program, options.on).await?);
    if let Some(beside) = &options.beside {
        ensure!(site.replicas() > 1, "--beside needs two servers: --on s3-postgres");
        site.run_last(beside).await?;
    }
    let outcome = run_on(&site, &options, seed).await;
    site.end(&outcome).await;
    outcome.with_context(|| format!("--seed {seed}"))
}

async fn run_on(site: &Arc<Site>, options: &Options, seed: u64) -> Result<()> {
    site.start_all().await?;
    let mut load = Load::start(site, options.clients, seed)?;
    let mut rng = StdRng::seed_from_u64(seed ^ 0x6b69_6c6c);
    for number in 1..=options.kills {
        let (victim, pause) = (rng.random_range(0..site.replicas()), rng.random_range(50..1500));
        load.run_for(Duration::from_millis(pause)).await?;
        site.kill(victim).await.with_context(|| format!("kill {number}"))?;
        let began = Instant::now();
        site.start(victim).await.with_context(|| format!("start after kill {number}"))?;
        println!(
            "  kill {number} of server {victim} after {pause} ms; it is back in {} ms",
            began.elapsed().as_millis()
        );
    }
    load.stop().await?.verify().await?;
    remains::nothing_stays(site).await?;
    let panics = site.logged(&["panicked"]);
    ensure!(panics.is_empty(), "a server panicked: {panics:?}");
    println!("kill: everything acknowledged is there, and nothing else");
    Ok(())
}
