//! A repository as somebody reaches it, and packages for it.

use std::collections::BTreeMap;
use std::io::Read;

use rpm::{BuildConfig, CompressionType, Dependency, FileOptions, PackageBuilder};
use wharf_testkit::{Answer, Client, TestServer, sha256};

/// A package of this name and version.
pub(crate) fn package(name: &str, version: &str) -> Vec<u8> {
    built(name, version, 0, "")
}

/// The same with an epoch and with something in it.
pub(crate) fn built(name: &str, version: &str, epoch: u32, content: &str) -> Vec<u8> {
    let (version, release) = version.split_once('-').unwrap_or((version, "1"));
    let mut builder = PackageBuilder::new(name, version, "MIT", "noarch", "A package & more");
    builder.release(release).epoch(epoch).requires(Dependency::any("base"));
    builder.using_config(BuildConfig::v4().compression(CompressionType::Gzip).source_date(1_700_000_000u32));
    builder.with_file_contents(content, FileOptions::new("/usr/bin/program")).expect("a file");
    let mut bytes = Vec::new();
    builder.build().expect("a package").write(&mut bytes).expect("memory");
    bytes
}

/// A repository and who asks for it.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    pub(crate) client: Client,
    base: String,
}

/// The metadata that repomd.xml names, by kind, each held against the hashes and sizes it gives.
pub(crate) type Metadata = BTreeMap<String, String>;

impl Shelf {
    /// The repository as the administrator reaches it.
    pub(crate) fn new(server: &TestServer, name: &str) -> Self {
        Self { client: server.admin(), base: format!("/yum/{name}") }
    }

    /// As somebody else reaches it.
    pub(crate) fn of(&self, client: &Client) -> Self {
        Self { client: client.clone(), ..self.clone() }
    }

    /// A path inside it.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.base)
    }

    /// GET of a path inside it.
    pub(crate) async fn get(&self, rest: &str) -> Answer {
        self.client.get(&self.path(rest)).await
    }

    /// PUT of a path inside it.
    pub(crate) async fn put(&self, rest: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.client.put(&self.path(rest), body).await
    }

    /// DELETE of a path inside it.
    pub(crate) async fn delete(&self, rest: &str) -> Answer {
        self.client.delete(&self.path(rest)).await
    }

    /// Uploads a new package and waits until the metadata list it. Says where it lies.
    pub(crate) async fn add(&self, package: Vec<u8>) -> String {
        let answer = self.put("upload?wait=1", package).await;
        answer.assert_status(201).json()["path"].as_str().expect("a path").to_owned()
    }

    /// The current metadata, as a careful client reads them.
    pub(crate) async fn metadata(&self) -> Metadata {
        self.metadata_of("").await
    }

    /// The same by the door where they are compressed with Zstandard.
    pub(crate) async fn metadata_of(&self, door: &str) -> Metadata {
        let repomd = self.get(&format!("{door}repodata/repomd.xml")).await.assert_status(200).text();
        let mut found = Metadata::new();
        for data in repomd.split("<data type=\"").skip(1) {
            let (kind, data) = data.split_once('"').expect("a kind");
            let href = between(data, "<location href=\"", "\"");
            let packed = self.get(&format!("{door}{href}")).await.assert_status(200).body.to_vec();
            let digest = between(data, "<checksum type=\"sha256\">", "<");
            assert_eq!(sha256(&packed), format!("sha256:{digest}"), "{kind}");
            assert!(href.starts_with(&format!("repodata/{digest}-")), "{href}");
            assert_eq!(between(data, "<size>", "<"), packed.len().to_string(), "{kind}");
            let open = unpacked(href, packed);
            if data.contains("<open-checksum") {
                assert_eq!(sha256(&open), format!("sha256:{}", between(data, "<open-checksum type=\"sha256\">", "<")));
                assert_eq!(between(data, "<open-size>", "<"), open.len().to_string(), "{kind}");
            }
            found.insert(kind.to_owned(), String::from_utf8(open).expect("UTF-8"));
        }
        found
    }

    /// The names that the metadata list, each with as many lines in all three files as it should have.
    pub(crate) async fn listed(&self) -> Vec<String> {
        let metadata = self.metadata().await;
        let primary = &metadata["primary"];
        let mut names: Vec<String> =
            primary.split("  <name>").skip(1).map(|rest| rest.split('<').next().expect("a name").to_owned()).collect();
        for kind in ["primary", "filelists", "other"] {
            let text = &metadata[kind];
            assert_eq!(text.matches("<package ").count(), names.len(), "{kind}: {text}");
            assert!(text.contains(&format!("packages=\"{}\">", names.len())), "{kind}: {text}");
        }
        names.sort();
        names
    }
}

fn unpacked(name: &str, content: Vec<u8>) -> Vec<u8> {
    let mut open = Vec::new();
    match name.rsplit('.').next() {
        Some("gz") => {
            flate2::read::MultiGzDecoder::new(content.as_slice()).read_to_end(&mut open).expect("gzip");
            open
        }
        Some("zst") => zstd::decode_all(content.as_slice()).expect("Zstandard"),
        _ => content,
    }
}

/// What stands between two texts.
pub(crate) fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let rest = text.split_once(begin).map(|(_, rest)| rest);
    rest.and_then(|rest| rest.split_once(end)).map_or_else(|| panic!("no {begin} in {text}"), |(found, _)| found)
}
