//! The ways a blob is pushed, each going on after a kill from where the server says it is.

use std::time::Instant;

use anyhow::{Result, bail, ensure};
use bytes::Bytes;
use rand::RngExt as _;
use reqwest::Method;

use super::client::Client;
use crate::book::Text;
use crate::goods::Blob;
use crate::wire::{Answer, Ask};

const BYTES: &str = "application/octet-stream";

/// Where an upload stands, as its server sees it.
enum Stands {
    At(usize),
    Ended,
}

impl Client {
    /// Pushes it by a way that is drawn, as often as the server dies with it.
    pub(super) async fn put_blob(&mut self, repository: &Text, blob: &Blob) -> Result<()> {
        let way = self.rng.random_range(0..4);
        loop {
            let sent = Instant::now();
            let done = match way {
                0 => self.put_whole(repository, blob).await?,
                1 => self.mount(repository, blob).await?,
                way => self.put_in_parts(repository, blob, way == 2).await?,
            };
            if done {
                self.book.linked(repository, &blob.digest, true, sent);
                return Ok(());
            }
            self.book.linked(repository, &blob.digest, false, sent);
        }
    }

    async fn put_whole(&mut self, repository: &Text, blob: &Blob) -> Result<bool> {
        let path = format!("/v2/{repository}/blobs/uploads/?digest={}", blob.digest);
        let ask = Ask::new(Method::POST, path).body(BYTES, blob.content());
        match self.ask("push blob whole", &ask).await? {
            None => Ok(false),
            Some(answer) if answer.status == 201 => Ok(true),
            Some(answer) => bail!("{}: {}", ask.url, answer.shown()),
        }
    }

    /// From any repository that has it; where there is none, or it is not given, the answer is an upload.
    async fn mount(&mut self, repository: &Text, blob: &Blob) -> Result<bool> {
        let sources: Vec<Text> =
            self.book.blobs().into_iter().filter(|(_, own)| *own == blob.digest).map(|(own, _)| own).collect();
        let source = if sources.is_empty() {
            self.own.clone()
        } else {
            sources[self.rng.random_range(0..sources.len())].clone()
        };
        let certain = self.book.must_have(&source, &blob.digest);
        let path = format!("/v2/{repository}/blobs/uploads/?mount={}&from={source}", blob.digest);
        match self.ask("mount blob", &Ask::new(Method::POST, path.clone())).await? {
            None => Ok(false),
            Some(answer) if answer.status == 201 => Ok(true),
            Some(answer) if answer.status == 202 => {
                ensure!(!certain || !self.book.must_have(&source, &blob.digest), "{path}: {source} has it for certain");
                self.go_on(repository, blob, &location(&answer), blob.size).await
            }
            Some(answer) => bail!("{path}: {}", answer.shown()),
        }
    }

    async fn put_in_parts(&mut self, repository: &Text, blob: &Blob, at_once: bool) -> Result<bool> {
        let part = if at_once { blob.size } else { (blob.size / self.rng.random_range(2..6)).max(2) };
        match self.begin(repository).await? {
            Some(location) => self.go_on(repository, blob, &location, part).await,
            None => Ok(false),
        }
    }

    async fn begin(&mut self, repository: &Text) -> Result<Option<String>> {
        let ask = Ask::new(Method::POST, format!("/v2/{repository}/blobs/uploads/"));
        match self.ask("begin upload", &ask).await? {
            None => Ok(None),
            Some(answer) if answer.status == 202 => Ok(Some(location(&answer))),
            Some(answer) => bail!("{}: {}", ask.url, answer.shown()),
        }
    }

    /// PATCHes of `part` bytes while there is more than one, then a PUT of the rest. False if the upload has to begin again.
    async fn go_on(&mut self, repository: &Text, blob: &Blob, location: &str, part: usize) -> Result<bool> {
        let content = blob.content();
        let (mut at, mut acknowledged) = (0, 0);
        loop {
            let last = blob.size - at <= part;
            let end = if last { blob.size } else { at + part };
            let began = Instant::now();
            let sent = if last {
                self.end(location, blob, content.slice(at..), at).await?
            } else {
                self.patch(location, content.slice(at..end), at).await?
            };
            match sent {
                Some(_) if last => return Ok(true),
                Some(()) => (at, acknowledged) = (end, end),
                None => match self.stands(location).await? {
                    Stands::At(received) => {
                        let possible = acknowledged <= received && received <= end;
                        ensure!(possible, "{location}: {received} bytes, {acknowledged} acknowledged, {end} sent");
                        at = received;
                    }
                    // It ends with the blob, or not at all.
                    Stands::Ended if last => {
                        self.book.linked(repository, &blob.digest, true, began);
                        return self.has_blob(repository, &blob.digest).await;
                    }
                    Stands::Ended => bail!("{location}: gone after {acknowledged} acknowledged bytes"),
                },
            }
        }
    }

    async fn patch(&mut self, location: &str, part: Bytes, at: usize) -> Result<Option<()>> {
        let range = format!("{at}-{}", at + part.len() - 1);
        let ask = Ask { range: Some(range), ..Ask::new(Method::PATCH, location.to_owned()).body(BYTES, part) };
        match self.ask("push part", &ask).await? {
            None => Ok(None),
            Some(answer) if answer.status == 202 => Ok(Some(())),
            Some(answer) => bail!("PATCH {location} at {at}: {}", answer.shown()),
        }
    }

    async fn end(&mut self, location: &str, blob: &Blob, rest: Bytes, at: usize) -> Result<Option<()>> {
        let joint = if location.contains('?') { '&' } else { '?' };
        let path = format!("{location}{joint}digest={}", blob.digest);
        let range = (!rest.is_empty()).then(|| format!("{at}-{}", at + rest.len() - 1));
        let ask = Ask { range, ..Ask::new(Method::PUT, path).body(BYTES, rest) };
        match self.ask("end upload", &ask).await? {
            None => Ok(None),
            Some(answer) if answer.status == 201 => Ok(Some(())),
            Some(answer) => bail!("PUT {location} at {at}: {}", answer.shown()),
        }
    }

    async fn stands(&mut self, location: &str) -> Result<Stands> {
        loop {
            let ask = Ask::new(Method::GET, location.to_owned());
            match self.ask("ask for upload", &ask).await? {
                None => {}
                Some(answer) if answer.status == 404 => return Ok(Stands::Ended),
                Some(answer) if answer.status == 204 => {
                    let last = answer.header("range").split_once('-').and_then(|(_, last)| last.parse::<usize>().ok());
                    // No part here has one byte, so this is the way to say none.
                    return Ok(Stands::At(last.map_or(0, |last| if last == 0 { 0 } else { last + 1 })));
                }
                Some(answer) => bail!("{location}: {}", answer.shown()),
            }
        }
    }

    /// Begins an upload and leaves it, or cancels it.
    pub(super) async fn abandon_upload(&mut self, repository: &Text) -> Result<()> {
        let blob = Blob::new(self.rng.random(), self.rng.random_range(20_000..60_000));
        let cancels = self.rng.random_bool(0.3);
        let Some(location) = self.begin(repository).await? else { return Ok(()) };
        self.patch(&location, blob.content(), 0).await?;
        if cancels && let Some(answer) = self.ask("cancel upload", &Ask::new(Method::DELETE, location.clone())).await? {
            ensure!(answer.status == 204, "DELETE {location}: {}", answer.shown());
        }
        Ok(())
    }
}

/// The path of the upload: the server that gave it may be another one by now.
fn location(answer: &Answer) -> String {
    let location = answer.header("location");
    let path = location.split_once("://").and_then(|(_, rest)| rest.find('/').map(|slash| &rest[slash..]));
    path.unwrap_or(location).to_owned()
}
