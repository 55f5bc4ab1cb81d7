//! Many upload packages and charts into one repository each while clients update again and again, through all servers, which are
//! killed: no client sees what does not fit together, and everything acknowledged is listed.

mod front;
mod parcel;
mod program;
mod reader;
mod upload;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::JoinSet;

use crate::site::{On, Site};
use crate::wire::Wire;
use front::Front;
use parcel::{Kind, Parcel};
use program::Program;
use reader::Reader;

/// From an acknowledged upload to its place in the index, at the end, when there is nothing else to do.
const VISIBLE: Duration = Duration::from_secs(60);

/// How much of it.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// How often a server is killed.
    #[arg(long, default_value_t = 10)]
    pub kills: usize,
    /// What the servers store in.
    #[arg(long, value_enum, default_value = "s3-postgres")]
    pub on: On,
    /// How many upload at once.
    #[arg(long, default_value_t = 8)]
    pub uploaders: usize,
    /// How many packages each of them uploads, at least: they go on until the last kill.
    #[arg(long, default_value_t = 50)]
    pub packages: usize,
    /// How many read the indexes in a loop, and hold everything against its checksum.
    #[arg(long, default_value_t = 4)]
    pub readers: usize,
    /// Real programs that update in a loop besides: any of apt-get, dnf, helm, which are found in PATH.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub programs: Vec<Program>,
    /// What all choices follow from. Printed; the same seed makes the same choices.
    #[arg(long)]
    pub seed: Option<u64>,
}

/// What all that take part share.
struct Scene {
    site: Arc<Site>,
    wire: Wire,
    /// Counts every kill, when it begins and when its server is back: odd while one is away.
    kills: AtomicUsize,
    /// No more kills are to come.
    calm: AtomicBool,
    /// All uploads are done.
    done: AtomicBool,
    acknowledged: Mutex<Vec<Parcel>>,
    updates: AtomicUsize,
}

/// Runs it.
///
/// # Errors
/// Whatever does not hold, with the seed. The servers' folder is kept then.
pub async fn run(program: PathBuf, options: Options) -> Result<()> {
    let seed = options.seed.unwrap_or_else(rand::random);
    let Options { kills, on, uploaders, packages, readers, .. } = options;
    println!("publish: {kills} kills, {uploaders} x {packages} packages, {readers} readers, {on:?}, --seed {seed}");
    let site = Arc::new(Site::new(&program, options.on).await?);
    let outcome = run_on(&site, &options, seed).await;
    site.end(&outcome).await;
    outcome.with_context(|| format!("--seed {seed}"))
}

async fn run_on(site: &Arc<Site>, options: &Options, seed: u64) -> Result<()> {
    site.start_all().await?;
    let scene = Arc::new(Scene {
        site: Arc::clone(site),
        wire: Wire::new()?,
        kills: AtomicUsize::new(0),
        calm: AtomicBool::new(false),
        done: AtomicBool::new(false),
        acknowledged: Mutex::default(),
        updates: AtomicUsize::new(0),
    });
    let mut rng = StdRng::seed_from_u64(seed);
    // Repositories and their keys are there before anybody asks for them.
    for kind in Kind::ALL {
        upload::one(&scene, &mut rng, Parcel::new(kind, "first", 0)?, true).await?;
    }
    let began = Instant::now();
    let mut uploaders = JoinSet::new();
    for number in 0..options.uploaders {
        uploaders.spawn(upload::many(Arc::clone(&scene), number, options.packages, rng.random()));
    }
    let mut updaters = JoinSet::new();
    for number in 0..options.readers {
        let kind = Kind::ALL[number % Kind::ALL.len()];
        updaters.spawn(Reader::new(kind).run(Arc::clone(&scene), rng.random()));
    }
    let front = Front::start(Arc::clone(site)).await?;
    for program in &options.programs {
        let ready = program.prepare(&scene, &front.url(), &site.folder.join(format!("{program:?}"))).await?;
        updaters.spawn(ready.run(Arc::clone(&scene)));
    }
    tokio::select! {
        killed = kill(&scene, options.kills, &mut rng) => killed?,
        // Nobody ends before the last kill but by an error.
        Some(ended) = updaters.join_next() => return ended?.context("an update"),
    }
    while let Some(ended) = uploaders.join_next().await {
        ended??;
    }
    let uploaded = began.elapsed();
    scene.done.store(true, Ordering::SeqCst);
    while let Some(ended) = updaters.join_next().await {
        ended?.context("an update")?;
    }
    verify(&scene, &mut rng).await?;
    let panics = site.logged(&["panicked"]);
    ensure!(panics.is_empty(), "a server panicked: {panics:?}");
    let (files, updates) = (scene.acknowledged.lock().len(), scene.updates.load(Ordering::SeqCst));
    println!("publish: {files} files uploaded in {uploaded:.1?}, all listed; {updates} updates, each of one piece");
    Ok(())
}

async fn kill(scene: &Scene, kills: usize, rng: &mut StdRng) -> Result<()> {
    let site = &scene.site;
    for number in 1..=kills {
        let (victim, pause) = (rng.random_range(0..site.replicas()), rng.random_range(200..2500));
        tokio::time::sleep(Duration::from_millis(pause)).await;
        scene.kills.fetch_add(1, Ordering::SeqCst);
        site.kill(victim).await.with_context(|| format!("kill {number}"))?;
        site.start(victim).await.with_context(|| format!("start after kill {number}"))?;
        scene.kills.fetch_add(1, Ordering::SeqCst);
        println!("  kill {number} of server {victim} after {pause} ms");
    }
    scene.calm.store(true, Ordering::SeqCst);
    Ok(())
}

/// Everything acknowledged is listed with its checksum and can be fetched from every server, and nothing else is listed.
async fn verify(scene: &Arc<Scene>, rng: &mut StdRng) -> Result<()> {
    for kind in Kind::ALL {
        let mut wanted: Vec<_> =
            scene.acknowledged.lock().iter().filter(|parcel| parcel.kind == kind).cloned().collect();
        wanted.sort_by(|a, b| a.sha256.cmp(&b.sha256));
        let reader = Reader::new(kind);
        let deadline = Instant::now() + VISIBLE;
        loop {
            let url = scene.site.url(rng).await;
            let mut listed = reader.read(scene, &url).await?.context("nobody was killed")?;
            listed.sort_by(|a, b| a.sha256.cmp(&b.sha256));
            if listed.iter().map(|entry| &entry.sha256).eq(wanted.iter().map(|parcel| &parcel.sha256)) {
                break;
            }
            ensure!(
                Instant::now() < deadline,
                "{kind:?}: {} are listed, {} were acknowledged",
                listed.len(),
                wanted.len()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        for index in 0..scene.site.replicas() {
            let url = scene.site.url_of(index).context("a server that runs")?;
            for entry in reader.read(scene, &url).await?.context("nobody was killed")? {
                reader.fetch(scene, &url, &entry).await?.context("nobody was killed")?;
            }
        }
    }
    Ok(())
}
