//! One `wharf serve` as a child process.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// A migration of a large database may take a moment; nothing else at a start does.
const START: Duration = Duration::from_secs(60);

/// How a server is started.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    /// The program.
    pub(crate) program: PathBuf,
    /// Its home and working directory.
    pub(crate) home: PathBuf,
    /// Its data directory.
    pub(crate) data: PathBuf,
    /// Its log, appended to.
    pub(crate) log: PathBuf,
    /// Variables.
    pub(crate) settings: BTreeMap<String, String>,
}

/// A server that answers.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    /// Where it is.
    pub(crate) url: String,
    /// Its process.
    pub(crate) pid: u32,
}

impl Launch {
    /// A setting of the server: `retention.uploads` is said by its variable.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<String>) {
        self.settings.insert(format!("WHARF_{}", key.replace('.', "_").to_uppercase()), value.into());
    }

    /// A command of the program, in the environment of this server.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).env_clear().env("HOME", &self.home).envs(&self.settings).current_dir(&self.home);
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Starts it on a free port and waits until it says where it is.
    pub(crate) async fn start(&self) -> Result<Running> {
        let data = self.data.to_str().context("a path that is text")?;
        let mut command = self.command(&["serve", "--data", data, "--listen", "127.0.0.1:0"]);
        let log = open_log(&self.log)?;
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().context("the server cannot be started")?;
        let mut lines = BufReader::new(child.stdout.take().context("a pipe")?).lines();
        let first = tokio::time::timeout(START, lines.next_line()).await.context("the server does not start")??;
        let url =
            first.as_deref().and_then(|line| line.split(" is at ").nth(1)).and_then(|rest| rest.split(',').next());
        let Some(url) = url.map(str::to_owned) else { bail!("the server does not start:\n{}", tail(&self.log)) };
        // The first start says more, and a pipe that nobody reads would stop it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let pid = child.id().context("a process")?;
        Ok(Running { child, url, pid })
    }
}

impl Running {
    /// `kill -9`, and waits until nothing is left of the process.
    pub(crate) async fn kill(mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the server ended by itself: {status}");
        }
        self.child.kill().await.context("the server cannot be killed")
    }

    /// SIGTERM; fails unless it ends well.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let process = i32::try_from(self.pid).ok().and_then(Pid::from_raw).context("the server is no process")?;
        kill_process(process, Signal::TERM).context("the server cannot be told to stop")?;
        let status = tokio::time::timeout(START, self.child.wait()).await.context("the server does not stop")??;
        anyhow::ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

fn open_log(path: &Path) -> Result<File> {
    OpenOptions::new().create(true).append(true).open(path).with_context(|| format!("{}", path.display()))
}

/// The last lines of a log.
pub(crate) fn tail(path: &Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
