//! The index of one channel: put together from what was said of each package when it came, in segments that generations share,
//! and signed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use wharf_core::{IndexError, ListPlan, Package, PublicKey, Publication, Signature};
use wharf_types::Digest;

/// The list of packages.
pub(crate) const INDEX: &str = "Index";
/// Signatures of the list: a line for each key, and the lines of generations before.
pub(crate) const INDEX_SIGNATURES: &str = "Index.sig";
/// Names the list by its digest, and is signed itself.
pub(crate) const RELEASE: &str = "Release";

/// OpenPGP signatures of the release.
pub(crate) const RELEASE_SIGNATURES: &str = "Release.asc";
/// The release with OpenPGP signatures around it.
pub(crate) const IN_RELEASE: &str = "InRelease";

const TEXT: &str = "text/plain; charset=utf-8";
/// Signatures in [`INDEX_SIGNATURES`]: a client that has read the list finds its signature so many publications later.
const MOST_SIGNATURES: usize = 32;

/// The kind of fragment.
pub(crate) const KIND: &str = "index";

/// Puts the index together.
pub(crate) async fn publish(publication: &mut Publication, piece_bytes: usize) -> Result<(), IndexError> {
    let (digest, size) = list(publication, piece_bytes).await?;
    let signed = publication.sign(signed_by_line(&digest).as_bytes()).await?;
    let ours: Vec<String> = signed.iter().map(|signature| format!("{digest} {}\n", line(signature))).collect();
    let before = signatures(publication).await?;
    // Ed25519 always signs alike, so the same lines mean the same list and the same keys.
    if before.starts_with(&ours) && !publication.keys_have_changed().await? {
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

/// The list of packages, by path.
async fn list(publication: &mut Publication, piece_bytes: usize) -> Result<(Digest, u64), IndexError> {
    let plan = ListPlan { part: "", kind: KIND, piece_bytes, encodings: &[] };
    let mut render = |package: &Package, fragment: &[u8], out: &mut Vec<u8>| {
        out.extend_from_slice(entry(package, fragment).as_bytes());
        Ok(())
    };
    let pieces = publication.list(&plan, &mut render).await?;
    let mut file = publication.begin(INDEX, TEXT).await?;
    for piece in pieces {
        file.take(&piece.raw).await?;
    }
    let file = publication.finish(file).await?;
    Ok((file.digest, file.size))
}

fn entry(package: &Package, fragment: &[u8]) -> String {
    let Package { path, digest, size, .. } = package;
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
    let beside = publication.sign_detached(whole.as_bytes()).await?;
    let around = publication.clear_sign(&whole).await?;
    publication.add_whole(RELEASE, TEXT, Bytes::from(whole)).await?;
    publication.add_whole(RELEASE_SIGNATURES, TEXT, Bytes::from(beside)).await?;
    publication.add_whole(IN_RELEASE, TEXT, Bytes::from(around)).await?;
    Ok(())
}

fn line(signature: &Signature) -> String {
    format!("{} {}", key_id(&signature.key), STANDARD.encode(&signature.signature))
}

/// The name of a key: the first half of its hash.
pub(crate) fn key_id(key: &PublicKey) -> String {
    Digest::sha256(&key.public).hex().chars().take(32).collect()
}
