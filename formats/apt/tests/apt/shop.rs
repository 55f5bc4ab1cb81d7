//! A repository as somebody reaches it, and what a careful client checks.

use std::io::Read;

use sha2::{Digest, Sha256, Sha512};
use wharf_testkit::{Answer, Client, TestServer};

use crate::build::Deb;

/// A repository and who asks for it.
#[derive(Debug, Clone)]
pub(crate) struct Shop {
    pub(crate) client: Client,
    base: String,
}

/// A file that a release names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) size: usize,
    pub(crate) hash: String,
}

impl Shop {
    /// A repository as the administrator reaches it.
    pub(crate) fn new(server: &TestServer, name: &str) -> Self {
        Self::at(&server.admin(), &format!("/apt/{name}"))
    }

    /// A repository at some address.
    pub(crate) fn at(client: &Client, base: &str) -> Self {
        Self { client: client.clone(), base: base.to_owned() }
    }

    /// A path inside it.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.base)
    }

    /// GET of a path inside it.
    pub(crate) async fn get(&self, rest: &str) -> Answer {
        self.client.get(&self.path(rest)).await
    }

    /// DELETE of a path inside it, answered when it shows.
    pub(crate) async fn delete(&self, rest: &str) -> Answer {
        self.client.delete(&self.path(&format!("{rest}?wait=1"))).await
    }

    /// Uploads a package and waits until the index lists it.
    pub(crate) async fn put(&self, spot: &str, file: impl Into<reqwest::Body>) -> Answer {
        self.client.put(&self.path(&format!("pool/{spot}/upload?wait=1")), file).await
    }

    /// The same for a package that is new.
    pub(crate) async fn add(&self, spot: &str, deb: &Deb) {
        self.put(spot, deb.bytes()).await.assert_status(201);
    }

    /// What the current release says.
    pub(crate) async fn release(&self, distribution: &str) -> String {
        self.get(&format!("dists/{distribution}/Release")).await.assert_status(200).text()
    }

    /// The files of the current release, each looked at by its path and by both hashes.
    pub(crate) async fn checked(&self, distribution: &str) -> Vec<Entry> {
        let release = self.release(distribution).await;
        let (short, long) = (entries(&release, "SHA256"), entries(&release, "SHA512"));
        assert_eq!(short.len(), long.len());
        for (entry, other) in short.iter().zip(&long) {
            assert_eq!(entry.path, other.path);
            let folder = entry.path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
            let answer = self.get(&format!("dists/{distribution}/{}", entry.path)).await;
            let content = answer.assert_status(200).body.to_vec();
            assert_eq!(content.len(), entry.size, "{}", entry.path);
            assert_eq!(hex::encode(Sha256::digest(&content)), entry.hash, "{}", entry.path);
            assert_eq!(hex::encode(Sha512::digest(&content)), other.hash, "{}", entry.path);
            for (algorithm, hash) in [("SHA256", &entry.hash), ("SHA512", &other.hash)] {
                let path = format!("dists/{distribution}/{folder}by-hash/{algorithm}/{hash}");
                self.get(&path).await.assert_status(200).assert_body(&content);
            }
        }
        short
    }

    /// A table of a distribution, which says the same in every form.
    pub(crate) async fn table(&self, distribution: &str, path: &str) -> String {
        let fetch = async |ending: &str| {
            let answer = self.get(&format!("dists/{distribution}/{path}{ending}")).await;
            answer.assert_status(200).body.to_vec()
        };
        let plain = fetch("").await;
        let (gz, xz, zst) = (fetch(".gz").await, fetch(".xz").await, fetch(".zst").await);
        let mut unpacked = Vec::new();
        flate2::read::MultiGzDecoder::new(gz.as_slice()).read_to_end(&mut unpacked).expect("gzip");
        assert_eq!(unpacked, plain, "{path}.gz");
        let mut unpacked = Vec::new();
        liblzma::read::XzDecoder::new(xz.as_slice()).read_to_end(&mut unpacked).expect("xz");
        assert_eq!(unpacked, plain, "{path}.xz");
        assert_eq!(zstd::decode_all(zst.as_slice()).expect("zstd"), plain, "{path}.zst");
        String::from_utf8(plain).expect("UTF-8")
    }

    /// Names and versions of a table of packages or sources, sorted.
    pub(crate) async fn listed(&self, distribution: &str, path: &str) -> Vec<String> {
        let table = self.table(distribution, path).await;
        let mut names: Vec<_> = table
            .split_terminator("\n\n")
            .map(|stanza| format!("{} {}", field(stanza, "Package"), field(stanza, "Version")))
            .collect();
        names.sort();
        names
    }
}

/// The value of a field of a stanza.
pub(crate) fn field<'a>(stanza: &'a str, name: &str) -> &'a str {
    let start = format!("{name}: ");
    stanza.lines().find_map(|line| line.strip_prefix(start.as_str())).unwrap_or_default()
}

fn entries(release: &str, section: &str) -> Vec<Entry> {
    let lines = release.lines().skip_while(|line| *line != format!("{section}:")).skip(1);
    let entry = |line: &str| {
        let [hash, size, path] = line.split_ascii_whitespace().collect::<Vec<_>>()[..] else { panic!("{line}") };
        Entry { path: path.to_owned(), size: size.parse().expect("a size"), hash: hash.to_owned() }
    };
    lines.take_while(|line| line.starts_with(' ')).map(entry).collect()
}
