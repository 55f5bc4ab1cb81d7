//! The fields of a log line as tracing-subscriber writes them, for a log without colours, without its detours: every request
//! has a dozen of them, and quoting each through the formatting machinery took as long as serving a manifest.

use std::cell::RefCell;
use std::fmt::{self, Debug, Write as _};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// `message name=value name="text"`.
pub(super) struct Plain;

thread_local! {
    /// Fields are put together here, and handed on in one piece: what is handed on passes two virtual calls.
    static TEXT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A line's room is given back when it has grown beyond this.
const KEPT: usize = 16 * 1024;

impl<'writer> FormatFields<'writer> for Plain {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        // Showing a value may log as well, on this thread: what is inside has a text of its own.
        let mut text = TEXT.take();
        text.clear();
        let mut fields_of = Fields { text, first: true, outcome: Ok(()) };
        fields.record(&mut fields_of);
        let Fields { text, outcome, .. } = fields_of;
        let outcome = outcome.and_then(|()| writer.write_str(&text));
        if text.capacity() <= KEPT {
            TEXT.set(text);
        }
        outcome
    }
}

struct Fields {
    text: String,
    first: bool,
    outcome: fmt::Result,
}

impl Fields {
    fn begin(&mut self, field: &Field) {
        if !std::mem::take(&mut self.first) {
            self.text.push(' ');
        }
        if field.name() != "message" {
            self.text.push_str(plain(field.name()));
            self.text.push('=');
        }
    }

    fn write_number(&mut self, field: &Field, number: impl itoa::Integer) {
        self.begin(field);
        self.text.push_str(itoa::Buffer::new().format(number));
    }
}

/// The name of a field that is a keyword, without its mark.
fn plain(name: &str) -> &str {
    match name.as_bytes() {
        [b'r', b'#', ..] => &name[2..],
        _ => name,
    }
}

fn digit(number: u64) -> char {
    char::from(b'0' + u8::try_from(number % 10).unwrap_or_default())
}

/// The thousandths of a number that has no more decimals than that, which are those of every duration that is logged.
#[expect(clippy::cast_possible_truncation, reason = "it is compared with what it was made of")]
#[expect(clippy::cast_precision_loss, reason = "the bound is far below 2^53")]
fn thousandths(value: f64) -> Option<u64> {
    const MOST: f64 = 1e12;
    let scaled = (value * 1e3).round();
    let fits = (0.0..MOST).contains(&scaled) && value.is_sign_positive();
    fits.then_some(scaled as i64 as f64)
        .filter(|whole| whole / 1e3 == value)
        .and_then(|whole| u64::try_from(whole as i64).ok())
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.begin(field);
        self.outcome = self.outcome.and(write!(self.text, "{value:?}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write_number(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write_number(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.begin(field);
        self.text.push_str(if value { "true" } else { "false" });
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        let Some(thousandths) = thousandths(value) else { return self.record_debug(field, &value) };
        self.write_number(field, thousandths / 1000);
        let decimals = thousandths % 1000;
        let digits = [decimals / 100, decimals / 10 % 10, decimals % 10].map(digit);
        let shown = digits.iter().rposition(|digit| *digit != '0').map_or(1, |last| last + 1);
        self.text.push('.');
        self.text.extend(&digits[..shown]);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.record_debug(field, &format_args!("{value}"));
        } else if value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
            // Most texts need no escapes, and finding that out is most of the work of writing them.
            self.begin(field);
            self.text.push('"');
            self.text.push_str(value);
            self.text.push('"');
        } else {
            self.record_debug(field, &value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::fmt::time::FormatTime;

    use super::super::line::Line;
    use super::*;

    #[derive(Clone)]
    struct Noon;

    impl FormatTime for Noon {
        fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
            writer.write_str("12:00")
        }
    }

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Page {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    impl Page {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    fn log() {
        let error = io::Error::other("a \"quoted\" error");
        tracing::info!(
            text = "plain",
            quoted = "a \"b\" \\ c",
            control = "a\nb\u{1b}[31m\u{7f}é",
            empty = "",
            number = 7_u64,
            negative = -7,
            big = u128::MAX,
            float = 1.5,
            whole = 2.0,
            nothing = 0.0,
            debt = -0.0,
            millis = 1234.567,
            hundredth = 0.01,
            tenth = 0.1,
            third = 1.0 / 3.0,
            thousandth = 0.001,
            tiny = 1e-7,
            huge = 1e300,
            large = 12_345_678.9,
            endless = f64::INFINITY,
            signed = i64::MIN,
            flag = true,
            shown = %"a b",
            debugged = ?Some("x"),
            absent = None::<bool>,
            r#type = "keyword",
            error = &error as &(dyn std::error::Error + 'static),
            "a message with {} \"values\"",
            3
        );
        tracing::warn!("only a message");
        tracing::warn!(only = "a field");
        tracing::info_span!("inside", of = "a span").in_scope(|| tracing::error!("deep"));
    }

    #[test]
    fn lines_look_as_they_did() {
        let (theirs, ours) = (Page::default(), Page::default());
        let builder = || tracing_subscriber::fmt().with_ansi(false).with_timer(Noon);
        let line = Line::new(Noon);
        tracing::subscriber::with_default(builder().with_writer(theirs.clone()).finish(), log);
        tracing::subscriber::with_default(
            builder().with_writer(ours.clone()).fmt_fields(Plain).event_format(line).finish(),
            log,
        );
        assert!(theirs.text().lines().count() >= 4);
        assert_eq!(ours.text(), theirs.text());
    }
}
