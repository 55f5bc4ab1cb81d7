//! Whether all of a package came: its header is held against the digest beside it, its payload against the digest and the size
//! that the headers give, and the names in it against those of the header. Nothing of it goes into metadata.

use std::collections::HashSet;
use std::io::{self, Read};

use rpm::{IndexSignatureTag, IndexTag, PackageMetadata};
use sha2::{Digest, Sha256};
use wharf_core::InspectError;

use super::{archive, bounds, optional, refused};

const CHUNK: usize = 64 * 1024;

/// `paths` are those of the header, without the slash that they begin with.
pub(super) fn check(
    file: &mut dyn Read,
    metadata: &PackageMetadata,
    head: &bounds::Head,
    paths: &HashSet<Vec<u8>>,
) -> Result<(), InspectError> {
    let header = &head.bytes[head.header_start..];
    let said = optional(metadata.signature.get_entry_data_as_string(IndexSignatureTag::RPMSIGTAG_SHA256))?;
    if said.is_some_and(|said| !said.eq_ignore_ascii_case(&hex::encode(Sha256::digest(header)))) {
        return Err(refused("its header is not the one that its signature header has the SHA-256 of"));
    }
    let mut measured = Measured { file, size: 0, hash: Sha256::new() };
    let mut begin = Vec::new();
    let looked_at = match measured.by_ref().take(8).read_to_end(&mut begin) {
        Ok(_) => archive::walk(&begin, begin.as_slice().chain(&mut measured), paths),
        Err(error) => Err(refused(error.to_string())),
    };
    let (size, digest) = measured.finish()?;
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
    // What came as it was sent is wrong in itself.
    looked_at
}

/// A file of which length and SHA-256 are taken as it is read.
struct Measured<'a> {
    file: &'a mut dyn Read,
    size: u64,
    hash: Sha256,
}

impl Read for Measured<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.size += count as u64;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}

impl Measured<'_> {
    fn finish(mut self) -> Result<(u64, String), InspectError> {
        let mut chunk = vec![0; CHUNK];
        loop {
            match self.read(&mut chunk) {
                Ok(0) => return Ok((self.size, hex::encode(self.hash.finalize()))),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(refused(error.to_string())),
            }
        }
    }
}

fn said_size(metadata: &PackageMetadata) -> Option<u64> {
    let signature = &metadata.signature;
    let wide = signature.get_entry_data_as_u64(IndexSignatureTag::RPMSIGTAG_LONGSIZE);
    wide.ok().or_else(|| signature.get_entry_data_as_u32(IndexSignatureTag::RPMSIGTAG_SIZE).ok().map(u64::from))
}
