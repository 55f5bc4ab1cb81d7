//! `wharf version`.

use crate::failure::Outcome;
use crate::out;

/// Arguments of `wharf version`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How to print it.
    #[arg(long, default_value = "table")]
    output: crate::client::Output,
}

impl Args {
    /// Prints the version of this program.
    pub(crate) fn run(self) -> Outcome {
        let version = env!("CARGO_PKG_VERSION");
        match self.output {
            crate::client::Output::Table => out::line(format!("wharf {version}")),
            crate::client::Output::Json => out::line(serde_json::json!({ "version": version }).to_string()),
        }
        Ok(())
    }
}
