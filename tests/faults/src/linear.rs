//! Writers and readers on few tags through two servers, one of them killed in the middle: is there a legal order, and is the
//! history that the servers recorded such an order?

mod check;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::goods::{Blob, MANIFEST};
use crate::site::{On, Site};
use crate::wire::{Ask, Outcome, Wire, sha256};
use check::{Act, Operation};

const REPOSITORY: &str = "linear/app";

/// How much of it.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// How long.
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
    /// How many clients work at once.
    #[arg(long, default_value_t = 8)]
    pub clients: usize,
    /// How many tags they share.
    #[arg(long, default_value_t = 4)]
    pub tags: usize,
    /// What the servers store in.
    #[arg(long, value_enum, default_value = "replicas")]
    pub on: On,
    /// How often one of the servers is killed.
    #[arg(long, default_value_t = 2)]
    pub kills: u32,
    /// What all choices follow from.
    #[arg(long)]
    pub seed: Option<u64>,
}

/// Runs it.
///
/// # Errors
/// A tag without a legal order, or whose history is none.
pub async fn run(program: PathBuf, options: Options) -> Result<()> {
    let seed = options.seed.unwrap_or_else(rand::random);
    println!("linear: {options:?}, --seed {seed}");
    let site = Arc::new(Site::new(&program, options.on).await?);
    let outcome = run_on(&site, &options, seed).await;
    site.end(&outcome).await;
    outcome.with_context(|| format!("--seed {seed}"))
}

async fn run_on(site: &Arc<Site>, options: &Options, seed: u64) -> Result<()> {
    site.start_all().await?;
    let desk = Arc::new(Desk::new(site, options.tags, seed).await?);
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for number in 0..options.clients {
        let (desk, stop) = (Arc::clone(&desk), Arc::clone(&stop));
        let mut rng = StdRng::seed_from_u64(seed.wrapping_add(number as u64));
        clients.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                desk.step(&mut rng).await?;
            }
            anyhow::Ok(())
        });
    }
    let pause = Duration::from_secs(options.seconds) / (options.kills + 1);
    for number in 0..options.kills {
        tokio::time::sleep(pause).await;
        let victim = usize::try_from(number)? % site.replicas();
        site.kill(victim).await?;
        site.start(victim).await?;
    }
    tokio::time::sleep(pause).await;
    stop.store(true, Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        client??;
    }
    desk.judge().await
}

/// What all clients share: the servers, and what was seen.
struct Desk {
    site: Arc<Site>,
    wire: Wire,
    config: Blob,
    /// What everything written here has in common, so that no two runs write the same.
    mark: u64,
    began: Instant,
    written: AtomicU32,
    /// What a digest is the number of.
    values: Mutex<HashMap<String, u32>>,
    seen: Vec<Mutex<Vec<Operation>>>,
}

impl Desk {
    async fn new(site: &Arc<Site>, tags: usize, mark: u64) -> Result<Self> {
        let desk = Self {
            site: Arc::clone(site),
            wire: Wire::new()?,
            config: Blob::new(mark, 200),
            mark,
            began: Instant::now(),
            written: AtomicU32::new(0),
            values: Mutex::default(),
            seen: (0..tags).map(|_| Mutex::default()).collect(),
        };
        let path = format!("/v2/{REPOSITORY}/blobs/uploads/?digest={}", desk.config.digest);
        let ask = Ask::new(Method::POST, path).body("application/octet-stream", desk.config.content());
        let answer = desk.ask(ask, &mut StdRng::seed_from_u64(0)).await?.context("an answer")?;
        ensure!(answer.0 == 201, "the configuration is answered {}", answer.0);
        Ok(desk)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Status and digest; `None` if it may have been carried out and nobody says.
    async fn ask(&self, ask: Ask<'_>, rng: &mut StdRng) -> Result<Option<(u16, String)>> {
        let url = self.site.url(rng).await;
        let shown = format!("{} {}", ask.method, ask.url);
        Ok(match self.wire.send(Ask { url: format!("{url}{}", ask.url), ..ask }).await? {
            Outcome::Answered(answer) if answer.status == 503 => None,
            Outcome::Answered(answer) => {
                ensure!(answer.status < 500, "{shown}: {}", answer.shown());
                Some((answer.status, answer.header("docker-content-digest").to_owned()))
            }
            Outcome::NotSent | Outcome::Unknown => None,
        })
    }

    async fn step(&self, rng: &mut StdRng) -> Result<()> {
        let tag = rng.random_range(0..self.seen.len());
        let path = format!("/v2/{REPOSITORY}/manifests/t{tag}");
        let begun = self.now();
        let (act, closed) = match rng.random_range(0..10) {
            0..4 => {
                let (value, manifest) = self.draw();
                let answer = self.ask(Ask::new(Method::PUT, path).body(MANIFEST, manifest), rng).await?;
                ensure!(answer.as_ref().is_none_or(|answer| answer.0 == 201), "PUT: {answer:?}");
                (Act::Write(value), answer.is_some())
            }
            4 => match self.ask(Ask::new(Method::DELETE, path), rng).await? {
                Some((404, _)) => (Act::Read(None), true),
                Some((status, _)) => {
                    ensure!(status == 202, "DELETE: {status}");
                    (Act::Delete, true)
                }
                None => (Act::Delete, false),
            },
            drawn => {
                let method = if drawn % 2 == 0 { Method::GET } else { Method::HEAD };
                match self.ask(Ask::new(method, path), rng).await? {
                    Some((404, _)) => (Act::Read(None), true),
                    Some((200, digest)) => (Act::Read(Some(self.number(&digest)?)), true),
                    Some((status, _)) => anyhow::bail!("GET: {status}"),
                    None => return Ok(()),
                }
            }
        };
        let ended = closed.then(|| self.now());
        self.seen[tag].lock().push(Operation { act, begun, ended });
        Ok(())
    }

    /// A manifest that nobody has written before, and its number.
    fn draw(&self) -> (u32, Bytes) {
        let value = self.written.fetch_add(1, Ordering::Relaxed);
        let config = json!({ "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": &*self.config.digest, "size": self.config.size });
        let annotations = json!({ "value": format!("{} {value}", self.mark) });
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [],
            "annotations": annotations });
        let manifest = Bytes::from(manifest.to_string());
        self.values.lock().insert(sha256(&manifest), value);
        (value, manifest)
    }

    fn number(&self, digest: &str) -> Result<u32> {
        self.values.lock().get(digest).copied().with_context(|| format!("{digest} was never written"))
    }

    async fn judge(&self) -> Result<()> {
        let (mut all, mut open) = (0, 0);
        for (tag, seen) in self.seen.iter().enumerate() {
            let operations = seen.lock().clone();
            all += operations.len();
            open += operations.iter().filter(|operation| operation.ended.is_none()).count();
            ensure!(check::is_linearizable(&operations), "t{tag} has no legal order: {}", shown(&operations));
            let history = self.history(tag).await?;
            ensure!(
                check::agrees_with(&operations, &history),
                "t{tag}: the history is no legal order: {history:?} of {}",
                shown(&operations)
            );
        }
        println!(
            "linear: {all} operations on {} tags, {open} of them without an answer, have a legal order, and it is the one that was recorded",
            self.seen.len()
        );
        Ok(())
    }

    /// Where the tag pointed, oldest first, as the servers recorded it.
    async fn history(&self, tag: usize) -> Result<Vec<Option<u32>>> {
        let (mut moves, mut after) = (Vec::new(), String::new());
        let url = self.site.url(&mut StdRng::seed_from_u64(0)).await;
        loop {
            let path = format!("{url}/api/v1/repositories/oci/{REPOSITORY}/-/tags/t{tag}/history?limit=1000{after}");
            let Outcome::Answered(answer) = self.wire.send(Ask::new(Method::GET, path)).await? else {
                anyhow::bail!("no answer about the history")
            };
            ensure!(answer.status == 200, "{}", answer.shown());
            let page: Value = serde_json::from_slice(answer.body.as_deref().unwrap_or_default())?;
            moves.extend(page["items"].as_array().context("a list of moves")?.iter().cloned());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        moves.reverse();
        let mut at = None;
        let mut history = Vec::new();
        for one in &moves {
            let number = |value: &Value| value.as_str().map(|digest| self.number(digest)).transpose();
            let (old, new) = (number(&one["old"])?, number(&one["new"])?);
            ensure!(old == at, "t{tag}: a move from {old:?}, and the one before went to {at:?}");
            history.push(new);
            at = new;
        }
        Ok(history)
    }
}

/// Short enough to read.
fn shown(operations: &[Operation]) -> String {
    let mut lines: Vec<_> = operations.iter().collect();
    lines.sort_by_key(|operation| operation.begun);
    lines.iter().map(|one| format!("\n  {:?} {} {:?}", one.act, one.begun, one.ended)).collect()
}
