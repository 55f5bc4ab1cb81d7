//! What a repository's owner says of it and of its distributions. What a distribution says goes before what the repository says.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::name::{Component, Distribution, check_architecture};

/// Most bytes of the text.
pub(crate) const LONGEST: usize = 16 * 1024;
/// The shortest time a release may be valid: renewing it takes the server to be up once in half of that.
const SHORTEST: Duration = Duration::from_secs(60 * 60);
const DAY: u64 = 24 * 60 * 60;

/// Settings, none of which has to be there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Fields of Release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) suite: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) codename: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    /// For how long a release is good, as `7d` or `36h`: it is made anew when half of that is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) valid_for: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_automatic: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) but_automatic_upgrades: Option<bool>,
    /// What has tables although nothing may be in them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) architectures: BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) components: BTreeSet<Component>,
    /// What becomes of other bytes under a name, version and architecture that are here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) same_version: Option<SameVersion>,
    /// Where packages go whose upload does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) distribution: Option<Distribution>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) component: Option<Component>,
}

/// What becomes of other bytes under the same name, version and architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SameVersion {
    /// They are refused, whichever distribution they are for.
    Refuse,
    /// They take the place of the others in the distribution they are for.
    Replace,
}

/// Settings that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid settings: {0}")]
pub struct InvalidSettings(String);

impl Settings {
    /// Reads what somebody sends. The settings of a distribution have none of the repository's own.
    pub(crate) fn read(text: &[u8], of_distribution: bool) -> Result<Self, InvalidSettings> {
        let wrong = |error: serde_json::Error| InvalidSettings(error.to_string());
        // A list would be read as the fields in their order.
        let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(text).map_err(wrong)?;
        let settings: Self = serde_json::from_value(fields.into()).map_err(wrong)?;
        settings.check(of_distribution)?;
        Ok(settings)
    }

    /// Whether a text can be a field of Release.
    pub(crate) fn can_say(text: &str) -> bool {
        !text.trim().is_empty() && text.len() <= 200 && !text.contains(char::is_control)
    }

    fn check(&self, of_distribution: bool) -> Result<(), InvalidSettings> {
        let wrong = |what: String| Err(InvalidSettings(what));
        for (name, text) in self.texts() {
            if text.as_ref().is_some_and(|text| !Self::can_say(text)) {
                return wrong(format!("{name} is not 1 to 200 bytes in one line"));
            }
        }
        for architecture in &self.architectures {
            check_architecture(architecture).map_err(|error| InvalidSettings(error.to_string()))?;
        }
        if let Some(text) = &self.valid_for
            && span(text).is_none_or(|span| span < SHORTEST)
        {
            return wrong("valid_for is no time of an hour or more, as 36h or 7d".to_owned());
        }
        if self.but_automatic_upgrades == Some(true) && self.not_automatic == Some(false) {
            return wrong("but_automatic_upgrades means nothing without not_automatic".to_owned());
        }
        let of_repository = self.same_version.is_some() || self.distribution.is_some() || self.component.is_some();
        if of_distribution && of_repository {
            return wrong("same_version, distribution and component belong to the repository".to_owned());
        }
        Ok(())
    }

    fn texts(&self) -> [(&'static str, &Option<String>); 6] {
        [
            ("origin", &self.origin),
            ("label", &self.label),
            ("suite", &self.suite),
            ("codename", &self.codename),
            ("version", &self.version),
            ("description", &self.description),
        ]
    }

    /// Reads what is kept: it was checked when it came.
    pub(crate) fn kept(text: Option<&str>) -> Result<Self, InvalidSettings> {
        text.map_or_else(
            || Ok(Self::default()),
            |text| serde_json::from_str(text).map_err(|error| InvalidSettings(error.to_string())),
        )
    }

    pub(crate) fn text(&self) -> Result<String, InvalidSettings> {
        serde_json::to_string(self).map_err(|error| InvalidSettings(error.to_string()))
    }

    /// These where they say something, and the repository's where they do not.
    pub(crate) fn or(self, of_repository: Self) -> Self {
        Self {
            architectures: if self.architectures.is_empty() { of_repository.architectures } else { self.architectures },
            components: if self.components.is_empty() { of_repository.components } else { self.components },
            origin: self.origin.or(of_repository.origin),
            label: self.label.or(of_repository.label),
            suite: self.suite.or(of_repository.suite),
            codename: self.codename.or(of_repository.codename),
            version: self.version.or(of_repository.version),
            description: self.description.or(of_repository.description),
            valid_for: self.valid_for.or(of_repository.valid_for),
            not_automatic: self.not_automatic.or(of_repository.not_automatic),
            but_automatic_upgrades: self.but_automatic_upgrades.or(of_repository.but_automatic_upgrades),
            same_version: of_repository.same_version,
            distribution: of_repository.distribution,
            component: of_repository.component,
        }
    }

    /// For how long a release is good; `None` is for ever.
    pub(crate) fn valid_for(&self) -> Option<Duration> {
        self.valid_for.as_deref().and_then(span)
    }
}

fn span(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = number.parse::<u32>().ok()?.into();
    match unit {
        "h" => Some(Duration::from_secs(number * 60 * 60)),
        "d" => Some(Duration::from_secs(number * DAY)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_distribution_says_goes_first() {
        let of = |text: &str, distribution| Settings::read(text.as_bytes(), distribution).unwrap();
        let repository = of(r#"{"origin": "a", "label": "b", "valid_for": "7d", "same_version": "replace"}"#, false);
        let both = of(r#"{"label": "c", "not_automatic": true}"#, true).or(repository);
        assert_eq!((both.origin.as_deref(), both.label.as_deref()), (Some("a"), Some("c")));
        assert_eq!(
            (both.valid_for(), both.same_version),
            (Some(Duration::from_secs(7 * DAY)), Some(SameVersion::Replace))
        );
        assert_eq!(Settings::kept(Some(&both.text().unwrap())).unwrap(), both);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for text in [
            "",
            "[]",
            r#"{"orign": "a"}"#,
            r#"{"origin": ""}"#,
            r#"{"origin": "a\nSigned-By: b"}"#,
            r#"{"valid_for": "7"}"#,
            r#"{"valid_for": "0d"}"#,
            r#"{"valid_for": "999999999999d"}"#,
            r#"{"valid_for": "d"}"#,
            r#"{"valid_for": "é"}"#,
            r#"{"architectures": ["source"]}"#,
            r#"{"components": ["a/b"]}"#,
            r#"{"same_version": "allow"}"#,
            r#"{"not_automatic": false, "but_automatic_upgrades": true}"#,
        ] {
            assert!(Settings::read(text.as_bytes(), false).is_err(), "{text}");
        }
        assert!(Settings::read(br#"{"same_version": "replace"}"#, true).is_err());
    }
}
