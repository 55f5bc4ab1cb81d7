//! Answers: packages, index files, keys, and how to use them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION};
use http::request::Parts;
use http::{Response, StatusCode};
use wharf_core::{Actor, Arrival, PublishedFile, SetupBlock, SetupFacts, Target};
use wharf_types::{Digest, RepoName};
use wharf_wire::{ASK_AGAIN, Body, Content, FOR_EVER, bytes, chunks, empty, setup_page};

use crate::index::{INDEX, key_id};
use crate::{Call, Channel, Error, KeyForm, NAME};

const TEXT: &str = "text/plain; charset=utf-8";

impl Call<'_> {
    fn target(&self, name: &RepoName) -> Target {
        Target::pushed(NAME, name.clone(), &self.permit)
    }

    fn actor(&self) -> Actor {
        Actor::new(self.permit.identity(), self.context.origin())
    }

    async fn published(&self, target: &Target, channel: &Channel) -> Result<(), Error> {
        self.core.wait_until_published(target, channel.as_str()).await.map_err(|error| match error {
            wharf_core::Error::NotPublished(_) => Error::NotPublished(error),
            other => other.into(),
        })
    }

    pub(crate) async fn add_package(
        &self,
        name: &RepoName,
        channel: &Channel,
        wait: bool,
        body: Body,
    ) -> Result<Response<Body>, Error> {
        let target = self.target(name);
        let arrival = Arrival { channel: channel.to_string(), ..Arrival::default() };
        let added = self.core.add_package(&target, arrival, chunks(body), &self.actor()).await?;
        if wait {
            self.published(&target, channel).await?;
        }
        let path = format!("/text/{}/{}", name.full(), added.path);
        let mut response = text(format!("{}\n", added.path));
        *response.status_mut() = if added.new { StatusCode::CREATED } else { StatusCode::OK };
        let location = HeaderValue::from_str(&self.context.location(&path));
        response.headers_mut().extend(location.ok().map(|location| (LOCATION, location)));
        Ok(response)
    }

    pub(crate) async fn remove_package(
        &self,
        name: &RepoName,
        channel: &Channel,
        path: &str,
        wait: bool,
    ) -> Result<Response<Body>, Error> {
        let target = self.target(name);
        self.core.remove_package(&target, path, &self.actor()).await?;
        if wait {
            self.published(&target, channel).await?;
        }
        let mut response = Response::new(empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }

    pub(crate) async fn package(&self, name: &RepoName, path: &str, head: &Parts) -> Result<Response<Body>, Error> {
        let target = self.target(name);
        wharf_wire::package(self.core, &self.permit, self.context, (&target, path, TEXT), head).await
    }

    pub(crate) async fn index(
        &self,
        name: &RepoName,
        channel: &Channel,
        file: &str,
        head: &Parts,
    ) -> Result<Response<Body>, Error> {
        let file = self.core.index_file(&self.target(name), channel.as_str(), file).await?;
        self.index_file(&file, ASK_AGAIN, head).await
    }

    pub(crate) async fn index_by_hash(
        &self,
        name: &RepoName,
        digest: &Digest,
        head: &Parts,
    ) -> Result<Response<Body>, Error> {
        let file = self.core.index_file_by_digest(&self.target(name), digest).await?;
        self.index_file(&file, FOR_EVER, head).await
    }

    async fn index_file(
        &self,
        found: &PublishedFile,
        caching: HeaderValue,
        head: &Parts,
    ) -> Result<Response<Body>, Error> {
        let content = Content { digest: &found.file.digest, size: found.file.size, media_type: TEXT, caching };
        content.answer(head, async |range| Ok(self.core.open_index_file(found, range).await?)).await
    }

    pub(crate) async fn keys(&self, name: &RepoName, form: KeyForm) -> Result<Response<Body>, Error> {
        if form != KeyForm::Lines {
            let keys = self.core.public_keys(&self.target(name)).await?;
            let content = if form == KeyForm::Armored { keys.armored.into_bytes() } else { keys.binary };
            let mut response = Response::new(bytes(content));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/pgp-keys"));
            return Ok(response);
        }
        let keys = self.core.signing_keys(&self.target(name)).await?;
        let line =
            |key: &wharf_core::PublicKey| format!("{} {} {}\n", key_id(key), key.kind, STANDARD.encode(&key.public));
        Ok(text(keys.iter().map(line).collect()))
    }

    pub(crate) async fn setup_page(&self, name: &RepoName, head: &Parts) -> Result<Response<Body>, Error> {
        Ok(setup_page(self.core, &self.target(name), self.permit.identity(), self.context, &head.headers).await?)
    }
}

/// What `curl` is to be told, and nothing else: this is no format of any program's.
pub(crate) fn setup(facts: &SetupFacts) -> Vec<SetupBlock> {
    let SetupFacts { url, indexes, .. } = facts;
    let channel = indexes.keys().next().map_or("main", String::as_str);
    let (reads, writes, key) = (facts.reads(), facts.writes(), facts.label());
    let block = |title: &str, lines: Vec<String>| SetupBlock::new("curl", title, lines);
    vec![
        block(
            "fetch the keys",
            facts.with_password_to_read(vec![format!("curl -fsS{reads} -o {key}.asc {url}/key.asc")]),
        ),
        block(
            "see what is in it",
            facts.with_password_to_read(vec![format!("curl -fsS{reads} {url}/{channel}/{INDEX}")]),
        ),
        block(
            "add a package",
            facts.with_password(vec![format!("curl -fsS{writes} -T FILE '{url}/{channel}/upload?wait=1'")]),
        ),
    ]
}

fn text(text: String) -> Response<Body> {
    let size = text.len();
    let mut response = Response::new(bytes(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TEXT));
    response.headers_mut().insert(CONTENT_LENGTH, size.into());
    response
}
