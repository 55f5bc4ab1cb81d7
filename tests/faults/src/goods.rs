//! What is pushed: blobs that are made again from a number, and images of them.

use std::sync::Arc;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use serde_json::json;

use crate::wire::sha256;

/// The media type of all manifests here.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of all layers here.
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// The media type of all configurations here.
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// Content that is not held in memory: its number makes it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blob {
    seed: u64,
    pub(crate) size: usize,
    pub(crate) digest: Arc<str>,
}

impl Blob {
    /// The blob of this number and size.
    pub(crate) fn new(seed: u64, size: usize) -> Self {
        let digest = sha256(&content(seed, size)).into();
        Self { seed, size, digest }
    }

    /// Its bytes.
    pub(crate) fn content(&self) -> Bytes {
        content(self.seed, self.size)
    }
}

fn content(seed: u64, size: usize) -> Bytes {
    let mut bytes = vec![0; size];
    StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes.into()
}

/// An image: configuration first, then layers.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) blobs: Vec<Blob>,
    pub(crate) manifest: Bytes,
    pub(crate) digest: Arc<str>,
}

impl Image {
    /// The image of these blobs.
    pub(crate) fn of(blobs: Vec<Blob>) -> Self {
        let one = |(index, blob): (usize, &Blob)| {
            let media_type = if index == 0 { CONFIG } else { LAYER };
            json!({ "mediaType": media_type, "digest": &*blob.digest, "size": blob.size })
        };
        let all: Vec<_> = blobs.iter().enumerate().map(one).collect();
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": all[0], "layers": all[1..] });
        let manifest: Bytes = manifest.to_string().into();
        let digest = sha256(&manifest).into();
        Self { blobs, manifest, digest }
    }

    /// An image of random shape: a configuration of its own, up to two layers of its own, and perhaps some of `bases`, which
    /// others push as well. Most blobs are small enough for their row, some need a file, few need several chunks.
    pub(crate) fn random(rng: &mut StdRng, bases: &[Blob]) -> Self {
        let mut blobs = vec![Blob::new(rng.random(), rng.random_range(20..2000))];
        if rng.random_bool(0.6) {
            blobs.push(bases[rng.random_range(0..bases.len())].clone());
        }
        for _ in 0..rng.random_range(0..3) {
            let size = match rng.random_range(0..10) {
                0..5 => rng.random_range(1..16_000),
                5..9 => rng.random_range(16_000..200_000),
                _ => rng.random_range(200_000..2_000_000),
            };
            blobs.push(Blob::new(rng.random(), size));
        }
        Self::of(blobs)
    }
}

/// Layers that everybody builds on.
pub(crate) fn bases(seed: u64) -> Vec<Blob> {
    (0..8)
        .map(|index| Blob::new(seed ^ (0xba5e + index), 30_000 + 20_000 * usize::try_from(index).unwrap_or(0)))
        .collect()
}
