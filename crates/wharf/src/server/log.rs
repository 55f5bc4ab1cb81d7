//! Log lines on standard error.

mod fields;
mod line;
mod writer;

use std::io::{self, IsTerminal as _};
use std::panic;

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};
use crate::failure::{Failure, Outcome};
use writer::Lines;
pub(super) use writer::Writing;

/// Begins to write them, until what is returned is dropped.
pub(super) fn start(config: &Config) -> Outcome<Writing> {
    let text = config.text("log.filter").unwrap_or_default();
    let filter = EnvFilter::try_new(text).map_err(|error| {
        Failure::usage(format!("{}: {text:?} is not a log filter: {error}", config.origin("log.filter")))
            .hint("a level such as info, or directives such as info,wharf_db=debug")
    })?;
    let (lines, writing) = Lines::start(io::stderr()).map_err(Failure::new)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines.clone());
    let colours = io::stderr().is_terminal();
    let started = match config.log_format() {
        LogFormat::Text if colours => builder.with_ansi(true).try_init(),
        LogFormat::Text => {
            builder.with_ansi(false).fmt_fields(fields::Plain).event_format(line::Line::new(line::Clock)).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
    };
    started.map_err(Failure::new)?;
    // A panic's message goes past the log; what led to it comes before it.
    let say = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        lines.try_flush();
        say(panic);
    }));
    Ok(writing)
}
