//! What a repository's owner says of it.

use http::Response;
use serde::{Deserialize, Serialize};
use wharf_core::Target;
use wharf_types::RepoName;
use wharf_wire::{Body, empty, read_up_to};

use crate::serve::{no_content, with_json};
use crate::{Call, Error};

/// Most bytes of the text.
const LONGEST: usize = 16 * 1024;

/// Settings, none of which has to be there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    #[serde(skip_serializing_if = "Option::is_none")]
    same_version: Option<SameVersion>,
}

/// What becomes of other bytes under the name, epoch, version, release and architecture of a package that is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SameVersion {
    /// They are refused.
    Refuse,
    /// They take the place of the others.
    Replace,
}

impl Settings {
    fn read(text: &[u8]) -> Result<Self, Error> {
        let wrong = |error: serde_json::Error| Error::Invalid(format!("invalid settings: {error}"));
        // A list would be read as the fields in their order.
        let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(text).map_err(wrong)?;
        serde_json::from_value(fields.into()).map_err(wrong)
    }

    /// Whether a package makes way for another of the same name and version.
    pub(crate) fn replaces(&self) -> bool {
        self.same_version == Some(SameVersion::Replace)
    }
}

impl Call<'_> {
    pub(crate) async fn kept_settings(&self, target: &Target) -> Result<Settings, Error> {
        let kept = self.core.settings(target, "").await?;
        kept.map_or_else(|| Ok(Settings::default()), |text| Settings::read(text.as_bytes()))
    }

    pub(crate) async fn settings(&self, name: &RepoName) -> Result<Response<Body>, Error> {
        let target = self.target(name);
        self.core.repository(&target).await?;
        let settings = self.kept_settings(&target).await?;
        let value = serde_json::to_value(&settings).map_err(|error| Error::Invalid(error.to_string()))?;
        Ok(with_json(Response::new(empty()), &value))
    }

    /// Says it anew, or with no body nothing any more.
    pub(crate) async fn write_settings(&self, name: &RepoName, body: Option<Body>) -> Result<Response<Body>, Error> {
        let content = match body {
            None => None,
            Some(body) => {
                let settings = Settings::read(&read_up_to(body, LONGEST).await?)?;
                Some(serde_json::to_string(&settings).map_err(|error| Error::Invalid(error.to_string()))?)
            }
        };
        self.core.set_settings(&self.target(name), "", content, &self.actor()).await?;
        Ok(no_content())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_is_taken() {
        assert!(Settings::read(br#"{"same_version": "replace"}"#).unwrap().replaces());
        assert!(!Settings::read(br#"{"same_version": "refuse"}"#).unwrap().replaces());
        assert!(!Settings::read(b"{}").unwrap().replaces());
        for text in ["", "[]", r#"["replace"]"#, r#"{"same_version": "allow"}"#, r#"{"same": "replace"}"#] {
            assert!(Settings::read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
