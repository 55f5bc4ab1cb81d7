//! What servers log.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

use serde_json::Value;

thread_local! {
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Keeps what each thread logs, from now on. Installed once for the whole program and before anything is logged: with subscribers that come
/// and go, tests that run beside each other could switch off each other's log statements.
pub(crate) fn begin() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let subscriber = tracing_subscriber::fmt().json().with_writer(|| Keeper).finish();
        // A test program may have one of its own, and then has no use for this one.
        let _ = tracing::subscriber::set_global_default(subscriber);
    });
    LINES.with_borrow_mut(Vec::clear);
}

/// The lines that were logged on this thread since the last server was started on it, as JSON. A test whose runtime has one thread sees those of its servers; of a
/// database only what is logged by the one who asks.
pub fn logged() -> Vec<Value> {
    LINES.with_borrow(|lines| {
        let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).expect("a line of JSON")).collect()
    })
}

/// Writes to the lines of the thread it is on.
struct Keeper;

impl Write for Keeper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
