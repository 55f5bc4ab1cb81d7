//! What can be typed.

use clap::{Parser, Subcommand};

use crate::command;
use crate::failure::Outcome;

/// The warehouse for your software: container images, Debian packages, RPMs and Helm charts, in one self-hosted process.
#[derive(Debug, Parser)]
#[command(name = "wharf", version, about, disable_help_subcommand = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the server.
    Serve(command::serve::Args),
    /// Shows and checks the configuration of the server.
    Config(command::config::Args),
    /// Works on the data of a stopped server.
    Admin(command::admin::Args),
    /// Signs in to a server and remembers it.
    Login(command::login::Args),
    /// Forgets a server, and revokes the token that was made for this machine.
    Logout(command::logout::Args),
    /// Says who you are on the server.
    Whoami(command::whoami::Args),
    /// People.
    User(command::user::Args),
    /// Groups of people.
    Group(command::group::Args),
    /// Accounts of programs.
    Robot(command::robot::Args),
    /// Personal tokens.
    Token(command::token::Args),
    /// Projects: the first part of a repository's name.
    Project(command::project::Args),
    /// Who has which role in a project.
    Grant(command::grant::Args),
    /// Repositories.
    Repo(command::repo::Args),
    /// Tags of a repository.
    Tag(command::tag::Args),
    /// Rules that keep tags of a project where they are.
    TagRule(command::tag_rule::Args),
    /// Manifests of a repository.
    Manifest(command::manifest::Args),
    /// OpenPGP keys that sign the index of a repository.
    Key(command::key::Args),
    /// OpenPGP keys whose owners a project trusts to sign what they upload.
    Keyring(command::key::Keyring),
    /// Sends package files to a repository.
    Push(command::push::Args),
    /// Brings in what another server holds: an APT tree, a YUM repository, a folder of charts, the storage of a registry.
    Import(command::import::Args),
    /// Says how to use a repository, in lines to copy.
    Setup(command::setup::Args),
    /// Snapshots of what a repository lists: made, compared, published, rolled back.
    Snapshot(command::snapshot::Args),
    /// Collects what nothing uses, now.
    Gc(command::gc::Args),
    /// Says why a digest is kept.
    Why(command::why::Args),
    /// Removes a digest or a repository at once and for good: for secrets that leaked.
    Purge(command::purge::Args),
    /// What was deleted and can be restored.
    Bin(command::bin::Args),
    /// Takes something out of the bin, or lists what is in it.
    Restore(command::bin::Restore),
    /// Background work of the server.
    Job(command::job::Args),
    /// Copies everything the server holds to where it survives the server.
    Backup(Box<command::backup::Args>),
    /// The database of a server.
    Db(command::db::Args),
    /// Reads what the server holds, to find damage.
    Scrub(command::scrub::Args),
    /// What happened, for programs that fetch it.
    Events(command::events::Args),
    /// Who did what.
    Audit(Box<command::audit::Args>),
    /// Prints the completion of a shell.
    Completion(command::completion::Args),
    /// Prints the version.
    Version(command::version::Args),
}

impl Cli {
    /// Does what was typed.
    pub(crate) fn run(self) -> Outcome {
        match self.command {
            Command::Serve(args) => args.run(),
            Command::Config(args) => args.run(),
            Command::Admin(args) => args.run(),
            Command::Login(args) => args.run(),
            Command::Logout(args) => args.run(),
            Command::Whoami(args) => args.run(),
            Command::User(args) => args.run(),
            Command::Group(args) => args.run(),
            Command::Robot(args) => args.run(),
            Command::Token(args) => args.run(),
            Command::Project(args) => args.run(),
            Command::Grant(args) => args.run(),
            Command::Repo(args) => args.run(),
            Command::Tag(args) => args.run(),
            Command::TagRule(args) => args.run(),
            Command::Manifest(args) => args.run(),
            Command::Key(args) => args.run(),
            Command::Keyring(args) => args.run(),
            Command::Push(args) => args.run(),
            Command::Import(args) => args.run(),
            Command::Setup(args) => args.run(),
            Command::Snapshot(args) => args.run(),
            Command::Gc(args) => args.run(),
            Command::Why(args) => args.run(),
            Command::Purge(args) => args.run(),
            Command::Bin(args) => args.run(),
            Command::Restore(args) => args.run(),
            Command::Job(args) => args.run(),
            Command::Backup(args) => args.run(),
            Command::Db(args) => args.run(),
            Command::Scrub(args) => args.run(),
            Command::Events(args) => args.run(),
            Command::Audit(args) => args.run(),
            Command::Completion(args) => args.run(),
            Command::Version(args) => args.run(),
        }
    }
}
