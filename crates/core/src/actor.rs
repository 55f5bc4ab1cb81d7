//! Who does something, as histories and the audit log name them.

use wharf_auth::{Identity, Origin};
use wharf_db::Durability;
use wharf_db::catalog::audit;
use wharf_types::{Digest, RepoName, Timestamp};

use crate::{Core, Error, Result};

/// The one behind a request, or the server itself.
#[derive(Debug, Clone)]
pub struct Actor {
    pub(crate) name: String,
    pub(crate) credential: String,
    pub(crate) identity: Option<Identity>,
    origin: Origin,
}

impl Actor {
    /// The one behind a request.
    pub fn new(identity: &Identity, origin: Origin) -> Self {
        let (name, credential) = (identity.subject().name(), identity.credential());
        Self { name, credential, identity: Some(identity.clone()), origin }
    }

    /// The server itself, in its background work.
    pub fn system() -> Self {
        let (name, credential) = ("wharf".to_owned(), "internal".to_owned());
        Self { name, credential, identity: None, origin: Origin::default() }
    }

    /// Whoever has the data of a server that is stopped.
    pub(crate) fn offline() -> Self {
        Self { credential: "offline".to_owned(), ..Self::system() }
    }

    /// The same one in a job, which has no request.
    pub(crate) fn absent(name: String, credential: String, origin: Origin) -> Self {
        Self { name, credential, identity: None, origin }
    }

    /// From where.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// A line of the audit log about a repository.
    pub(crate) fn did(&self, action: &str, repository: &RepoName, at: Timestamp) -> audit::Entry {
        let mut entry = self.did_to_project(action, repository.project().as_str(), at);
        entry.repository = Some(repository.canonical().to_owned());
        entry
    }

    /// A line of the audit log about a project.
    pub(crate) fn did_to_project(&self, action: &str, project: &str, at: Timestamp) -> audit::Entry {
        audit::Entry { project: Some(project.to_owned()), ..self.did_to_server(action, at) }
    }

    /// A line of the audit log about the server as a whole.
    pub(crate) fn did_to_server(&self, action: &str, at: Timestamp) -> audit::Entry {
        audit::Entry {
            at,
            actor: self.name.clone(),
            credential: self.credential.clone(),
            action: action.to_owned(),
            address: self.origin.address.map(|address| address.to_string()),
            request_id: self.origin.request_id.clone(),
            ..audit::Entry::default()
        }
    }
}

impl Core {
    /// Writes a line of the audit log about what is no change of one transaction.
    pub(crate) async fn write_line(&self, line: audit::Entry) -> Result<()> {
        let written = self.inner.db.write(Durability::Full, line, |tx, line| Box::pin(audit::append(tx, line)));
        written.await.map_err(Error::from)
    }
}

/// The same line with what inside the repository it is about.
pub(crate) fn about(mut entry: audit::Entry, subject: Option<String>, digest: Option<Digest>) -> audit::Entry {
    entry.subject = subject;
    entry.digest = digest;
    entry
}
