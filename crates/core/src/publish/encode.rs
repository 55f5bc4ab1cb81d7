//! Compressed forms of pieces, made so that files are put together from pieces without compressing them again: members of a
//! gzip file, frames of a Zstandard file, blocks of one xz stream. One stream, because apt's reader stops after the first.

use std::io::{self, Read, Write};

use bytes::Bytes;
use flate2::GzBuilder;
use liblzma::stream::{Check, Stream};
use serde::{Deserialize, Serialize};

/// A way to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// RFC 1952.
    Gzip,
    /// The .xz file format 1.1.0.
    Xz,
    /// RFC 8878.
    Zstd,
}

/// A piece of an xz stream, as the stream's index has to name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Bytes of the block without its padding.
    pub unpadded: u64,
    /// Bytes of what is in it.
    pub uncompressed: u64,
}

/// Levels: an index is compressed once and fetched often, but a client waits for its publication.
const GZIP: u32 = 6;
const XZ: u32 = 2;
const ZSTD: i32 = 9;

impl Encoding {
    /// The ending of file names.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Xz => "xz",
            Self::Zstd => "zst",
        }
    }

    /// The media type of files.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Gzip => "application/gzip",
            Self::Xz => "application/x-xz",
            Self::Zstd => "application/zstd",
        }
    }

    /// Compresses a piece. Equal pieces give equal bytes. An xz block is nothing without [`stream_header`] and [`stream_end`].
    ///
    /// # Errors
    /// Those of the compressor, for want of memory.
    pub fn piece(self, content: &[u8]) -> io::Result<(Bytes, Option<Block>)> {
        match self {
            Self::Gzip => {
                let mut encoder = GzBuilder::new().write(Vec::new(), flate2::Compression::new(GZIP));
                encoder.write_all(content)?;
                Ok((encoder.finish()?.into(), None))
            }
            Self::Zstd => Ok((zstd::encode_all(content, ZSTD)?.into(), None)),
            Self::Xz => {
                let (block, of) = only_block(&whole_stream(content)?)?;
                Ok((block, Some(of)))
            }
        }
    }
}

fn whole_stream(content: &[u8]) -> io::Result<Vec<u8>> {
    let stream = Stream::new_easy_encoder(XZ, Check::Crc64).map_err(io::Error::other)?;
    let mut whole = Vec::new();
    liblzma::read::XzEncoder::new_stream(content, stream).read_to_end(&mut whole)?;
    Ok(whole)
}

/// Stream header and footer are of this length (sections 2.1.1 and 2.1.2).
const ENDS: usize = 12;

/// What follows the magic bytes: stream flags for CRC64, as [`whole_stream`] asks for them.
const FLAGS: [u8; 2] = [0, 4];

/// The one block of a stream.
fn only_block(stream: &[u8]) -> io::Result<(Bytes, Block)> {
    let odd = || io::Error::other("the compressor made something else than one xz block");
    let footer = stream.len().checked_sub(ENDS).ok_or_else(odd)?;
    let backward: [u8; 4] = stream.get(footer + 4..footer + 8).and_then(|b| b.try_into().ok()).ok_or_else(odd)?;
    let index_size = (u32::from_le_bytes(backward) as usize + 1) * 4;
    let index = footer.checked_sub(index_size).filter(|at| *at > ENDS).ok_or_else(odd)?;
    let mut fields = &stream[index + 1..footer];
    let (count, unpadded, uncompressed) = (number(&mut fields), number(&mut fields), number(&mut fields));
    match (count, unpadded, uncompressed) {
        (Some(1), Some(unpadded), Some(uncompressed)) if stream[index] == 0 && stream[6..8] == FLAGS => {
            Ok((Bytes::copy_from_slice(&stream[ENDS..index]), Block { unpadded, uncompressed }))
        }
        _ => Err(odd()),
    }
}

/// A multibyte integer (section 1.2).
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// What stands before the blocks of an xz stream.
pub fn stream_header() -> Bytes {
    let mut header = b"\xfd7zXZ\0".to_vec();
    header.extend_from_slice(&FLAGS);
    header.extend_from_slice(&crc32(&FLAGS).to_le_bytes());
    header.into()
}

/// What stands behind the blocks of an xz stream: its index and footer.
pub fn stream_end(blocks: &[Block]) -> Bytes {
    let mut index = vec![0];
    put_number(&mut index, blocks.len() as u64);
    for block in blocks {
        put_number(&mut index, block.unpadded);
        put_number(&mut index, block.uncompressed);
    }
    index.resize(index.len().next_multiple_of(4), 0);
    index.extend_from_slice(&crc32(&index).to_le_bytes());
    let backward = u32::try_from(index.len() / 4 - 1).unwrap_or(u32::MAX);
    let mut checked = backward.to_le_bytes().to_vec();
    checked.extend_from_slice(&FLAGS);
    index.extend_from_slice(&crc32(&checked).to_le_bytes());
    index.extend_from_slice(&checked);
    index.extend_from_slice(b"YZ");
    index.into()
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces() -> Vec<Vec<u8>> {
        let stanza = |n: usize| format!("Package: p{n}\nVersion: 1.{n}\nDescription: {}\n\n", "x".repeat(n % 91));
        (1..6).map(|piece| (0..200 * piece).map(|n| stanza(n * 7 + piece)).collect::<String>().into_bytes()).collect()
    }

    fn assembled(encoding: Encoding) -> Vec<u8> {
        let (mut file, mut blocks) = (Vec::new(), Vec::new());
        if encoding == Encoding::Xz {
            file.extend_from_slice(&stream_header());
        }
        for piece in pieces() {
            let (bytes, block) = encoding.piece(&piece).unwrap();
            file.extend_from_slice(&bytes);
            blocks.extend(block);
        }
        if encoding == Encoding::Xz {
            file.extend_from_slice(&stream_end(&blocks));
        }
        file
    }

    #[test]
    fn files_put_together_from_pieces_unpack_to_all_of_them() {
        let mut unpacked = Vec::new();
        flate2::read::MultiGzDecoder::new(assembled(Encoding::Gzip).as_slice()).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, pieces().concat());
        assert_eq!(zstd::decode_all(assembled(Encoding::Zstd).as_slice()).unwrap(), pieces().concat());
        let mut unpacked = Vec::new();
        // Of one stream, as apt reads it.
        let stream = Stream::new_stream_decoder(u64::MAX, 0).unwrap();
        let file = assembled(Encoding::Xz);
        liblzma::read::XzDecoder::new_stream(file.as_slice(), stream).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, pieces().concat());
    }

    #[test]
    fn equal_pieces_give_equal_bytes() {
        for encoding in [Encoding::Gzip, Encoding::Xz, Encoding::Zstd] {
            assert_eq!(assembled(encoding), assembled(encoding));
        }
    }

    #[test]
    fn an_empty_list_is_a_file_all_the_same() {
        let mut file = stream_header().to_vec();
        file.extend_from_slice(&stream_end(&[]));
        let mut unpacked = Vec::new();
        liblzma::read::XzDecoder::new(file.as_slice()).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked.is_empty());
    }
}
