//! Answers: packages, metadata, and how to use them.

use futures_util::TryStreamExt;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION};
use http::request::Parts;
use http::{Response, StatusCode};
use serde_json::{Value, json};
use wharf_core::{Actor, Added, Arrival, Blob, ByteStream, PublishedFile, Target};
use wharf_types::{Digest, RepoName};
use wharf_wire::{ASK_AGAIN, Body, Content, FOR_EVER, bytes, empty, setup_page};

use crate::index::{REPOMD, REPOMD_ZSTD, SIGNATURE, SIGNATURES, Signatures};
use crate::operation::Dialect;
use crate::package::{self, Rpm};
use crate::route::FIXED_DOOR;
use crate::{Call, Error, NAME};

const RPM: &str = "application/x-rpm";
/// Bytes that hold the headers of most packages.
const FIRST_LOOK: usize = 64 * 1024;

impl Call<'_> {
    pub(crate) fn target(&self, name: &RepoName) -> Target {
        Target::pushed(NAME, name.clone(), &self.permit)
    }

    pub(crate) fn actor(&self) -> Actor {
        Actor::new(self.permit.identity(), self.context.origin())
    }

    pub(crate) async fn published(&self, target: &Target, wait: bool) -> Result<(), Error> {
        if !wait {
            return Ok(());
        }
        self.core.wait_until_published(target, "").await.map_err(|error| match error {
            wharf_core::Error::NotPublished(_) => Error::NotPublished(error),
            other => other.into(),
        })
    }

    pub(crate) async fn add_package(
        &self,
        name: &RepoName,
        dialect: Dialect,
        wait: bool,
        content: ByteStream,
    ) -> Result<Response<Body>, Error> {
        let target = self.target(name);
        let arrival = Arrival { replaces: self.kept_settings(&target).await?.replaces(), ..Arrival::default() };
        let added = self.core.add_package(&target, arrival, content, &self.actor()).await?;
        self.published(&target, wait).await?;
        let location = self.context.location(&format!("/yum/{}/{}", name.full(), added.path));
        let mut response = match dialect {
            Dialect::Gitea if !added.new => return Err(Error::Exists(added.path)),
            Dialect::Gitea => created(empty(), true),
            Dialect::Nexus => created(empty(), added.new),
            Dialect::Form => no_content(),
            Dialect::Own => {
                let blob = self.core.package(&target, &added.path).await?;
                let described = self.described(&added.path, &blob).await?;
                with_json(created(empty(), added.new), &described)
            }
            Dialect::Artifactory => with_json(created(empty(), true), &self.as_artifactory(name, &added, &location)),
        };
        response.headers_mut().extend(HeaderValue::from_str(&location).ok().map(|location| (LOCATION, location)));
        Ok(response)
    }

    fn as_artifactory(&self, name: &RepoName, added: &Added, location: &str) -> Value {
        json!({
            "repo": name.full(),
            "path": format!("/{}", added.path),
            "downloadUri": location,
            "mimeType": RPM,
            "checksums": { "sha256": added.digest.hex() },
            "uri": location,
        })
    }

    pub(crate) async fn remove_package(
        &self,
        name: &RepoName,
        path: &str,
        wait: bool,
    ) -> Result<Response<Body>, Error> {
        let target = self.target(name);
        self.core.remove_package(&target, path, &self.actor()).await?;
        self.published(&target, wait).await?;
        Ok(no_content())
    }

    /// There is nothing to be done: what has changed is written anew by itself.
    pub(crate) async fn reindex(&self, name: &RepoName) -> Result<Response<Body>, Error> {
        self.core.repository(&self.target(name)).await?;
        Ok(Response::new(bytes("the metadata are written anew whenever something has changed\n")))
    }

    pub(crate) async fn package(&self, name: &RepoName, path: &str, head: &Parts) -> Result<Response<Body>, Error> {
        let target = self.target(name);
        wharf_wire::package(self.core, &self.permit, self.context, (&target, path, RPM), head).await
    }

    /// What a package says of itself, read from its header again.
    pub(crate) async fn describe(&self, name: &RepoName, path: &str) -> Result<Response<Body>, Error> {
        let blob = self.core.package(&self.target(name), path).await?;
        Ok(with_json(Response::new(empty()), &self.described(path, &blob).await?))
    }

    async fn described(&self, path: &str, blob: &Blob) -> Result<Value, Error> {
        Ok(told(&self.read_head(blob).await?, path, blob))
    }

    /// Reads as much of a package as its headers have.
    pub(crate) async fn read_head(&self, blob: &Blob) -> Result<Rpm, Error> {
        let mut content = self.core.open_blob(blob, 0..blob.size).await?;
        let (mut head, mut enough) = (Vec::new(), FIRST_LOOK);
        loop {
            let chunk = content.try_next().await.map_err(Error::Away)?;
            let more = chunk.is_some();
            head.extend_from_slice(&chunk.unwrap_or_default());
            if more && head.len() < enough {
                continue;
            }
            match package::read(&mut head.as_slice()) {
                Ok(rpm) => return Ok(rpm),
                // It was whole when it came: what is missing is still to be read.
                Err(_) if more => enough = 4 * head.len(),
                Err(error) => return Err(Error::Invalid(error.0)),
            }
        }
    }

    pub(crate) async fn index(&self, name: &RepoName, file: &str, head: &Parts) -> Result<Response<Body>, Error> {
        let file = self.core.index_file(&self.target(name), "", file).await?;
        self.index_file(&file, ASK_AGAIN, head).await
    }

    pub(crate) async fn index_by_hash(
        &self,
        name: &RepoName,
        digest: &Digest,
        file: &str,
        head: &Parts,
    ) -> Result<Response<Body>, Error> {
        let found = self.core.index_file_by_digest(&self.target(name), digest).await?;
        if found.file.path != file {
            return Err(Error::NoSuchPath);
        }
        self.index_file(&found, FOR_EVER, head).await
    }

    /// A repomd.xml that is or was current.
    pub(crate) async fn repomd_at(
        &self,
        name: &RepoName,
        digest: &Digest,
        head: &Parts,
    ) -> Result<Response<Body>, Error> {
        let found = self.core.index_file_by_digest(&self.target(name), digest).await?;
        if ![REPOMD, REPOMD_ZSTD].contains(&found.file.path.as_str()) {
            return Err(Error::NoSuchPath);
        }
        self.index_file(&found, FOR_EVER, head).await
    }

    /// Where the current metadata stay as they are.
    pub(crate) async fn mirror_list(&self, name: &RepoName, file: &str) -> Result<Response<Body>, Error> {
        let found = self.core.index_file(&self.target(name), "", file).await?;
        let url = format!("{}/yum/{}", self.context.base_url, name.full());
        Ok(text(format!("{url}/{FIXED_DOOR}/{}/\n", found.file.digest.hex())))
    }

    async fn index_file(
        &self,
        found: &PublishedFile,
        caching: HeaderValue,
        head: &Parts,
    ) -> Result<Response<Body>, Error> {
        let file = &found.file;
        let content = Content { digest: &file.digest, size: file.size, media_type: &file.media_type, caching };
        content.answer(head, async |range| Ok(self.core.open_index_file(found, range).await?)).await
    }

    /// The signature of a repomd.xml that is or was current.
    pub(crate) async fn signature_at(&self, name: &RepoName, digest: &Digest) -> Result<Response<Body>, Error> {
        let found = self.core.index_file(&self.target(name), "", SIGNATURES).await?;
        let content = self.core.open_index_file(&found, 0..found.file.size).await?;
        let content: Vec<::bytes::Bytes> = content.try_collect().await.map_err(Error::Away)?;
        let signatures = Signatures::read(&content.concat());
        let signature = signatures.of_digest(digest).ok_or(Error::NoSuchPath)?;
        Ok(of_type(SIGNATURE, signature.to_owned(), FOR_EVER))
    }

    pub(crate) async fn keys(&self, name: &RepoName) -> Result<Response<Body>, Error> {
        let keys = self.core.public_keys(&self.target(name)).await?;
        Ok(of_type("application/pgp-keys", keys.armored, ASK_AGAIN))
    }

    pub(crate) async fn setup_page(&self, name: &RepoName, head: &Parts) -> Result<Response<Body>, Error> {
        Ok(setup_page(self.core, &self.target(name), self.permit.identity(), self.context, &head.headers).await?)
    }

    /// What dnf wants of a repository, to be put into `/etc/yum.repos.d`. The metadata are signed and have the hashes of all packages, so
    /// that packages which are not signed themselves are what was pushed all the same.
    pub(crate) async fn repo_file(&self, name: &RepoName) -> Result<Response<Body>, Error> {
        let name = self.core.repository(&self.target(name)).await?.name.full();
        let url = format!("{}/yum/{name}", self.context.base_url);
        let text = format!(
            "[{id}]\nname={name}\nmirrorlist={url}/mirrorlist\n#baseurl={url}/\nenabled=1\nrepo_gpgcheck=1\n\
             gpgkey={url}/key.asc\n# 1 if all packages are signed themselves, with the keys for them in gpgkey too\ngpgcheck=0\n\
             # for a private repository\n#username=\n#password=\n",
            id = name.replace('/', "-"),
        );
        Ok(self::text(text))
    }
}

fn of_type(media_type: &'static str, content: String, caching: HeaderValue) -> Response<Body> {
    let mut response = Response::new(bytes(content));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, caching);
    response
}

fn text(text: String) -> Response<Body> {
    of_type("text/plain; charset=utf-8", text, ASK_AGAIN)
}

fn told(rpm: &Rpm, path: &str, blob: &Blob) -> Value {
    let identity = &rpm.identity;
    let signers = rpm.signers();
    json!({
        "path": path,
        "name": identity.name,
        "epoch": identity.epoch,
        "version": identity.version,
        "release": identity.release,
        "architecture": identity.arch,
        "sha256": blob.digest.hex(),
        "size": blob.size,
        "signed": !signers.is_empty(),
        "signatures": signers,
    })
}

pub(crate) fn no_content() -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn created(body: Body, new: bool) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = if new { StatusCode::CREATED } else { StatusCode::OK };
    response
}

pub(crate) fn with_json(response: Response<Body>, value: &Value) -> Response<Body> {
    let text = format!("{value}\n");
    let mut response = response.map(|_| bytes(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
