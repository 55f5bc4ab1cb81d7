//! How to use a repository, in lines to copy: each format says what its clients are to be told.

use wharf_db::catalog::{generations, projects};
use wharf_types::RepoName;

use crate::repository::Target;
use crate::{Core, Error, Result};

/// What a format is told to write its lines from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupFacts {
    /// Scheme, authority and path prefix of the server, without a slash at the end.
    pub server: String,
    /// Of the repository: `<server>/<format>/<project>/<name>`. Where its keys lie below that, the format knows.
    pub url: String,
    /// The repository.
    pub repository: RepoName,
    /// Whether everybody may read it, so that no credentials are needed for that.
    pub public: bool,
    /// Who asks; `USER` if nobody knows. The password in the lines is the word `PASSWORD`.
    pub user: String,
    /// Of the OpenPGP keys that sign now; none before the first was made.
    pub fingerprints: Vec<String>,
    /// The indexes that were published (distributions of APT).
    pub channels: Vec<String>,
}

/// What one client is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupBlock {
    /// The program, in one word: `apt`, `dnf`, `curl`.
    pub client: String,
    /// What the lines do.
    pub title: String,
    /// Lines for a shell, which do what they say once `PASSWORD` is replaced, and `FILE` where something is uploaded. Comments begin
    /// with `#`.
    pub lines: Vec<String>,
}

/// How to use a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// What the lines were made from.
    pub facts: SetupFacts,
    /// For each client.
    pub blocks: Vec<SetupBlock>,
}

impl SetupFacts {
    /// Host and port of the server: what stands in `auth.conf` and `.netrc`.
    pub fn host(&self) -> &str {
        let rest = self.server.split_once("://").map_or(self.server.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }
}

impl Setup {
    /// As text: titles are comments, so that the whole can be read by a shell.
    pub fn text(&self) -> String {
        let mut text = format!("# {}\n", self.facts.url);
        for SetupBlock { client, title, lines } in &self.blocks {
            text.push_str(&format!("\n# {client}: {title}\n"));
            for line in lines {
                text.push_str(line);
                text.push('\n');
            }
        }
        text
    }
}

impl Core {
    /// How to use a repository that clients reach under this server's URL, told to `user`.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`].
    pub async fn setup(&self, target: &Target, server: &str, user: Option<&str>) -> Result<Setup> {
        let found = self.inner.db.read(target, |tx, target| {
            Box::pin(async move {
                let repository = target.require(tx).await?;
                let project = projects::find(tx, repository.name.project()).await?;
                let channels = generations::channels(tx, repository.id).await?;
                Ok::<_, Error>((repository.name, project.is_some_and(|project| project.public), channels))
            })
        });
        let (repository, public, channels) = found.await?;
        let keys = self.repository_keys(target).await?;
        let active = keys.iter().filter(|key| key.retired_at.is_none());
        let fingerprints = active.map(|key| key.certificate.fingerprint()).collect();
        let url = format!("{server}/{}/{}", target.format, repository.full());
        let user = user.filter(|user| !user.is_empty()).unwrap_or("USER").to_owned();
        let facts = SetupFacts { server: server.to_owned(), url, repository, public, user, fingerprints, channels };
        Ok(Setup { blocks: self.format_of(target)?.setup(&facts), facts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_what_stands_between_the_slashes() {
        for (server, host) in
            [("https://a.example", "a.example"), ("http://[::1]:5000/x/y", "[::1]:5000"), ("http://h:5000", "h:5000")]
        {
            let facts = SetupFacts {
                server: server.to_owned(),
                url: String::new(),
                repository: "a/b".parse().unwrap(),
                public: true,
                user: String::new(),
                fingerprints: Vec::new(),
                channels: Vec::new(),
            };
            assert_eq!(facts.host(), host);
        }
    }
}
