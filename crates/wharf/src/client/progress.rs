//! Something moves while work is long, if somebody is there to see it.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use wharf_core::backup::{Count, Progress};

use crate::failure::Outcome;

/// Waits for `work` under a spinner that says what is done.
pub(crate) async fn during<T>(what: &str, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    if !std::io::stderr().is_terminal() {
        return work.await;
    }
    let style =
        ProgressStyle::with_template("{spinner} {msg} {elapsed}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new_spinner().with_style(style).with_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    let outcome = work.await;
    bar.finish_and_clear();
    outcome
}

/// Waits for `work` under a bar that says how much of it is done.
pub(crate) async fn counted<T>(what: &str, progress: &Progress, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    if !std::io::stderr().is_terminal() {
        return work.await;
    }
    let bar = bar(what);
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            outcome = &mut work => {
                bar.finish_and_clear();
                return outcome;
            }
            () = tokio::time::sleep(Duration::from_millis(100)) => show(&bar, progress.count()),
        }
    }
}

/// A bar over bytes, if somebody is there to see it.
pub(crate) fn bar_for_people(what: &str) -> Option<ProgressBar> {
    std::io::stderr().is_terminal().then(|| bar(what))
}

/// A bar over bytes.
fn bar(what: &str) -> ProgressBar {
    let template = "{prefix} [{bar:30}] {bytes}/{total_bytes} {msg} {elapsed}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style.progress_chars("=> ")).with_prefix(what.to_owned())
}

/// Moves the bar.
pub(crate) fn show(bar: &ProgressBar, count: Count) {
    bar.set_length(count.bytes_total);
    bar.set_position(count.bytes);
    bar.set_message(format!("{}/{} blobs, {} rows", count.blobs, count.blobs_total, count.rows));
}

/// Steps that are counted: `n of m` under a bar, as long as this lives.
pub(crate) struct Steps(ProgressBar);

/// Counts up to `total` steps, where somebody is there to see it.
pub(crate) fn steps(what: &str, total: usize) -> Steps {
    if !std::io::stderr().is_terminal() {
        return Steps(ProgressBar::hidden());
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos} of {human_len} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(total as u64).with_style(style).with_message(what.to_owned());
    bar.tick();
    Steps(bar)
}

impl Steps {
    /// So many more are done.
    pub(crate) fn done(&self, steps: usize) {
        self.0.inc(steps as u64);
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
