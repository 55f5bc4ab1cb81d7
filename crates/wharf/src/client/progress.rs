//! Something moves while work is long, if somebody is there to see it.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

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
