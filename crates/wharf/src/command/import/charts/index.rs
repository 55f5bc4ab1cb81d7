//! index.yaml, as far as it names files with their checksums.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::{DuplicateKeyPolicy, budget, options};

use super::super::Import;
use super::super::checked::Claim;
use super::super::stop::One;

/// Most bytes: those of twenty thousand charts have twenty million.
const LARGEST: usize = 256 << 20;

/// What an index says of files, by their path below the folder.
#[derive(Debug, Default)]
pub(super) struct Index {
    claims: BTreeMap<String, Claim>,
    /// What it names and does not lie here.
    missing: Vec<String>,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    entries: Option<BTreeMap<String, Option<Vec<Entry>>>>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    urls: Option<Vec<String>>,
    #[serde(default)]
    digest: Option<String>,
}

impl Index {
    /// Of the folder; an empty one if it has none, or one that cannot be read, which is noted.
    pub(super) fn read(import: &Import<'_>) -> Self {
        const NAME: &str = "index.yaml";
        if !import.folder.has(NAME) {
            return Self::default();
        }
        let read = import.folder.read(NAME, LARGEST as u64).and_then(|content| wire(&content));
        match read {
            Ok(wire) => Self::of(import, wire),
            Err(why) => {
                import.tally.failed(NAME, &why);
                Self::default()
            }
        }
    }

    fn of(import: &Import<'_>, wire: Wire) -> Self {
        let mut index = Self::default();
        for entry in wire.entries.unwrap_or_default().into_values().flatten().flatten() {
            let Some(url) = entry.urls.and_then(|urls| urls.into_iter().next()) else { continue };
            let digest = entry.digest.map(|text| text.trim_start_matches("sha256:").to_owned());
            let claim = digest.map(|sum| Claim::of("sha256", &sum)).unwrap_or_default();
            let file = url.rsplit('/').next().unwrap_or_default().to_owned();
            // A URL of the whole web, and `charts/x.tgz` of ChartMuseum, whose files lie beside its index.
            match [url.as_str(), file.as_str()].into_iter().find(|path| import.folder.file(path).is_ok()) {
                Some(path) => {
                    index.claims.insert(path.trim_start_matches("./").to_owned(), claim);
                }
                None => index.missing.push(url.clone()),
            }
        }
        index
    }

    /// What is said of a file.
    pub(super) fn claim(&self, path: &str) -> Claim {
        self.claims.get(path).cloned().unwrap_or_default()
    }

    /// Whether it names files of a folder.
    pub(super) fn names_in(&self, folder: &str) -> bool {
        let folder = format!("{folder}/");
        self.claims.range(folder.clone()..).next().is_some_and(|(path, _)| path.starts_with(&folder))
    }

    /// Notes what it names and is not in the folder: some of that is fetched from elsewhere by clients.
    pub(super) fn note_missing(&self, import: &Import<'_>) {
        for url in &self.missing {
            let why = match import.folder.file(url) {
                _ if url.contains("://") => One::new("index.yaml says that it lies there, and not in this folder"),
                Err(why) => why,
                Ok(_) => continue,
            };
            import.tally.failed(url, &why);
        }
    }
}

fn wire(content: &[u8]) -> Result<Wire, One> {
    let text = std::str::from_utf8(content).map_err(|_| One::new("it is not UTF-8"))?;
    // As much as the largest indexes have; what grows by being named again and again is in none of them.
    let options = options! {
        budget: budget! {
            max_nodes: 50_000_000,
            max_events: 150_000_000,
            max_documents: 2,
            max_depth: 64,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_recorded_anchor_events: 100_000,
            max_recorded_anchor_bytes: 4 * 1024 * 1024,
            max_total_scalar_bytes: LARGEST,
        },
        duplicate_keys: DuplicateKeyPolicy::LastWins,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let told = error.to_string();
        One::new(format!("it cannot be read: {}", told.lines().next().unwrap_or_default()))
    })
}
