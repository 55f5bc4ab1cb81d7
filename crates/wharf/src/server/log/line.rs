//! A log line as tracing-subscriber writes it, for a log without colours, without its detours: time, level and target took as
//! long as half of the fields.

use std::cell::RefCell;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{Format, FormatEvent, FormatFields, Full, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::registry::LookupSpan;

/// `time level target: fields`.
pub(super) struct Line<T> {
    time: T,
    theirs: Format<Full, T>,
}

/// What `log` records are called before they have their own target.
const BRIDGED: &str = "log";

impl<T: Clone> Line<T> {
    pub(super) fn new(time: T) -> Self {
        Self { theirs: Format::default().with_timer(time.clone()), time }
    }
}

impl<S, N, T> FormatEvent<S, N> for Line<T>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    T: FormatTime,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        if metadata.target() == BRIDGED || context.lookup_current().is_some() {
            return self.theirs.format_event(context, writer, event);
        }
        self.time.format_time(&mut writer)?;
        writer.write_str(match *metadata.level() {
            Level::ERROR => " ERROR ",
            Level::WARN => "  WARN ",
            Level::INFO => "  INFO ",
            Level::DEBUG => " DEBUG ",
            Level::TRACE => " TRACE ",
        })?;
        writer.write_str(metadata.target())?;
        writer.write_str(": ")?;
        context.format_fields(writer.by_ref(), event)?;
        writer.write_char('\n')
    }
}

/// The time of day, which is written out once a second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock;

thread_local! {
    /// A second since 1970 and its text, up to the dot.
    static SECOND: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
}

impl FormatTime for Clock {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write_time(writer, SystemTime::now())
    }
}

fn write_time(writer: &mut Writer<'_>, now: SystemTime) -> fmt::Result {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != since.as_secs() {
            let whole = UNIX_EPOCH + std::time::Duration::from_secs(since.as_secs());
            *text = DateTime::<Utc>::from(whole).to_rfc3339_opts(SecondsFormat::Secs, true);
            text.truncate(text.len() - 1);
            *second = since.as_secs();
        }
        writer.write_str(text)
    })?;
    let mut micros = *b".000000Z";
    let mut left = since.subsec_micros();
    for place in micros[1..7].iter_mut().rev() {
        *place += u8::try_from(left % 10).unwrap_or_default();
        left /= 10;
    }
    writer.write_str(std::str::from_utf8(&micros).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_have_six_decimals_and_the_second_may_go_on_and_back() {
        let shown = |micros| {
            let mut text = String::new();
            write_time(&mut Writer::new(&mut text), UNIX_EPOCH + Duration::from_micros(micros)).unwrap();
            text
        };
        assert_eq!(shown(1_795_273_512_000_042), "2026-11-21T15:05:12.000042Z");
        assert_eq!(shown(1_795_273_512_999_999), "2026-11-21T15:05:12.999999Z");
        assert_eq!(shown(1_795_273_513_100_000), "2026-11-21T15:05:13.100000Z");
        assert_eq!(shown(0), "1970-01-01T00:00:00.000000Z");
    }
}
