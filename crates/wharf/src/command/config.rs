//! `wharf config`.

use std::path::PathBuf;

use clap::Subcommand;

use crate::client::Output;
use crate::command::serve::Settings;
use crate::config::{self, Config};
use crate::failure::Outcome;
use crate::out;

/// Arguments of `wharf config`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows what `wharf serve` would use, given the same flags. Secrets stay hidden.
    Show {
        /// Also say where each value comes from.
        #[arg(long)]
        sources: bool,
        /// As a configuration file, or as JSON with sources.
        #[arg(long, default_value = "table")]
        output: Output,
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Says whether a file can be used, together with the environment as it is.
    Check {
        /// The file; without it the one that `wharf serve` would read.
        file: Option<PathBuf>,
    },
    /// Prints a configuration file with every setting and its meaning.
    Example,
    /// Lists the variables of the environment that are read.
    Variables {
        /// How to print them.
        #[arg(long, default_value = "table")]
        output: Output,
    },
}

impl Args {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        match self.command {
            Command::Show { sources, output, settings } => {
                let config = settings.load()?;
                match output {
                    Output::Table => out::raw(config::as_toml(&config, sources).as_bytes()),
                    Output::Json => out::line(serde_json::to_string_pretty(&config::as_json(&config))?),
                }
            }
            Command::Check { file } => {
                Config::load(file.as_deref(), Vec::new())?;
                out::line("the configuration can be used");
            }
            Command::Example => out::raw(config::example().as_bytes()),
            Command::Variables { output: Output::Json } => {
                out::line(serde_json::to_string_pretty(&config::variables())?)
            }
            Command::Variables { output: Output::Table } => {
                let rows: Vec<Vec<String>> = config::variables().into_iter().map(Vec::from).collect();
                out::raw(crate::client::table::aligned(&["VARIABLE", "SETTING", "MEANING"], &rows).as_bytes());
            }
        }
        Ok(())
    }
}
