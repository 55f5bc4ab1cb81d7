//! Files and what an index says that they hash to.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use wharf_types::{Algorithm, Digest};

use super::folder::{Folder, blocking};
use super::stop::{One, Stop};

/// What an index says of a file; by default nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Claim {
    /// How many bytes it has, where that is said.
    pub(super) size: Option<u64>,
    /// Algorithm in small letters, and checksum; the strongest first.
    pub(super) sums: Vec<(String, String)>,
}

/// A file that is what its index says.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    pub(super) path: PathBuf,
    pub(super) size: u64,
    pub(super) sha256: Digest,
}

impl Claim {
    /// One checksum.
    pub(super) fn of(algorithm: &str, sum: &str) -> Self {
        Self { size: None, sums: vec![(algorithm.to_owned(), sum.to_owned())] }
    }

    /// The SHA-256, if it says one.
    pub(super) fn sha256(&self) -> Option<Digest> {
        let (_, sum) = self.sums.iter().find(|(algorithm, _)| algorithm == "sha256")?;
        format!("sha256:{}", sum.to_ascii_lowercase()).parse().ok()
    }
}

/// Reads a file of the folder and holds it against what is said of it.
pub(super) async fn check(folder: &Folder, name: &str, claim: &Claim) -> Result<Checked, Stop> {
    let sized = sized(folder, name, claim)?;
    let claim = claim.clone();
    blocking(move || claim.hold(sized)).await
}

/// The same for an index, before anything else goes on.
pub(super) fn check_now(folder: &Folder, name: &str, claim: &Claim) -> Result<Checked, One> {
    claim.hold(sized(folder, name, claim)?)
}

fn sized(folder: &Folder, name: &str, claim: &Claim) -> Result<(PathBuf, u64), One> {
    let (path, metadata) = folder.file(name)?;
    match (claim.size, metadata.len()) {
        (Some(claimed), size) if claimed != size => {
            Err(One::new(format!("it has {size} bytes, and its index says {claimed}")))
        }
        (_, size) => Ok((path, size)),
    }
}

impl Claim {
    fn hold(&self, (path, size): (PathBuf, u64)) -> Result<Checked, One> {
        let first = self.sums.first();
        let hashed = File::open(&path).and_then(|file| hash(file, first.map(|(algorithm, _)| algorithm.as_str())));
        let (sha256, sum) = hashed.map_err(|error| One::new(format!("it cannot be read: {error}")))?;
        match (first, sum) {
            (None, _) => Ok(Checked { path, size, sha256 }),
            (Some((_, wanted)), Some(sum)) if sum.eq_ignore_ascii_case(wanted) => Ok(Checked { path, size, sha256 }),
            (Some((algorithm, _)), None) => Err(One::new(format!("its index has a checksum by {algorithm} only"))),
            (Some((algorithm, wanted)), Some(sum)) => {
                Err(One::new(format!("its {algorithm} is {sum}, and its index says {wanted}")))
            }
        }
    }
}

/// The SHA-256 of all there is to read, and the checksum by another algorithm.
fn hash(mut file: impl Read, algorithm: Option<&str>) -> io::Result<(Digest, Option<String>)> {
    let mut sha256 = Sha256::new();
    let mut other: Option<Box<dyn sha2::digest::DynDigest>> = match algorithm {
        Some("sha512") => Some(Box::new(Sha512::new())),
        Some("sha384") => Some(Box::new(Sha384::new())),
        // createrepo has called SHA-1 so.
        Some("sha1" | "sha") => Some(Box::new(Sha1::new())),
        Some("md5") => Some(Box::new(Md5::new())),
        _ => None,
    };
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        sha256.update(&buffer[..count]);
        if let Some(other) = &mut other {
            other.update(&buffer[..count]);
        }
    }
    let digest = Digest::from_raw(Algorithm::Sha256, &sha256.finalize());
    let sum = match algorithm {
        Some("sha256") => Some(digest.hex()),
        _ => other.map(|other| hex::encode(other.finalize())),
    };
    Ok((digest, sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_hashed_as_its_index_does_it() {
        for (algorithm, sum) in [
            ("md5", Some("900150983cd24fb0d6963f7d28e17f72")),
            ("sha", Some("a9993e364706816aba3e25717850c26c9cd0d89d")),
            ("sha256", Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")),
            ("crc32", None),
        ] {
            let (digest, found) = hash(&b"abc"[..], Some(algorithm)).unwrap();
            assert_eq!((digest, found.as_deref()), (Digest::sha256(b"abc"), sum), "{algorithm}");
        }
    }
}
