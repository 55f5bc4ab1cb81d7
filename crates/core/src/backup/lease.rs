//! Who may write into a depot, and who reads from it.
//!
//! A backup or a prune holds `LOCK`: a file with a time, which its holder renews, and at the end sets to long ago. What a crash left is
//! taken over when its time is up, or at once by the next try of the same run. Who restores or checks leaves a file under `readers/`; that keeps
//! nobody from backing up, but a prune is refused. Clocks of machines that share a depot may differ by less than [`SPAN`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio_util::task::AbortOnDropHandle;
use wharf_storage::{Depot, DepotError};
use wharf_types::{Clock, Timestamp};

use super::rows;
use crate::{Error, Result};

const LOCK: &str = "LOCK";
const READERS: &str = "readers";
/// A holder that has not been heard of for so long is gone.
const SPAN: Duration = Duration::from_secs(3 * 60);
const RENEW: Duration = Duration::from_secs(30);
/// More is no lease.
const MOST: usize = 4096;

/// What a lease says, for machines and for people.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Held {
    /// What runs. Another try of the same run takes its lease over.
    run: String,
    process: u32,
    since: Timestamp,
    until: Timestamp,
}

/// A lease, renewed as long as it is held. Dropped without a release it ends by itself.
pub(super) struct Lease {
    depot: Arc<dyn Depot>,
    name: String,
    /// What the file holds.
    mine: Arc<Mutex<Vec<u8>>>,
    lost: Arc<AtomicBool>,
    renewing: AbortOnDropHandle<()>,
}

impl Lease {
    /// For who writes.
    ///
    /// # Errors
    /// [`DepotError::Busy`], and those of the depot.
    pub(super) async fn take(depot: &Arc<dyn Depot>, clock: &Clock, run: &str) -> Result<Self> {
        let now = clock.now();
        let held = Held { run: run.to_owned(), process: std::process::id(), since: now, until: now.after(SPAN) };
        let mine = text(&held)?;
        loop {
            let found = read(depot, LOCK).await?;
            if let Some(other) = found.as_deref().and_then(living(now)).filter(|other| other.run != run) {
                return Err(busy(depot, &other));
            }
            if depot.swap(LOCK, found.as_deref(), &mine).await? {
                return Ok(Self::renewed(depot, clock, LOCK.to_owned(), held, mine));
            }
        }
    }

    /// For who removes: also no reader may be there.
    ///
    /// # Errors
    /// As [`Lease::take`].
    pub(super) async fn take_alone(depot: &Arc<dyn Depot>, clock: &Clock, run: &str) -> Result<Self> {
        // In this order: a reader shows itself and looks at the lock after that.
        let lease = Self::take(depot, clock, run).await?;
        for entry in depot.list(READERS).await? {
            let name = format!("{READERS}/{}", entry.name);
            let Some(found) = read(depot, &name).await? else { continue };
            if let Some(reader) = living(clock.now())(&found) {
                lease.release().await?;
                return Err(busy(depot, &reader));
            }
            depot.remove(&name).await?;
        }
        Ok(lease)
    }

    /// For who reads and must find everything to the end. None where nothing can be written, as in a copy that is mounted
    /// read-only.
    ///
    /// # Errors
    /// [`DepotError::Busy`] while somebody prunes, and those of the depot.
    async fn read(depot: &Arc<dyn Depot>, clock: &Clock, run: &str) -> Result<Option<Self>> {
        let now = clock.now();
        let held = Held { run: run.to_owned(), process: std::process::id(), since: now, until: now.after(SPAN) };
        let (name, mine) = (format!("{READERS}/{run}").replace(' ', "-"), text(&held)?);
        match depot.swap(&name, None, &mine).await {
            Ok(_) => {}
            Err(error) => {
                tracing::info!(%error, "the backup is read without a note that it is");
                return Ok(None);
            }
        }
        let lease = Self::renewed(depot, clock, name, held, mine);
        match read(depot, LOCK).await?.as_deref().and_then(living(now)).filter(|other| other.run.starts_with(PRUNE)) {
            Some(other) => {
                lease.release().await?;
                Err(busy(depot, &other))
            }
            None => Ok(Some(lease)),
        }
    }

    /// Does `work`, which must find everything to the end.
    ///
    /// # Errors
    /// As [`Lease::read`], and those of the work.
    pub(super) async fn reading<T>(
        depot: &Arc<dyn Depot>,
        clock: &Clock,
        run: &str,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let lease = Self::read(depot, clock, run).await?;
        let done = work.await;
        if let Some(lease) = lease
            && let Err(error) = lease.release().await
        {
            tracing::warn!(%error, "the note that the backup is read was not removed: it ends by itself");
        }
        done
    }

    fn renewed(depot: &Arc<dyn Depot>, clock: &Clock, name: String, held: Held, mine: Vec<u8>) -> Self {
        let (mine, lost) = (Arc::new(Mutex::new(mine)), Arc::new(AtomicBool::new(false)));
        let renewing = Renewing {
            depot: Arc::clone(depot),
            clock: clock.clone(),
            name: name.clone(),
            held,
            mine: Arc::clone(&mine),
            lost: Arc::clone(&lost),
        };
        let renewing = AbortOnDropHandle::new(tokio::spawn(renewing.run()));
        Self { depot: Arc::clone(depot), name, mine, lost, renewing }
    }

    /// Asks the depot, past what is remembered: before what cannot be taken back.
    ///
    /// # Errors
    /// [`Error::Backup`] if it is lost.
    pub(super) async fn confirm(&self) -> Result<()> {
        self.check()?;
        let (found, mine) = (read(&self.depot, &self.name).await?, self.mine.lock().clone());
        // Or it was renewed in between.
        if found.is_some_and(|found| found == mine || found == *self.mine.lock()) { Ok(()) } else { Err(lost()) }
    }

    /// # Errors
    /// [`Error::Backup`] if it is known to be lost.
    pub(super) fn check(&self) -> Result<()> {
        if self.lost.load(Ordering::Relaxed) { Err(lost()) } else { Ok(()) }
    }

    /// Lets others in.
    ///
    /// # Errors
    /// Those of the depot; then it ends by itself.
    pub(super) async fn release(self) -> Result<()> {
        let Self { depot, name, mine, renewing, .. } = self;
        renewing.abort();
        renewing.await.ok();
        if name != LOCK {
            // A name that nobody else takes.
            return Ok(depot.remove(&name).await?);
        }
        let mine = mine.lock().clone();
        if !depot.swap(&name, Some(&mine), &over(&mine)?).await? {
            // A renewal was under way and came to its end.
            let found = read(&depot, &name).await?;
            let held = |content: &[u8]| serde_json::from_slice::<Held>(content).ok().map(|held| (held.run, held.since));
            if let Some(found) = found.filter(|found| held(found) == held(&mine)) {
                depot.swap(&name, Some(&found), &over(&found)?).await?;
            }
        }
        Ok(())
    }
}

/// How the run of a prune begins.
pub(super) const PRUNE: &str = "prune";

struct Renewing {
    depot: Arc<dyn Depot>,
    clock: Clock,
    name: String,
    held: Held,
    mine: Arc<Mutex<Vec<u8>>>,
    lost: Arc<AtomicBool>,
}

impl Renewing {
    async fn run(mut self) {
        loop {
            tokio::time::sleep(RENEW).await;
            let now = self.clock.now();
            let renewed = Held { until: now.after(SPAN), ..self.held.clone() };
            let (Ok(new), old) = (text(&renewed), self.mine.lock().clone()) else { continue };
            let kept = match self.depot.swap(&self.name, Some(&old), &new).await {
                Ok(kept) => kept,
                // The answer may have been lost, or the depot be away for a moment: others wait until its time is up.
                Err(error) => {
                    tracing::warn!(%error, "the lease of a backup directory was not renewed");
                    match read(&self.depot, &self.name).await {
                        Ok(found) if found.as_deref() == Some(&new[..]) => true,
                        _ if now < self.held.until => continue,
                        _ => false,
                    }
                }
            };
            if !kept {
                self.lost.store(true, Ordering::Relaxed);
                return;
            }
            *self.mine.lock() = new;
            self.held = renewed;
        }
    }
}

async fn read(depot: &Arc<dyn Depot>, name: &str) -> Result<Option<Vec<u8>>> {
    match depot.get(name).await {
        Err(DepotError::NotFound(_)) => Ok(None),
        file => {
            let content = rows::whole(file?, MOST).await;
            content.map(Some).map_err(|error| Error::Backup(format!("{name} in {}: {error}", depot.place())))
        }
    }
}

/// A lease that is not over. What cannot be read as one is nobody's.
fn living(now: Timestamp) -> impl Fn(&[u8]) -> Option<Held> {
    move |content| serde_json::from_slice::<Held>(content).ok().filter(|held| held.until > now)
}

/// The lease at its end. The file stays: that somebody else has not taken it meanwhile is a condition of a write, not of a removal.
fn over(held: &[u8]) -> Result<Vec<u8>> {
    let held: Held = serde_json::from_slice(held).map_err(|error| Error::Backup(error.to_string()))?;
    text(&Held { until: Timestamp::from_millis(0), ..held })
}

fn text(held: &Held) -> Result<Vec<u8>> {
    serde_json::to_vec(held).map_err(|error| Error::Backup(error.to_string()))
}

fn busy(depot: &Arc<dyn Depot>, held: &Held) -> Error {
    let Held { run, process, since, until } = held;
    let said = format!(
        "{} is in use since {since} by {run} (process {process}); if that is gone, from {until} on it is free",
        depot.place()
    );
    Error::Depot(DepotError::Busy(said))
}

fn lost() -> Error {
    Error::Backup(
        "the lease of the backup directory was lost: this machine or the directory stood still for minutes".into(),
    )
}
