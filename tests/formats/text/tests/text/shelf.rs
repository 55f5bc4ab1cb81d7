//! A repository as somebody reaches it, and what a careful client checks.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use wharf_core::{PublishedFile, Target};
use wharf_testkit::{Answer, Client, TestServer, sha256};

use crate::note::Note;

/// A repository and who asks for it.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    pub(crate) client: Client,
    pub(crate) name: String,
    base: String,
}

/// What a client has that has checked everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) digest: String,
    pub(crate) index: String,
}

impl Shelf {
    /// The repository as the administrator reaches it.
    pub(crate) fn new(server: &TestServer, name: &str) -> Self {
        Self::of(&server.admin(), name)
    }

    /// The repository as this caller reaches it.
    pub(crate) fn of(client: &Client, name: &str) -> Self {
        Self { client: client.clone(), name: name.to_owned(), base: format!("/text/{name}") }
    }

    /// The same by its other address.
    pub(crate) fn at_other_address(&self) -> Self {
        let (project, name) = self.name.split_once('/').expect("a project");
        Self { base: format!("/api/packages/{project}/text/{name}"), ..self.clone() }
    }

    /// A path inside it.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.base)
    }

    /// GET of a path inside it.
    pub(crate) async fn get(&self, rest: &str) -> Answer {
        self.client.get(&self.path(rest)).await
    }

    /// DELETE of a path inside it.
    pub(crate) async fn delete(&self, rest: &str) -> Answer {
        self.client.delete(&self.path(rest)).await
    }

    /// Uploads a file.
    pub(crate) async fn put(&self, channel: &str, file: impl Into<reqwest::Body>) -> Answer {
        self.client.put(&self.path(&format!("{channel}/upload")), file).await
    }

    /// Uploads a new package and waits until the index lists it.
    pub(crate) async fn add(&self, channel: &str, note: &Note) -> Answer {
        let answer = self.client.put(&self.path(&format!("{channel}/upload?wait=1")), note.file()).await;
        answer.assert_status(201).clone()
    }

    /// The current index.
    pub(crate) async fn index(&self, channel: &str) -> String {
        self.get(&format!("{channel}/Index")).await.assert_status(200).text()
    }

    /// Which release is current.
    pub(crate) async fn release_tag(&self, channel: &str) -> String {
        self.get(&format!("{channel}/Release")).await.assert_status(200).expect_header("etag").to_owned()
    }

    /// The index past HTTP, to see what it is made of.
    pub(crate) async fn published(&self, server: &TestServer, channel: &str) -> PublishedFile {
        let target = Target::new(wharf_text::NAME, self.name.parse().expect("a name"));
        server.core().index_file(&target, channel, "Index").await.expect("an index")
    }

    /// The public keys: name and key.
    pub(crate) async fn keys(&self) -> Vec<(String, Vec<u8>)> {
        let text = self.get("key").await.assert_status(200).text();
        let key = |line: &str| {
            let [id, "ed25519", key] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            (id.to_owned(), STANDARD.decode(key).expect("base64"))
        };
        text.lines().map(key).collect()
    }

    /// Reads the release, checks its signature, reads the index that it names by its digest, and checks that.
    pub(crate) async fn verified(&self, channel: &str) -> Verified {
        let release = self.get(&format!("{channel}/Release")).await.assert_status(200).text();
        let (head, signatures) = release.split_once("\n\n").expect("a head and signatures");
        let head = format!("{head}\n\n");
        let signature = signatures.trim_end().strip_prefix("Signature: ").expect("one signature");
        assert!(self.is_signed(&head, signature).await, "{release}");
        let named = head.lines().find_map(|line| line.strip_prefix("Index: ")).expect("an index");
        let (digest, size) = named.split_once(' ').expect("a digest and a size");
        let hash = digest.replace(':', "/");
        let index = self.get(&format!("{channel}/by-hash/{hash}")).await.assert_status(200).text();
        assert_eq!((sha256(&index).as_str(), index.len().to_string().as_str()), (digest, size), "{release}");
        Verified { digest: digest.to_owned(), index }
    }

    /// Whether `Index.sig`, as it is now, has a good signature of this index.
    pub(crate) async fn is_vouched_for(&self, channel: &str, index: &str) -> bool {
        let digest = sha256(index);
        let signatures = self.get(&format!("{channel}/Index.sig")).await.assert_status(200).text();
        let mut ours = signatures.lines().filter_map(|line| line.strip_prefix(digest.as_str()));
        match ours.next() {
            Some(signature) => self.is_signed(&format!("{digest}\n"), signature.trim_start()).await,
            None => false,
        }
    }

    /// Whether a signature, as files name it, is one of a key of this repository.
    async fn is_signed(&self, message: &str, signature: &str) -> bool {
        let (id, signature) = signature.split_once(' ').expect("a key and a signature");
        let keys = self.keys().await;
        let (_, key) = keys.iter().find(|(known, _)| known == id).expect("a key of this repository");
        let signature = STANDARD.decode(signature).expect("base64");
        UnparsedPublicKey::new(&ED25519, key).verify(message.as_bytes(), &signature).is_ok()
    }
}
