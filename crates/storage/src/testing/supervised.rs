//! A program that runs as long as the test program does.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const SUPERVISOR: &str = include_str!("supervisor.sh");

/// A server in a folder of its own. Both end with this, and with the test program, however that ends.
#[derive(Debug)]
pub(super) struct Supervised {
    folder: PathBuf,
    supervisor: Child,
}

impl Supervised {
    /// A new folder for a server.
    pub(super) fn folder(prefix: &str) -> PathBuf {
        tempfile::Builder::new().prefix(prefix).tempdir().expect("a temporary folder").keep()
    }

    /// Starts the server over its folder.
    pub(super) fn start(folder: PathBuf, program: &Path, arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> Self {
        let mut supervisor = Command::new("sh");
        supervisor.arg("-c").arg(SUPERVISOR).arg("supervisor").arg(&folder).arg(program).args(arguments);
        // A group of its own: an interrupt from the terminal is for the tests, whose end the supervisor sees.
        std::os::unix::process::CommandExt::process_group(&mut supervisor, 0);
        let supervisor =
            supervisor.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a shell");
        Self { folder, supervisor }
    }

    /// What it has said.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.supervisor.stdin = None;
        self.supervisor.wait().ok();
    }
}
