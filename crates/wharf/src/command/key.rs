//! `wharf key` and `wharf keyring`.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use serde_json::json;

use crate::client::table::Columns;
use crate::client::{Call, Output, Remote, confirm};
use crate::failure::{Failure, Outcome};
use crate::out;

const LIST: Columns = &[
    ("FINGERPRINT", "fingerprint"),
    ("KIND", "algorithm"),
    ("USER", "user_id"),
    ("SINCE", "created_at"),
    ("RETIRED", "retired_at"),
];
const SHOW: Columns = &[
    ("fingerprint", "fingerprint"),
    ("kind", "algorithm"),
    ("user", "user_id"),
    ("since", "created_at"),
    ("expires", "expires_at"),
    ("retired", "retired_at"),
    ("revoked", "revoked"),
];
const KEYRING: Columns = &[
    ("FINGERPRINT", "fingerprint"),
    ("KIND", "algorithm"),
    ("USER", "user_id"),
    ("EXPIRES", "expires_at"),
    ("REVOKED", "revoked"),
    ("ADDED BY", "added_by"),
];

/// Arguments of `wharf key`. A repository is written `apt/team/debs`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the keys of a repository, retired ones too.
    List { repository: Named },
    /// Shows a key of a repository.
    Show { repository: Named, fingerprint: String },
    /// Makes another key. Both sign until the old one is retired.
    Rotate {
        repository: Named,
        /// `ed25519`, or `rsa4096` for old clients [default: as the server is set].
        #[arg(long, value_name = "KIND")]
        algorithm: Option<String>,
    },
    /// Brings a private key, which signs beside those that are there.
    Import {
        repository: Named,
        /// As `gpg --export-secret-keys` writes it.
        file: PathBuf,
        /// The key is locked: ask for what opens it.
        #[arg(long)]
        passphrase: bool,
    },
    /// Lets a key sign no more.
    Retire {
        repository: Named,
        fingerprint: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Prints the public keys that sign now.
    Export {
        repository: Named,
        /// As OpenPGP packets: a keyring.
        #[arg(long)]
        binary: bool,
    },
}

/// Arguments of `wharf keyring`: keys whose owners a project trusts to sign what they upload.
#[derive(Debug, clap::Args)]
pub(crate) struct Keyring {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: OfProject,
}

#[derive(Debug, Subcommand)]
enum OfProject {
    /// Lists the keys that a project trusts.
    List { project: String },
    /// Adds public keys, as `gpg --export` writes them.
    Add { project: String, file: PathBuf },
    /// Removes a key.
    Remove {
        project: String,
        fingerprint: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// A repository with its format: `apt/team/debs`.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    /// The format.
    pub(crate) format: String,
    /// The name.
    pub(crate) name: String,
}

impl std::str::FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim_matches('/').split_once('/') {
            Some((format, name)) => Ok(Self { format: format.to_owned(), name: name.to_owned() }),
            None => Err("a repository is FORMAT/PROJECT/NAME, such as apt/team/debs".to_owned()),
        }
    }
}

impl Named {
    /// A call about it.
    pub(crate) fn call<'a>(&self, operation: &'a str) -> Call<'a> {
        Call::new(operation).at("format", &self.format).at("repository", &self.name)
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.format, self.name)
    }
}

impl Args {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        let remote = self.remote;
        match self.command {
            Command::List { repository } => remote.list_whole(repository.call("keys.list"), LIST),
            Command::Show { repository, fingerprint } => show(&remote, &repository, &fingerprint),
            Command::Rotate { repository, algorithm } => {
                let call = repository.call("keys.rotate").body(json!({ "algorithm": algorithm }));
                remote.change(
                    call,
                    &format!("{repository} has another key; the old ones sign on until `wharf key retire`"),
                )
            }
            Command::Import { repository, file, passphrase } => {
                let passphrase = if passphrase { Some(rpassword::prompt_password("passphrase: ")?) } else { None };
                let body = json!({ "key": read(&file)?, "passphrase": passphrase });
                let call = repository.call("keys.import").body(body);
                remote.change(call, &format!("the key signs for {repository} from now on"))
            }
            Command::Retire { repository, fingerprint, yes } => {
                let what = format!(
                    "let the key {fingerprint} of {repository} sign no more: clients that know no other refuse what is published from now on"
                );
                confirm(yes, &what)?;
                let call = repository.call("keys.retire").at("key", &fingerprint);
                remote.change(call, &format!("the key {fingerprint} of {repository} is retired"))
            }
            Command::Export { repository, binary } => export(&remote, &repository, binary),
        }
    }
}

fn show(remote: &Remote, repository: &Named, fingerprint: &str) -> Outcome {
    let keys = remote.run(async |client| client.whole(&repository.call("keys.list")).await)?;
    let wanted = fingerprint.to_uppercase();
    let found = keys.iter().find(|key| key["fingerprint"].as_str().is_some_and(|known| known.ends_with(&wanted)));
    let Some(key) = found else {
        return Err(Failure::new(format!("{repository} has no key {fingerprint}")).hint("`wharf key list` names them"));
    };
    crate::client::table::one(remote.output, key, SHOW)
}

fn export(remote: &Remote, repository: &Named, binary: bool) -> Outcome {
    let keys = remote.run(async |client| client.send(&repository.call("keys.export")).await)?;
    if remote.output == Output::Json {
        out::line(serde_json::to_string_pretty(&keys)?);
        return Ok(());
    }
    let content = if binary {
        STANDARD.decode(keys["binary"].as_str().unwrap_or_default()).map_err(Failure::new)?
    } else {
        keys["armored"].as_str().unwrap_or_default().as_bytes().to_vec()
    };
    out::result(&content).map_err(|error| Failure::new(format!("the keys cannot be written: {error}")))
}

impl Keyring {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        let remote = self.remote;
        match self.command {
            OfProject::List { project } => remote.list_whole(Call::new("keyring.list").at("project", project), KEYRING),
            OfProject::Add { project, file } => {
                let call = Call::new("keyring.add").at("project", &project).body(json!({ "keys": read(&file)? }));
                remote.change(call, &format!("{project} trusts the keys of {}", file.display()))
            }
            OfProject::Remove { project, fingerprint, yes } => {
                confirm(yes, &format!("remove the key {fingerprint} from the keyring of {project}"))?;
                let call = Call::new("keyring.remove").at("project", &project).at("key", &fingerprint);
                remote.change(call, &format!("{project} does not trust the key {fingerprint} any more"))
            }
        }
    }
}

/// Keys as the API takes them.
fn read(file: &Path) -> Outcome<String> {
    let unread = |error: std::io::Error| Failure::usage(format!("{} cannot be read: {error}", file.display()));
    let content = std::fs::read(file).map_err(unread)?;
    Ok(match String::from_utf8(content) {
        Ok(text) if text.contains("-----BEGIN ") => text,
        Ok(text) => STANDARD.encode(text),
        Err(binary) => STANDARD.encode(binary.as_bytes()),
    })
}
