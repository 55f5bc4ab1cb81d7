//! What clients see of a registry whose bytes lie in a bucket: when the bucket misbehaves, when several servers share it, and
//! when they are sent there themselves.

mod faults;
mod redirect;
mod replicas;

/// Bytes that do not repeat on a part's boundary, and differ from `seed` to `seed`.
fn content(size: usize, seed: u32) -> Vec<u8> {
    let pattern: Vec<u8> = (0..10_007_u32).map(|at| at.wrapping_mul(2_654_435_761 ^ seed).to_be_bytes()[1]).collect();
    pattern.repeat(size / pattern.len() + 1)[..size].to_vec()
}
