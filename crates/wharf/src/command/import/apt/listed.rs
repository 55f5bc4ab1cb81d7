//! What the server's own tables list already.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{BufReader, Cursor};

use wharf_apt::Table;
use wharf_types::Digest;

use super::super::Import;
use super::super::folder::unpacked;
use super::super::stop::{One, Stop};
use super::tree::{Item, Place};

/// By distribution, component and table: the SHA-256 of each package, in hexadecimal.
#[derive(Debug)]
pub(super) struct Known(HashMap<(Place, String), HashSet<String>>);

impl Known {
    /// Reads the tables in which the items would be.
    pub(super) async fn read(import: &Import<'_>, repository: &str, items: &[Item]) -> Result<Self, Stop> {
        let wanted: BTreeSet<(&Place, String)> =
            items.iter().flat_map(|item| item.places.iter().map(|place| (place, item.table()))).collect();
        let mut known = HashMap::new();
        for (place, table) in wanted {
            let Place { distribution, component } = place;
            let path = format!("/apt/{repository}/dists/{distribution}/{component}/{table}.gz");
            let Some(content) = import.server.read(&path).await? else { continue };
            known.insert((place.clone(), table), sums(Cursor::new(content))?);
        }
        Ok(Self(known))
    }

    pub(super) fn has(&self, item: &Item, place: &Place, digest: &Digest) -> bool {
        self.0.get(&(place.clone(), item.table())).is_some_and(|sums| sums.contains(&digest.hex()))
    }
}

fn sums(packed: Cursor<bytes::Bytes>) -> Result<HashSet<String>, One> {
    let mut sums = HashSet::new();
    for entry in Table::new(BufReader::new(unpacked(".gz", packed)?)) {
        // What cannot be read is asked for otherwise.
        let Ok(mut entry) = entry.map_err(|error| One::new(format!("the server's table cannot be read: {error}")))?
        else {
            continue;
        };
        let sha256 = entry.files.pop().and_then(|file| file.sums.into_iter().find(|(kind, _)| *kind == "sha256"));
        sums.extend(sha256.map(|(_, sum)| sum));
    }
    Ok(sums)
}
