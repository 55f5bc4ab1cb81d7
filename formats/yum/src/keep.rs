//! Advisories, groups and modules: taken in, replaced, taken out.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::json;
use wharf_core::{Arrival, ByteStream, InspectError, Package, Target};
use wharf_types::{RepoName, Timestamp};
use wharf_wire::{Body, empty, read_up_to};

use crate::extra::Extra;
use crate::extra::advisory::{Advisory, Mended};
use crate::package::place_of;
use crate::serve::{no_content, with_json};
use crate::{Call, Error};

/// Most bytes of a file of many.
const LARGEST: usize = 64 << 20;
/// Most bytes of an advisory that is described in JSON.
const LARGEST_JSON: usize = 1 << 20;

impl From<InspectError> for Error {
    fn from(error: InspectError) -> Self {
        Self::Core(wharf_core::Error::PackageInvalid(error.0))
    }
}

impl Call<'_> {
    /// Takes in a file of one or many. What has the name of one that is there replaces it; all others stay.
    pub(crate) async fn add_extra(
        &self,
        name: &RepoName,
        extra: Extra,
        called: Option<&str>,
        wait: bool,
        body: Body,
    ) -> Result<Response<Body>, Error> {
        let content = read_up_to(body, LARGEST).await?;
        let text = std::str::from_utf8(&content).map_err(|_| Error::Invalid("it is not UTF-8".to_owned()))?;
        let parts = extra.split(text)?;
        // All are read before the first is kept: a file is taken whole or not at all.
        for part in &parts {
            crate::extra::inspect(extra, called, &mut part.as_bytes())?;
        }
        let target = self.target(name);
        let (mut added, mut replaced) = (Vec::new(), 0);
        for part in parts {
            let (path, others) = self.keep(&target, extra, called, part.into()).await?;
            added.push(path);
            replaced += others;
        }
        self.published(&target, wait).await?;
        let mut response = with_json(Response::new(empty()), &json!({ "added": added, "replaced": replaced }));
        *response.status_mut() = StatusCode::CREATED;
        Ok(response)
    }

    /// Adds an advisory about packages of the repository.
    pub(crate) async fn add_advisory(&self, name: &RepoName, wait: bool, body: Body) -> Result<Response<Body>, Error> {
        let content = read_up_to(body, LARGEST_JSON).await?;
        let advisory: Advisory = serde_json::from_slice(&content)
            .map_err(|error| Error::Invalid(format!("it is not an advisory: {error}")))?;
        let target = self.target(name);
        let mut mended = Vec::new();
        for package in &advisory.packages {
            mended.push(self.mended(&target, package).await?);
        }
        let now = self.core.now();
        let text = advisory.render(&name.full(), &mended, now);
        let (path, replaced) = self.keep(&target, Extra::Advisory, None, text.into()).await?;
        self.published(&target, wait).await?;
        let mut response = with_json(Response::new(empty()), &json!({ "added": [path], "replaced": replaced }));
        *response.status_mut() = StatusCode::CREATED;
        Ok(response)
    }

    async fn mended(&self, target: &Target, package: &str) -> Result<Mended, Error> {
        let path = if package.contains('/') { Some(package.to_owned()) } else { place_of(package) };
        let path =
            path.ok_or_else(|| Error::Invalid(format!("{package:?} is neither a path nor the name of a package")))?;
        let blob = self.core.package(target, &path).await?;
        let rpm = self.read_head(&blob).await?;
        Ok(Mended {
            name: rpm.identity.name.clone(),
            epoch: rpm.identity.epoch,
            version: rpm.identity.version.clone(),
            release: rpm.identity.release.clone(),
            arch: rpm.identity.arch.clone(),
            source: rpm.source()?,
            file_name: path.rsplit('/').next().unwrap_or_default().to_owned(),
            sha256: blob.digest.hex(),
        })
    }

    /// Keeps one, and takes out those of its name that came before. Two that come at once leave the later one. Says where it lies, and
    /// how many went.
    async fn keep(
        &self,
        target: &Target,
        extra: Extra,
        called: Option<&str>,
        content: Bytes,
    ) -> Result<(String, usize), Error> {
        let arrival =
            Arrival { section: extra.part().to_owned(), file_name: called.map(str::to_owned), ..Arrival::default() };
        let body: ByteStream = Box::pin(futures_util::stream::once(async { Ok(content) }));
        let added = self.core.add_package(target, arrival, body, &self.actor()).await?;
        let name = added.path.rsplit_once('@').map_or("", |(name, _)| name);
        let id = name.strip_prefix(extra.part()).map_or("", |id| id.trim_start_matches('/'));
        let all = self.named(target, extra, id).await?;
        let came = |package: &Package| -> (Timestamp, String) { (package.created_at, package.path.clone()) };
        let Some(ours) = all.iter().find(|package| package.path == added.path).map(came) else {
            return Ok((added.path, 0));
        };
        let older: Vec<_> = all.iter().filter(|package| came(package) < ours).collect();
        for package in &older {
            self.forget(target, &package.path).await?;
        }
        Ok((added.path, older.len()))
    }

    pub(crate) async fn remove_extra(
        &self,
        name: &RepoName,
        extra: Extra,
        id: &str,
        wait: bool,
    ) -> Result<Response<Body>, Error> {
        let target = self.target(name);
        let all = self.named(&target, extra, id).await?;
        if all.is_empty() {
            return Err(wharf_core::Error::FileUnknown(format!("{}/{id}", extra.part())).into());
        }
        for package in all {
            self.forget(&target, &package.path).await?;
        }
        self.published(&target, wait).await?;
        Ok(no_content())
    }

    /// Those that are called so: one, or two while one takes the other's place.
    async fn named(&self, target: &Target, extra: Extra, id: &str) -> Result<Vec<Package>, Error> {
        let prefix = extra.prefix(id);
        let found = self.core.packages_named(target, id, None).await?.into_iter().map(|listed| listed.package);
        Ok(found.filter(|package| package.path.starts_with(&prefix)).collect())
    }

    /// Somebody else may have been faster.
    async fn forget(&self, target: &Target, path: &str) -> Result<(), Error> {
        match self.core.remove_package(target, path, &self.actor()).await {
            Ok(()) | Err(wharf_core::Error::FileUnknown(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
