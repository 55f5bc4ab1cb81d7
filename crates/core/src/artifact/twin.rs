//! The manifest of a package that came as a package.

use std::collections::HashMap;

use serde_json::{Value, json};
use wharf_db::Tx;
use wharf_db::catalog::blobs::{self, Place};
use wharf_db::catalog::{manifests, packages, repositories, tag_rules, tags};
use wharf_types::{Digest, Reference, Tag, Timestamp};

use super::{ArtifactForm, Shown, artifact_of};
use crate::manifest::{Parsed, Put, Removal, media, put_rows, remove};
use crate::repository::Target;
use crate::tag_rule::{RuleBook, Rules};
use crate::{Actor, Contents, Core, Error, InspectError, Result};

/// Where a package is an artifact too.
#[derive(Debug, Clone)]
pub(crate) struct TwinOf {
    pub(crate) target: Target,
    pub(crate) tag: Tag,
}

/// What a package needs to become an artifact.
pub(crate) struct Twin {
    config: Vec<u8>,
    put: Put,
    /// Whether the tag may point at another package by now.
    replaces: bool,
}

/// A file that goes with a package, as a layer.
pub(crate) struct Companion {
    pub(crate) of: TwinOf,
    pub(crate) media_type: &'static str,
    pub(crate) actor: Actor,
    pub(crate) rules: RuleBook,
    pub(crate) at: Timestamp,
    pub(crate) due: Timestamp,
}

impl Shown {
    /// Where the package of this name and version is an artifact.
    pub(crate) fn twin_of(self, view: &Target, name: &str, version: &str) -> Option<TwinOf> {
        let (name, tag) = self.form.address(name, version)?;
        let mut target = view.clone();
        target.format = self.form.format();
        target.name = artifact_of(&view.name, &name)?;
        Some(TwinOf { target, tag })
    }
}

fn invalid(error: InspectError) -> Error {
    Error::PackageInvalid(error.0)
}

fn descriptor(media_type: &str, digest: &Digest, size: u64) -> Value {
    json!({ "mediaType": media_type, "digest": digest, "size": size })
}

impl Core {
    /// Prepares the manifest of a package, and makes the repository that is to hold it.
    pub(crate) async fn twin(
        &self,
        shown: Shown,
        view: &Target,
        contents: &Contents,
        (digest, size): (Digest, u64),
        replaces: bool,
        actor: &Actor,
    ) -> Result<Option<Twin>> {
        let Some(of) = shown.twin_of(view, &contents.name, &contents.version) else { return Ok(None) };
        let form = shown.form;
        let description = form.describe(&contents.fragments).map_err(invalid)?;
        let config = description.config;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media::IMAGE,
            "config": descriptor(form.config_type(), &Digest::sha256(&config), config.len() as u64),
            "layers": [descriptor(form.content_type(), &digest, size)],
            "annotations": description.annotations,
        });
        let repository = self.ensure_repository(&of.target, actor).await?;
        let at = self.inner.clock.now();
        let times = (at, at.after(self.inner.config.review_delay));
        let put = push(of, repository, &manifest, (actor, &self.inner.rules), times)?;
        Ok(Some(Twin { config, put, replaces }))
    }
}

/// The push of a manifest of our own making.
fn push(
    of: TwinOf,
    repository: i64,
    manifest: &Value,
    (actor, rules): (&Actor, &RuleBook),
    (at, due): (Timestamp, Timestamp),
) -> Result<Put> {
    let content = manifest.to_string().into_bytes();
    Ok(Put {
        target: of.target,
        repository,
        digest: Digest::sha256(&content),
        parsed: Parsed::read(&content, None)?,
        content,
        tags: vec![of.tag],
        actor: actor.clone(),
        rules: rules.clone(),
        sparse: false,
        with_package: true,
        at,
        due,
    })
}

/// Writes the manifest of a package that was just written. If the tag has the package already, it stays as it is.
pub(crate) async fn put_twin(tx: &mut Tx<'_>, twin: &Twin, package: &packages::NewPackage) -> Result<()> {
    let Twin { config, put, replaces } = twin;
    let there = match put.tags.first() {
        Some(tag) => tags::find(tx, put.repository, tag).await?,
        None => None,
    };
    if let Some(there) = there {
        if manifests::targets(tx, put.repository, &there).await?.contains(&package.digest) {
            return Ok(());
        }
        // Pushed through the other door a moment ago, and not listed yet.
        if !replaces {
            return Err(Error::PackageExists { path: package.path.clone() });
        }
    }
    let digest = Digest::sha256(config);
    blobs::insert_content(tx, &digest, config, put.at).await?;
    blobs::link(tx, put.repository, &digest, put.at).await?;
    blobs::link(tx, put.repository, &package.digest, put.at).await?;
    put_rows(tx, put).await
}

/// Takes the tag away that a package has as an artifact, or the manifest if it has no other tag: into the bin.
pub(crate) async fn remove_twin(
    tx: &mut Tx<'_>,
    of: &TwinOf,
    digest: &Digest,
    removal: impl FnOnce(Target, Reference) -> Removal,
) -> Result<()> {
    let TwinOf { target, tag } = of;
    let Some((repository, manifest)) = twin(tx, of, digest).await? else { return Ok(()) };
    let names = tags::of_manifest(tx, repository, &manifest).await?;
    let reference = if names.len() == 1 { Reference::Digest(manifest) } else { Reference::Tag(tag.clone()) };
    remove(tx, &removal(target.clone(), reference)).await
}

/// Rows of one read.
const STEP: i64 = 1000;

/// Refuses if a rule keeps the tag by which a package of this repository is an artifact: whoever may not remove one may not remove all.
pub(crate) async fn let_packages_go(
    tx: &mut Tx<'_>,
    shown: Shown,
    rules: &RuleBook,
    (view, row): (&Target, &repositories::Repository),
) -> Result<()> {
    if tag_rules::of_project(tx, row.project_id).await?.is_empty() {
        return Ok(());
    }
    // By the package's name; `None` is one that no repository has as an artifact.
    let mut homes: HashMap<String, Option<Rules>> = HashMap::new();
    let mut after = String::new();
    loop {
        let page = packages::page(tx, row.id, "", &after, STEP).await?;
        let Some(last) = page.last() else { return Ok(()) };
        last.package.path.clone_into(&mut after);
        for packages::Package { package, .. } in &page {
            let Some(of) = shown.twin_of(view, &package.name, &package.version) else { continue };
            if !homes.contains_key(&package.name) {
                let home = of.target.find(tx).await?.map(|home| rules.open(&home));
                homes.insert(package.name.clone(), home);
            }
            let Some(Some(home)) = homes.get_mut(&package.name) else { continue };
            if let Err(refusal) = home.let_go(tx, &of.tag).await
                && twin(tx, &of, &package.digest).await?.is_some()
            {
                return Err(refusal);
            }
        }
    }
}

/// Repository and manifest of a package's artifact, if its tag leads to one of these bytes.
async fn twin(tx: &mut Tx<'_>, of: &TwinOf, digest: &Digest) -> Result<Option<(i64, Digest)>> {
    let Some((repository, manifest)) = pointed(tx, of).await? else { return Ok(None) };
    let targets = manifests::targets(tx, repository, &manifest).await?;
    Ok(targets.contains(digest).then_some((repository, manifest)))
}

async fn pointed(tx: &mut Tx<'_>, of: &TwinOf) -> Result<Option<(i64, Digest)>> {
    let Some(repository) = of.target.find(tx).await? else { return Ok(None) };
    Ok(tags::find(tx, repository.id, &of.tag).await?.map(|manifest| (repository.id, manifest)))
}

/// Makes a file that goes with a package a layer of its manifest, or takes it off. Where a rule keeps the tag, the artifact stays
/// as it was pushed.
pub(crate) async fn attach(tx: &mut Tx<'_>, companion: &Companion, file: Option<(Digest, u64)>) -> Result<()> {
    let Companion { of, media_type, actor, rules, at, due } = companion;
    let Some((id, manifest)) = pointed(tx, of).await? else { return Ok(()) };
    let Some(repository) = repositories::living(tx, id).await? else { return Ok(()) };
    let Some(blobs::Blob { place: Place::Here(content), .. }) = blobs::find(tx, &manifest).await? else {
        return Ok(());
    };
    let mut value: Value = serde_json::from_slice(&content).map_err(|error| Error::Inconsistent(error.to_string()))?;
    let Some(layers) = value.get_mut("layers").and_then(Value::as_array_mut) else { return Ok(()) };
    let before = layers.clone();
    layers.retain(|layer| layer["mediaType"] != *media_type);
    if let Some((digest, size)) = file {
        layers.push(descriptor(media_type, &digest, size));
        blobs::link(tx, id, &digest, *at).await?;
    }
    if *layers == before {
        return Ok(());
    }
    match rules.open(&repository).let_go(tx, &of.tag).await {
        Err(Error::Rule(_)) => return Ok(()),
        outcome => outcome?,
    }
    put_rows(tx, &push(of.clone(), id, &value, (actor, rules), (*at, *due))?).await
}

/// Of an artifact's manifest: the package and what goes with it.
pub(super) fn layers(content: &[u8], form: &dyn ArtifactForm) -> (Option<Digest>, Option<Digest>) {
    let Ok(value) = serde_json::from_slice::<Value>(content) else { return (None, None) };
    let layer = |media_type: &str| {
        let found = value["layers"].as_array()?.iter().find(|layer| layer["mediaType"] == media_type)?;
        found["digest"].as_str()?.parse().ok()
    };
    (layer(form.content_type()), layer(form.companion().0))
}
