//! The newest lines of a package's changelog.

use rpm::PackageMetadata;
use wharf_core::InspectError;

use super::unreadable;

/// Most that metadata tell.
const MOST: usize = 10;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) author: String,
    /// Seconds since 1970.
    pub(super) date: u64,
    pub(super) text: String,
}

/// The newest, the oldest of them first.
pub(super) fn newest(metadata: &PackageMetadata) -> Result<Vec<Change>, InspectError> {
    let entries = metadata.iter_changelog_entries().map_err(unreadable)?.take(MOST);
    let changes = entries.map(|entry| Change {
        author: entry.name.trim_end_matches(' ').to_owned(),
        date: entry.timestamp,
        text: entry.description,
    });
    Ok(told_apart(changes))
}

/// Clients order them by date, and dates are days: of those of one day each is made a second newer than the one it follows.
fn told_apart(newest_first: impl Iterator<Item = Change>) -> Vec<Change> {
    let mut told: Vec<Change> = Vec::new();
    let mut day = None;
    for change in newest_first {
        let mut taken = change.date;
        if day == Some(change.date) {
            for newer in told.iter_mut().rev() {
                if newer.date != taken {
                    break;
                }
                newer.date += 1;
                taken += 1;
            }
        }
        day = Some(change.date);
        told.push(change);
    }
    told.reverse();
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_of_one_day_keep_their_order() {
        let change = |date| Change { author: String::new(), date, text: String::new() };
        let dates = |days: &[u64]| -> Vec<u64> {
            told_apart(days.iter().copied().map(change)).iter().map(|change| change.date).collect()
        };
        assert_eq!(dates(&[300, 200, 100]), [100, 200, 300]);
        assert_eq!(dates(&[200, 200, 200, 100]), [100, 200, 201, 202]);
        assert_eq!(dates(&[101, 100, 100]), [100, 101, 102]);
    }
}
