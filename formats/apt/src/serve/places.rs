//! Packages that are here: in another distribution too, and out of one.

use futures_util::TryStreamExt;
use http::{Response, StatusCode};
use wharf_core::{Listed, Place, Target};
use wharf_types::RepoName;
use wharf_wire::Body;

use super::answer::{no_content, text};
use crate::name::{Kind, List, pool_folder};
use crate::operation::{Called, Spot};
use crate::source::{LONGEST, Manifest};
use crate::{Call, Error};

/// Architecture of a source and of its files.
pub(super) const SOURCE: &str = "source";

impl List {
    /// The list of the same kind in the component of a spot.
    pub(super) fn in_component(&self, spot: &Spot) -> String {
        List { component: spot.component.clone(), kind: self.kind.clone() }.to_string()
    }
}

impl Call<'_> {
    pub(crate) async fn copy(
        &self,
        name: &RepoName,
        spot: &Spot,
        called: &Called,
        to: &Spot,
        wait: bool,
    ) -> Result<Response<Body>, Error> {
        let target = self.target(name);
        let mut new = false;
        for (listed, place) in self.find(&target, spot, called).await? {
            let list: List = place.part.parse()?;
            let place = Place { channel: to.distribution.to_string(), part: list.in_component(to) };
            new |= self.core.place_package(&target, &listed.package.path, place, &self.actor()).await?;
        }
        if wait {
            self.published(&target, to.distribution.as_str()).await?;
        }
        let status = if new { StatusCode::CREATED } else { StatusCode::OK };
        Ok(text(status, format!("{} {} is in {}/{}\n", called.name, called.version, to.distribution, to.component)))
    }

    pub(crate) async fn remove(
        &self,
        name: &RepoName,
        spot: &Spot,
        called: &Called,
        wait: bool,
    ) -> Result<Response<Body>, Error> {
        let target = self.target(name);
        for (listed, place) in self.find(&target, spot, called).await? {
            let files = self.files_of(&target, &listed).await?;
            let path = &listed.package.path;
            if self.core.displace_package(&target, path, place, &self.actor()).await? && listed.places.len() == 1 {
                self.drop_files(&target, &listed.package.name, files).await?;
            }
        }
        if wait {
            self.published(&target, spot.distribution.as_str()).await?;
        }
        Ok(no_content())
    }

    pub(crate) async fn remove_file(&self, name: &RepoName, path: &str, wait: bool) -> Result<Response<Body>, Error> {
        let target = self.target(name);
        let unknown = || Error::from(wharf_core::Error::FileUnknown(path.to_owned()));
        let package = path.rsplit('/').nth(1).unwrap_or_default();
        let file = path.rsplit('/').next().unwrap_or_default();
        self.core.package(&target, path).await?;
        let listed = self.whose(&target, path).await?;
        if listed.places.is_empty() && listed.package.architecture == SOURCE {
            for source in self.sources(&target, package).await? {
                if self.manifest(&target, &source).await?.files.iter().any(|named| named.name == file) {
                    let source_package = source.package.path;
                    return Err(Error::FileInUse { file: path.to_owned(), source_package });
                }
            }
        }
        let files = self.files_of(&target, &listed).await?;
        let listed = self.whose(&target, path).await.map_err(|_| unknown())?;
        self.core.remove_package(&target, path, &self.actor()).await?;
        self.drop_files(&target, &listed.package.name, files).await?;
        if wait {
            let mut channels: Vec<_> = listed.places.iter().map(|place| place.channel.as_str()).collect();
            channels.dedup();
            for channel in channels {
                self.published(&target, channel).await?;
            }
        }
        Ok(no_content())
    }

    /// The row of a path: the file's name begins with the package's.
    pub(super) async fn whose(&self, target: &Target, path: &str) -> Result<Listed, Error> {
        let file = path.rsplit('/').next().unwrap_or_default();
        let name = file.split('_').next().unwrap_or_default();
        let found = self.core.packages_named(target, name, None).await?;
        let listed = found.into_iter().find(|listed| listed.package.path == path);
        listed.ok_or_else(|| wharf_core::Error::FileUnknown(path.to_owned()).into())
    }

    /// In which list a package stands that was just put into a spot.
    pub(super) async fn part_in(&self, target: &Target, path: &str, spot: &Spot) -> Result<List, Error> {
        let listed = self.whose(target, path).await?;
        let lists = listed.places.iter().filter(|place| place.channel == spot.distribution.as_str());
        let mut lists = lists.filter_map(|place| place.part.parse::<List>().ok());
        let list = lists.find(|list| list.component == spot.component);
        list.ok_or_else(|| Error::NotListed(path.to_owned()))
    }

    /// The packages of this name, version and architecture that stand in a spot: one, unless there is a .deb and a .udeb.
    async fn find(&self, target: &Target, spot: &Spot, called: &Called) -> Result<Vec<(Listed, Place)>, Error> {
        let Called { name, version, architecture } = called;
        let mut found = Vec::new();
        for listed in self.core.packages_named(target, name, Some(version)).await? {
            let there = listed.places.iter().find(|place| {
                let list = place.part.parse::<List>();
                place.channel == spot.distribution.as_str() && list.is_ok_and(|list| list.component == spot.component)
            });
            if let (Some(place), true) = (there.cloned(), listed.package.architecture == *architecture) {
                found.push((listed, place));
            }
        }
        if found.is_empty() {
            return Err(Error::NotListed(format!("{name} {version} {architecture}")));
        }
        Ok(found)
    }

    /// The .dsc files of a source's name that are listed anywhere.
    async fn sources(&self, target: &Target, name: &str) -> Result<Vec<Listed>, Error> {
        let found = self.core.packages_named(target, name, None).await?;
        let is_source = |place: &Place| place.part.parse::<List>().is_ok_and(|list| list.kind == Kind::Source);
        Ok(found.into_iter().filter(|listed| listed.places.iter().any(is_source)).collect())
    }

    async fn manifest(&self, target: &Target, source: &Listed) -> Result<Manifest, Error> {
        let blob = self.core.package(target, &source.package.path).await?;
        let content = self.core.open_blob(&blob, 0..blob.size.min(LONGEST as u64)).await?;
        let content: Vec<bytes::Bytes> = content.try_collect().await.map_err(wharf_core::Error::Interrupted)?;
        Ok(Manifest::read(&content.concat())?)
    }

    /// The files that a source names; none for anything else.
    async fn files_of(&self, target: &Target, listed: &Listed) -> Result<Vec<String>, Error> {
        if !listed.package.path.ends_with(".dsc") {
            return Ok(Vec::new());
        }
        Ok(self.manifest(target, listed).await?.files.into_iter().map(|file| file.name).collect())
    }

    /// Removes those of a source's files that no other version of it needs.
    async fn drop_files(&self, target: &Target, source: &str, mut files: Vec<String>) -> Result<(), Error> {
        if files.is_empty() {
            return Ok(());
        }
        for other in self.sources(target, source).await? {
            let needed = self.manifest(target, &other).await?.files;
            files.retain(|file| needed.iter().all(|named| named.name != *file));
        }
        for file in files {
            match self.core.remove_package(target, &format!("{}/{file}", pool_folder(source)), &self.actor()).await {
                Ok(()) | Err(wharf_core::Error::FileUnknown(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
