//! Manifests: what is known of them, not their bytes.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use wharf_core::ManifestInfo;
use wharf_types::{Digest, Reference, Timestamp};

use super::answer::Done;
use super::body::{Json, Nothing};
use super::endpoint::Ask;
use super::page::{List, Page};
use super::problem::Problem;

/// A manifest.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Manifest {
    /// What its bytes hash to.
    #[schema(value_type = String)]
    digest: Digest,
    /// As its content says.
    media_type: String,
    /// What it is.
    artifact_type: Option<String>,
    /// What it is attached to.
    #[schema(value_type = Option<String>)]
    subject: Option<Digest>,
    /// Its annotations.
    #[schema(value_type = Object)]
    annotations: Option<Box<RawValue>>,
    /// Bytes of the manifest itself.
    size: u64,
    /// When it came.
    #[schema(value_type = String, format = DateTime)]
    pushed_at: Timestamp,
    /// The tags that point at it; empty in lists.
    tags: Vec<String>,
}

impl From<ManifestInfo> for Manifest {
    fn from(manifest: ManifestInfo) -> Self {
        Self {
            digest: manifest.digest,
            media_type: manifest.media_type.to_string(),
            artifact_type: manifest.artifact_type,
            subject: manifest.subject,
            annotations: manifest.annotations.and_then(|json| RawValue::from_string(json).ok()),
            size: manifest.size,
            pushed_at: manifest.pushed_at,
            tags: manifest.tags.iter().map(ToString::to_string).collect(),
        }
    }
}

pub(super) async fn list(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Manifest>>, Problem> {
    let page = Page::of(&ask)?;
    let after: Option<Digest> = ask.parameter("after")?;
    let found = ask.core.manifests(&ask.repository()?, after.as_ref(), page.wanted()).await?;
    Ok(Json(page.list(found, |manifest| manifest.digest.to_string(), Manifest::from)))
}

pub(super) async fn show(ask: Ask<'_>, _: Nothing) -> Result<Json<Manifest>, Problem> {
    Ok(Json(ask.core.manifest_info(&ask.repository()?, ask.reference()?).await?.into()))
}

/// By digest only: whoever names a tag here most likely means the tag, which has a path of its own.
pub(super) async fn delete(ask: Ask<'_>, _: Nothing) -> Result<Done, Problem> {
    let reference = ask.reference()?;
    if let Reference::Tag(tag) = reference {
        let problem = Problem::invalid(format!("{tag} is a tag, and manifests are deleted by digest"));
        return Err(problem.hint("delete the tag, or look up its digest first"));
    }
    ask.core.delete_manifest(&ask.repository()?, reference, &ask.actor()).await?;
    Ok(Done)
}
