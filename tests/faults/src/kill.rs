//! `kill -9` at random instants under load, and what must hold afterwards.

mod client;
mod upload;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::JoinSet;

use crate::goods::bases;
use crate::remains;
use crate::site::{On, Site};
use crate::wire::Wire;
use client::{Client, Tally};

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
    let outcome = run_on(&site, &options, seed).await;
    site.end(&outcome).await;
    outcome.with_context(|| format!("--seed {seed}"))
}

async fn run_on(site: &Arc<Site>, options: &Options, seed: u64) -> Result<()> {
    site.start_all().await?;
    let (wire, bases, tally) = (Wire::new()?, Arc::new(bases(seed)), Arc::new(Tally::default()));
    let stop = Arc::new(AtomicBool::new(false));
    let mut load = JoinSet::new();
    for number in 0..options.clients {
        let mut client = Client::new(number, seed, site, &wire, &bases, &tally);
        let stop = Arc::clone(&stop);
        load.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                client.step().await?;
            }
            anyhow::Ok(client)
        });
    }
    let killed = kill_again_and_again(site, options.kills, seed, &mut load).await;
    stop.store(true, Ordering::Relaxed);
    killed?;
    let mut clients = Vec::new();
    while let Some(client) = load.join_next().await {
        clients.push(client??);
    }
    for ((operation, outcome), count) in &*tally.lock() {
        println!("  {count:>8}  {operation}: {outcome}");
    }
    verify(clients).await?;
    remains::nothing_stays(site).await?;
    let panics = site.logged(&["panicked"]);
    ensure!(panics.is_empty(), "a server panicked: {panics:?}");
    println!("kill: everything acknowledged is there, and nothing else");
    Ok(())
}

async fn kill_again_and_again(site: &Site, kills: usize, seed: u64, load: &mut JoinSet<Result<Client>>) -> Result<()> {
    let mut rng = StdRng::seed_from_u64(seed ^ 0x6b69_6c6c);
    for number in 1..=kills {
        let (victim, pause) = (rng.random_range(0..site.replicas()), rng.random_range(50..1500));
        tokio::select! {
            ended = load.join_next() => match ended {
                Some(client) => bail!("a client ended: {:#}", client?.err().context("before it was told to")?),
                None => bail!("there are no clients"),
            },
            () = tokio::time::sleep(Duration::from_millis(pause)) => {}
        }
        site.kill(victim).await.with_context(|| format!("kill {number}"))?;
        let began = Instant::now();
        site.start(victim).await.with_context(|| format!("start after kill {number}"))?;
        println!(
            "  kill {number} of server {victim} after {pause} ms; it is back in {} ms",
            began.elapsed().as_millis()
        );
    }
    Ok(())
}

/// Few at a time: now it is the content that matters.
async fn verify(clients: Vec<Client>) -> Result<()> {
    let mut waiting = clients.into_iter();
    let mut running = JoinSet::new();
    loop {
        while running.len() < 8
            && let Some(mut client) = waiting.next()
        {
            running.spawn(async move { client.verify().await });
        }
        match running.join_next().await {
            Some(verified) => verified??,
            None => return Ok(()),
        }
    }
}
