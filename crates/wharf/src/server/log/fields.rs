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
                self.writer.write_str(name.strip_prefix("r#").unwrap_or(name))?;
                self.writer.write_char('=')
            }
        }
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.write(field, |writer| write!(writer, "{value:?}"));
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

    use super::*;

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
    }

    #[test]
    fn lines_look_as_they_did() {
        let (theirs, ours) = (Page::default(), Page::default());
        let builder = || tracing_subscriber::fmt().with_ansi(false).without_time();
        tracing::subscriber::with_default(builder().with_writer(theirs.clone()).finish(), log);
        tracing::subscriber::with_default(builder().with_writer(ours.clone()).fmt_fields(Plain).finish(), log);
        assert!(theirs.text().lines().count() >= 3);
        assert_eq!(ours.text(), theirs.text());
    }
}
