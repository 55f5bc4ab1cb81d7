//! `repomd.xml`: which files the metadata are, and what they hash to.

use wharf_core::IndexFile;
use wharf_types::Timestamp;

use crate::xml::Xml;

/// A file that is named.
#[derive(Debug, Clone)]
pub(super) struct Record {
    kind: &'static str,
    file: IndexFile,
    /// Digest and size when it is unpacked; `None` if it is not packed.
    open: Option<(String, u64)>,
}

impl Record {
    /// A packed file, and what it unpacks to.
    pub(super) fn packed(kind: &'static str, file: IndexFile, open: &IndexFile) -> Self {
        Self { kind, file, open: Some((open.digest.hex(), open.size)) }
    }

    /// A file as it is.
    pub(super) fn plain(kind: &'static str, file: IndexFile) -> Self {
        Self { kind, file, open: None }
    }
}

/// The document. Files are named by their hash, so that a client in the middle of reading them is not disturbed by the next publication.
pub(super) fn render(records: &[Record], at: Timestamp) -> String {
    let at = at.as_secs().to_string();
    let mut xml = Xml::default();
    xml.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    let names = [("xmlns", "http://linux.duke.edu/metadata/repo"), ("xmlns:rpm", "http://linux.duke.edu/metadata/rpm")];
    xml.open(0, "repomd", &names);
    xml.text(1, "revision", &at);
    for Record { kind, file, open } in records {
        let digest = file.digest.hex();
        xml.open(1, "data", &[("type", kind)]);
        xml.element(2, "checksum", &[("type", "sha256")], digest.as_ref());
        if let Some((digest, _)) = open {
            xml.element(2, "open-checksum", &[("type", "sha256")], digest);
        }
        xml.empty(2, "location", &[("href", &format!("repodata/{digest}-{}", file.path))]);
        xml.text(2, "timestamp", &at);
        xml.text(2, "size", &file.size.to_string());
        if let Some((_, size)) = open {
            xml.text(2, "open-size", &size.to_string());
        }
        xml.close(1, "data");
    }
    xml.close(0, "repomd");
    xml.finish()
}

/// The same document, as it would be written at another time.
pub(super) fn dated(document: &str, at: Timestamp) -> String {
    let at = at.as_secs().to_string();
    let mut out = String::with_capacity(document.len());
    for line in document.split_inclusive('\n') {
        let time = ["revision", "timestamp"].iter().find(|name| line.trim_start().starts_with(&format!("<{name}>")));
        match time.and_then(|_| Some((line.split_once('>')?.0, line.rsplit_once("</")?.1))) {
            Some((begin, end)) => out.extend([begin, ">", &at, "</", end]),
            None => out.push_str(line),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_of_another_time_says_the_same() {
        let file = |path: &str| IndexFile {
            path: path.into(),
            media_type: "application/xml".into(),
            digest: wharf_types::Digest::sha256(path.as_bytes()),
            sha512: None,
            size: 7,
        };
        let records = [Record::packed("primary", file("a.gz"), &file("a")), Record::plain("group", file("comps.xml"))];
        let [then, now] = [1_600_000_000_000, 1_700_000_000_000].map(Timestamp::from_millis);
        assert_eq!(dated(&render(&records, then), now), render(&records, now));
    }
}
