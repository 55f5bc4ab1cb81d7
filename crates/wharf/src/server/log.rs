//! Log lines on standard error.

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};
use crate::failure::{Failure, Outcome};

/// Begins to write them.
pub(super) fn start(config: &Config) -> Outcome {
    let text = config.text("log.filter").unwrap_or_default();
    let filter = EnvFilter::try_new(text).map_err(|error| {
        Failure::usage(format!("{}: {text:?} is not a log filter: {error}", config.origin("log.filter")))
            .hint("a level such as info, or directives such as info,wharf_db=debug")
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let started = match config.log_format() {
        LogFormat::Text => builder.with_ansi(colours).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
    };
    started.map_err(Failure::new)
}
