//! Statements over many rows. One statement has few texts, so that each is prepared once; a batch that is shorter than its text
//! repeats its first row.

use std::sync::OnceLock;

use crate::ToValue;

/// Rows of the longest text.
pub(super) const BATCH: usize = 64;

const TEXTS: usize = BATCH.ilog2() as usize + 1;

/// The texts of one statement, for 1, 2, 4 … [`BATCH`] rows. A batch runs the shortest that holds it: a row that is repeated costs
/// about as much as one that is not.
pub(super) struct Texts {
    write: fn(usize) -> String,
    written: [OnceLock<String>; TEXTS],
}

impl Texts {
    /// `write` writes the statement for so many rows.
    pub(super) const fn new(write: fn(usize) -> String) -> Self {
        Self { write, written: [const { OnceLock::new() }; TEXTS] }
    }

    /// The text for a batch of [`BATCH`] rows or fewer, filled up by [`filled`].
    pub(super) fn of<T>(&self, batch: &[T]) -> &str {
        let rows = filled(batch).len();
        self.written[rows.ilog2() as usize].get_or_init(|| (self.write)(rows))
    }
}

/// A batch and its first row until a text is full. Empty batches are the caller's to pass over.
pub(super) fn filled<T>(batch: &[T]) -> impl ExactSizeIterator<Item = &T> {
    (0..batch.len().next_power_of_two()).map(|index| batch.get(index).unwrap_or(&batch[0]))
}

/// Rows in batches that are as long as a text each, where none may be written twice: 11 as 8, 2 and 1.
pub(super) fn exact<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = 1 << rows.len().min(BATCH).checked_ilog2()?;
        let (batch, rest) = rows.split_at(size);
        rows = rest;
        Some(batch)
    })
}

/// So many places of rows with one column, the first of them `?first`: `?2, ?3, …`.
pub(super) fn places(first: usize, rows: usize) -> String {
    each(rows, |row| format!("?{}", first + row))
}

/// What `row` says of each of so many rows, with commas between.
pub(super) fn each(rows: usize, row: impl Fn(usize) -> String) -> String {
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// `head`, and a batch of rows with one column behind it.
pub(super) fn params<'a, T: ToValue + Sync>(
    head: &[&'a (dyn ToValue + Sync)],
    batch: &'a [T],
) -> Vec<&'a (dyn ToValue + Sync)> {
    let mut params = head.to_vec();
    params.extend(filled(batch).map(|row| row as &(dyn ToValue + Sync)));
    params
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_runs_the_shortest_text_that_holds_it() {
        static TEXTS: Texts = Texts::new(|rows| places(2, rows));
        let rows: Vec<i64> = (0..64).collect();
        let found: Vec<_> = [1, 2, 3, 5, 64].iter().map(|&size| TEXTS.of(&rows[..size])).collect();
        assert_eq!(found[..4], ["?2", "?2, ?3", "?2, ?3, ?4, ?5", "?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9"]);
        assert!(found[4].ends_with("?64, ?65"));
    }

    #[test]
    fn a_short_batch_repeats_its_first_row() {
        assert_eq!(filled(&[7, 8, 9]).collect::<Vec<_>>(), [&7, &8, &9, &7]);
        assert_eq!(params(&[&1_i64], &[7_i64, 8, 9]).len(), 5);
    }

    #[test]
    fn rows_that_must_not_repeat_are_cut_to_the_length_of_texts() {
        let rows: Vec<i64> = (0..139).collect();
        let batches: Vec<&[i64]> = exact(&rows).collect();
        assert_eq!(batches.iter().map(|batch| batch.len()).collect::<Vec<_>>(), [64, 64, 8, 2, 1]);
        assert_eq!(batches.concat(), rows);
        assert!(batches.iter().all(|batch| filled(batch).len() == batch.len()));
    }
}
