//! Whether a package is signed itself and by which key. Who may trust that key is for those who install it; nothing is verified here.

use rpm::{IndexSignatureTag, PackageMetadata};
use serde::Serialize;

/// What a signature says of the key that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Signer {
    /// Hexadecimal; its last sixteen digits are the id of a version 4 key. `None` if the signature does not say.
    pub(crate) key: Option<String>,
    /// Version of the signature packet.
    pub(crate) version: u8,
}

/// Subpackets (RFC 9580, section 5.2.3.7): key id and fingerprint of the issuer.
const ISSUER_KEY_ID: u8 = 16;
const ISSUER_FINGERPRINT: u8 = 33;
/// The tag of signature packets.
const SIGNATURE: u8 = 2;

pub(super) fn signers(metadata: &PackageMetadata) -> Vec<Signer> {
    let signature = &metadata.signature;
    let mut packets: Vec<Vec<u8>> =
        metadata.raw_signatures().unwrap_or_default().into_iter().map(std::borrow::Cow::into_owned).collect();
    if packets.is_empty() {
        // Of header and payload together, from before headers were signed by themselves.
        let old = [IndexSignatureTag::RPMSIGTAG_PGP, IndexSignatureTag::RPMSIGTAG_GPG];
        packets.extend(old.into_iter().filter_map(|tag| Some(signature.get_entry_data_as_binary(tag).ok()?.to_vec())));
    }
    packets.iter().filter_map(|packet| signer(packet)).collect()
}

/// Reads the first packet, if it is a signature.
fn signer(bytes: &[u8]) -> Option<Signer> {
    let body = body(bytes)?;
    let version = *body.first()?;
    let key = match version {
        // Versions 2 and 3: length, kind and time, then the key id (RFC 4880, section 5.2.2).
        2 | 3 => body.get(7..15).map(hex::encode),
        4 | 6 => {
            let width = if version == 4 { 2 } else { 4 };
            let (hashed, rest) = subpackets(body.get(4..)?, width)?;
            let (unhashed, _) = subpackets(rest, width)?;
            issuer(hashed).or_else(|| issuer(unhashed))
        }
        _ => None,
    };
    Some(Signer { key, version })
}

/// The body of the packet that the bytes begin with (section 4.2).
fn body(bytes: &[u8]) -> Option<&[u8]> {
    let (first, rest) = bytes.split_first()?;
    let new = first & 0xc0 == 0xc0;
    let tag = if new { first & 0x3f } else { first >> 2 & 0xf };
    if first & 0x80 == 0 || tag != SIGNATURE {
        return None;
    }
    let (length, rest) = if new { new_length(rest)? } else { big_endian(rest, 1 << (first & 3).min(2))? };
    rest.get(..length)
}

/// A length of one, two or five bytes, as packets and subpackets have them (sections 4.2.1 and 5.2.3.1).
fn new_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    match *first {
        short @ 0..=191 => Some((short.into(), rest)),
        255 => big_endian(rest, 4),
        long => {
            let (second, rest) = rest.split_first()?;
            Some(((usize::from(long) - 192) * 256 + usize::from(*second) + 192, rest))
        }
    }
}

fn big_endian(bytes: &[u8], width: usize) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_at_checked(width)?;
    Some((number.iter().fold(0, |value, byte| value << 8 | usize::from(*byte)), rest))
}

/// An area of subpackets and what follows it.
fn subpackets(bytes: &[u8], width: usize) -> Option<(&[u8], &[u8])> {
    let (length, rest) = big_endian(bytes, width)?;
    rest.split_at_checked(length)
}

/// The longest name of the issuer.
fn issuer(mut area: &[u8]) -> Option<String> {
    let mut found: Option<String> = None;
    while let Some((length, rest)) = new_length(area) {
        let (packet, rest) = rest.split_at_checked(length)?;
        area = rest;
        let name = match packet.split_first() {
            Some((kind, id)) if kind & 0x7f == ISSUER_KEY_ID => Some(id),
            // The version of the key comes first.
            Some((kind, id)) if kind & 0x7f == ISSUER_FINGERPRINT => id.get(1..),
            _ => None,
        };
        let name = name.map(hex::encode);
        if name.as_ref().map(String::len) > found.as_ref().map(String::len) {
            found = name;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

    fn version_4(hashed: &[u8], unhashed: &[u8]) -> Vec<u8> {
        let area = |bytes: &[u8]| [&[0, u8::try_from(bytes.len()).unwrap()], bytes].concat();
        let body = [&[4, 0, 22, 8], area(hashed).as_slice(), &area(unhashed), &[0, 0]].concat();
        [&[0xc2, u8::try_from(body.len()).unwrap()], body.as_slice()].concat()
    }

    #[test]
    fn the_issuer_is_read_from_where_it_stands() {
        let id = [&[9, ISSUER_KEY_ID], ID.as_slice()].concat();
        let key = |packet: &[u8]| signer(packet).and_then(|signer| signer.key);
        assert_eq!(key(&version_4(&[], &id)).as_deref(), Some("0102030405060708"));
        let fingerprint = [&[22, ISSUER_FINGERPRINT | 0x80, 4], [7; 20].as_slice(), &id].concat();
        assert_eq!(key(&version_4(&fingerprint, &[])), Some("07".repeat(20)));
        assert_eq!(signer(&version_4(&[], &[])), Some(Signer { key: None, version: 4 }));
        let version_3 = [&[0x89, 0, 19, 3, 5, 0, 0, 0, 0, 0], ID.as_slice(), &[1, 8, 0, 0]].concat();
        assert_eq!(signer(&version_3), Some(Signer { key: Some("0102030405060708".into()), version: 3 }));
    }

    #[test]
    fn what_is_no_signature_names_nobody() {
        let whole = version_4(&[], &[&[9, ISSUER_KEY_ID], ID.as_slice()].concat());
        for end in 0..whole.len() {
            assert!(signer(&whole[..end]).is_none_or(|signer| signer.key.is_none()), "{end}");
        }
        assert_eq!(signer(b"-----BEGIN"), None);
        assert_eq!(signer(&[0xc2, 255, 255, 255, 255, 255]), None);
    }
}
