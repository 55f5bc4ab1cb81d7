//! The product: use cases over storage, catalog and identity. No HTTP, and no format by name.
//!
//! A handler that holds a permit calls one of these; each use case is one transaction, or says its order of writes.

mod access;
mod actor;
mod artifact;
pub mod backup;
mod blob;
mod budget;
mod collect;
mod config;
mod entropy;
mod error;
mod event;
mod format;
mod job;
mod kept;
mod manifest;
mod package;
mod packing;
mod project;
mod publish;
mod recycle;
mod referrer;
mod repository;
mod room;
mod scrub;
mod settings;
mod setup;
mod signing;
mod snapshot;
mod sweep;
mod tag;
mod tag_rule;
mod trail;
mod upkeep;
mod upload;

use std::sync::Arc;

use wharf_auth::{Auth, InstanceKey};
use wharf_db::Db;
use wharf_storage::Storage;
use wharf_types::Clock;

pub use access::{AccessCounts, Attempt, Pull, Source};
pub use actor::Actor;
pub use artifact::{ArtifactForm, Description};
pub use blob::{Blob, Mounted, Opened};
pub use budget::{Room, UNCOUNTED};
pub use collect::{
    Broken, Candidate, Collected, Collection, CollectionState, Fate, Holder, Kept, Outlook, Pin, Preview, Purge,
    Purged, Purging, Waiting,
};
pub use config::Config;
pub use entropy::Entropy;
pub use error::{Error, Result};
pub use event::{Event, EventFilter, EventPage};
pub use format::{Contents, Format, GoesWith, IndexError, InspectError, PushedFile};
pub use job::{Job, Workers};
pub use manifest::{InvalidManifest, Kind, Manifest, ManifestInfo, Parsed, Pushed, media};
pub use package::{Added, Arrival, ListEntry, Listed, Package, Place, Stretch};
pub use packing::Packing;
pub use project::Project;
pub use publish::{IndexFile, ListPlan, NewFile, Piece, Publication, PublishedFile, Reissue, Render, Segment, encode};
pub use recycle::{BinEntry, BinKind, BinOf, BinOutcome, Restored, Restoring, SecondThought, Unmoved};
pub use referrer::{Descriptor, Referrers};
pub use repository::{Repository, Target};
pub use scrub::{Damaged, Pass, Scrubbed, Scrubbing};
pub use setup::{Setup, SetupBlock, SetupFacts};
pub use signing::{KeyError, PublicKey, PublicKeys, RepositoryKey, Signature, TrustedKey, Verdict};
pub use snapshot::{Difference, Snapshot, SnapshotDiff, SnapshotError};
pub use tag::{Act, RolledBack, Tag, TagMove};
pub use tag_rule::{InvalidTagPattern, RuleError, TagPattern, TagRule};
pub use trail::{AuditFilter, AuditKey, AuditLine, AuditOrder, AuditPage, InvalidAuditKey};
pub use upkeep::Upkeep;
pub use upload::Upload;
pub use wharf_storage::{ByteStream, Depot, FilePart, Space};
pub use wharf_trust::openpgp::{Algorithm as KeyAlgorithm, Certificate, Signer, Unverified, armored};

/// What a [`Core`] is made of. The binary chooses the pieces.
pub struct Parts {
    /// The catalog.
    pub db: Db,
    /// Where bytes go.
    pub storage: Arc<dyn Storage>,
    /// Identity and permission.
    pub auth: Auth,
    /// Encrypts secrets at rest.
    pub instance_key: InstanceKey,
    /// The time.
    pub clock: Clock,
    /// Randomness for keys and identifiers.
    pub entropy: Entropy,
    /// The kinds of goods.
    pub formats: Vec<Arc<dyn Format>>,
    /// Limits and intervals.
    pub config: Config,
    /// Where backups go.
    pub depots: Depots,
}

/// Opens the place for backups of a name that an administrator gave, where the server may write there; the empty name is the place
/// that was configured. The error says why not.
pub type Depots = Arc<dyn Fn(&str) -> std::result::Result<Arc<dyn Depot>, String> + Send + Sync>;

/// The use cases. Cheap to clone.
#[derive(Clone)]
pub struct Core {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Core")
    }
}

struct Inner {
    db: Db,
    storage: Arc<dyn Storage>,
    auth: Auth,
    instance_key: InstanceKey,
    clock: Clock,
    entropy: Entropy,
    formats: Vec<Arc<dyn Format>>,
    config: Config,
    manifests: kept::Kept<Manifest>,
    pulled: budget::Budget,
    pushed: budget::Budget,
    blobs: kept::Kept<Blob>,
    wrong_reads: blob::WrongReads,
    referrers: kept::Kept<Referrers>,
    accesses: access::Accesses,
    active: upload::ActiveUploads,
    inspections: package::Inspections,
    work: job::Wake,
    published: publish::Announcements,
    tally: collect::Tally,
    scrubbed: scrub::Tally,
    depots: Depots,
    /// Cancelled when the workers are to stop: for work that takes long.
    stopping: parking_lot::Mutex<tokio_util::sync::CancellationToken>,
    rules: tag_rule::RuleBook,
}

impl Core {
    /// The time.
    pub fn now(&self) -> wharf_types::Timestamp {
        self.inner.clock.now()
    }

    /// Puts the pieces together. Nothing runs in the background until [`Core::start_workers`].
    pub fn new(parts: Parts) -> Self {
        let Parts { db, storage, auth, instance_key, clock, entropy, formats, config, depots } = parts;
        let rules = tag_rule::RuleBook::of(artifact::Doors::of(&formats));
        let inner = Inner {
            accesses: access::Accesses::new(config.access_lines),
            db,
            storage,
            auth,
            instance_key,
            clock,
            entropy,
            formats,
            manifests: kept::Kept::new(kept::MANIFESTS),
            pulled: budget::Budget::new(config.manifest_memory, config.manifest_wait),
            pushed: budget::Budget::new(config.manifest_memory, config.manifest_wait),
            blobs: kept::Kept::new(kept::BLOBS),
            wrong_reads: blob::WrongReads::default(),
            referrers: kept::Kept::new(kept::REFERRERS),
            active: upload::ActiveUploads::default(),
            inspections: package::Inspections::default(),
            work: job::Wake::default(),
            published: publish::Announcements::default(),
            tally: collect::Tally::default(),
            config,
            scrubbed: scrub::Tally::default(),
            depots,
            stopping: parking_lot::Mutex::default(),
            rules,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Who are you, may you.
    pub fn auth(&self) -> &Auth {
        &self.inner.auth
    }

    /// The time, as everything here sees it.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Whether database and storage answer.
    ///
    /// # Errors
    /// Which of them does not, and why.
    pub async fn ready(&self) -> Result<()> {
        self.inner.db.ping().await?;
        self.inner.storage.ping().await?;
        Ok(())
    }

    /// Room in the storage, where that is known.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn space(&self) -> Result<Option<Space>> {
        Ok(self.inner.storage.space().await?)
    }
}
