//! What a kind of goods is: the half of the format contract that knows no HTTP.

use std::collections::BTreeMap;
use std::io::Read;

use async_trait::async_trait;
use wharf_types::{Digest, FormatName, RepoName};

use crate::{Arrival, ArtifactForm, Publication, Reissue, SetupBlock, SetupFacts};

/// What a package says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// Its name.
    pub name: String,
    /// Its version, as its format writes it.
    pub version: String,
    /// Its architecture; empty where a format has none.
    pub architecture: String,
    /// What it needs, as its format writes it.
    pub depends: Vec<String>,
    /// Where clients will fetch it inside the repository: relative, without `.` or `..`.
    pub path: String,
    /// What indexes say of it (a stanza, XML elements …) by the kind of index, so that an index is put together and not computed
    /// again. Path, digest, size and time of arrival are in [`Package`](crate::Package) beside it.
    pub fragments: BTreeMap<String, Vec<u8>>,
    /// Which list of its channel names it (a component and architecture …); `None` is a file that no list names.
    pub part: Option<String>,
    /// Where lists have it, bytewise; `None` is by arrival, which makes adding cheapest.
    pub sorts_as: Option<String>,
    /// The package that it speaks of: a signature is taken only beside what it signs.
    pub goes_with: Option<GoesWith>,
}

/// A package that a file speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoesWith {
    /// Where it has to be.
    pub path: String,
    /// What it has to be.
    pub digest: Digest,
    /// Where the file is a clear-signed message: all of it, and what the format has taken for its text. A project's keyring has to
    /// agree.
    pub clear_signed: Option<(String, String)>,
}

/// A file that `wharf push` sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushedFile<'a> {
    /// What it is called.
    pub name: &'a str,
    /// The index that it is for, if that was said: a distribution of APT.
    pub channel: Option<&'a str>,
    /// Where in the index, if that was said: a component of APT.
    pub section: Option<&'a str>,
}

/// A file that is not what its format says it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InspectError(pub String);

/// An index that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The catalog or the storage.
    #[error(transparent)]
    Core(#[from] crate::Error),
    /// The format itself.
    #[error("{0}")]
    Format(String),
}

/// A kind of goods.
#[async_trait]
pub trait Format: Send + Sync + 'static {
    /// Mount, configuration key, metric label, audit field.
    fn name(&self) -> FormatName;

    /// Reads what a package says of itself. Called off the async threads; the reader ends where the file ends. Sizes in the
    /// file are lies until proven: nothing is allocated by them.
    ///
    /// # Errors
    /// What is wrong with the file, for its uploader.
    fn inspect(&self, file: &mut dyn Read, arrival: &Arrival) -> Result<Contents, InspectError>;

    /// Where files lie that go when the package at this path goes: what has no meaning without it.
    fn companions(&self, path: &str) -> Vec<String> {
        let _ = path;
        Vec::new()
    }

    /// The form that packages have as OCI artifacts, if they have one: then they are there through both doors.
    fn artifacts(&self) -> Option<&'static dyn ArtifactForm> {
        None
    }

    /// Where clients find a repository below a server's URL.
    fn address(&self, server: &str, repository: &RepoName) -> String {
        format!("{server}/{}/{}", self.name(), repository.full())
    }

    /// How to use a repository, in lines to copy for each client: to install from it first, to upload to it last. Pure: everything is
    /// in the facts. Shown by `GET …/setup` (`wharf_wire::setup_page` answers it), by the API, and by `wharf setup`; a test should run
    /// exactly these lines.
    fn setup(&self, facts: &SetupFacts) -> Vec<SetupBlock> {
        let _ = facts;
        Vec::new()
    }

    /// Where `wharf push` sends a file by `PUT`: a path below `/<format>/<project>/<name>/`, percent-encoded, with a query if need be;
    /// `wait=1` is added to that. `None` if the format has no such files, by the end of the name.
    fn push_path(&self, file: &PushedFile<'_>) -> Option<String> {
        let _ = file;
        None
    }

    /// Puts together the index of one channel of a repository. Runs as a job, for everything that came since the last time,
    /// and may run twice for one order: what it makes depends on the packages and not on how often it ran.
    ///
    /// # Errors
    /// The job is tried again later.
    async fn index(&self, publication: &mut Publication) -> Result<(), IndexError>;

    /// Says anew what an earlier index says, because clients see it again or still do: when it was made, until when it holds, who has
    /// signed it. Files that are not added stay as they were; [`Publication::keep_current`] leaves everything as it was, which is
    /// right where an index says nothing of the kind.
    ///
    /// # Errors
    /// What is published stays as it is.
    async fn reissue(&self, publication: &mut Publication, why: Reissue) -> Result<(), IndexError> {
        let _ = why;
        publication.keep_current();
        Ok(())
    }
}
