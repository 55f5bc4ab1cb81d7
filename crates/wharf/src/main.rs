//! The `wharf` program.

mod cli;
mod client;
mod command;
mod config;
mod failure;
mod out;
mod server;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // clap prints its own refusals and ends with 2; help and version end with 0.
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out::note(failure.to_string());
            failure.exit_code()
        }
    }
}
