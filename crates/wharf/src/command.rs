//! One file per subcommand.

pub(crate) mod admin;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod db;
pub(crate) mod gc;
pub(crate) mod grant;
pub(crate) mod group;
pub(crate) mod job;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod manifest;
pub(crate) mod project;
pub(crate) mod purge;
pub(crate) mod repo;
pub(crate) mod robot;
pub(crate) mod scrub;
pub(crate) mod serve;
pub(crate) mod tag;
pub(crate) mod token;
pub(crate) mod user;
pub(crate) mod version;
pub(crate) mod whoami;
pub(crate) mod why;
