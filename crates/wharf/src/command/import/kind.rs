//! What a folder is.

use std::path::Path;

use clap::ValueEnum;

use super::folder::Folder;
use super::{apt, charts, registry};
use crate::failure::{Failure, Outcome};

/// What can be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// What apt reads: of aptly, reprepro, or made by hand.
    Apt,
    /// What createrepo has made.
    Yum,
    /// Helm charts: of ChartMuseum, or a static repository.
    Charts,
    /// The storage of a registry:2 or distribution 3.
    Registry,
}

impl Kind {
    /// As it is typed.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Apt => "apt",
            Self::Yum => "yum",
            Self::Charts => "charts",
            Self::Registry => "registry",
        }
    }

    /// The format of where it goes.
    pub(super) fn format(self) -> &'static str {
        match self {
            Self::Charts => "helm",
            Self::Registry => "oci",
            other => other.name(),
        }
    }

    /// What a folder looks like.
    pub(super) fn of(folder: &Folder, path: &Path) -> Outcome<Self> {
        if registry::root(folder).is_some() {
            return Ok(Self::Registry);
        }
        if folder.has("repodata/repomd.xml") {
            return Ok(Self::Yum);
        }
        if folder.is_folder("dists") || apt::is_flat(folder) {
            return Ok(Self::Apt);
        }
        if let Some(hint) = nearly(folder, path) {
            return Err(Failure::usage(format!("{} is not what clients are served", path.display())).hint(hint));
        }
        if charts::are_in(folder) {
            return Ok(Self::Charts);
        }
        let seen = "no dists/, no repodata/, no charts and no docker/registry/v2/ in it";
        Err(Failure::usage(format!("nothing that can be imported is known in {}: {seen}", path.display()))
            .hint("name the folder that the other server serves, and what it is by --from"))
    }
}

/// What to name instead of the working folder of a program that makes what can be imported.
fn nearly(folder: &Folder, path: &Path) -> Option<String> {
    let shown = path.display();
    if folder.has("db/CURRENT") && folder.is_folder("pool") {
        return Some(format!("aptly keeps its own files here: run `aptly publish`, and import {shown}/public"));
    }
    if folder.has("conf/distributions") {
        return Some("reprepro has not exported anything here: run `reprepro export`".to_owned());
    }
    let below: Vec<_> = folder
        .names("")
        .into_iter()
        .filter(|name| folder.is_folder(&format!("{name}/dists")) || folder.has(&format!("{name}/repodata/repomd.xml")))
        .collect();
    match below.as_slice() {
        [] => None,
        names => Some(format!("there is one in each of {}: import them one by one", names.join(", "))),
    }
}
