//! What was done, counted and told while it goes on, and at its end.

use std::cell::{Cell, RefCell};

use futures_util::StreamExt as _;
use indicatif::{HumanBytes, ProgressBar};
use serde_json::json;

use super::stop::{One, Stop};
use crate::client::{Output, progress};
use crate::failure::{Failure, Outcome};
use crate::out;

/// Counts of an import.
pub(super) struct Tally {
    bar: ProgressBar,
    /// Whether nothing is really sent.
    dry: bool,
    sent: Cell<u64>,
    bytes: Cell<u64>,
    there: Cell<u64>,
    changed: Cell<u64>,
    left: RefCell<Vec<(String, String)>>,
    failed: RefCell<Vec<(String, String)>>,
    passed_over: RefCell<Vec<(String, String)>>,
}

impl Tally {
    pub(super) fn new(dry: bool) -> Self {
        Self {
            bar: progress::bar_for_people("import").unwrap_or_else(ProgressBar::hidden),
            dry,
            sent: Cell::default(),
            bytes: Cell::default(),
            there: Cell::default(),
            changed: Cell::default(),
            left: RefCell::default(),
            failed: RefCell::default(),
            passed_over: RefCell::default(),
        }
    }

    pub(super) fn dry(&self) -> bool {
        self.dry
    }

    /// Under which files are sent.
    pub(super) fn bar(&self) -> &ProgressBar {
        &self.bar
    }

    /// There is so much more to do.
    pub(super) fn expect(&self, bytes: u64) {
        self.bar.inc_length(bytes);
    }

    /// A file was sent. The bar has moved with its bytes.
    pub(super) fn sent(&self, bytes: u64) {
        self.sent.set(self.sent.get() + 1);
        self.bytes.set(self.bytes.get() + bytes);
        if self.dry {
            self.bar.inc(bytes);
        }
        self.show();
    }

    /// A file is there already.
    pub(super) fn there(&self, bytes: u64) {
        self.there.set(self.there.get() + 1);
        self.bar.inc(bytes);
        self.show();
    }

    /// Something that is there is to be found in one more place, for which nothing was sent.
    pub(super) fn changed(&self) {
        self.changed.set(self.changed.get() + 1);
        self.show();
    }

    /// A tag stays where it leads on the server, as was asked for.
    pub(super) fn left(&self, what: &str, where_it_leads: &str) {
        let (what, why) = (One::new(what).to_string(), One::new(where_it_leads).to_string());
        self.bar.suspend(|| out::note(format!("left: {what}: it leads to {why} there")));
        self.left.borrow_mut().push((what, why));
    }

    /// Something was not imported, and should have been.
    pub(super) fn failed(&self, what: &str, why: &One) {
        let (what, why) = (One::new(what).to_string(), why.to_string());
        self.bar.suspend(|| out::note(format!("not imported: {what}: {why}")));
        self.failed.borrow_mut().push((what, why));
        self.show();
    }

    /// Something is not imported, and need not be.
    pub(super) fn passed_over(&self, what: &str, why: &str) {
        let what = One::new(what).to_string();
        self.bar.suspend(|| out::note(format!("passed over: {what}: {why}")));
        self.passed_over.borrow_mut().push((what, why.to_owned()));
    }

    fn show(&self) {
        let failed = self.failed.borrow().len();
        let failed = if failed == 0 { String::new() } else { format!(", {failed} failed") };
        self.bar.set_message(format!("{} sent, {} there{failed}", self.sent.get(), self.there.get()));
    }

    /// Does something with each of many, some at a time. What goes wrong with one is noted, and the others go on.
    pub(super) async fn each<T>(
        &self,
        jobs: usize,
        all: impl IntoIterator<Item = T>,
        name: impl Fn(&T) -> String,
        work: impl AsyncFn(T) -> Result<(), Stop>,
    ) -> Outcome {
        let (name, work) = (&name, &work);
        let mut running = futures_util::stream::iter(all)
            .map(|one| async move {
                let name = name(&one);
                (name, work(one).await)
            })
            .buffer_unordered(jobs);
        while let Some((name, done)) = running.next().await {
            match done {
                Ok(()) => {}
                Err(Stop::One(why)) => self.failed(&name, &why),
                Err(Stop::All(failure)) => return Err(failure),
            }
        }
        Ok(())
    }

    /// Tells what was done. Fails if something was not imported.
    pub(super) fn finish(&self, output: Output, kind: &str, destination: &str, ended: Outcome) -> Outcome {
        self.bar.finish_and_clear();
        let failed = self.failed.borrow();
        match output {
            Output::Table => self.tell(ended.is_ok()),
            Output::Json => {
                let list = |all: &[(String, String)], why: &str| -> Vec<_> {
                    all.iter().map(|(what, reason)| json!({ "name": what, why: reason })).collect()
                };
                let told = json!({
                    "from": kind,
                    "destination": destination,
                    "dry_run": self.dry,
                    "complete": ended.is_ok() && failed.is_empty(),
                    "sent": self.sent.get(),
                    "sent_bytes": self.bytes.get(),
                    "there": self.there.get(),
                    "placed": self.changed.get(),
                    "left": list(&self.left.borrow(), "digest"),
                    "failed": list(&failed, "error"),
                    "passed_over": list(&self.passed_over.borrow(), "reason"),
                });
                out::line(serde_json::to_string_pretty(&told)?);
            }
        }
        ended?;
        match failed.len() {
            0 => Ok(()),
            1 => Err(Failure::new("one was not imported; it is named above").hint(AGAIN)),
            count => Err(Failure::new(format!("{count} were not imported; they are named above")).hint(AGAIN)),
        }
    }

    fn tell(&self, whole: bool) {
        let (sent, there, changed) = (self.sent.get(), self.there.get(), self.changed.get());
        let placed = match (changed, self.dry) {
            (0, _) => String::new(),
            (count, false) => format!(", {count} placed without sending them"),
            (count, true) => format!(", {count} would be placed without sending them"),
        };
        let placed = match self.left.borrow().len() {
            0 => placed,
            1 => format!("{placed}, 1 tag left that leads elsewhere"),
            count => format!("{placed}, {count} tags left that lead elsewhere"),
        };
        out::line(match (sent, self.dry) {
            (0, _) if whole && placed.is_empty() && self.failed.borrow().is_empty() => {
                format!("nothing to send: all {there} are there already")
            }
            (_, true) => {
                format!("{sent} would be sent ({}), {there} are there already{placed}", HumanBytes(self.bytes.get()))
            }
            (_, false) => format!("{sent} sent ({}), {there} were there already{placed}", HumanBytes(self.bytes.get())),
        });
    }
}

const AGAIN: &str = "mend what is named and run the same command again: what is there is not sent again";
