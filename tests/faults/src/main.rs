//! `tests/faults/run`: each fault as a command.
#![expect(clippy::print_stdout, reason = "a command that says how it ended")]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use wharf_faults::{away, drill, full_disk, kill, linear, publish, soak, store_away};

/// Faults under load, and what must hold afterwards.
#[derive(Debug, Parser)]
struct Cli {
    /// The server to test; without it, the one beside this program.
    #[arg(long, global = true, value_name = "PROGRAM")]
    wharf: Option<PathBuf>,
    #[command(subcommand)]
    fault: Fault,
}

#[derive(Debug, clap::Subcommand)]
enum Fault {
    /// Kills servers at random instants under load.
    Kill(kill::Options),
    /// Fills the disk, step by step and under load. Needs root, to mount a small one.
    FullDisk(full_disk::Options),
    /// Takes the database away and gives it back, under load.
    DatabaseAway(away::Options),
    /// Makes the object store slow, failing and absent, under load.
    StoreAway(store_away::Options),
    /// Checks what clients see of few tags through two servers, and the recorded history, for a legal order.
    Linear(linear::Options),
    /// Backs up under load, restores to an empty place, and looks for everything.
    Drill(drill::Options),
    /// Uploads packages and charts while clients update and servers are killed.
    Publish(publish::Options),
    /// Everything at once for a long time: memory, file descriptors, errors.
    Soak(soak::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("FAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<()> {
    let program = match cli.wharf {
        Some(program) => program,
        None => std::env::current_exe()?.parent().context("a folder")?.join("wharf"),
    };
    match cli.fault {
        Fault::Kill(options) => kill::run(program, options).await,
        Fault::FullDisk(options) => full_disk::run(program, options).await,
        Fault::DatabaseAway(options) => away::run(program, options).await,
        Fault::StoreAway(options) => store_away::run(program, options).await,
        Fault::Linear(options) => linear::run(program, options).await,
        Fault::Drill(options) => drill::run(program, options).await,
        Fault::Publish(options) => publish::run(program, options).await,
        Fault::Soak(options) => soak::run(program, options).await,
    }
}
