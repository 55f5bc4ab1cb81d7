//! Writing log lines a few hundred at a time.
//!
//! A `write` for every request costs as much as reading a manifest. Here a request leaves its line in a buffer, and a thread
//! writes the buffer when there is enough in it, or after a while. Errors are written before the one who reports them goes on,
//! with everything before them. A process that is killed takes the lines of the last moment along; one that panics or stops
//! does not.
//! (tracing-appender's writer is woken for every line, and writes every line on its own.)

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long lines wait for others, and how many bytes of them do. Writing more at a time takes so long that requests notice.
const GATHER: Duration = Duration::from_millis(20);
const ENOUGH: usize = 64 * 1024;
/// Bytes that wait when whoever reads the log does not. Lines beyond them are counted and dropped; requests are not held up.
const MOST: usize = 8 * 1024 * 1024;
/// A buffer that has grown beyond this is given back when it was written.
const KEPT: usize = 256 * 1024;

/// Takes lines from every thread.
pub(super) struct Lines<W>(Arc<Shared<W>>);

/// Keeps the writing thread. When it is dropped everything has been written, and later lines are written at once.
pub(crate) struct Writing {
    flush: Box<dyn Fn() + Send>,
    stop: Box<dyn Fn() + Send>,
    thread: Option<JoinHandle<()>>,
}

/// One line on its way.
pub(super) struct Line<'a, W> {
    shared: &'a Shared<W>,
    at_once: bool,
}

struct Shared<W> {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    /// Taken before `waiting`, so that what was taken out first is written first.
    out: Mutex<W>,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    /// Where the next lines go while these are written.
    spare: Vec<u8>,
    dropped: u64,
    stopped: bool,
}

impl<W> Clone for Lines<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W: Write + Send + 'static> Lines<W> {
    /// Begins to write to `out`.
    pub(super) fn start(out: W) -> io::Result<(Self, Writing)> {
        let shared = Shared { waiting: Mutex::default(), wake: Condvar::new(), out: Mutex::new(out) };
        let lines = Self(Arc::new(shared));
        let (writer, flusher, stopper) = (Arc::clone(&lines.0), Arc::clone(&lines.0), Arc::clone(&lines.0));
        let thread = thread::Builder::new().name("wharf-log".into()).spawn(move || writer.run())?;
        let flush = move || flusher.flush(&mut held(&flusher.out));
        let stop = move || {
            held(&stopper.waiting).stopped = true;
            stopper.wake.notify_one();
        };
        Ok((lines, Writing { flush: Box::new(flush), stop: Box::new(stop), thread: Some(thread) }))
    }

    /// Writes what waits, unless somebody is doing so.
    pub(super) fn try_flush(&self) {
        if let Ok(mut out) = self.0.out.try_lock() {
            self.0.flush(&mut out);
        }
    }
}

impl Writing {
    /// Writes what waits, for who is about to write to the same place past the log.
    pub(crate) fn flush(&self) {
        (self.flush)();
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        (self.stop)();
        // It has nothing to say if it panicked: the lines are in the buffer, and the next one takes them along.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl<W: Write> Shared<W> {
    fn run(&self) {
        loop {
            let stopped = {
                let idle = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.stopped;
                let woken = self.wake.wait_while(held(&self.waiting), idle);
                woken.unwrap_or_else(PoisonError::into_inner).stopped
            };
            if !stopped {
                let few = |waiting: &mut Waiting| waiting.lines.len() < ENOUGH && !waiting.stopped;
                drop(self.wake.wait_timeout_while(held(&self.waiting), GATHER, few));
            }
            self.flush(&mut held(&self.out));
            if stopped {
                return;
            }
        }
    }

    fn add(&self, line: &[u8], at_once: bool) {
        let mut waiting = held(&self.waiting);
        let at_once = at_once || waiting.stopped;
        if waiting.lines.len() + line.len() > MOST && !at_once {
            waiting.dropped += 1;
            return;
        }
        let before = waiting.lines.len();
        waiting.lines.extend_from_slice(line);
        let wakes = before == 0 || (before < ENOUGH && waiting.lines.len() >= ENOUGH);
        drop(waiting);
        if at_once {
            self.flush(&mut held(&self.out));
        } else if wakes {
            self.wake.notify_one();
        }
    }

    /// Writes what waits. Whoever holds `out` writes; nobody who only adds a line waits for that.
    fn flush(&self, out: &mut W) {
        let (mut lines, dropped) = {
            let mut waiting = held(&self.waiting);
            let room = mem::take(&mut waiting.spare);
            (mem::replace(&mut waiting.lines, room), mem::take(&mut waiting.dropped))
        };
        // There is nobody to tell that the log cannot be written.
        let _ = out.write_all(&lines);
        if dropped > 0 {
            let _ =
                writeln!(out, "{dropped} log lines were dropped, because what was logged before was not taken in time");
        }
        let _ = out.flush();
        if lines.capacity() <= KEPT {
            lines.clear();
            held(&self.waiting).spare = lines;
        }
    }
}

impl<'a, W: Write + 'static> MakeWriter<'a> for Lines<W> {
    type Writer = Line<'a, W>;

    fn make_writer(&'a self) -> Self::Writer {
        Line { shared: &self.0, at_once: false }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Self::Writer {
        Line { shared: &self.0, at_once: *meta.level() == Level::ERROR }
    }
}

impl<W: Write> Write for Line<'_, W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.shared.add(line, self.at_once);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a thread that panicked left behind is still a buffer of lines.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Somewhere to write that others can look at, and whose writes wait while somebody holds it.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            held(&self.0).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Page {
        fn text(&self) -> String {
            String::from_utf8(held(&self.0).clone()).unwrap()
        }
    }

    fn line(lines: &Lines<Page>, text: &str, at_once: bool) {
        Line { shared: &lines.0, at_once }.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn lines_of_many_threads_are_all_there_when_the_writer_has_stopped() {
        let page = Page::default();
        let (lines, writing) = Lines::start(page.clone()).unwrap();
        thread::scope(|scope| {
            for thread in 0..4 {
                let lines = &lines;
                scope.spawn(move || (0..1000).for_each(|n| line(lines, &format!("{thread} {n:04}\n"), false)));
            }
        });
        drop(writing);
        let text = page.text();
        for thread in ["0", "1", "2", "3"] {
            let own: Vec<_> = text.lines().filter(|line| line.starts_with(thread)).collect();
            assert_eq!(own.len(), 1000);
            assert!(own.is_sorted(), "the lines of a thread stay in order");
        }
        line(&lines, "after the end\n", false);
        assert!(page.text().ends_with("after the end\n"));
    }

    #[test]
    fn an_error_is_written_before_its_reporter_goes_on_and_after_what_came_before_it() {
        let page = Page::default();
        let (lines, _writing) = Lines::start(page.clone()).unwrap();
        line(&lines, "before\n", false);
        line(&lines, "error\n", true);
        assert_eq!(page.text(), "before\nerror\n");
    }

    #[test]
    fn when_nobody_takes_the_log_lines_are_dropped_and_counted_and_nobody_waits() {
        let page = Page::default();
        let (lines, writing) = Lines::start(page.clone()).unwrap();
        let stuck = held(&page.0);
        let kibibyte = "x".repeat(1023) + "\n";
        let added = 3 * MOST / kibibyte.len();
        for _ in 0..added {
            line(&lines, &kibibyte, false);
        }
        drop(stuck);
        drop(writing);
        let text = page.text();
        let written = text.lines().filter(|line| line.starts_with('x')).count();
        let told = text.lines().filter_map(|line| {
            line.strip_suffix(" log lines were dropped, because what was logged before was not taken in time")
        });
        let dropped: usize = told.map(|count| count.parse::<usize>().unwrap()).sum();
        assert_eq!((written + dropped, dropped > 0), (added, true));
    }
}
