//! The fields of a log line as tracing-subscriber writes them, for a log without colours, without its detours: every request
//! has a dozen of them, and quoting each through the formatting machinery took as long as serving a manifest.

use std::fmt::{self, Debug};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// `message name=value name="text"`.
pub(super) struct Plain;

impl<'writer> FormatFields<'writer> for Plain {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut fields_of = Fields { writer, first: true, outcome: Ok(()) };
        fields.record(&mut fields_of);
        fields_of.outcome
    }
}

struct Fields<'writer> {
    writer: Writer<'writer>,
    first: bool,
    outcome: fmt::Result,
}

impl Fields<'_> {
    fn write(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        if self.outcome.is_ok() {
            self.outcome = self.begin(field).and_then(|()| value(&mut self.writer));
        }
    }

    fn begin(&mut self, field: &Field) -> fmt::Result {
        if !std::mem::take(&mut self.first) {
            self.writer.write_char(' ')?;
        }
        match field.name() {
            "message" => Ok(()),
            name => {
                self.writer.write_str(plain(name))?;
                self.writer.write_char('=')
            }
        }
    }

    fn write_number(&mut self, field: &Field, number: impl itoa::Integer) {
        self.write(field, |writer| writer.write_str(itoa::Buffer::new().format(number)));
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

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.write(field, |writer| write!(writer, "{value:?}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write_number(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write_number(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, |writer| writer.write_str(if value { "true" } else { "false" }));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        let Some(thousandths) = thousandths(value) else { return self.record_debug(field, &value) };
        self.write(field, |writer| {
            writer.write_str(itoa::Buffer::new().format(thousandths / 1000))?;
            let decimals = thousandths % 1000;
            let [one, two, three] = [decimals / 100, decimals / 10 % 10, decimals % 10].map(digit);
            writer.write_char('.')?;
            writer.write_char(one)?;
            match (two, three) {
                ('0', '0') => Ok(()),
                (_, '0') => writer.write_char(two),
                _ => writer.write_char(two).and_then(|()| writer.write_char(three)),
            }
        });
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.record_debug(field, &format_args!("{value}"));
        } else if value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
            // Most texts need no escapes, and finding that out is most of the work of writing them.
            self.write(field, |writer| {
                writer.write_char('"')?;
                writer.write_str(value)?;
                writer.write_char('"')
            });
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
