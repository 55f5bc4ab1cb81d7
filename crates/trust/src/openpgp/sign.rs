//! Signatures by several keys at once, so that a key can be replaced while clients learn of the next.

use pgp::armor::{self, BlockType};
use pgp::composed::{ArmorOptions, CleartextSignedMessage};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{PacketTrait, Signature, SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::ser::Serialize;
use pgp::types::{KeyVersion, Password, SigningKey};
use wharf_types::Timestamp;

use super::secret::Signing;
use super::{InvalidKey, SecretKey, seconds};

/// The text with a signature of each key around it (section 7): `InRelease`. Blanks at the ends of lines are no part of such a text,
/// and go; nor is the last line's end.
///
/// # Errors
/// Keys that cannot be used.
pub fn clear_sign(text: &str, keys: &[SecretKey], at: Timestamp) -> Result<String, InvalidKey> {
    let plain = text.split('\n').map(|line| line.trim_end_matches([' ', '\t', '\r'])).collect::<Vec<_>>().join("\n");
    let plain = plain.strip_suffix('\n').unwrap_or(&plain);
    let signed = CleartextSignedMessage::new_many(plain, |text| {
        let each = keys.iter().map(|key| signature(SignatureType::Text, text.as_bytes(), key, at));
        each.collect::<Result<_, _>>()
    });
    signed.and_then(|signed| signed.to_armored_string(ArmorOptions::default())).map_err(InvalidKey::because)
}

/// A detached signature of each key in one armored block: `Release.gpg`, `repomd.xml.asc`.
///
/// # Errors
/// Keys that cannot be used.
pub fn sign_detached(data: &[u8], keys: &[SecretKey], at: Timestamp) -> Result<String, InvalidKey> {
    let each = keys.iter().map(|key| signature(SignatureType::Binary, data, key, at));
    let signatures: Vec<_> = each.collect::<Result<_, _>>().map_err(InvalidKey::because)?;
    let mut out = Vec::new();
    armor::write(&All(&signatures), BlockType::Signature, &mut out, None, true).map_err(InvalidKey::because)?;
    String::from_utf8(out).map_err(InvalidKey::because)
}

struct All<'a>(&'a [Signature]);

impl Serialize for All<'_> {
    fn to_writer<W: std::io::Write>(&self, writer: &mut W) -> pgp::errors::Result<()> {
        self.0.iter().try_for_each(|signature| signature.to_writer_with_header(writer))
    }

    fn write_len(&self) -> usize {
        self.0.iter().map(PacketTrait::write_len_with_header).sum()
    }
}

fn signature(kind: SignatureType, data: &[u8], key: &SecretKey, at: Timestamp) -> pgp::errors::Result<Signature> {
    match key.signing() {
        Some(Signing::Primary(part)) => by(part, kind, data, at),
        Some(Signing::Subkey(part)) => by(part, kind, data, at),
        None => Err(std::io::Error::other("no part of the key signs").into()),
    }
}

fn by(key: &impl SigningKey, kind: SignatureType, data: &[u8], at: Timestamp) -> pgp::errors::Result<Signature> {
    let mut config = SignatureConfig::v4(kind, key.algorithm(), HashAlgorithm::Sha512);
    if key.version() != KeyVersion::V4 {
        return Err(std::io::Error::other("only version 4 keys sign what today's clients read").into());
    }
    config.hashed_subpackets = vec![
        Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint()))?,
        Subpacket::regular(SubpacketData::SignatureCreationTime(seconds(at)))?,
    ];
    config.unhashed_subpackets = vec![Subpacket::regular(SubpacketData::IssuerKeyId(key.legacy_key_id()))?];
    config.sign(key, &Password::empty(), data)
}
