//! Second thoughts: restoring what was deleted, and rolling tags back.

use std::time::Instant;

use anyhow::{Result, bail, ensure};
use bytes::Bytes;
use rand::RngExt as _;
use reqwest::Method;
use serde_json::Value;

use super::client::Client;
use crate::book::Text;
use crate::wire::{Answer, Ask};

impl Client {
    /// Restores something that was deleted in the own repository, or that repository.
    pub(super) async fn restore(&mut self) -> Result<()> {
        let repository = self.own.clone();
        let entries = self.entries(format!("/api/v1/repositories/oci/{repository}/-/bin?limit=100")).await?;
        if entries.is_empty() {
            return self.restore_repository().await;
        }
        let entry = entries[self.rng.random_range(0..entries.len())].clone();
        let sent = Instant::now();
        match self.ask("restore", &restore(&repository, &entry)).await? {
            Some(answer) if answer.status == 200 => {
                let restored = json(&answer)?;
                let digest = Text::from(restored["digest"].as_str().unwrap_or_default());
                self.came_back(&repository, &digest, &restored["tags"], sent)
            }
            Some(answer) => refused(&entry, &answer),
            None => {
                let digest = Text::from(entry["digest"].as_str().unwrap_or_default());
                for tag in self.tags.clone() {
                    self.book.repointed(&repository, &tag, &digest, false);
                }
                Ok(())
            }
        }
    }

    async fn restore_repository(&mut self) -> Result<()> {
        let repository = self.own.clone();
        let entries = self.entries("/api/v1/projects/faults/bin?limit=1000".to_owned()).await?;
        let own = |entry: &&Value| entry["kind"] == "repository" && entry["repository"].as_str() == Some(&repository);
        // It may have been deleted more than once; what is remembered of it is what it held the last time.
        let newest = entries.iter().filter(own).max_by_key(|entry| entry["id"].as_i64());
        let Some(entry) = newest.cloned() else { return Ok(()) };
        let Some(buried) = self.buried.take() else { return Ok(()) };
        // What is there does not tell whether the entry came back: a push may have made a repository of the name since.
        loop {
            match self.ask("restore repository", &restore(&repository, &entry)).await? {
                Some(answer) if answer.status == 200 || answer.shown().contains("it was restored at") => {
                    self.book.dug_up(&repository, buried);
                    return Ok(());
                }
                Some(answer) => return refused(&entry, &answer),
                None => {}
            }
        }
    }

    /// Points a tag at where it pointed before.
    pub(super) async fn roll_back(&mut self, repository: &Text, tag: &Text) -> Result<()> {
        let path = format!("/api/v1/repositories/oci/{repository}/-/tags/{tag}/rollback");
        let (ask, sent) =
            (Ask::new(Method::POST, path).body("application/json", Bytes::from_static(b"{}")), Instant::now());
        match self.ask("roll back tag", &ask).await? {
            Some(answer) if answer.status == 200 => {
                let done = json(&answer)?;
                self.book.saw_tag(repository, tag, done["from"].as_str())?;
                let to = Text::from(done["to"].as_str().unwrap_or_default());
                ensure!(self.book.was_pushed(&to), "{repository}:{tag} goes back to {to}, which was never pushed");
                self.came_back(repository, &to, &Value::Null, sent)?;
                for restored in done["restored"].as_array().into_iter().flatten() {
                    self.came_back(repository, &to, &restored["tags"], sent)?;
                }
                self.book.repointed(repository, tag, &to, true);
                Ok(())
            }
            Some(answer) => refused(&Value::Null, &answer),
            None => {
                for image in self.book.ever(repository) {
                    self.book.repointed(repository, tag, &image, false);
                    for other in self.tags.clone() {
                        // It may have come out of the bin for this, with the tags that it had.
                        self.book.repointed(repository, &other, &image, false);
                    }
                }
                Ok(())
            }
        }
    }

    /// A manifest is back, with what it names and with these tags.
    fn came_back(&mut self, repository: &Text, digest: &Text, tags: &Value, sent: Instant) -> Result<()> {
        let Some(image) = self.book.image(digest) else {
            // Of long ago: then nothing is known of it, and nothing is to be checked.
            for tag in tags.as_array().into_iter().flatten().filter_map(Value::as_str) {
                self.book.repointed(repository, &tag.into(), digest, true);
            }
            return Ok(());
        };
        for blob in &image.blobs {
            self.book.linked(repository, &blob.digest, true, sent);
        }
        self.book.restored(repository, digest);
        for tag in tags.as_array().into_iter().flatten().filter_map(Value::as_str) {
            self.book.repointed(repository, &tag.into(), digest, true);
        }
        Ok(())
    }

    /// All entries of a list; none if a page of it was not answered.
    async fn entries(&mut self, path: String) -> Result<Vec<Value>> {
        let (mut entries, mut next) = (Vec::new(), None::<String>);
        loop {
            let page = next.as_ref().map_or_else(|| path.clone(), |next| format!("{path}&after={next}"));
            match self.ask("list bin", &Ask::new(Method::GET, page)).await? {
                Some(answer) if answer.status == 200 => {
                    let list = json(&answer)?;
                    entries.extend(list["items"].as_array().cloned().unwrap_or_default());
                    next = list["next"].as_str().map(str::to_owned);
                    if next.is_none() {
                        return Ok(entries);
                    }
                }
                Some(answer) if answer.status != 404 => bail!("the bin answers {}", answer.shown()),
                _ => return Ok(Vec::new()),
            }
        }
    }
}

fn restore(repository: &str, entry: &Value) -> Ask<'static> {
    let path = format!("/api/v1/repositories/oci/{repository}/-/bin/{}/restore", entry["id"]);
    Ask::new(Method::POST, path).body("application/json", Bytes::from_static(b"{}"))
}

/// Its time is up, or something stands in the way; nothing has changed.
fn refused(entry: &Value, answer: &Answer) -> Result<()> {
    ensure!(matches!(answer.status, 404 | 409 | 410 | 422), "{entry}: {}", answer.shown());
    Ok(())
}

fn json(answer: &Answer) -> Result<Value> {
    Ok(serde_json::from_slice(answer.body.as_deref().unwrap_or_default()).unwrap_or(Value::Null))
}
