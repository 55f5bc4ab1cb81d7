//! Bytes with the digest they have.

use bytes::Bytes;
use wharf_types::{Algorithm, Digest};

/// Both algorithms.
pub(crate) const ALGORITHMS: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sha512];

/// More than a row holds, so that it goes to the storage.
pub(crate) const LARGE: usize = 100_000;

/// Content to be pushed.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    pub(crate) content: Bytes,
    pub(crate) digest: String,
}

impl Blob {
    /// This content under a digest of the algorithm.
    pub(crate) fn by(algorithm: Algorithm, content: impl Into<Bytes>) -> Self {
        let content = content.into();
        Self { digest: Digest::of(algorithm, &content).to_string(), content }
    }

    /// This content.
    pub(crate) fn of(content: impl Into<Bytes>) -> Self {
        Self::by(Algorithm::Sha256, content)
    }

    /// So many bytes, others for every seed.
    pub(crate) fn noise(seed: u32, length: usize) -> Self {
        Self::of(noise(seed, length))
    }
}

/// So many bytes, others for every seed.
pub(crate) fn noise(seed: u32, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    });
    words.take(length).collect::<Vec<_>>().into()
}

/// A digest that nothing here has.
pub(crate) fn unknown() -> String {
    Digest::sha256(b"nobody has pushed this").to_string()
}
