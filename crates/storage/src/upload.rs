//! Hashing of content while it passes, with a state that survives the request: bytes are never read back to be hashed.

use std::sync::Arc;

use futures_util::StreamExt as _;
use parking_lot::Mutex;
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest as _, Sha256, Sha512};
use wharf_types::{Algorithm, Digest};

use crate::ByteStream;

// The midstate: version, algorithms, offset (big endian), the states in the order of the fields below.
const VERSION: u8 = 1;
const ONLY_SHA256: u8 = 1;
const BOTH: u8 = 3;
const HEAD: usize = 10;

/// SHA-256 counts bits in 64 bits.
const LONGEST: u64 = u64::MAX / 8;

/// The hashes of everything an upload has been given so far: SHA-256 always, SHA-512 where a client asked for it.
#[derive(Debug, Clone)]
pub struct Hashing {
    offset: u64,
    sha256: Sha256,
    sha512: Option<Sha512>,
}

/// Bytes that [`Hashing::midstate`] did not make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid hash midstate: {0}")]
pub struct InvalidMidstate(&'static str);

/// The way back to a [`Hashing`] that is following a stream.
#[derive(Debug)]
pub struct Tap(Arc<Mutex<Hashing>>);

impl Hashing {
    /// Hashing of content from its first byte, for digests of these algorithms and the canonical one.
    pub fn new(algorithms: &[Algorithm]) -> Self {
        let sha512 = algorithms.contains(&Algorithm::Sha512).then(Sha512::new);
        Self { offset: 0, sha256: Sha256::new(), sha512 }
    }

    /// Continues with the next bytes of the content.
    pub fn update(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        wharf_hash::update(&mut self.sha256, bytes);
        if let Some(sha512) = &mut self.sha512 {
            sha512.update(bytes);
        }
    }

    /// Bytes hashed so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The digest of the bytes so far; `None` for an algorithm that was not asked for at the beginning.
    pub fn digest(&self, algorithm: Algorithm) -> Option<Digest> {
        match algorithm {
            Algorithm::Sha256 => Some(Digest::from_raw(algorithm, &self.sha256.clone().finalize())),
            Algorithm::Sha512 => Some(Digest::from_raw(algorithm, &self.sha512.clone()?.finalize())),
        }
    }

    /// The state, for [`Hashing::resume`] in another request or process. It reveals the content's last block.
    pub fn midstate(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, if self.sha512.is_some() { BOTH } else { ONLY_SHA256 }];
        bytes.extend_from_slice(&self.offset.to_be_bytes());
        bytes.extend_from_slice(&self.sha256.serialize());
        if let Some(sha512) = &self.sha512 {
            bytes.extend_from_slice(&sha512.serialize());
        }
        bytes
    }

    /// Goes on from a [`Hashing::midstate`].
    ///
    /// # Errors
    /// Refuses bytes of another layout, another length, or with an impossible state in them.
    pub fn resume(midstate: &[u8]) -> Result<Self, InvalidMidstate> {
        let (head, states) = midstate.split_at_checked(HEAD).ok_or(InvalidMidstate("too short"))?;
        let [VERSION, algorithms @ (ONLY_SHA256 | BOTH), offset @ ..] = head else {
            return Err(InvalidMidstate("unknown version or algorithms"));
        };
        let offset = offset.try_into().map(u64::from_be_bytes).map_err(|_| InvalidMidstate("too short"))?;
        if offset > LONGEST {
            return Err(InvalidMidstate("longer than anything"));
        }
        let (sha256, rest) = restore::<Sha256>(states, offset)?;
        let (sha512, rest) = match *algorithms {
            BOTH => restore::<Sha512>(rest, offset).map(|(sha512, rest)| (Some(sha512), rest))?,
            _ => (None, rest),
        };
        if rest.is_empty() { Ok(Self { offset, sha256, sha512 }) } else { Err(InvalidMidstate("too long")) }
    }

    /// Lets `body` pass through the hash. What the returned stream has yielded is hashed, no more and no less; and an append
    /// counts every byte that its body yielded. So after `append` has answered `Ok`, interrupted or not, [`Tap::finish`]
    /// gives the hash of exactly the bytes up to its progress. After an `Err` both are void.
    pub fn tap(self, body: ByteStream) -> (ByteStream, Tap) {
        let hashing = Arc::new(Mutex::new(self));
        let tap = Tap(Arc::clone(&hashing));
        // Never contended: the other end looks only when the stream is done.
        (Box::pin(body.inspect(move |chunk| chunk.iter().for_each(|bytes| hashing.lock().update(bytes)))), tap)
    }
}

impl Tap {
    /// The hash of what the stream has yielded.
    pub fn finish(self) -> Hashing {
        self.0.lock().clone()
    }
}

/// A hash function with 64-bit words in its state counts blocks in 128 bits; both count in little endian behind the words.
trait Resumable: SerializableState {
    const BLOCK: u64;
    const WORDS: usize;
    const COUNT: usize;
}

impl Resumable for Sha256 {
    const BLOCK: u64 = 64;
    const WORDS: usize = 32;
    const COUNT: usize = 8;
}

impl Resumable for Sha512 {
    const BLOCK: u64 = 128;
    const WORDS: usize = 64;
    const COUNT: usize = 16;
}

/// Reads the state of one hash from the front of `bytes`, which must have consumed exactly `offset` bytes.
fn restore<H: Resumable>(bytes: &[u8], offset: u64) -> Result<(H, &[u8]), InvalidMidstate> {
    let size = SerializedState::<H>::default().len();
    let (state, rest) = bytes.split_at_checked(size).ok_or(InvalidMidstate("too short"))?;
    let count = &state[H::WORDS..H::WORDS + H::COUNT];
    let pending = state[H::WORDS + H::COUNT];
    // A state of another length than it claims would give a wrong digest long after the mistake.
    let mut blocks = [0; 16];
    blocks[..H::COUNT].copy_from_slice(count);
    if u128::from_le_bytes(blocks) != u128::from(offset / H::BLOCK) || u64::from(pending) != offset % H::BLOCK {
        return Err(InvalidMidstate("the hash is of another length than the content"));
    }
    let state = SerializedState::<H>::try_from(state).map_err(|_| InvalidMidstate("too short"))?;
    let hash = H::deserialize(&state).map_err(|_| InvalidMidstate("impossible hash state"))?;
    Ok((hash, rest))
}

#[cfg(test)]
mod tests;
