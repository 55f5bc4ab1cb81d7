//! `wharf completion`.

use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::failure::Outcome;
use crate::out;

/// Arguments of `wharf completion`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "For bash: source <(wharf completion bash)\nFor zsh:  wharf completion zsh > \"${fpath[1]}/_wharf\"\n\
                        For fish: wharf completion fish > ~/.config/fish/completions/wharf.fish"
)]
pub(crate) struct Args {
    /// For which shell.
    shell: Kind,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Bash,
    Zsh,
    Fish,
}

impl Args {
    /// Prints the script.
    pub(crate) fn run(self) -> Outcome {
        let shell = match self.shell {
            Kind::Bash => Shell::Bash,
            Kind::Zsh => Shell::Zsh,
            Kind::Fish => Shell::Fish,
        };
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "wharf", &mut script);
        out::raw(&script);
        Ok(())
    }
}
