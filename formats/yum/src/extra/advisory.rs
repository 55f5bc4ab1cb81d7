//! `updateinfo.xml`: what is wrong with packages, and which ones mend it.

use serde::Deserialize;
use wharf_core::InspectError;
use wharf_types::Timestamp;

use super::{Said, xml};
use crate::package::refused;
use crate::xml::Xml;

/// An advisory as it is sent to be added. Its packages are in the repository.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Advisory {
    pub(crate) id: String,
    title: String,
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default)]
    severity: Option<Severity>,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    solution: String,
    #[serde(default)]
    rights: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    issued: Option<Timestamp>,
    #[serde(default)]
    updated: Option<Timestamp>,
    #[serde(default)]
    version: Option<u32>,
    #[serde(default)]
    reboot_suggested: bool,
    #[serde(default)]
    references: Vec<Reference>,
    /// Paths or file names.
    pub(crate) packages: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Security,
    Bugfix,
    Enhancement,
    Newpackage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
enum Severity {
    None,
    Low,
    Moderate,
    Important,
    Critical,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    href: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    title: String,
    /// `bugzilla`, `cve`, `vendor`, `self`, `other` …
    #[serde(rename = "type")]
    kind: String,
}

/// A package that mends it, as advisories name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mended {
    pub(crate) name: String,
    pub(crate) epoch: u32,
    pub(crate) version: String,
    pub(crate) release: String,
    pub(crate) arch: String,
    pub(crate) source: String,
    pub(crate) file_name: String,
    pub(crate) sha256: String,
}

impl Advisory {
    /// The element of `updateinfo.xml`.
    pub(crate) fn render(&self, repository: &str, packages: &[Mended], now: Timestamp) -> String {
        let issued = self.issued.unwrap_or(now);
        let version = self.version.unwrap_or(1).to_string();
        let kind = format!("{:?}", self.kind).to_lowercase();
        let mut xml = Xml::default();
        let attributes = [("from", self.from.as_str()), ("status", "final"), ("type", &kind), ("version", &version)];
        xml.open(0, "update", &attributes);
        xml.text(1, "id", &self.id);
        xml.text(1, "title", &self.title);
        xml.empty(1, "issued", &[("date", &date(issued))]);
        xml.empty(1, "updated", &[("date", &date(self.updated.unwrap_or(issued)))]);
        xml.text(1, "rights", &self.rights);
        if let Some(severity) = self.severity {
            xml.text(1, "severity", &format!("{severity:?}"));
        }
        for (name, text) in
            [("summary", &self.summary), ("description", &self.description), ("solution", &self.solution)]
        {
            xml.text(1, name, text);
        }
        if self.reboot_suggested {
            xml.text(1, "reboot_suggested", "True");
        }
        xml.open(1, "references", &[]);
        for Reference { href, id, title, kind } in &self.references {
            xml.empty(2, "reference", &[("href", href), ("id", id), ("title", title), ("type", kind)]);
        }
        xml.close(1, "references");
        self.list(&mut xml, repository, packages);
        xml.close(0, "update");
        xml.finish()
    }

    fn list(&self, xml: &mut Xml, repository: &str, packages: &[Mended]) {
        xml.open(1, "pkglist", &[]);
        xml.open(2, "collection", &[("short", repository)]);
        xml.text(3, "name", repository);
        for package in packages {
            let epoch = package.epoch.to_string();
            let attributes = [
                ("name", package.name.as_str()),
                ("version", &package.version),
                ("release", &package.release),
                ("epoch", &epoch),
                ("arch", &package.arch),
                ("src", &package.source),
            ];
            xml.open(3, "package", &attributes);
            xml.text(4, "filename", &package.file_name);
            xml.element(4, "sum", &[("type", "sha256")], &package.sha256);
            if self.reboot_suggested {
                xml.text(4, "reboot_suggested", "True");
            }
            xml.close(3, "package");
        }
        xml.close(2, "collection");
        xml.close(1, "pkglist");
    }
}

/// `2026-01-31 12:00:00`.
fn date(at: Timestamp) -> String {
    at.to_string().chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// One `<update>`.
pub(super) fn read(text: &str) -> Result<Said, InspectError> {
    let (mut id, mut version) = (None, None);
    xml::walk(text, |depth, start, range| {
        let name = start.name();
        if depth == 0 {
            if name.as_ref() != b"update" {
                return Err(refused("it is not an <update>"));
            }
            let found = start.try_get_attribute("version").ok().flatten();
            version = found.and_then(|found| String::from_utf8(found.value.into_owned()).ok());
        }
        if depth == 1 && name.as_ref() == b"id" {
            let inner = text[range].split_once('>').and_then(|(_, rest)| rest.split_once('<'));
            id = inner.map(|(id, _)| id.trim().to_owned());
        }
        Ok(())
    })?;
    let id = id.ok_or_else(|| refused("it has no <id>"))?;
    let version = version.filter(|version| !version.is_empty()).unwrap_or_else(|| "1".to_owned());
    Ok(Said { id, version, fragment: format!("{}\n", text.trim()) })
}
