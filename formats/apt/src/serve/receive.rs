//! Uploads by dput: files one after the other, and at last the .changes that names them. What it names is checked against its
//! checksums and taken in; until then the files wait in a folder of their uploader's, where nobody reads them.

use std::collections::BTreeSet;
use std::time::Duration;

use http::{Response, StatusCode};
use wharf_core::{Target, Verdict};
use wharf_types::{Digest, RepoName};
use wharf_wire::{Body, chunks, read_up_to};

use super::answer::text;
use crate::name::{Component, Distribution};
use crate::operation::Spot;
use crate::package::{Ask, Brings, WAITING, refused};
use crate::source::{self, LONGEST, Manifest, NamedFile};
use crate::{Call, Error};

/// How long files wait for their .changes.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

impl Call<'_> {
    pub(crate) async fn receive(
        &self,
        name: &RepoName,
        file_name: &str,
        wait: bool,
        body: Body,
    ) -> Result<Response<Body>, Error> {
        source::check_file_name(file_name)?;
        let target = self.target(name);
        if file_name.ends_with(".changes") {
            let content = read_up_to(body, LONGEST).await?;
            let content = self.vouched_for(name, &content).await?;
            return self.process(&target, &content, wait).await;
        }
        self.forget_old(&target).await?;
        let folder = self.folder();
        let path = format!("{folder}/{file_name}");
        // A client that tries again sends the file again, and perhaps another one.
        self.forget(&target, &path).await?;
        let ask = Ask { file_name: file_name.to_owned(), ..Ask::new(Brings::Waiting(folder), "main".parse()?) };
        self.core.add_package(&target, ask.into_arrival(""), chunks(body), &self.actor()).await?;
        Ok(text(StatusCode::CREATED, format!("{file_name} waits for its .changes\n")))
    }

    /// What of a .changes counts: where the project has a keyring, the text that one of its keys has signed.
    async fn vouched_for(&self, name: &RepoName, content: &[u8]) -> Result<Vec<u8>, Error> {
        let text = std::str::from_utf8(content).map_err(|_| refused("it is not UTF-8"))?;
        match self.core.verify_clear_signed(name.project(), text).await {
            Ok((Verdict::Good(_), Some(signed))) => Ok(signed.into_bytes()),
            Ok((Verdict::Bad(why), _)) => Err(Error::NotVouchedFor(why.to_string())),
            // A repository that is not there yet has uploaded files in it, so its project is there: nobody else gets here.
            Ok(_) | Err(wharf_core::Error::ProjectUnknown(_)) => Ok(content.to_vec()),
            Err(error) => Err(error.into()),
        }
    }

    /// Two who upload files of one name do not meet.
    fn folder(&self) -> String {
        let who = self.permit.identity().subject().name();
        format!("{WAITING}/{}", &Digest::sha256(who.as_bytes()).hex()[..16])
    }

    async fn process(&self, target: &Target, content: &[u8], wait: bool) -> Result<Response<Body>, Error> {
        let manifest = Manifest::read(content)?;
        let distributions = distributions(&manifest)?;
        let folder = self.folder();
        let mut blobs = Vec::new();
        for file in &manifest.files {
            blobs.push(self.named(target, &folder, file).await?);
        }
        // A source is taken when its files are here.
        let mut order: Vec<_> = manifest.files.iter().zip(&blobs).collect();
        order.sort_by_key(|(file, _)| (file.name.ends_with("deb"), file.name.ends_with(".dsc")));
        for (file, blob) in order {
            let spots = spots(&distributions, file)?;
            let content = self.core.open_blob(blob, 0..blob.size).await?;
            let ask = |brings, spots: &[Spot]| Ask {
                file_name: file.name.clone(),
                ..Ask::new(brings, spots[0].component.clone())
            };
            if [".deb", ".udeb", ".ddeb"].iter().any(|ending| file.name.ends_with(ending)) {
                self.take_listed(target, &spots, ask(Brings::Binary, &spots), content).await?;
            } else if file.name.ends_with(".dsc") {
                let whole = read_up_to(wharf_wire::stream(content), LONGEST).await?;
                self.take_source(target, &spots, ask(Brings::Source, &spots), whole).await?;
            } else if source::of_file(&file.name).is_ok() {
                let arrival = ask(Brings::SourceFile, &spots).into_arrival("");
                self.core.add_package(target, arrival, content, &self.actor()).await?;
            }
            // What else there may be, as .buildinfo, says how it was built: no index has a place for it.
        }
        for file in &manifest.files {
            self.forget(target, &format!("{folder}/{}", file.name)).await?;
        }
        if wait {
            for distribution in &distributions {
                self.published(target, distribution.as_str()).await?;
            }
        }
        let (source, version) = (manifest.source(), manifest.version());
        Ok(text(StatusCode::CREATED, format!("{source} {version} was taken: {} files\n", manifest.files.len())))
    }

    /// Removes a waiting file, if it is there.
    async fn forget(&self, target: &Target, path: &str) -> Result<(), Error> {
        use wharf_core::Error as E;
        match self.core.remove_package(target, path, &self.actor()).await {
            Ok(()) | Err(E::FileUnknown(_) | E::RepositoryUnknown(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes what has waited for too long, whoever brought it.
    async fn forget_old(&self, target: &Target) -> Result<(), Error> {
        let waiting = match self.core.packages_named(target, WAITING, None).await {
            Err(wharf_core::Error::RepositoryUnknown(_)) => return Ok(()),
            found => found?,
        };
        let now = self.core.now();
        let is_old = |created_at| now.since(created_at) > PATIENCE;
        for listed in waiting.into_iter().filter(|listed| listed.package.architecture == WAITING) {
            if is_old(listed.package.created_at) {
                self.forget(target, &listed.package.path).await?;
            }
        }
        Ok(())
    }
}

fn distributions(manifest: &Manifest) -> Result<BTreeSet<Distribution>, Error> {
    let named = manifest.paragraph.require("Distribution")?.split_ascii_whitespace();
    let distributions: BTreeSet<Distribution> = named.map(str::parse).collect::<Result<_, _>>()?;
    if distributions.iter().any(|distribution| distribution.as_str() == "UNRELEASED") {
        return Err(refused("its distribution is UNRELEASED").into());
    }
    Ok(distributions)
}

/// `contrib/utils` is a section of contrib; without a component it is one of main.
fn spots(distributions: &BTreeSet<Distribution>, file: &NamedFile) -> Result<Vec<Spot>, Error> {
    let component = file.section.split_once('/').map_or("main", |(component, _)| component);
    let component: Component = component.parse()?;
    Ok(distributions.iter().map(|name| Spot { distribution: name.clone(), component: component.clone() }).collect())
}
