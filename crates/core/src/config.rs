//! Limits and intervals of the use cases.

use std::time::Duration;

use crate::Collection;

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct Config {
    /// An upload that nobody has touched for so long is forgotten.
    pub upload_expiry: Duration,
    /// Pushes are refused while fewer bytes are free on the disk of the storage or of the database; 0 never refuses.
    pub low_water: u64,
    /// How often abandoned uploads and objects without a row are looked for.
    pub sweep_interval: Duration,
    /// An object is written before the row that points at it: one that is younger is left alone.
    pub object_grace: Duration,
    /// How long an object without a row is only noted. Whoever restored the wrong backup has this time to see it.
    pub orphan_retention: Duration,
    /// How long what lost its last reference is kept before the collector looks at it.
    pub review_delay: Duration,
    /// How much the collector may do, and when.
    pub collection: Collection,
    /// How long what was deleted lies in the bin and can be restored; zero is no bin.
    pub bin_retention: Duration,
    /// How long moves of tags are remembered.
    pub history_retention: Duration,
    /// How long an index generation stays readable after the next one is published.
    pub generation_retention: Duration,
    /// What kind of OpenPGP key a repository gets.
    pub key_algorithm: crate::KeyAlgorithm,
    /// How long events wait for somebody to fetch them.
    pub event_retention: Duration,
    /// Blobs of so many bytes and more are fetched from the storage by the clients themselves, if it has links to give.
    pub redirect_from: u64,
    /// How long such a link is good for.
    pub redirect_lifetime: Duration,
    /// How long changes stay in the audit log.
    pub audit_retention: Duration,
    /// How long reads, logins and refusals stay in it.
    pub access_retention: Duration,
    /// How often reads, logins and refusals are written to the audit log. What is the same in between is one line.
    pub access_flush: Duration,
    /// How many lines about them wait in memory at most; what does not fit is dropped and counted.
    pub access_lines: usize,
    /// Whether an image may be pushed whose layers or configuration are not here. Indexes may always be sparse.
    pub accept_sparse_images: bool,
    /// Bytes that large manifests may take in memory while clients take them, and as many while clients send them.
    pub manifest_memory: u64,
    /// How long a request waits for its part of that.
    pub manifest_wait: Duration,
    /// How long a burst of uploads may delay the index that lists them.
    pub publish_delay: Duration,
    /// How long a worker holds a job without a sign of life before another takes it over.
    pub job_lease: Duration,
    /// The same for publications, which people wait for.
    pub publish_lease: Duration,
    /// How often a job is tried before it is given up.
    pub job_attempts: u64,
    /// How often an idle worker looks for jobs that other processes have asked for.
    pub job_poll: Duration,
    /// When everything is read, and how fast.
    pub scrub: crate::Scrubbing,
    /// How many jobs run at once in this process, but at least two.
    pub workers: usize,
}

impl Default for Config {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            upload_expiry: Duration::from_secs(7 * DAY),
            low_water: 128 << 20,
            sweep_interval: Duration::from_secs(60 * 60),
            object_grace: Duration::from_secs(DAY),
            orphan_retention: Duration::from_secs(3 * DAY),
            review_delay: Duration::from_secs(DAY),
            collection: Collection::default(),
            bin_retention: Duration::from_secs(7 * DAY),
            history_retention: Duration::from_secs(365 * DAY),
            generation_retention: Duration::from_secs(3 * DAY),
            key_algorithm: crate::KeyAlgorithm::default(),
            event_retention: Duration::from_secs(7 * DAY),
            redirect_from: 1024 * 1024,
            redirect_lifetime: Duration::from_secs(10 * 60),
            audit_retention: Duration::from_secs(730 * DAY),
            access_retention: Duration::from_secs(90 * DAY),
            access_flush: Duration::from_secs(5),
            access_lines: 20_000,
            accept_sparse_images: false,
            manifest_memory: 64 * 1024 * 1024,
            manifest_wait: Duration::from_secs(10),
            publish_delay: Duration::from_millis(200),
            job_lease: Duration::from_secs(60),
            publish_lease: Duration::from_secs(10),
            job_attempts: 12,
            job_poll: Duration::from_secs(2),
            scrub: crate::Scrubbing::default(),
            workers: 2,
        }
    }
}
