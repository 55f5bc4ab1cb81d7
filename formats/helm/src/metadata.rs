//! `Chart.yaml`: what Helm knows of it (chart API v1 and v2), every field as it was written.
//!
//! Fields that Helm does not know stay in the chart: its index readers refuse an index that has them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};
use wharf_core::InspectError;

use crate::version::Version;
use crate::yaml;

/// Most bytes of a name. It is a part of a file name, a path of an OCI repository, and a key of the index.
const LONGEST_NAME: usize = 128;
/// Keys of YAML maps end here for many readers.
const LONGEST_KEY: usize = 1000;

/// A chart's own description. In the order in which Helm writes it as the configuration of an OCI artifact.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Metadata {
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "text")]
    pub(crate) name: String,
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "text")]
    home: String,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "texts")]
    sources: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "text")]
    pub(crate) version: String,
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "text")]
    description: String,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "texts")]
    keywords: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "list")]
    maintainers: Vec<Maintainer>,
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "text")]
    icon: String,
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "text")]
    api_version: String,
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "text")]
    condition: String,
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "text")]
    tags: String,
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "text")]
    app_version: String,
    #[serde(skip_serializing_if = "is_false", deserialize_with = "flag")]
    deprecated: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "annotations")]
    annotations: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "text")]
    kube_version: String,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "list")]
    dependencies: Vec<Dependency>,
    #[serde(rename = "type", skip_serializing_if = "String::is_empty", deserialize_with = "text")]
    kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Maintainer {
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "text")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "text")]
    email: String,
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "text")]
    url: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Dependency {
    #[serde(deserialize_with = "text")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "text")]
    version: String,
    #[serde(deserialize_with = "text")]
    repository: String,
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "text")]
    condition: String,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "texts")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "is_false", deserialize_with = "flag")]
    enabled: bool,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "list")]
    import_values: Vec<serde_json::Value>,
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "text")]
    alias: String,
}

/// `requirements.yaml` of charts of API v1.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Requirements {
    dependencies: Option<Vec<Dependency>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// A key without a value is an empty text.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let texts: Option<Vec<Option<String>>> = Option::deserialize(deserializer)?;
    Ok(texts.unwrap_or_default().into_iter().map(Option::unwrap_or_default).collect())
}

fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn annotations<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let map: Option<BTreeMap<String, Option<String>>> = Option::deserialize(deserializer)?;
    Ok(map.unwrap_or_default().into_iter().map(|(key, value)| (key, value.unwrap_or_default())).collect())
}

fn refused(why: impl Into<String>) -> InspectError {
    InspectError(why.into())
}

impl Metadata {
    /// Reads and checks `Chart.yaml`, with the `requirements.yaml` beside it.
    ///
    /// # Errors
    /// What Helm would refuse too, and names that no file can have.
    pub(crate) fn read(chart: &str, requirements: Option<&str>) -> Result<Self, InspectError> {
        let mut metadata: Self =
            yaml::read(chart).map_err(|error| refused(format!("Chart.yaml cannot be read: {error}")))?;
        if let Some(text) = requirements {
            let read: Option<Requirements> =
                yaml::read(text).map_err(|error| refused(format!("requirements.yaml cannot be read: {error}")))?;
            if let Some(dependencies) = read.and_then(|read| read.dependencies) {
                metadata.dependencies = dependencies;
            }
        }
        // Charts of Helm 2 do not say which API they follow.
        if metadata.api_version.is_empty() {
            metadata.api_version = "v1".to_owned();
        }
        metadata.clean();
        metadata.check()?;
        Ok(metadata)
    }

    /// The version, which was checked.
    ///
    /// # Errors
    /// If it is none.
    pub(crate) fn version(&self) -> Result<Version, InspectError> {
        self.version.parse().map_err(|error: crate::version::InvalidVersion| refused(error.to_string()))
    }

    /// The charts it needs.
    pub(crate) fn dependency_names(&self) -> Vec<String> {
        self.dependencies.iter().map(|dependency| dependency.name.clone()).collect()
    }

    /// As Helm cleans it before it goes into an index: one line, without what cannot be seen.
    fn clean(&mut self) {
        let Self { name, home, description, icon, condition, tags, app_version, kube_version, .. } = self;
        for text in [name, home, description, icon, condition, tags, app_version, kube_version] {
            clean(text);
        }
        self.sources.iter_mut().chain(&mut self.keywords).for_each(clean);
        for Maintainer { name, email, url } in &mut self.maintainers {
            [name, email, url].into_iter().for_each(clean);
        }
        for Dependency { name, version, repository, condition, tags, .. } in &mut self.dependencies {
            [name, version, repository, condition].into_iter().chain(tags).for_each(clean);
        }
    }

    fn check(&self) -> Result<(), InspectError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let is_file = self.name.starts_with(|c: char| c.is_ascii_alphanumeric()) && self.name.chars().all(plain);
        if self.name.is_empty() {
            return Err(refused("Chart.yaml has no name"));
        }
        if !is_file || self.name.len() > LONGEST_NAME {
            let shown: String = self.name.chars().take(100).collect();
            return Err(refused(format!(
                "{shown:?} is not a name for a chart: up to {LONGEST_NAME} of letters, digits, '.', '_' and '-'"
            )));
        }
        if self.version.is_empty() {
            return Err(refused("Chart.yaml has no version"));
        }
        self.version()?;
        if !matches!(self.kind.as_str(), "" | "application" | "library") {
            return Err(refused("the type of a chart is application or library"));
        }
        if self.annotations.keys().any(|key| key.len() > LONGEST_KEY) {
            return Err(refused(format!("a key of an annotation is longer than {LONGEST_KEY} bytes")));
        }
        self.check_dependencies()
    }

    fn check_dependencies(&self) -> Result<(), InspectError> {
        let mut known = BTreeSet::new();
        for Dependency { name, alias, .. } in &self.dependencies {
            if !alias.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
                return Err(refused(format!(
                    "the dependency {name:?} has an alias with other characters than letters, digits, '_' and '-'"
                )));
            }
            let key = if alias.is_empty() { name } else { alias };
            if !known.insert(key) {
                return Err(refused(format!("more than one dependency is called {key:?}")));
            }
        }
        Ok(())
    }

    /// What an OCI artifact of the chart is annotated with, as Helm does it; without a time, so that a chart is one artifact.
    pub(crate) fn oci_annotations(&self) -> BTreeMap<String, String> {
        const OURS: [&str; 7] = ["description", "title", "version", "url", "source", "authors", "created"];
        let prefixed = |name: &str| format!("org.opencontainers.image.{name}");
        let authors: Vec<_> = self
            .maintainers
            .iter()
            .map(
                |Maintainer { name, email, .. }| {
                    if email.is_empty() { name.clone() } else { format!("{name} ({email})") }
                },
            )
            .collect();
        let source = self.sources.first().cloned().unwrap_or_default();
        let values = [
            self.description.clone(),
            self.name.clone(),
            self.version.clone(),
            self.home.clone(),
            source,
            authors.join(", "),
        ];
        let own = OURS.iter().zip(values).map(|(name, value)| (prefixed(name), value));
        let said = self.annotations.iter().filter(|(key, _)| !OURS.iter().any(|name| prefixed(name) == **key));
        said.map(|(key, value)| (key.clone(), value.clone()))
            .chain(own.filter(|(_, value)| !value.is_empty()))
            .collect()
    }
}

/// White space is a blank; what is not printed goes: controls, marks of direction, private characters.
fn clean(text: &mut String) {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c,
                '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}'
                | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
                | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..)
    };
    if text.chars().any(|c| c.is_whitespace() && c != ' ' || hidden(c)) {
        *text = text
            .chars()
            .filter_map(|c| if c.is_whitespace() { Some(' ') } else { (!hidden(c)).then_some(c) })
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Metadata, String> {
        Metadata::read(text, None).map_err(|error| error.0)
    }

    #[test]
    fn every_field_is_kept_as_it_was_written() {
        let text = "apiVersion: v2\nname: crate\nversion: 1.2.3-rc.1+b\nappVersion: 1.10\nkubeVersion: '>=1.20.0'\n\
            description: |\n  two\n  lines\ntype: application\nkeywords: [a, 1, true]\nhome: https://example.org\n\
            sources:\n- https://example.org/src\nmaintainers:\n- name: Ann\n  email: ann@example.org\n  url:\n\
            icon: https://example.org/i.svg\ndeprecated: true\nannotations:\n  n: 1\n  text: \"a\\nb\"\n\
            dependencies:\n- name: other\n  version: ~1\n  repository: https://example.org\n  condition: a.b\n  tags: [x]\n\
            \x20 import-values:\n  - data\n  - child: c\n    parent: p\n  alias: o_1\ncondition: c\ntags: t\nunknown: kept out\n";
        let metadata = read(text).unwrap();
        let json = serde_json::to_value(&metadata).unwrap();
        let expected = serde_json::json!({
            "apiVersion": "v2", "name": "crate", "version": "1.2.3-rc.1+b", "appVersion": "1.10", "kubeVersion": ">=1.20.0",
            "description": "two lines ", "type": "application", "keywords": ["a", "1", "true"], "home": "https://example.org",
            "sources": ["https://example.org/src"], "maintainers": [{"name": "Ann", "email": "ann@example.org"}],
            "icon": "https://example.org/i.svg", "deprecated": true, "annotations": {"n": "1", "text": "a\nb"},
            "dependencies": [{"name": "other", "version": "~1", "repository": "https://example.org", "condition": "a.b",
                "tags": ["x"], "import-values": ["data", {"child": "c", "parent": "p"}], "alias": "o_1"}],
            "condition": "c", "tags": "t",
        });
        assert_eq!(json, expected);
        let again: Metadata = serde_json::from_value(json).unwrap();
        assert_eq!(again, metadata);
    }

    #[test]
    fn charts_of_helm_2_have_their_dependencies_beside_them() {
        let requirements = "dependencies:\n- name: other\n  version: 1.x\n  repository: '@stable'\n";
        let metadata = Metadata::read("name: old\nversion: 0.1.0\n", Some(requirements)).unwrap();
        let json = serde_json::to_value(&metadata).unwrap();
        assert_eq!(json["apiVersion"], "v1");
        assert_eq!(json["dependencies"][0]["repository"], "@stable");
        assert!(Metadata::read("name: old\nversion: 0.1.0\n", Some("")).is_ok());
        assert!(Metadata::read("name: old\nversion: 0.1.0\n", Some("dependencies: 1")).is_err());
    }

    #[test]
    fn what_helm_refuses_is_refused() {
        let table = [
            ("", "no name"),
            ("[]", "cannot be read"),
            ("name: [a]\nversion: 1.0.0", "cannot be read"),
            ("version: 1.0.0", "no name"),
            ("name: a", "no version"),
            ("name: a\nversion: latest", "not a version"),
            ("name: ..\nversion: 1.0.0", "not a name"),
            ("name: a/b\nversion: 1.0.0", "not a name"),
            ("name: -a\nversion: 1.0.0", "not a name"),
            ("name: ä\nversion: 1.0.0", "not a name"),
            ("name: a\nversion: 1.0.0\ntype: thing", "application or library"),
            ("name: a\nversion: 1.0.0\nmaintainers: [null]", "cannot be read"),
            ("name: a\nversion: 1.0.0\nannotations: {a: {b: c}}", "cannot be read"),
            ("name: a\nversion: 1.0.0\ndeprecated: maybe", "cannot be read"),
            ("name: a\nversion: 1.0.0\ndependencies: [{name: b}, {name: b}]", "more than one"),
            ("name: a\nversion: 1.0.0\ndependencies: [{name: b, alias: b/c}]", "alias"),
        ];
        for (text, why) in table {
            let error = read(text).expect_err(text);
            assert!(error.contains(why), "{text:?}: {error}");
        }
        let long = format!("name: a\nversion: 1.0.0\nannotations: {{\"{}\": x}}", "k".repeat(1001));
        assert!(read(&long).is_err());
    }

    #[test]
    fn an_artifact_is_annotated_as_helm_does_it() {
        let text = "name: a\nversion: 1.0.0\ndescription: d\nmaintainers: [{name: A, email: a@b}, {name: B}]\n\
            annotations: {x: y, org.opencontainers.image.title: forged}\nsources: [s, t]\nhome: h\n";
        let annotations: Vec<_> = read(text).unwrap().oci_annotations().into_iter().collect();
        let told: Vec<_> =
            annotations.iter().map(|(key, value)| format!("{}={value}", key.rsplit('.').next().unwrap())).collect();
        assert_eq!(
            told,
            ["authors=A (a@b), B", "description=d", "source=s", "title=a", "url=h", "version=1.0.0", "x=y"]
        );
    }
}
