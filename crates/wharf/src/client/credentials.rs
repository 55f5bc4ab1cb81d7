//! The servers that `wharf login` remembers: `credentials.json` in the configuration folder, readable by its owner only.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Outcome};

/// What is remembered.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Credentials {
    /// The server of the last login.
    pub(crate) current: Option<String>,
    servers: BTreeMap<String, Login>,
}

/// A token made for this machine.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Login {
    /// Whose it is.
    pub(crate) user: String,
    /// The token.
    pub(crate) token: String,
    /// What the server knows it by.
    pub(crate) token_id: i64,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &self.user).field("token_id", &self.token_id).finish_non_exhaustive()
    }
}

impl Credentials {
    /// What was remembered so far.
    pub(crate) fn read() -> Outcome<Self> {
        Self::read_from(&path()?)
    }

    fn read_from(path: &Path) -> Outcome<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Failure::new(format!("{} cannot be read: {error}", path.display()))),
        };
        serde_json::from_str(&text).map_err(|error| {
            Failure::new(format!("{} is damaged: {error}", path.display()))
                .hint("delete it and run `wharf login` again")
        })
    }

    /// What is remembered of a server.
    pub(crate) fn of(&self, base: &str) -> Option<&Login> {
        self.servers.get(base)
    }

    /// Remembers a server, and that it is the one to talk to. Gives back what was remembered of it before.
    pub(crate) fn remember(&mut self, base: &str, login: Login) -> Option<Login> {
        self.current = Some(base.to_owned());
        self.servers.insert(base.to_owned(), login)
    }

    /// Forgets a server.
    pub(crate) fn forget(&mut self, base: &str) -> Option<Login> {
        let forgotten = self.servers.remove(base);
        if self.current.as_deref() == Some(base) {
            self.current = self.servers.keys().next().cloned();
        }
        forgotten
    }

    /// Writes it down.
    pub(crate) fn write(&self) -> Outcome {
        let path = path()?;
        self.write_to(&path).map_err(|error| Failure::new(format!("{} cannot be written: {error}", path.display())))
    }

    /// A reader sees the old file or the new one, and nobody else ever sees either.
    fn write_to(&self, path: &Path) -> std::io::Result<()> {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let fresh = path.with_extension(format!("{}.tmp", std::process::id()));
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        fs::rename(fresh, path)
    }
}

/// `$XDG_CONFIG_HOME/wharf/credentials.json`, or the same below `~/.config` (XDG Base Directory Specification).
fn path() -> Outcome<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
    match folder {
        Some(folder) => Ok(folder.join("wharf").join("credentials.json")),
        None => Err(Failure::usage("neither HOME nor XDG_CONFIG_HOME is set")
            .hint("use --server and WHARF_TOKEN instead of a login")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_the_owner_can_read_what_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wharf").join("credentials.json");
        assert_eq!(Credentials::read_from(&path).unwrap(), Credentials::default());
        let mut credentials = Credentials::default();
        credentials.remember("http://a", Login { user: "me".into(), token: "wft_x".into(), token_id: 1 });
        credentials.write_to(&path).unwrap();
        assert_eq!(Credentials::read_from(&path).unwrap(), credentials);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }

    #[test]
    fn forgetting_a_server_falls_back_to_another() {
        let login = |user: &str| Login { user: user.into(), token: "t".into(), token_id: 1 };
        let mut credentials = Credentials::default();
        credentials.remember("http://a", login("a"));
        credentials.remember("http://b", login("b"));
        assert_eq!(credentials.forget("http://b"), Some(login("b")));
        assert_eq!((credentials.current.as_deref(), credentials.of("http://b")), (Some("http://a"), None));
    }
}
