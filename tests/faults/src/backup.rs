//! Backups taken while a server works, by its own command.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::process::{Child, Command};

use crate::process::Launch;
use crate::site::{PASSWORD, Site};

/// Runs a command of the program with an optional line of input. What it printed.
pub(crate) async fn command(launch: &Launch, args: &[&str], input: Option<&str>) -> Result<String> {
    use tokio::io::AsyncWriteExt as _;
    let mut command = prepared(launch, args);
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
        pipe.write_all(input.as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(output.status.success(), "wharf {args:?}: {}{}", said(&output.stderr), said(&output.stdout));
    Ok(said(&output.stdout))
}

fn prepared(launch: &Launch, args: &[&str]) -> Command {
    let mut command = launch.command(args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Backs up a site again and again into one folder.
pub(crate) struct Backups {
    launch: Launch,
    folder: PathBuf,
    /// What this build of the server can do.
    possible: bool,
    running: Option<Child>,
    made: usize,
}

impl Backups {
    /// Signs in. A build without backups of a running server makes none, and says so.
    pub(crate) async fn new(site: &Arc<Site>) -> Result<Self> {
        let launch = site.launch(0).await;
        let folder = site.folder.join("backups");
        let url = site.url_of(0).context("a server that runs")?;
        let mut launch = launch;
        // Of a client: what is said of the server is none of its business.
        launch.settings.clear();
        command(&launch, &["login", &url, "-u", "admin", "--password-stdin"], Some(PASSWORD)).await?;
        let mut backups = Self { launch, folder, possible: true, running: None, made: 0 };
        if let Err(error) = backups.now().await {
            println!("  NO BACKUPS in this run: {error:#}");
            backups.possible = false;
        }
        Ok(backups)
    }

    /// One backup, waited for.
    pub(crate) async fn now(&mut self) -> Result<()> {
        let folder = text(&self.folder)?;
        command(&self.launch, &["backup", "--to", folder], None).await?;
        self.made += 1;
        Ok(())
    }

    /// Looks after the backup that runs, and begins the next one.
    pub(crate) async fn go_on(&mut self) -> Result<()> {
        if !self.possible {
            return Ok(());
        }
        match &mut self.running {
            Some(child) => match child.try_wait()? {
                None => Ok(()),
                Some(status) => self.ended(status).await,
            },
            None => {
                let folder = text(&self.folder)?;
                self.running = Some(prepared(&self.launch, &["backup", "--to", folder]).spawn()?);
                Ok(())
            }
        }
    }

    async fn ended(&mut self, status: ExitStatus) -> Result<()> {
        let Some(child) = self.running.take() else { return Ok(()) };
        let said = child.wait_with_output().await?;
        if !status.success() {
            bail!("a backup failed: {}", String::from_utf8_lossy(&said.stderr));
        }
        self.made += 1;
        let folder = text(&self.folder)?.to_owned();
        command(&self.launch, &["backup", "prune", &folder, "--keep", "3"], None).await.map(drop)
    }

    /// Waits for the one that runs, and verifies what was made.
    pub(crate) async fn end(&mut self) -> Result<()> {
        if let Some(child) = &mut self.running {
            let status = child.wait().await?;
            self.ended(status).await?;
        }
        if self.possible { self.verify().await } else { Ok(()) }
    }

    /// Reads all that was made, and compares it with what it should be.
    pub(crate) async fn verify(&self) -> Result<()> {
        command(&self.launch, &["backup", "verify", text(&self.folder)?], None).await.map(drop)
    }

    /// How many there are, as whoever looks into the place sees it.
    pub(crate) async fn listed(&self) -> Result<usize> {
        let listed = command(&self.launch, &["backup", "list", text(&self.folder)?, "--output", "json"], None).await?;
        let listed: serde_json::Value = serde_json::from_str(&listed)?;
        Ok(listed.as_array().context("a list of backups")?.len())
    }

    pub(crate) fn made(&self) -> usize {
        self.made
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is text")
}
