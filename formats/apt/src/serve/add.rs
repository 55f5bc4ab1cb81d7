//! Uploads: a package, a source or one of its files, into one or several distributions.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use http::header::{HeaderValue, LOCATION};
use http::{Response, StatusCode};
use sha2::{Digest as _, Sha256};
use wharf_core::{Added, Blob, ByteStream, Package, Place, Target};
use wharf_types::{Algorithm, Digest, RepoName};
use wharf_wire::{Body, chunks, read_up_to};

use super::answer::{no_content, text, typed};
use crate::name::pool_folder;
use crate::operation::{Dialect, Spot, Upload};
use crate::package::{Ask, Brings};
use crate::settings::{SameVersion, Settings};
use crate::source::{self, LONGEST, Manifest, NamedFile};
use crate::{Call, Error};

/// Where packages go whose upload does not say it.
const DEFAULT_DISTRIBUTION: &str = "stable";
const DEFAULT_COMPONENT: &str = "main";

impl Call<'_> {
    pub(crate) async fn add(&self, name: &RepoName, upload: &Upload, body: Body) -> Result<Response<Body>, Error> {
        let target = self.target(name);
        let settings = self.kept_settings(&target, "").await?;
        let spots = match upload.spots.as_slice() {
            [] => &[default_spot(settings)?],
            some => some,
        };
        let added = self.take(&target, spots, upload, body).await?;
        if upload.wait {
            for distribution in distributions(spots) {
                self.published(&target, distribution).await?;
            }
        }
        self.told(name, upload, &added)
    }

    async fn take(&self, target: &Target, spots: &[Spot], upload: &Upload, body: Body) -> Result<Added, Error> {
        let ask = |brings, component| Ask {
            architectures: upload.architectures.clone(),
            file_name: upload.file_name.clone(),
            ..Ask::new(brings, component)
        };
        let component = spots[0].component.clone();
        if upload.file_name.ends_with(".dsc") {
            let content = read_up_to(body, LONGEST).await?;
            agrees(upload.digest.as_ref(), Digest::sha256(&content))?;
            return self.take_source(target, spots, ask(Brings::Source, component), content).await;
        }
        let body = Expected::new(upload.digest, chunks(body));
        if source::of_file(&upload.file_name).is_ok() {
            let arrival = ask(Brings::SourceFile, component).into_arrival("");
            return body.judged(self.core.add_package(target, arrival, body.stream(), &self.actor()).await);
        }
        let taken = self.take_listed(target, spots, ask(Brings::Binary, component), body.stream()).await;
        body.judged_by(taken)
    }

    /// Takes a source whose files are here.
    pub(super) async fn take_source(
        &self,
        target: &Target,
        spots: &[Spot],
        ask: Ask,
        content: Bytes,
    ) -> Result<Added, Error> {
        let manifest = Manifest::read(&content)?;
        let folder = pool_folder(manifest.source());
        for file in &manifest.files {
            self.named(target, &folder, file).await?;
        }
        let body: ByteStream = Box::pin(futures_util::stream::once(async { Ok(content) }));
        self.take_listed(target, spots, ask, body).await
    }

    /// A file that a .dsc or .changes names, which must be what that says.
    pub(super) async fn named(&self, target: &Target, folder: &str, file: &NamedFile) -> Result<Blob, Error> {
        let found = self.core.package(target, &format!("{folder}/{}", file.name)).await;
        let blob = found.map_err(|error| match error {
            wharf_core::Error::FileUnknown(_) | wharf_core::Error::RepositoryUnknown(_) => {
                Error::FileMissing { file: file.name.clone() }
            }
            other => other.into(),
        })?;
        if blob.size != file.size || blob.digest.hex() != file.sha256 {
            return Err(Error::FileDiffers { file: file.name.clone() });
        }
        Ok(blob)
    }

    /// Takes a file in, lists it in the first spot, and then in the others.
    pub(super) async fn take_listed(
        &self,
        target: &Target,
        spots: &[Spot],
        mut ask: Ask,
        body: ByteStream,
    ) -> Result<Added, Error> {
        let [first, others @ ..] = spots else { return Err(Error::NoDestination) };
        let settings = self.kept_settings(target, "").await?;
        ask.by_content = settings.same_version == Some(SameVersion::Replace) && ask.brings == Brings::Binary;
        let replaces = ask.by_content;
        let arrival = ask.into_arrival(first.distribution.as_str());
        let added = self.core.add_package(target, arrival, body, &self.actor()).await?;
        if !others.is_empty() {
            let part = self.part_in(target, &added.path, first).await?;
            for spot in others {
                let place = Place { channel: spot.distribution.to_string(), part: part.in_component(spot) };
                self.core.place_package(target, &added.path, place, &self.actor()).await?;
            }
        }
        if replaces {
            self.take_the_place_of_others(target, &added.path, spots).await?;
        }
        Ok(added)
    }

    /// Takes other packages of the same name, version and architecture out of the lists that a package was just put into.
    async fn take_the_place_of_others(&self, target: &Target, path: &str, spots: &[Spot]) -> Result<(), Error> {
        let new = self.whose(target, path).await?;
        let channels = distributions(spots);
        let places: Vec<_> = new.places.iter().filter(|place| channels.contains(place.channel.as_str())).collect();
        let Package { name, version, architecture, .. } = &new.package;
        for old in self.core.packages_named(target, name, Some(version)).await? {
            if old.package.path == path || old.package.architecture != *architecture {
                continue;
            }
            for place in old.places.into_iter().filter(|place| places.contains(&place)) {
                self.core.displace_package(target, &old.package.path, place, &self.actor()).await?;
            }
        }
        Ok(())
    }

    fn told(&self, name: &RepoName, upload: &Upload, added: &Added) -> Result<Response<Body>, Error> {
        let path = format!("/apt/{}/{}", name.full(), added.path);
        let location = self.context.location(&path);
        let mut response = match upload.dialect {
            Dialect::Own if !added.new => text(StatusCode::OK, format!("{}\n", added.path)),
            Dialect::Own => text(StatusCode::CREATED, format!("{}\n", added.path)),
            Dialect::Gitea | Dialect::Nexus => text(StatusCode::CREATED, String::new()),
            Dialect::Form => no_content(),
            Dialect::GitLab => {
                let media_type = HeaderValue::from_static("application/json");
                typed(StatusCode::CREATED, media_type, r#"{"message":"201 Created"}"#)
            }
            Dialect::Artifactory => {
                let uri = format!("{}{path}", self.context.base_url);
                let answer = serde_json::json!({
                    "repo": name.full(), "path": format!("/{}", added.path), "downloadUri": uri, "uri": uri,
                    "checksums": { "sha256": added.digest.hex() },
                });
                let media_type = HeaderValue::from_static("application/json");
                typed(StatusCode::CREATED, media_type, answer.to_string())
            }
        };
        response.headers_mut().extend(HeaderValue::from_str(&location).ok().map(|location| (LOCATION, location)));
        Ok(response)
    }
}

fn default_spot(settings: Settings) -> Result<Spot, Error> {
    let distribution = settings.distribution.map_or_else(|| DEFAULT_DISTRIBUTION.parse(), Ok)?;
    Ok(Spot { distribution, component: settings.component.map_or_else(|| DEFAULT_COMPONENT.parse(), Ok)? })
}

/// Each of them once.
pub(super) fn distributions(spots: &[Spot]) -> std::collections::BTreeSet<&str> {
    spots.iter().map(|spot| spot.distribution.as_str()).collect()
}

fn agrees(expected: Option<&Digest>, actual: Digest) -> Result<(), Error> {
    match expected {
        Some(expected) if *expected != actual => Err(Error::OtherContent { expected: *expected, actual }),
        _ => Ok(()),
    }
}

/// A body that the request says the checksum of. Other content ends it with an error, so that nothing is kept of it.
struct Expected {
    digest: Option<Digest>,
    body: Mutex<Option<ByteStream>>,
    /// What it hashes to, if that is something else.
    other: Arc<Mutex<Option<Digest>>>,
}

impl Expected {
    fn new(digest: Option<Digest>, body: ByteStream) -> Self {
        Self { digest, body: Mutex::new(Some(body)), other: Arc::default() }
    }

    /// The body; empty when it was taken already.
    fn stream(&self) -> ByteStream {
        let body = self.body.lock().unwrap_or_else(PoisonError::into_inner).take();
        let body = body.unwrap_or_else(|| Box::pin(futures_util::stream::empty()));
        let Some(expected) = self.digest else { return body };
        let (other, hash) = (Arc::clone(&self.other), Arc::new(Mutex::new(Sha256::new())));
        let hashed = Arc::clone(&hash);
        let body = body.inspect_ok(move |chunk| hashed.lock().unwrap_or_else(PoisonError::into_inner).update(chunk));
        let end = futures_util::stream::once(async move {
            let hash = hash.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let actual = Digest::from_raw(Algorithm::Sha256, &hash.finalize());
            if actual == expected {
                return Ok(Bytes::new());
            }
            *other.lock().unwrap_or_else(PoisonError::into_inner) = Some(actual);
            Err(std::io::Error::other("the content has another checksum than the request says"))
        });
        Box::pin(body.chain(end))
    }

    fn judged(&self, outcome: wharf_core::Result<Added>) -> Result<Added, Error> {
        self.judged_by(outcome.map_err(Error::from))
    }

    /// The error of other content is told as what it is.
    fn judged_by(&self, outcome: Result<Added, Error>) -> Result<Added, Error> {
        let other = self.other.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (outcome, other, self.digest) {
            (Err(_), Some(actual), Some(expected)) => Err(Error::OtherContent { expected, actual }),
            (outcome, ..) => outcome,
        }
    }
}
