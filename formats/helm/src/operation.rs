//! Every request that is understood.

use wharf_auth::{Access, Operation, Verb};
use wharf_types::{Digest, RepoName};

use crate::NAME;

/// What an uploaded file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A packaged chart.
    Chart,
    /// A provenance file.
    Provenance,
}

/// In whose words a request was made, and is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Wharf's own and ChartMuseum's, which Gitea and GitLab speak too.
    Museum,
    /// Nexus.
    Nexus,
    /// Artifactory.
    Artifactory,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Take a chart, a provenance file, or both in a form.
    Add {
        /// Repository.
        name: RepoName,
        /// What it is, where it is no form.
        kind: Kind,
        /// The file name it has to have, where the URL says one.
        file: Option<String>,
        /// Whether other content of this name makes way.
        force: bool,
        /// Whether to answer when the index lists it.
        wait: bool,
        /// How the answer is said.
        dialect: Dialect,
    },
    /// Read the index.
    ReadIndex {
        /// Repository.
        name: RepoName,
    },
    /// Read a chart or a provenance file.
    ReadFile {
        /// Repository.
        name: RepoName,
        /// Inside it.
        path: String,
    },
    /// Delete a chart with its provenance file, or only that.
    RemoveFile {
        /// Repository.
        name: RepoName,
        /// Inside it.
        path: String,
    },
    /// List all charts.
    ListCharts {
        /// Repository.
        name: RepoName,
        /// So many names are passed over.
        offset: usize,
        /// At most so many names.
        limit: Option<usize>,
    },
    /// List the versions of a chart.
    ReadChart {
        /// Repository.
        name: RepoName,
        /// The chart.
        chart: String,
    },
    /// Read what is said of one version.
    ReadVersion {
        /// Repository.
        name: RepoName,
        /// The chart.
        chart: String,
        /// The version, or `latest`.
        version: String,
    },
    /// Delete one version.
    RemoveVersion {
        /// Repository.
        name: RepoName,
        /// The chart.
        chart: String,
        /// The version.
        version: String,
    },
    /// Read the templates of one version.
    ReadTemplates {
        /// Repository.
        name: RepoName,
        /// The chart.
        chart: String,
        /// The version, or `latest`.
        version: String,
    },
    /// Read `values.yaml` of one version.
    ReadValues {
        /// Repository.
        name: RepoName,
        /// The chart.
        chart: String,
        /// The version, or `latest`.
        version: String,
    },
    /// Read how to use the repository.
    ReadSetup {
        /// Repository.
        name: RepoName,
    },
    /// What ChartMuseum says of its own health.
    Health {
        /// Repository.
        name: RepoName,
    },
}

impl Op {
    /// The repository and what is done to it.
    pub(crate) fn repository(&self) -> (&RepoName, Verb) {
        match self {
            Self::Add { name, .. } => (name, Verb::Push),
            Self::RemoveFile { name, .. } | Self::RemoveVersion { name, .. } => (name, Verb::Delete),
            Self::Health { name } | Self::ReadSetup { name } => (name, Verb::View),
            Self::ReadIndex { name }
            | Self::ReadFile { name, .. }
            | Self::ListCharts { name, .. }
            | Self::ReadChart { name, .. }
            | Self::ReadVersion { name, .. }
            | Self::ReadTemplates { name, .. }
            | Self::ReadValues { name, .. } => (name, Verb::Pull),
        }
    }
}

impl Operation for Op {
    fn name(&self) -> &'static str {
        match self {
            Self::Add { kind: Kind::Chart, .. } => "chart.add",
            Self::Add { kind: Kind::Provenance, .. } => "provenance.add",
            Self::ReadIndex { .. } => "index.read",
            Self::ReadFile { .. } => "chart.read",
            Self::RemoveFile { .. } | Self::RemoveVersion { .. } => "chart.remove",
            Self::ListCharts { .. } => "charts.list",
            Self::ReadChart { .. } => "chart.versions",
            Self::ReadVersion { .. } => "chart.describe",
            Self::ReadTemplates { .. } => "chart.templates",
            Self::ReadValues { .. } => "chart.values",
            Self::ReadSetup { .. } => "setup.read",
            Self::Health { .. } => "health.read",
        }
    }

    fn action(&self) -> &'static str {
        match self {
            Self::Add { .. } => "package.add",
            Self::RemoveFile { .. } | Self::RemoveVersion { .. } => "package.remove",
            other => other.name(),
        }
    }

    fn access(&self) -> Access<'_> {
        let (name, verb) = self.repository();
        Access::Repository { format: NAME, name, verb }
    }

    fn about(&self) -> (Option<&str>, Option<Digest>) {
        let subject = match self {
            Self::ReadFile { path, .. } | Self::RemoveFile { path, .. } => Some(path.as_str()),
            Self::RemoveVersion { chart, .. } => Some(chart.as_str()),
            _ => None,
        };
        (subject, None)
    }
}
