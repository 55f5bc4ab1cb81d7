//! A disk that gets full: what is refused and how, what still works, and that it works again when there is room.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Method;

use crate::backup::Backups;
use crate::goods::{Blob, Image};
use crate::kill::Load;
use crate::registry::Registry;
use crate::remains;
use crate::site::{On, Site};
use crate::wire::{Ask, Wire};

/// How much of it.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// How often the disk is filled under load.
    #[arg(long, default_value_t = 10)]
    pub rounds: usize,
    /// How many clients work at once.
    #[arg(long, default_value_t = 20)]
    pub clients: usize,
    /// What all choices follow from.
    #[arg(long)]
    pub seed: Option<u64>,
}

/// Bytes of the disk.
const DISK: u64 = 320 << 20;
const LOW_WATER: u64 = 24 << 20;
const LEAST_WATER: u64 = 8 << 20;

/// Runs it.
///
/// # Errors
/// Whatever does not hold, with the seed; and if no disk can be mounted here.
pub async fn run(program: PathBuf, options: Options) -> Result<()> {
    let seed = options.seed.unwrap_or_else(rand::random);
    println!("full disk: {} rounds, {} clients, --seed {seed}", options.rounds, options.clients);
    let site = Arc::new(Site::new(&program, On::FilesSqlite).await?);
    let disk = Disk::mount(site.folder.join("disk"))?;
    let backups = Disk::mount(site.folder.join("backups"))?;
    site.keep_data_in(disk.path.join("data")).await;
    let outcome = async {
        step_by_step(&site, &disk, seed).await?;
        backed_up(&site, &backups, seed).await?;
        under_load(&site, &disk, &options, seed).await
    };
    let outcome = outcome.await;
    if outcome.is_err() {
        println!("{}", site.logged(&["WARN", "ERROR", "panicked"]).join("\n"));
    }
    // First: a folder on which something is mounted cannot be removed.
    drop((disk, backups));
    site.end(&outcome).await;
    outcome.with_context(|| format!("--seed {seed}"))
}

async fn step_by_step(site: &Site, disk: &Disk, seed: u64) -> Result<()> {
    site.set("storage.low_water", &LOW_WATER.to_string()).await;
    site.start_all().await?;
    let mut server = registry(site)?;
    let mut rng = StdRng::seed_from_u64(seed);
    let mut images = Vec::new();
    // Nearly full, so that it takes few pushes.
    disk.fill(LOW_WATER + (12 << 20))?;
    let refused = loop {
        let image = Image::of(vec![Blob::new(rng.random(), 300), Blob::new(rng.random(), 1 << 20)]);
        let answer = server.push("full/app", &format!("v{}", images.len()), &image).await?;
        if answer.status != 201 {
            break answer;
        }
        images.push(image);
        ensure!(images.len() < 40, "pushes go on below the low-water mark");
    };
    ensure!(refused.status == 507 && refused.shown().contains("full"), "{}", refused.shown());
    ensure!(images.len() > 5, "pushes were refused while there was room");
    println!("  {} pushes until the low-water mark, then {}", images.len(), refused.shown());
    let upload = server.ask(Ask::new(Method::POST, "/v2/full/app/blobs/uploads/".into())).await?;
    ensure!(upload.status == 507, "an upload begins below the low-water mark: {}", upload.shown());
    // Nothing at all is left.
    disk.fill(0)?;
    ensure!(server.push("full/app", "late", &images[0]).await?.status == 507, "a push onto a full disk");
    pulled(&server, &images, "pulls from a full disk").await?;
    for index in 0..3 {
        let answer = server.delete(&format!("/v2/full/app/manifests/v{index}")).await?;
        ensure!(answer.status == 202, "a full disk refuses to delete: {}", answer.shown());
    }
    let gone: Vec<Image> = images.drain(..3).collect();
    reserve_is_used(site, &server).await?;
    println!("  a full disk serves pulls and takes deletes");
    site.kill(0).await?;
    site.start(0).await.context("a start on a full disk")?;
    server = registry(site)?;
    for (index, _) in gone.iter().enumerate() {
        ensure!(server.get(&format!("/v2/full/app/manifests/v{index}")).await?.status == 404, "v{index} came back");
    }
    for (index, image) in images.iter().enumerate() {
        server.verify("full/app", &format!("v{}", index + 3), image).await.context("after a kill on a full disk")?;
    }
    disk.make_room()?;
    let again = server.push("full/app", "late", &gone[0]).await?;
    ensure!(again.status == 201, "there is room again, and a push is answered {}", again.shown());
    println!("  it starts on a full disk, and takes pushes again as soon as there is room");
    reserve_comes_back(site, &server).await?;
    site.stop_all().await
}

/// The place for backups is full: that is said, what was there before is still whole, and the next backup with room is made.
async fn backed_up(site: &Arc<Site>, place: &Disk, seed: u64) -> Result<()> {
    site.start_all().await?;
    let server = registry(site)?;
    let mut rng = StdRng::seed_from_u64(seed ^ 0xbac0);
    let mut backups = Backups::new(site).await?;
    ensure!(backups.made() == 1, "the first backup was not made");
    for number in 0..4 {
        let image = Image::of(vec![Blob::new(rng.random(), 300), Blob::new(rng.random(), 2 << 20)]);
        let answer = server.push("full/backed-up", &format!("v{number}"), &image).await?;
        ensure!(answer.status == 201, "a push while there is room: {}", answer.shown());
    }
    // From nothing at all to enough for some of it.
    for free in [0, 200_000, 3 << 20] {
        place.fill(free)?;
        let refused = backups.now().await.err().context("a backup into a place without room was made")?;
        let said = format!("{refused:#}");
        ensure!(said.contains("No space left"), "a backup into a full place says {said}");
        ensure!(backups.listed().await? == 1, "a backup that failed is listed");
        backups.verify().await.context("after a backup into a full place")?;
        place.make_room()?;
    }
    println!("  a full place for backups is told as such, and what is in it stays whole");
    backups.now().await.context("there is room again")?;
    ensure!(backups.listed().await? == 2, "the backup that was made is not listed");
    backups.verify().await?;
    site.stop_all().await
}

/// Changes that are no push go on, and the room for them comes from the reserve.
async fn reserve_is_used(site: &Site, server: &Registry) -> Result<()> {
    let reserve = site.launch(0).await.data.join("wharf.db.reserve");
    for number in 0..2000 {
        if !reserve.exists() {
            return Ok(());
        }
        let project: Bytes = format!("{{\"name\":\"project-{number}\"}}").into();
        let ask = Ask::new(Method::POST, "/api/v1/projects".into()).body("application/json", project);
        let answer = server.ask(ask).await?;
        ensure!(answer.status == 201, "the reserve is there, and a change is answered {}", answer.shown());
    }
    anyhow::bail!("2000 changes on a full disk did not need {}", reserve.display())
}

async fn pulled(server: &Registry, images: &[Image], what: &'static str) -> Result<()> {
    for (index, image) in images.iter().enumerate() {
        server.verify("full/app", &format!("v{index}"), image).await.context(what)?;
    }
    Ok(())
}

/// It is looked for after commits, so there have to be some.
async fn reserve_comes_back(site: &Site, server: &Registry) -> Result<()> {
    let reserve = site.launch(0).await.data.join("wharf.db.reserve");
    let (began, mut number) = (Instant::now(), 0);
    while !reserve.exists() {
        ensure!(began.elapsed() < Duration::from_secs(60), "{} does not come back", reserve.display());
        number += 1;
        let image = Image::of(vec![Blob::new(number, 100)]);
        ensure!(server.push("full/app", "tick", &image).await?.status == 201, "a push while there is room");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// With next to no low-water mark, so that every write there is meets a full disk. With none at all the load itself may take
/// the last byte, and then there is no room either for the writes that would make some.
async fn under_load(site: &Arc<Site>, disk: &Disk, options: &Options, seed: u64) -> Result<()> {
    site.set("storage.low_water", &LEAST_WATER.to_string()).await;
    site.start_all().await?;
    let mut load = Load::start(site, options.clients, seed)?;
    let mut rng = StdRng::seed_from_u64(seed ^ 0xd15c);
    for _ in 0..options.rounds {
        load.run_for(Duration::from_millis(rng.random_range(300..1500))).await?;
        disk.fill(rng.random_range(0..3) * 100_000)?;
        load.run_for(Duration::from_millis(rng.random_range(300..1500))).await?;
        disk.make_room()?;
    }
    let clients = load.stop().await?;
    let full = clients.full();
    ensure!(full > 0, "no request met the full disk");
    println!("  {full} requests met a full disk");
    clients.verify().await?;
    remains::nothing_stays(site).await?;
    let panics = site.logged(&["panicked"]);
    ensure!(panics.is_empty(), "the server panicked: {panics:?}");
    println!("full disk: nothing acknowledged was lost, nothing else stays");
    Ok(())
}

pub(crate) fn registry(site: &Site) -> Result<Registry> {
    let url = site.url_of(0).context("a server that runs")?.to_string();
    Ok(Registry { wire: Wire::new()?, url })
}

/// A small disk, with a file that fills what is to be full.
struct Disk {
    path: PathBuf,
}

impl Disk {
    fn mount(path: PathBuf) -> Result<Self> {
        fs::create_dir_all(&path)?;
        let size = format!("size={DISK}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path).output()?;
        let why = String::from_utf8_lossy(&mounted.stderr).into_owned();
        ensure!(mounted.status.success(), "a small disk cannot be mounted here, which needs root: {why}");
        Ok(Self { path })
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }

    /// Leaves `free` bytes, or what a page more or less makes of it.
    fn fill(&self, free: u64) -> Result<()> {
        let mut filler = File::options().create(true).append(true).open(self.filler())?;
        let block = vec![0xff_u8; 64 << 10];
        while self.free()? > free {
            let wanted = (self.free()? - free).min(block.len() as u64);
            match filler.write(&block[..usize::try_from(wanted)?]) {
                Ok(0) => break,
                Ok(_) => {}
                // Somebody else was faster.
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn make_room(&self) -> Result<()> {
        Ok(fs::remove_file(self.filler())?)
    }

    fn free(&self) -> Result<u64> {
        free(&self.path)
    }
}

fn free(path: &Path) -> Result<u64> {
    let disk = rustix::fs::statvfs(path)?;
    Ok(disk.f_bavail * disk.f_frsize)
}

impl Drop for Disk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.path).status().ok();
    }
}
