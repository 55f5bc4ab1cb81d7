//! Parsers of what strangers send, each as a function of any bytes: none may panic, hang, or make more of a file than the file
//! allows. `tests/fuzz/run` looks for bytes that make them; `corpus/` has what to begin with, and what was found.

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue};
use wharf_apt::Apt;
use wharf_core::{Arrival, Contents, Format, Parsed};
use wharf_helm::Helm;
use wharf_trust::openpgp;
use wharf_types::{Digest, MediaType, Reference, RepoName, Tag, Timestamp};
use wharf_wire::{ByteRange, Credentials};
use wharf_yum::Yum;

/// A parser.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// What `tests/fuzz/run` calls it, and its folder in the corpus.
    pub name: &'static str,
    /// Feeds it.
    pub feed: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "deb", feed: |bytes| apt("\"Binary\"", bytes) },
    Target { name: "dsc", feed: |bytes| apt("\"Source\"", bytes) },
    Target { name: "changes", feed: |bytes| apt("{\"Waiting\":\"incoming/a\"}", bytes) },
    Target { name: "rpm", feed: |bytes| yum("", bytes) },
    Target { name: "updateinfo", feed: |bytes| yum("updateinfo", bytes) },
    Target { name: "comps", feed: |bytes| yum("comps", bytes) },
    Target { name: "modules", feed: |bytes| yum("modules", bytes) },
    Target { name: "chart", feed: |bytes| helm("", bytes) },
    Target { name: "provenance", feed: |bytes| helm("provenance", bytes) },
    Target { name: "manifest", feed: manifest },
    Target { name: "openpgp-key", feed: key },
    Target { name: "openpgp-message", feed: message },
    Target { name: "names", feed: names },
    Target { name: "headers", feed: headers },
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

fn apt(brings: &str, bytes: &[u8]) {
    let section = format!(r#"{{"brings":{brings},"component":"main","file_name":"hello_1.orig.tar.gz"}}"#);
    take(&Apt::default(), &Arrival { channel: "sid".into(), section, ..Arrival::default() }, bytes);
}

fn yum(section: &str, bytes: &[u8]) {
    take(&Yum::default(), &Arrival { section: section.to_owned(), ..Arrival::default() }, bytes);
}

fn helm(section: &str, bytes: &[u8]) {
    take(&Helm::default(), &Arrival { section: section.to_owned(), ..Arrival::default() }, bytes);
}

/// What is taken has a place of its own, below the repository and nowhere else.
fn take(format: &dyn Format, arrival: &Arrival, mut bytes: &[u8]) {
    let Ok(Contents { path, .. }) = format.inspect(&mut bytes, arrival) else { return };
    let well = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    assert!(well && !path.contains(char::is_control), "{path:?}");
}

fn manifest(bytes: &[u8]) {
    let docker = MediaType::from_content_type("application/vnd.docker.distribution.manifest.v2+json").ok();
    for header in [None, docker.as_ref()] {
        if let Ok(parsed) = Parsed::read(bytes, header) {
            assert!(parsed.references() <= Parsed::MOST_REFERENCES);
        }
    }
}

fn key(bytes: &[u8]) {
    let Ok(found) = openpgp::certificates(bytes) else { return };
    // What is served to clients can be read again.
    let again = openpgp::armored(&found).and_then(|armored| openpgp::certificates(armored.as_bytes()));
    assert_eq!(again.map(|again| again.len()).ok(), Some(found.len()));
}

fn message(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    assert!(openpgp::verify_clear_signed(&[], &text, Timestamp::from_millis(0)).is_err(), "nobody is trusted");
    assert!(openpgp::verify_detached(&[], b"data", bytes, Timestamp::from_millis(0)).is_err(), "nobody is trusted");
}

/// What is taken is written as it was read.
fn names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(name) = text.parse::<RepoName>() {
        assert_eq!(name.to_string(), text);
    }
    if let Ok(tag) = text.parse::<Tag>() {
        assert_eq!(tag.to_string(), text);
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
    }
    drop(text.parse::<Reference>());
}

fn headers(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    if let ByteRange::Part(range) = ByteRange::read(value.to_str().ok(), 1000) {
        assert!(range.start < range.end && range.end <= 1000, "{range:?}");
    }
    drop(Credentials::from_headers(&HeaderMap::from_iter([(AUTHORIZATION, value)])));
}
