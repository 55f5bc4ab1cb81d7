//! Whether all of a package came: its header is held against the digest beside it, its payload against the digest and the size
//! that the headers give. It is not unpacked: nothing of it goes into metadata, and rpm checks it again where it is installed.

use std::io::Read;

use rpm::{IndexSignatureTag, IndexTag, PackageMetadata};
use sha2::{Digest, Sha256};
use wharf_core::InspectError;

use super::{bounds, optional, refused};

const CHUNK: usize = 64 * 1024;

pub(super) fn check(file: &mut dyn Read, metadata: &PackageMetadata, head: &bounds::Head) -> Result<(), InspectError> {
    let header = &head.bytes[head.header_start..];
    let said = optional(metadata.signature.get_entry_data_as_string(IndexSignatureTag::RPMSIGTAG_SHA256))?;
    if said.is_some_and(|said| !said.eq_ignore_ascii_case(&hex::encode(Sha256::digest(header)))) {
        return Err(refused("its header is not the one that its signature header has the SHA-256 of"));
    }
    let (size, digest) = measure(file)?;
    // Of header and payload together.
    let whole = size + header.len() as u64;
    if let Some(said) = said_size(metadata).filter(|said| *said != whole) {
        return Err(refused(format!(
            "header and payload have {whole} bytes and should have {said}: it is damaged or was cut short"
        )));
    }
    let payload = metadata.header.get_entry_data_as_string(IndexTag::RPMTAG_PAYLOADSHA256);
    // By another hash, if that ever comes, it has another length.
    let said = optional(payload)?.filter(|said| said.len() == digest.len());
    if said.is_some_and(|said| !said.eq_ignore_ascii_case(&digest)) {
        return Err(refused(
            "its payload does not have the SHA-256 that its header says: it is damaged or was cut short",
        ));
    }
    Ok(())
}

/// Length and SHA-256 of what follows.
fn measure(file: &mut dyn Read) -> Result<(u64, String), InspectError> {
    let (mut size, mut hash) = (0, Sha256::new());
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok((size, hex::encode(hash.finalize()))),
            Ok(count) => {
                size += count as u64;
                hash.update(&chunk[..count]);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(refused(error.to_string())),
        }
    }
}

fn said_size(metadata: &PackageMetadata) -> Option<u64> {
    let signature = &metadata.signature;
    let wide = signature.get_entry_data_as_u64(IndexSignatureTag::RPMSIGTAG_LONGSIZE);
    wide.ok().or_else(|| signature.get_entry_data_as_u32(IndexSignatureTag::RPMSIGTAG_SIZE).ok().map(u64::from))
}
