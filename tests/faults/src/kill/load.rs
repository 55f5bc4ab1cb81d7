//! Clients that work until they are told to stop, and then know what must be there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::task::JoinSet;

use super::client::{Client, Tally};
use crate::goods::bases;
use crate::site::Site;
use crate::wire::Wire;

/// An operation that takes longer will not end.
const LAST_OPERATION: Duration = Duration::from_secs(300);

/// Clients at work.
pub(crate) struct Load {
    clients: JoinSet<Result<Client>>,
    stop: Arc<AtomicBool>,
    tally: Arc<Tally>,
}

/// Clients that have stopped.
pub(crate) struct Clients {
    clients: Vec<Client>,
    tally: Arc<Tally>,
}

impl Load {
    /// Sets so many clients to work.
    pub(crate) fn start(site: &Arc<Site>, clients: usize, seed: u64) -> Result<Self> {
        let (wire, bases, tally) = (Wire::new()?, Arc::new(bases(seed)), Arc::new(Tally::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let mut load = JoinSet::new();
        for number in 0..clients {
            let mut client = Client::new(number, seed, site, &wire, &bases, &tally);
            let stop = Arc::clone(&stop);
            load.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let done = client.step().await;
                    done.with_context(|| format!("after{}\n", client.trail()))?;
                }
                Ok(client)
            });
        }
        Ok(Self { clients: load, stop, tally })
    }

    /// Lets them work for so long.
    ///
    /// # Errors
    /// As soon as one of them sees what must not be.
    pub(crate) async fn run_for(&mut self, span: Duration) -> Result<()> {
        tokio::select! {
            ended = self.clients.join_next() => match ended {
                Some(client) => bail!("{:#}", client?.err().unwrap_or_else(|| anyhow::anyhow!("a client stopped"))),
                None => bail!("there are no clients"),
            },
            () = tokio::time::sleep(span) => Ok(()),
        }
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> u64 {
        self.tally.lock().values().sum()
    }

    /// Waits until each has ended its operation.
    ///
    /// # Errors
    /// If one of them cannot, or saw what must not be.
    pub(crate) async fn stop(mut self) -> Result<Clients> {
        self.stop.store(true, Ordering::Relaxed);
        let mut clients = Vec::new();
        let ended = tokio::time::timeout(LAST_OPERATION, async {
            while let Some(client) = self.clients.join_next().await {
                clients.push(client??);
            }
            Ok::<_, anyhow::Error>(())
        });
        ended.await.context("clients that cannot end what they do")??;
        for ((operation, outcome), count) in &*self.tally.lock() {
            println!("  {count:>8}  {operation}: {outcome}");
        }
        Ok(Clients { clients, tally: self.tally })
    }
}

impl Clients {
    /// Answers of servers that were errors, and answers that never came, by status.
    pub(crate) fn errors(&self) -> BTreeMap<String, u64> {
        crate::soak::errors(&self.tally.lock())
    }

    /// How many requests were refused for want of room.
    pub(crate) fn full(&self) -> u64 {
        self.tally.lock().iter().filter(|((_, outcome), _)| outcome == "507").map(|(_, count)| count).sum()
    }

    /// Reads everything that they know of. Few at a time: now it is the content that matters.
    pub(crate) async fn verify(self) -> Result<()> {
        let mut waiting = self.clients.into_iter();
        let mut running = JoinSet::new();
        loop {
            while running.len() < 8
                && let Some(mut client) = waiting.next()
            {
                running.spawn(async move {
                    let done = client.verify().await;
                    done.with_context(|| format!("after{}\n", client.trail()))
                });
            }
            match running.join_next().await {
                Some(verified) => verified??,
                None => return Ok(()),
            }
        }
    }
}
