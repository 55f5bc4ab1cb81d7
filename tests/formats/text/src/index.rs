//! The index of one channel: put together from what was said of each package when it came, in segments that generations share,
//! and signed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use wharf_core::{IndexError, Package, PublicKey, Publication, Signature};
use wharf_types::Digest;

/// The list of packages.
pub(crate) const INDEX: &str = "Index";
/// Signatures of the list: a line for each key, and the lines of generations before.
pub(crate) const INDEX_SIGNATURES: &str = "Index.sig";
/// Names the list by its digest, and is signed itself.
pub(crate) const RELEASE: &str = "Release";

const TEXT: &str = "text/plain; charset=utf-8";
/// Packages read at once.
const PAGE: usize = 500;
/// Signatures in [`INDEX_SIGNATURES`]: a client that has read the list finds its signature so many publications later.
const MOST_SIGNATURES: usize = 32;

/// Puts the index together.
pub(crate) async fn publish(publication: &mut Publication, packages_per_segment: usize) -> Result<(), IndexError> {
    let (digest, size) = list(publication, packages_per_segment).await?;
    let signed = publication.sign(signed_by_line(&digest).as_bytes()).await?;
    let ours: Vec<String> = signed.iter().map(|signature| format!("{digest} {}\n", line(signature))).collect();
    let before = signatures(publication).await?;
    // Ed25519 always signs alike, so the same lines mean the same list and the same keys.
    if before.starts_with(&ours) {
        publication.keep_current();
        return Ok(());
    }
    let before = before.into_iter().filter(|line| !ours.contains(line));
    let all: String = ours.iter().cloned().chain(before).take(MOST_SIGNATURES).collect();
    publication.add_whole(INDEX_SIGNATURES, TEXT, all.into()).await?;
    release(publication, &digest, size).await
}

/// What [`INDEX_SIGNATURES`] signs.
fn signed_by_line(digest: &Digest) -> String {
    format!("{digest}\n")
}

/// The list of packages, by path. A segment ends after a package whose path says so, whatever stands before it: so one
/// package more or less changes one segment, and no state is kept of where segments end.
async fn list(publication: &mut Publication, packages_per_segment: usize) -> Result<(Digest, u64), IndexError> {
    let mut file = publication.begin(INDEX, TEXT).await?;
    let (mut segment, mut entries, mut size) = (BytesMut::new(), 0, 0);
    let mut after = String::new();
    loop {
        let page = publication.packages(&after, PAGE).await?;
        let Some(last) = page.last() else { break };
        last.path.clone_into(&mut after);
        for package in page {
            segment.extend_from_slice(entry(&package).as_bytes());
            entries += 1;
            if ends_segment(&package.path, entries, packages_per_segment) {
                size += file.push(segment.split().freeze()).await?.size;
                entries = 0;
            }
        }
    }
    if !segment.is_empty() {
        size += file.push(segment.freeze()).await?.size;
    }
    Ok((publication.finish(file)?, size))
}

/// About every `wanted`th path, and never later than after four times as many entries.
fn ends_segment(path: &str, entries: usize, wanted: usize) -> bool {
    let wanted = wanted.max(1);
    let hash = Digest::sha256(path.as_bytes());
    let lot = hash.raw().iter().take(6).fold(0, |lot, byte| lot << 8 | usize::from(*byte));
    lot % wanted == 0 || entries >= 4 * wanted
}

fn entry(package: &Package) -> String {
    let Package { path, digest, size, fragment, .. } = package;
    format!("{}Path: {path}\nSize: {size}\nSHA256: {}\n\n", String::from_utf8_lossy(fragment), digest.hex())
}

/// The signatures of the current generation, by line.
async fn signatures(publication: &Publication) -> Result<Vec<String>, IndexError> {
    let Some((_, segments)) = publication.current(INDEX_SIGNATURES).await? else { return Ok(Vec::new()) };
    let mut text = String::new();
    for segment in &segments {
        text.push_str(&String::from_utf8_lossy(&publication.read(segment).await?));
    }
    Ok(text.split_inclusive('\n').map(str::to_owned).collect())
}

/// Head, empty line, signatures of everything up to and with the empty line: one file, so that a client cannot read one half
/// before and the other after a publication.
async fn release(publication: &mut Publication, digest: &Digest, size: u64) -> Result<(), IndexError> {
    let head = format!(
        "Repository: {}\nChannel: {}\nDate: {}\nIndex: {digest} {size}\n\n",
        publication.repository(),
        publication.channel(),
        publication.now(),
    );
    let signed = publication.sign(head.as_bytes()).await?;
    let signatures = signed.iter().map(|signature| format!("Signature: {}\n", line(signature)));
    let whole: String = std::iter::once(head).chain(signatures).collect();
    publication.add_whole(RELEASE, TEXT, Bytes::from(whole)).await?;
    Ok(())
}

fn line(signature: &Signature) -> String {
    format!("{} {}", key_id(&signature.key), STANDARD.encode(&signature.signature))
}

/// The name of a key: the first half of its hash.
pub(crate) fn key_id(key: &PublicKey) -> String {
    Digest::sha256(&key.public).hex().chars().take(32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(paths: &[String], wanted: usize) -> Vec<Vec<String>> {
        let (mut all, mut open) = (Vec::new(), Vec::new());
        for path in paths {
            open.push(path.clone());
            if ends_segment(path, open.len(), wanted) {
                all.push(std::mem::take(&mut open));
            }
        }
        all.push(open);
        all
    }

    #[test]
    fn segments_are_about_as_long_as_wanted() {
        let paths: Vec<_> = (0..1000).map(|n| format!("stable/packages/p{n:04}_1.txt")).collect();
        let segments = segments(&paths, 10);
        assert!((60..180).contains(&segments.len()), "{}", segments.len());
        assert!(segments.iter().all(|segment| segment.len() <= 40));
        assert_eq!(segments.concat(), paths);
    }

    #[test]
    fn a_package_more_changes_one_segment_wherever_it_stands() {
        let mut paths: Vec<_> = (0..200).map(|n| format!("stable/packages/p{n:04}_1.txt")).collect();
        let before = segments(&paths, 10);
        for n in [0, 57, 123, 199] {
            let more = format!("stable/packages/p{n:04}_2.txt");
            let place = paths.partition_point(|path| *path < more);
            paths.insert(place, more);
            let after = segments(&paths, 10);
            let gone = before.iter().filter(|segment| !after.contains(segment)).count();
            assert_eq!(gone, 1, "{n}");
            paths.remove(place);
        }
    }
}
