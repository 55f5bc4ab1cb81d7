//! How to use a repository, in lines to copy: each format says what its clients are to be told.

use std::collections::{BTreeMap, BTreeSet};

use wharf_db::catalog::{generations, projects};
use wharf_types::{FormatName, RepoName};

use crate::repository::Target;
use crate::{Core, Error, Result};

/// What a format is told to write its lines from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupFacts {
    /// Scheme, authority and path prefix of the server, without a slash at the end.
    pub server: String,
    /// Of the repository, as [`Format::address`](crate::Format::address) says. Where its keys lie below that, the format knows.
    pub url: String,
    /// The repository.
    pub repository: RepoName,
    /// Whether everybody may read it, so that no credentials are needed for that.
    pub public: bool,
    /// Who asks; `USER` if nobody knows. No character of such a name means anything to a shell. The password in the lines is the word
    /// `PASSWORD`.
    pub user: String,
    /// Of the OpenPGP keys that sign now; none before the first was made.
    pub fingerprints: Vec<String>,
    /// The indexes that were published (distributions of APT), each with the paths of its files.
    pub indexes: BTreeMap<String, BTreeSet<String>>,
}

/// What one client is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupBlock {
    /// The program, in one word: `apt`, `dnf`, `curl`.
    pub client: String,
    /// What the lines do.
    pub title: String,
    /// Lines for a shell, which do what they say once the words in capitals are replaced: `PASSWORD`, which stands in a line of its own and
    /// is taken as it is, `FILE` where something is uploaded, `USER` where nobody knows who asks. Comments begin with `#`.
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

    /// Host, port and what path a proxy puts before ours.
    pub fn place(&self) -> &str {
        self.server.split_once("://").map_or(self.server.as_str(), |(_, rest)| rest)
    }

    /// Whether there is no TLS, which some clients must be told is meant.
    pub fn is_plain(&self) -> bool {
        self.server.starts_with("http://")
    }

    /// What clients call the repository in their own configuration: `team-debs`.
    pub fn label(&self) -> String {
        self.repository.full().replace('/', "-")
    }

    /// Lines that use `$password`, behind those that set it. Between the lines of a quoted here-document every character stands for
    /// itself, in all shells, so a password needs no quotes and cannot end them.
    pub fn with_password(&self, lines: Vec<String>) -> Vec<String> {
        let known =
            ["# the password stands alone in its line, as it is", "IFS= read -r password <<'END'", "PASSWORD", "END"];
        known.into_iter().map(str::to_owned).chain(lines).collect()
    }

    /// [`with_password`](Self::with_password) for lines that only read, which everybody may where the project is public.
    pub fn with_password_to_read(&self, lines: Vec<String>) -> Vec<String> {
        if self.public { lines } else { self.with_password(lines) }
    }

    /// What `curl` needs to read, in lines [`with_password_to_read`](Self::with_password_to_read): nothing where everybody may.
    pub fn reads(&self) -> String {
        if self.public { String::new() } else { self.writes() }
    }

    /// What `curl` needs to upload, in lines [`with_password`](Self::with_password): ` -u "USER:$password"`.
    pub fn writes(&self) -> String {
        format!(" -u \"{}:$password\"", self.user)
    }

    /// The password on the standard input of a program that is told who signs in, so that no list of processes shows it; in lines
    /// [`with_password`](Self::with_password).
    pub fn typed(&self, program: &str) -> String {
        format!("printf %s \"$password\" | {program}")
    }

    /// How `wharf push` sends a file to this repository, with options before the last one.
    pub fn pushed(&self, format: FormatName, options: &str) -> SetupBlock {
        SetupBlock::new(
            "wharf",
            "push a file",
            self.with_password(vec![
                self.typed(&format!("wharf login -u '{}' --password-stdin '{}'", self.user, self.server)),
                format!("wharf push 'FILE' {format}/{}{options} --wait", self.repository.full()),
            ]),
        )
    }
}

impl SetupBlock {
    /// What one client is to be told.
    pub fn new(client: &str, title: &str, lines: Vec<String>) -> Self {
        Self { client: client.to_owned(), title: title.to_owned(), lines }
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
                let files = generations::current_paths(tx, repository.id).await?;
                Ok::<_, Error>((repository.name, project.is_some_and(|project| project.public), files))
            })
        });
        let (repository, public, files) = found.await?;
        let mut indexes = BTreeMap::<_, BTreeSet<_>>::new();
        for (channel, path) in files {
            indexes.entry(channel).or_default().insert(path);
        }
        let keys = self.repository_keys(target).await?;
        let active = keys.iter().filter(|key| key.retired_at.is_none());
        let fingerprints = active.map(|key| key.certificate.fingerprint()).collect();
        let format = self.format_of(target)?;
        let url = format.address(server, &repository);
        let user = user.filter(|user| !user.is_empty()).unwrap_or("USER").to_owned();
        let facts = SetupFacts { server: server.to_owned(), url, repository, public, user, fingerprints, indexes };
        Ok(Setup { blocks: format.setup(&facts), facts })
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
                indexes: BTreeMap::new(),
            };
            assert_eq!(facts.host(), host);
        }
    }
}
