//! SHA-256 of the same bytes here and with the `sha2` crate alone: `cargo bench -p wharf-hash`.
#![expect(clippy::print_stdout, reason = "the numbers are what it is for")]

use std::hint::black_box;
use std::time::Instant;

use sha2::{Digest as _, Sha256};

const BYTES: usize = 64 * 1024;
const TIMES: usize = 2_000;

fn speed(update: impl Fn(&mut Sha256, &[u8])) -> f64 {
    let content = vec![7; BYTES];
    let (mut hash, begun) = (Sha256::new(), Instant::now());
    for _ in 0..TIMES {
        update(&mut hash, black_box(&content));
    }
    black_box(hash.finalize());
    (BYTES * TIMES) as f64 / 1e6 / begun.elapsed().as_secs_f64()
}

fn main() {
    let theirs = speed(|hash, bytes| hash.update(bytes));
    let ours = speed(wharf_hash::update);
    println!("sha2 {theirs:.0} MB/s, with AWS-LC's blocks {ours:.0} MB/s: {:.2} ×", ours / theirs);
}
