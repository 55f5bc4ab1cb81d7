//! Unpacking what strangers have packed, in bounded memory.

use std::io::{self, Read};

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use liblzma::read::XzDecoder;
use liblzma::stream::Stream;

/// Memory of a decompressor, in bytes: what `xz -9` and `zstd --ultra` ask for fits several times.
const MEMORY: u64 = 256 * 1024 * 1024;
/// The largest window of Zstandard that is taken: two to the power of this, in bytes.
const ZSTD_WINDOW_LOG: u32 = 27;

/// How content is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// RFC 1952, in any number of members.
    Gzip,
    /// In any number of streams, as some packers write it.
    Bzip2,
    /// The `.xz` format.
    Xz,
    /// The format before it.
    Lzma,
    /// RFC 8878.
    Zstd,
}

impl Packing {
    /// What is in content that is packed so. How much comes out is bounded by whoever reads it; what asks for too much memory, or is
    /// damaged, ends with an error there.
    ///
    /// # Errors
    /// The decompressor cannot begin.
    pub fn open<'a>(self, packed: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::Plain => Box::new(packed),
            Self::Gzip => Box::new(MultiGzDecoder::new(packed)),
            Self::Bzip2 => Box::new(MultiBzDecoder::new(packed)),
            Self::Xz => Box::new(XzDecoder::new_stream(packed, Stream::new_stream_decoder(MEMORY, 0)?)),
            Self::Lzma => Box::new(XzDecoder::new_stream(packed, Stream::new_lzma_decoder(MEMORY)?)),
            Self::Zstd => {
                let mut decoder = zstd::Decoder::new(packed)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Box::new(decoder)
            }
        })
    }
}
