//! `wharf db`.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use crate::client::{Output, block_on, table};
use crate::command::serve::Settings;
use crate::failure::Outcome;
use crate::{out, server};

/// Arguments of `wharf db`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Says at which schema the database is, which program may open it, and who has it open. Changes nothing.
    ///
    /// With PostgreSQL servers may be running on it; SQLite belongs to one process at a time.
    Status {
        /// The configuration file of the server.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// The data directory of the server.
        #[arg(long, value_name = "DIR")]
        data: Option<String>,
        /// The database of the server.
        #[arg(long, value_name = "URL")]
        database: Option<String>,
        /// How to print it.
        #[arg(long, default_value = "table")]
        output: Output,
    },
}

impl Args {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        let Command::Status { config, data, database, output } = self.command;
        let config = Settings::offline(config, data, database).load()?;
        let status = block_on(server::database_status(&config))?;
        let verdict = verdict(status.schema, status.floor, status.known);
        if output == Output::Json {
            out::line(serde_json::to_string_pretty(&json!({
                "schema": status.schema,
                "floor": status.floor,
                "known": status.known,
                "verdict": verdict,
                "steps": status.steps.iter()
                    .map(|step| json!({ "number": step.number, "name": step.name, "applied_at": step.applied_at }))
                    .collect::<Vec<_>>(),
                "clients": status.clients.iter()
                    .map(|c| json!({ "name": c.name, "address": c.address, "connections": c.connections }))
                    .collect::<Vec<_>>(),
            }))?);
            return Ok(());
        }
        out::line(format!(
            "schema  {}\nfloor   {}\nknown   {} (wharf {})",
            status.schema,
            status.floor,
            status.known,
            env!("CARGO_PKG_VERSION")
        ));
        out::line(verdict);
        if !status.clients.is_empty() {
            let row = |c: &wharf_db::Client| vec![c.name.clone(), c.address.clone(), c.connections.to_string()];
            let rows: Vec<_> = status.clients.iter().map(row).collect();
            out::raw(table::aligned(&["PROGRAM", "FROM", "CONNECTIONS"], &rows).as_bytes());
        }
        Ok(())
    }
}

fn verdict(schema: i64, floor: i64, known: i64) -> &'static str {
    if floor > known {
        "this program is too old for the database: start a newer one"
    } else if schema > known {
        "a newer program has been here; this one may still use the database"
    } else if schema < known {
        "this program will bring the database up to date when it starts"
    } else {
        "the database is up to date"
    }
}
