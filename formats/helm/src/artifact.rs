//! Charts as OCI artifacts, in the form that `helm push` gives them (HIP 6).

use std::collections::BTreeMap;

use wharf_core::{ArtifactForm, Description, InspectError};
use wharf_types::{FormatName, Tag};

use crate::metadata::Metadata;
use crate::package::{KIND, PROVENANCE, path};
use crate::version::Version;

/// Charts as artifacts.
pub(crate) struct Artifacts;

/// Where artifacts are. A name and not the format: formats do not know each other.
const OCI: FormatName = FormatName::new("oci");

impl ArtifactForm for Artifacts {
    fn format(&self) -> FormatName {
        OCI
    }

    fn config_type(&self) -> &'static str {
        "application/vnd.cncf.helm.config.v1+json"
    }

    fn content_type(&self) -> &'static str {
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
    }

    fn companion(&self) -> (&'static str, &'static str) {
        ("application/vnd.cncf.helm.chart.provenance.v1.prov", PROVENANCE)
    }

    fn address(&self, name: &str, version: &str) -> Option<(String, Tag)> {
        let version: Version = version.parse().ok()?;
        Some((name.to_owned(), version.tag().parse().ok()?))
    }

    fn path(&self, name: &str, tag: &Tag) -> Option<String> {
        Some(path(name, Version::of_tag(tag.as_str())?.as_str()))
    }

    fn describe(&self, fragments: &BTreeMap<String, Vec<u8>>) -> Result<Description, InspectError> {
        let config = fragments.get(KIND).cloned().unwrap_or_default();
        let metadata: Metadata = serde_json::from_slice(&config).map_err(|error| InspectError(error.to_string()))?;
        Ok(Description { config, annotations: metadata.oci_annotations() })
    }
}
