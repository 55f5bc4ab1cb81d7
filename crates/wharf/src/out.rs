//! The only place that prints. Results go to standard output, everything said about them to standard error.
//!
//! Written without `println!`, which panics when the reader of a pipe has gone away.

use std::io::{IsTerminal, Write};

/// A line of the result.
pub(crate) fn line(text: impl AsRef<str>) {
    let mut out = std::io::stdout().lock();
    // Whoever closed the pipe does not want the rest, and there is nobody else to tell.
    let _ = writeln!(out, "{}", text.as_ref()).and_then(|()| out.flush());
}

/// The result as it is, without a line end.
pub(crate) fn raw(content: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(content).and_then(|()| out.flush());
}

/// A part of a result that is only good if it is whole.
pub(crate) fn result(content: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(content).and_then(|()| out.flush())
}

/// A remark beside the result.
pub(crate) fn note(text: impl AsRef<str>) {
    let _ = writeln!(std::io::stderr().lock(), "{}", text.as_ref());
}

/// A question, without a line end.
pub(crate) fn ask(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "{text} ").and_then(|()| err.flush());
}

/// Whether somebody can read remarks and answer questions.
pub(crate) fn somebody_is_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}
