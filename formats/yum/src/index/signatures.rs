//! Signatures of repomd.xml, now and before. Who has read one that another has followed still finds its signature, by its digest: dnf
//! looks at the first signature of a file only, so they cannot stand in one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use wharf_types::Digest;

/// So many are kept, two of each publication: more than there are while a client reads.
const MOST: usize = 128;

/// Signatures, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Signatures(Vec<(String, String)>);

impl Signatures {
    /// Those of a file, if there is one.
    pub(super) fn of(file: Option<Vec<u8>>) -> Self {
        file.map_or_else(Self::default, |text| Self::read(&text))
    }

    /// Those of another list too, which are newer.
    pub(super) fn extend(&mut self, newer: Self) {
        for (digest, signature) in newer.0 {
            self.put(digest, signature);
        }
    }

    /// Lines of a digest and what is left out of a line's ends; what is none is passed over.
    pub(crate) fn read(text: &[u8]) -> Self {
        let line = |line: &str| {
            let (digest, signature) = line.split_once(' ')?;
            Some((digest.to_owned(), String::from_utf8(STANDARD.decode(signature).ok()?).ok()?))
        };
        Self(String::from_utf8_lossy(text).lines().filter_map(line).collect())
    }

    pub(super) fn add(&mut self, digest: &Digest, signature: &str) {
        self.put(digest.hex().to_string(), signature.to_owned());
    }

    fn put(&mut self, digest: String, signature: String) {
        self.0.retain(|(known, _)| *known != digest);
        self.0.push((digest, signature));
        let beyond = self.0.len().saturating_sub(MOST);
        self.0.drain(..beyond);
    }

    pub(super) fn render(&self) -> String {
        self.0.iter().map(|(digest, signature)| format!("{digest} {}\n", STANDARD.encode(signature))).collect()
    }

    /// The signature of a repomd.xml.
    pub(crate) fn of_digest(&self, digest: &Digest) -> Option<&str> {
        let digest = digest.hex();
        self.0.iter().find(|(known, _)| *known == digest).map(|(_, signature)| signature.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept() {
        let mut signatures = Signatures::default();
        let digest = |n: usize| Digest::sha256(n.to_string().as_bytes());
        for n in 0..MOST + 2 {
            signatures.add(&digest(n), &format!("signature\n{n}"));
        }
        let read = Signatures::read(signatures.render().as_bytes());
        assert_eq!(read, signatures);
        assert_eq!((read.of_digest(&digest(1)), read.of_digest(&digest(2))), (None, Some("signature\n2")));
        signatures.add(&digest(2), "again");
        assert_eq!((signatures.of_digest(&digest(2)), signatures.0.len()), (Some("again"), MOST));
        assert_eq!(Signatures::read(b"damaged\n\xff x"), Signatures::default());
    }
}
