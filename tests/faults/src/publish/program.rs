//! The real clients: each updates in a loop from a configuration of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result, bail, ensure};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use reqwest::Method;
use tokio::process::Command;

use super::Scene;
use crate::site::PASSWORD;
use crate::wire::{Ask, Outcome};

/// A client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Program {
    /// `apt-get update`.
    AptGet,
    /// `dnf makecache`.
    Dnf,
    /// `helm repo update`.
    Helm,
}

/// A client that is configured.
pub(super) struct Ready {
    program: Program,
    folder: PathBuf,
    arguments: Vec<String>,
}

impl Program {
    /// Writes what the client wants to find, for a server at `url`.
    pub(super) async fn prepare(self, scene: &Scene, url: &str, folder: &Path) -> Result<Ready> {
        std::fs::create_dir_all(folder)?;
        let shown = folder.to_str().context("a path that is text")?;
        let arguments = match self {
            Self::AptGet => apt(scene, url, folder, shown).await?,
            Self::Dnf => dnf(scene, url, folder, shown).await?,
            Self::Helm => ["repo", "update"].map(str::to_owned).to_vec(),
        };
        let ready = Ready { program: self, folder: folder.to_owned(), arguments };
        if self == Self::Helm {
            let charts = format!("{url}/helm/team/charts");
            let add = ["repo", "add", "team", &charts, "--username", "admin", "--password", PASSWORD];
            let (well, said) = ready.said(&add).await?;
            ensure!(well, "helm repo add: {said}");
        }
        Ok(ready)
    }
}

impl Ready {
    /// Updates again and again until all uploads are done. What fails although no server was killed meanwhile is an error.
    pub(super) async fn run(self, scene: Arc<Scene>) -> Result<()> {
        let (mut well, mut again) = (0, 0);
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        while !scene.done.load(Ordering::SeqCst) {
            let before = scene.kills.load(Ordering::SeqCst);
            let (ended_well, said) = self.said(&arguments).await?;
            let quiet = before.is_multiple_of(2) && before == scene.kills.load(Ordering::SeqCst);
            ensure!(ended_well || !quiet, "{:?} although no server was killed: {said}", self.program);
            if ended_well {
                well += 1;
                scene.updates.fetch_add(1, Ordering::SeqCst);
            } else {
                again += 1;
            }
        }
        println!("  {:?}: {well} updates, {again} cut off by kills", self.program);
        ensure!(well > 0, "{:?} never updated", self.program);
        Ok(())
    }

    async fn said(&self, arguments: &[&str]) -> Result<(bool, String)> {
        let program = match self.program {
            Program::AptGet => "apt-get",
            Program::Dnf => "dnf",
            Program::Helm => "helm",
        };
        let mut command = Command::new(program);
        for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "HOME"] {
            command.env(name, &self.folder);
        }
        command.args(arguments).env("LC_ALL", "C.UTF-8").stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.with_context(|| format!("{program} cannot be started"))?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
    }
}

/// apt in a root of its own, which wants signatures and takes warnings for errors.
async fn apt(scene: &Scene, url: &str, folder: &Path, shown: &str) -> Result<Vec<String>> {
    for name in ["etc/apt/sources.list.d", "etc/apt/auth.conf.d", "var/lib/apt/lists/partial", "var/lib/dpkg"] {
        std::fs::create_dir_all(folder.join(name))?;
    }
    std::fs::create_dir_all(folder.join("var/cache/apt/archives/partial"))?;
    std::fs::write(folder.join("var/lib/dpkg/status"), "")?;
    std::fs::write(folder.join("key.asc"), key(scene, "/apt/team/debs/key.asc").await?)?;
    let source = format!(
        "Types: deb\nURIs: {url}/apt/team/debs\nSuites: stable\nComponents: main\nSigned-By: {shown}/key.asc\n"
    );
    std::fs::write(folder.join("etc/apt/sources.list.d/team.sources"), source)?;
    let login = format!("machine {url} login admin password {PASSWORD}\n");
    std::fs::write(folder.join("etc/apt/auth.conf.d/team.conf"), login)?;
    let options = [
        format!("Dir={shown}"),
        format!("Dir::State::status={shown}/var/lib/dpkg/status"),
        "Dir::Bin::methods=/usr/lib/apt/methods".to_owned(),
        "Dir::Etc::main=none".to_owned(),
        "APT::Architecture=amd64".to_owned(),
        "Acquire::Languages=none".to_owned(),
        "APT::Sandbox::User=root".to_owned(),
        "APT::Update::Error-Mode=any".to_owned(),
    ];
    Ok(options.into_iter().flat_map(|option| ["-o".to_owned(), option]).chain(["update".to_owned()]).collect())
}

/// dnf in a root of its own, which wants signed metadata.
async fn dnf(scene: &Scene, url: &str, folder: &Path, shown: &str) -> Result<Vec<String>> {
    std::fs::create_dir_all(folder.join("repos"))?;
    std::fs::write(folder.join("key.asc"), key(scene, "/yum/team/rpms/key.asc").await?)?;
    let repository = format!(
        "[team]\nname=team\nmirrorlist={url}/yum/team/rpms/mirrorlist\nusername=admin\npassword={PASSWORD}\n\
         gpgcheck=0\nrepo_gpgcheck=1\ngpgkey=file://{shown}/key.asc\nskip_if_unavailable=0\n"
    );
    std::fs::write(folder.join("repos/team.repo"), repository)?;
    let arguments = [
        "-y".to_owned(),
        format!("--installroot={shown}/root"),
        format!("--setopt=reposdir={shown}/repos"),
        format!("--setopt=cachedir={shown}/cache"),
        format!("--setopt=logdir={shown}"),
        "--disableplugin=local".to_owned(),
        "--releasever=9".to_owned(),
        "--refresh".to_owned(),
        "makecache".to_owned(),
    ];
    Ok(arguments.into())
}

async fn key(scene: &Scene, path: &str) -> Result<bytes::Bytes> {
    let mut rng = StdRng::seed_from_u64(0);
    let url = scene.site.url(&mut rng).await;
    match scene.wire.send(Ask::new(Method::GET, format!("{url}{path}"))).await? {
        Outcome::Answered(answer) if answer.status == 200 => answer.body.context("a key of one piece"),
        Outcome::Answered(answer) => bail!("GET {path}: {}", answer.shown()),
        Outcome::NotSent | Outcome::Unknown => bail!("GET {path}: nobody was killed yet"),
    }
}
