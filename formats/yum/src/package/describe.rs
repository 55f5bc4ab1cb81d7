//! What metadata say of one package. Elements, their order and what is left out are those that createrepo_c writes, so that whoever
//! reads its repositories reads ours.
//!
//! What is known only when a package is listed (its digest, size, place and time of arrival) is left blank: a control character,
//! which XML cannot have, stands for each.

use rpm::IndexTag;
use wharf_core::{InspectError, Package};

use super::changes::Change;
use super::depend::{Depends, Entry, Relation};
use super::files::{File, is_primary};
use super::{Rpm, number, text};
use crate::xml::Xml;

/// The kinds of fragments, which are also the names of the files that are made of them.
pub(crate) const PRIMARY: &str = "primary";
pub(crate) const FILELISTS: &str = "filelists";
pub(crate) const OTHER: &str = "other";

/// What is filled in later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Blank {
    /// SHA-256 in hexadecimal.
    Digest = 1,
    /// When it came, in seconds since 1970.
    Arrived = 2,
    /// Bytes of the file.
    Size = 3,
    /// Its path.
    Place = 4,
}

impl Blank {
    fn sign(self) -> char {
        char::from(self as u8)
    }
}

/// Appends a fragment with its blanks filled.
pub(crate) fn filled(package: &Package, fragment: &[u8], out: &mut Vec<u8>) {
    for piece in fragment.split_inclusive(|byte| (1..=4).contains(byte)) {
        let Some((last, before)) = piece.split_last() else { continue };
        out.extend_from_slice(before);
        match *last {
            1 => out.extend_from_slice(package.digest.hex().as_bytes()),
            2 => out.extend_from_slice((package.created_at.as_secs()).to_string().as_bytes()),
            3 => out.extend_from_slice(package.size.to_string().as_bytes()),
            4 => out.extend_from_slice(package.path.as_bytes()),
            other => out.push(other),
        }
    }
}

pub(super) fn primary(
    rpm: &Rpm,
    depends: &Depends,
    requires: &[Entry],
    files: &[File<'_>],
) -> Result<Vec<u8>, InspectError> {
    let mut xml = Xml::default();
    xml.open(0, "package", &[("type", "rpm")]);
    describe(&mut xml, rpm)?;
    xml.open(1, "format", &[]);
    format(&mut xml, rpm)?;
    for (name, entries) in [
        ("rpm:provides", depends.provides.as_slice()),
        ("rpm:requires", requires),
        ("rpm:conflicts", &depends.conflicts),
        ("rpm:obsoletes", &depends.obsoletes),
        ("rpm:suggests", &depends.suggests),
        ("rpm:enhances", &depends.enhances),
        ("rpm:recommends", &depends.recommends),
        ("rpm:supplements", &depends.supplements),
    ] {
        list(&mut xml, name, entries, name == "rpm:requires");
    }
    for file in files {
        if is_primary(&file.path()) {
            self::file(&mut xml, 2, file);
        }
    }
    xml.close(1, "format");
    xml.close(0, "package");
    Ok(blanked(xml))
}

/// What stands before `format`.
fn describe(xml: &mut Xml, rpm: &Rpm) -> Result<(), InspectError> {
    let (identity, metadata) = (&rpm.identity, &rpm.metadata);
    xml.text(1, "name", &identity.name);
    xml.text(1, "arch", &identity.arch);
    version(xml, rpm);
    xml.raw(&format!("  <checksum type=\"sha256\" pkgid=\"YES\">{}</checksum>", Blank::Digest.sign()));
    for (element, tag) in [
        ("summary", IndexTag::RPMTAG_SUMMARY),
        ("description", IndexTag::RPMTAG_DESCRIPTION),
        ("packager", IndexTag::RPMTAG_PACKAGER),
        ("url", IndexTag::RPMTAG_URL),
    ] {
        xml.text(1, element, &text(metadata, tag)?);
    }
    let built = number(metadata, &[IndexTag::RPMTAG_BUILDTIME]);
    xml.raw(&format!("  <time file=\"{}\" build=\"{built}\"/>", Blank::Arrived.sign()));
    let installed = number(metadata, &[IndexTag::RPMTAG_LONGSIZE, IndexTag::RPMTAG_SIZE]);
    let archive = archive_size(rpm);
    let size = Blank::Size.sign();
    xml.raw(&format!("  <size package=\"{size}\" installed=\"{installed}\" archive=\"{archive}\"/>"));
    xml.raw(&format!("  <location href=\"{}\"/>", Blank::Place.sign()));
    Ok(())
}

/// Bytes of the payload when it is unpacked: in the header or, as it is known only when the payload is written, beside it. Packages of
/// version 6 say it under another tag, which createrepo_c does not know; there it is 0 here too.
fn archive_size(rpm: &Rpm) -> u64 {
    use rpm::IndexSignatureTag as Beside;
    let inside = [IndexTag::RPMTAG_LONGARCHIVESIZE, IndexTag::RPMTAG_ARCHIVESIZE];
    let beside = &rpm.metadata.signature;
    let wide = beside.get_entry_data_as_u64(Beside::RPMSIGTAG_LONGARCHIVESIZE).ok();
    let found = wide.or_else(|| beside.get_entry_data_as_u32(Beside::RPMSIGTAG_PAYLOADSIZE).ok().map(u64::from));
    found.unwrap_or_else(|| number(&rpm.metadata, &inside))
}

/// What stands in `format` before the dependencies.
fn format(xml: &mut Xml, rpm: &Rpm) -> Result<(), InspectError> {
    for (element, tag) in [
        ("rpm:license", IndexTag::RPMTAG_LICENSE),
        ("rpm:vendor", IndexTag::RPMTAG_VENDOR),
        ("rpm:group", IndexTag::RPMTAG_GROUP),
        ("rpm:buildhost", IndexTag::RPMTAG_BUILDHOST),
        ("rpm:sourcerpm", IndexTag::RPMTAG_SOURCERPM),
    ] {
        xml.text(2, element, &text(&rpm.metadata, tag)?);
    }
    let [start, end] = [rpm.header.start, rpm.header.end].map(|at| at.to_string());
    xml.empty(2, "rpm:header-range", &[("start", &start), ("end", &end)]);
    Ok(())
}

fn list(xml: &mut Xml, name: &str, entries: &[Entry], tells_pre: bool) {
    if entries.is_empty() {
        return;
    }
    xml.open(2, name, &[]);
    for Entry { name, relation, pre } in entries {
        let mut attributes = vec![("name", name.as_str())];
        if let Some(Relation { flags, epoch, version, release }) = relation {
            let parts = [("epoch", epoch), ("ver", version), ("rel", release)];
            attributes.push(("flags", flags));
            attributes.extend(parts.into_iter().filter(|(_, value)| !value.is_empty()).map(|(k, v)| (k, v.as_str())));
        }
        if tells_pre && *pre {
            attributes.push(("pre", "1"));
        }
        xml.empty(3, "rpm:entry", &attributes);
    }
    xml.close(2, name);
}

fn file(xml: &mut Xml, level: usize, file: &File<'_>) {
    let kind = file.kind.map(|kind| ("type", kind));
    xml.element(level, "file", kind.as_slice(), &file.path());
}

fn version(xml: &mut Xml, rpm: &Rpm) {
    let identity = &rpm.identity;
    let epoch = identity.epoch.to_string();
    xml.empty(1, "version", &[("epoch", &epoch), ("ver", &identity.version), ("rel", &identity.release)]);
}

/// The begin of what the other two files say of a package.
fn begin(xml: &mut Xml, rpm: &Rpm) {
    let identity = &rpm.identity;
    let digest = Blank::Digest.sign();
    // Name and architecture have no character that XML would want written otherwise.
    xml.raw(&format!("<package pkgid=\"{digest}\" name=\"{}\" arch=\"{}\">", identity.name, identity.arch));
    version(xml, rpm);
}

pub(super) fn filelists(rpm: &Rpm, files: &[File<'_>]) -> Vec<u8> {
    let mut xml = Xml::default();
    begin(&mut xml, rpm);
    for file in files {
        self::file(&mut xml, 1, file);
    }
    xml.close(0, "package");
    blanked(xml)
}

pub(super) fn other(rpm: &Rpm, changes: &[Change]) -> Vec<u8> {
    let mut xml = Xml::default();
    begin(&mut xml, rpm);
    for Change { author, date, text } in changes {
        xml.element(1, "changelog", &[("author", author), ("date", &date.to_string())], text);
    }
    xml.close(0, "package");
    blanked(xml)
}

fn blanked(xml: Xml) -> Vec<u8> {
    xml.finish().into_bytes()
}
