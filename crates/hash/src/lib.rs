//! SHA-256 at the speed of the processor, with a state that can be kept.
//!
//! The `sha2` crate can write its state down, so that an upload goes on in another process, but on processors without SHA
//! instructions it hashes half as fast as AWS-LC, which then is most of what a push costs. AWS-LC keeps its state to itself, but
//! hands out the function that does the work. So the state stays `sha2`'s, and whole blocks go through that function.

use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest as _, Sha256};

const BLOCK: usize = 64;
/// Fewer bytes are not worth the way there.
const MANY: usize = 1024;

// What `sha2` writes down: the eight words and the number of blocks, both in little endian, how many bytes wait, and those.
const WORDS: usize = 32;
const WAITING: usize = 40;

/// Goes on with the next bytes of the content, as [`Sha256::update`](sha2::Digest::update) does.
pub fn update(hash: &mut Sha256, mut bytes: &[u8]) {
    if bytes.len() >= MANY {
        bytes = update_blocks(hash, bytes);
    }
    hash.update(bytes);
}

/// Goes on with all whole blocks, and gives back what is left.
fn update_blocks<'a>(hash: &mut Sha256, bytes: &'a [u8]) -> &'a [u8] {
    let waiting = usize::from(hash.serialize()[WAITING]);
    let (first, bytes) = bytes.split_at((BLOCK - waiting) % BLOCK);
    hash.update(first);
    let mut state = hash.serialize();
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    compress(&mut state, blocks);
    match Sha256::deserialize(&state) {
        Ok(next) => {
            *hash = next;
            rest
        }
        // No state that `sha2` wrote is refused; should one be, the bytes go its own way.
        Err(_) => bytes,
    }
}

fn compress(state: &mut SerializedState<Sha256>, blocks: &[[u8; BLOCK]]) {
    let mut words = [0_u32; 8];
    for (word, bytes) in words.iter_mut().zip(state[..WORDS].as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    transform(&mut words, blocks);
    for (word, bytes) in words.iter().zip(state[..WORDS].as_chunks_mut().0) {
        *bytes = word.to_le_bytes();
    }
    let count = &mut state[WORDS..WAITING].as_chunks_mut().0[0];
    *count = (u64::from_le_bytes(*count) + blocks.len() as u64).to_le_bytes();
}

#[expect(unsafe_code, reason = "AWS-LC is C")]
fn transform(words: &mut [u32; 8], blocks: &[[u8; BLOCK]]) {
    // So that it knows the processor.
    aws_lc_rs::init();
    // SAFETY: it reads and writes the eight words, reads so many blocks of 64 bytes, and keeps neither pointer.
    unsafe { aws_lc_sys::SHA256_TransformBlocks(words.as_mut_ptr(), blocks.as_ptr().cast(), blocks.len()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_answers_come_out() {
        let digest = |bytes: &[u8]| {
            let mut hash = Sha256::new();
            update(&mut hash, bytes);
            hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        // FIPS 180-2, B.1 and B.3.
        assert_eq!(digest(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(digest(&[b'a'; 1_000_000]), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }

    proptest! {
        #[test]
        fn content_in_any_pieces_leaves_the_state_that_sha2_has(
            content in prop::collection::vec(any::<u8>(), 0..9000),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        ) {
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(content.len() + 1)).collect();
            cuts.extend([0, content.len()]);
            cuts.sort_unstable();
            let (mut ours, mut theirs) = (Sha256::new(), Sha256::new());
            for piece in cuts.windows(2) {
                update(&mut ours, &content[piece[0]..piece[1]]);
                theirs.update(&content[piece[0]..piece[1]]);
                prop_assert_eq!(ours.serialize(), theirs.serialize());
            }
            prop_assert_eq!(ours.finalize(), theirs.finalize());
        }
    }
}
