//! What the registry must understand of a manifest (OCI image-spec 1.1, Docker image manifest version 2 schema 2).

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use wharf_types::{Digest, MediaType};

use super::object::only_from_an_object;

/// Media types of manifests.
pub mod media {
    /// OCI image manifest.
    pub const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
    /// OCI image index.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// Docker image manifest, version 2 schema 2.
    pub const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker manifest list.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// OCI artifact manifest of the 1.1 release candidates; still pushed by old clients.
    pub const ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
}

/// Which shape a manifest has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Configuration and layers.
    Image,
    /// Other manifests.
    Index,
    /// Blobs without a configuration.
    Artifact,
}

/// Why a manifest is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidManifest {
    /// It is not JSON of the shape its media type promises.
    #[error("not a valid manifest: {0}")]
    Malformed(String),
    /// Its kind is not known here.
    #[error("media type {0:?} is not a manifest this registry takes")]
    UnknownType(String),
    /// Neither header nor content names its kind.
    #[error("neither Content-Type nor mediaType says what kind of manifest this is")]
    Untyped,
    /// Header and content disagree.
    #[error("Content-Type is {header:?}, mediaType is {content:?}")]
    TypeMismatch {
        /// Of the header.
        header: String,
        /// Of the content.
        content: String,
    },
    /// A descriptor is repeated or numerous beyond reason.
    #[error("the manifest names {0} pieces of content, more than the {max} allowed", max = Parsed::MOST_REFERENCES)]
    TooMany(usize),
}

/// What is known of a manifest after parsing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// As content or header says.
    pub media_type: MediaType,
    /// Its shape.
    pub kind: Kind,
    /// For the referrers API: `artifactType`, for an image without one the media type of its configuration.
    pub artifact_type: Option<String>,
    /// What it is attached to.
    pub subject: Option<Digest>,
    /// Its annotations as a JSON object, if it has any.
    pub annotations: Option<String>,
    /// The configuration blob.
    pub config: Option<Digest>,
    /// Layers or blobs that must be here.
    pub layers: Vec<Digest>,
    /// Layers that may lie elsewhere (non-distributable).
    pub foreign: Vec<Digest>,
    /// Manifests of an index; they need not be here.
    pub manifests: Vec<Digest>,
}

// Unknown fields are ignored on purpose: the bytes are kept as they came.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", remote = "Self")]
struct Wire {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    #[serde(default, deserialize_with = "there")]
    layers: Option<Option<Vec<Descriptor>>>,
    #[serde(default, deserialize_with = "there")]
    manifests: Option<Option<Vec<Descriptor>>>,
    blobs: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", remote = "Self")]
struct Descriptor {
    media_type: Option<String>,
    digest: Digest,
    #[serde(default)]
    size: i64,
}

only_from_an_object!(Wire, Descriptor);

impl Descriptor {
    /// Layers that distribution rules may keep out of a registry.
    fn is_foreign(&self) -> bool {
        let media_type = self.media_type.as_deref().unwrap_or_default();
        media_type.contains(".nondistributable.")
            || media_type == "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    }
}

/// RFC 6838 allows 127 characters on each side of the slash.
const LONGEST_TYPE: usize = 255;

/// Tells a list that is null, as programs in Go write an empty one, from a list that is not there.
fn there<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn is_list<T>(list: &Option<Option<T>>) -> bool {
    matches!(list, Some(Some(_)))
}

fn malformed(text: impl ToString) -> InvalidManifest {
    InvalidManifest::Malformed(text.to_string())
}

fn kind_of(media_type: &MediaType) -> Result<Kind, InvalidManifest> {
    match media_type.as_str() {
        media::IMAGE | media::DOCKER_IMAGE => Ok(Kind::Image),
        media::INDEX | media::DOCKER_LIST => Ok(Kind::Index),
        media::ARTIFACT => Ok(Kind::Artifact),
        other => Err(InvalidManifest::UnknownType(other.to_owned())),
    }
}

impl Parsed {
    /// The largest number of descriptors taken; 4 MiB of JSON hold about three times as many.
    pub const MOST_REFERENCES: usize = 10_000;

    /// Reads a manifest that came with this Content-Type, if it came with one.
    ///
    /// # Errors
    /// [`InvalidManifest`].
    pub fn read(content: &[u8], header: Option<&MediaType>) -> Result<Self, InvalidManifest> {
        // The parser does not look at the text of fields that are unknown here.
        let text = std::str::from_utf8(content).map_err(malformed)?;
        let wire: Wire = serde_json::from_str(text).map_err(malformed)?;
        if let Some(version) = wire.schema_version
            && version != 2
        {
            return Err(malformed(format!("schemaVersion is {version}; convert the image, only 2 is taken")));
        }
        let own = wire.media_type.as_deref().filter(|text| !text.is_empty());
        let own: Option<MediaType> = own.map(|text| text.parse().map_err(malformed)).transpose()?;
        let media_type = match (header, &own) {
            (Some(header), Some(content)) if header != content => {
                let (header, content) = (header.to_string(), content.to_string());
                return Err(InvalidManifest::TypeMismatch { header, content });
            }
            (Some(media_type), _) | (None, Some(media_type)) => media_type.clone(),
            (None, None) => return Err(InvalidManifest::Untyped),
        };
        wire.understand(media_type)
    }

    /// How many pieces of content it names.
    pub fn references(&self) -> usize {
        usize::from(self.config.is_some()) + self.layers.len() + self.foreign.len() + self.manifests.len()
    }
}

impl Wire {
    fn understand(self, media_type: MediaType) -> Result<Parsed, InvalidManifest> {
        let kind = kind_of(&media_type)?;
        // A manifest that is an image to one reader and an index to another is refused (CVE-2021-41190).
        let (config, layers, manifests) = match kind {
            Kind::Image if is_list(&self.manifests) => return Err(malformed("an image manifest with manifests")),
            Kind::Image => {
                let config = self.config.ok_or_else(|| malformed("an image manifest without config"))?;
                let layers = self.layers.ok_or_else(|| malformed("an image manifest without layers"))?;
                (Some(config), layers.unwrap_or_default(), vec![])
            }
            Kind::Index if is_list(&self.layers) || self.config.is_some() => {
                return Err(malformed("an index with layers or config"));
            }
            Kind::Index => {
                let manifests = self.manifests.ok_or_else(|| malformed("an index without manifests"))?;
                (None, vec![], manifests.unwrap_or_default())
            }
            Kind::Artifact if self.layers.is_some() || self.manifests.is_some() => {
                return Err(malformed("an artifact manifest with layers or manifests"));
            }
            Kind::Artifact => (None, self.blobs.unwrap_or_default(), vec![]),
        };
        let named = layers.len() + manifests.len();
        if named > Parsed::MOST_REFERENCES {
            return Err(InvalidManifest::TooMany(named));
        }
        if config.iter().chain(&layers).chain(&manifests).any(|descriptor| descriptor.size < 0) {
            return Err(malformed("a descriptor of negative size"));
        }
        let (foreign, layers): (Vec<_>, Vec<_>) = layers.into_iter().partition(Descriptor::is_foreign);
        let digests = |list: Vec<Descriptor>| list.into_iter().map(|descriptor| descriptor.digest).collect();
        let is_odd = |text: &String| text.len() > LONGEST_TYPE || text.contains(char::is_control);
        let config_type = config.as_ref().and_then(|config| config.media_type.clone());
        if self.artifact_type.iter().chain(&config_type).any(is_odd) {
            return Err(malformed("a media type of more than 255 bytes, or with control characters"));
        }
        let annotations = self.annotations.filter(|all| !all.is_empty()).map(|all| serde_json::to_string(&all));
        Ok(Parsed {
            media_type,
            kind,
            artifact_type: self.artifact_type.filter(|text| !text.is_empty()).or(config_type),
            subject: self.subject.map(|subject| subject.digest),
            annotations: annotations.transpose().map_err(malformed)?,
            config: config.map(|config| config.digest),
            layers: digests(layers),
            foreign: digests(foreign),
            manifests: digests(manifests),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn descriptor(text: &str, media_type: &str) -> Value {
        json!({ "mediaType": media_type, "digest": Digest::sha256(text.as_bytes()), "size": text.len() })
    }

    fn image() -> Value {
        json!({
            "schemaVersion": 2, "mediaType": media::IMAGE,
            "config": descriptor("config", "application/vnd.oci.image.config.v1+json"),
            "layers": [descriptor("layer", "application/vnd.oci.image.layer.v1.tar+gzip")],
        })
    }

    fn read(value: &Value) -> Result<Parsed, InvalidManifest> {
        Parsed::read(value.to_string().as_bytes(), None)
    }

    #[test]
    fn an_image_without_an_artifact_type_has_that_of_its_config() {
        let parsed = read(&image()).unwrap();
        assert_eq!(parsed.artifact_type.as_deref(), Some("application/vnd.oci.image.config.v1+json"));
        assert_eq!((parsed.layers.len(), parsed.references()), (1, 2));
    }

    #[test]
    fn an_index_has_no_artifact_type_but_its_own() {
        let mut index = json!({ "schemaVersion": 2, "mediaType": media::INDEX, "manifests": [] });
        assert_eq!(read(&index).unwrap().artifact_type, None);
        index["artifactType"] = json!("application/x");
        assert_eq!(read(&index).unwrap().artifact_type.as_deref(), Some("application/x"));
    }

    #[test]
    fn a_list_that_is_null_is_empty() {
        let mut value = image();
        value["layers"] = Value::Null;
        value["manifests"] = Value::Null;
        assert_eq!(read(&value).unwrap().layers, []);
        let header: MediaType = media::INDEX.parse().unwrap();
        let index = json!({ "schemaVersion": 2, "mediaType": "", "manifests": null });
        assert_eq!(Parsed::read(index.to_string().as_bytes(), Some(&header)).unwrap().kind, Kind::Index);
    }

    #[test]
    fn foreign_layers_need_not_be_here() {
        let mut value = image();
        value["layers"][0]["mediaType"] = json!("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip");
        let parsed = read(&value).unwrap();
        assert_eq!((parsed.layers.len(), parsed.foreign.len()), (0, 1));
    }

    #[test]
    fn ambiguous_and_malformed_manifests_are_refused() {
        let mut both = image();
        both["manifests"] = json!([]);
        let mut version = image();
        version["schemaVersion"] = json!(1);
        let mut digest = image();
        digest["layers"][0]["digest"] = json!("sha256:short");
        let mut negative = image();
        negative["layers"][0]["size"] = json!(-1);
        let mut unknown = image();
        unknown["mediaType"] = json!("text/plain");
        let mut untyped = image();
        untyped["mediaType"] = Value::Null;
        for value in [both, version, digest, negative, unknown, untyped, json!([]), json!({}), json!("x")] {
            assert!(read(&value).is_err(), "{value}");
        }
    }

    #[test]
    fn a_json_bomb_is_refused_without_recursion() {
        let deep = format!("{{\"layers\":{}", "[".repeat(1_000_000));
        assert!(matches!(Parsed::read(deep.as_bytes(), None), Err(InvalidManifest::Malformed(_))));
    }

    #[test]
    fn header_and_content_must_agree() {
        let header: MediaType = media::DOCKER_IMAGE.parse().unwrap();
        let refused = Parsed::read(image().to_string().as_bytes(), Some(&header));
        assert!(matches!(refused, Err(InvalidManifest::TypeMismatch { .. })));
    }
}
