//! Statements over many rows. One statement has few texts, so that each is prepared once; a batch that is shorter than its text
//! repeats its first row.

use crate::ToValue;

/// Rows of the longest text.
pub(super) const BATCH: usize = 64;

const TEXTS: usize = BATCH.ilog2() as usize + 1;

/// The texts of one statement, for 1, 2, 4 … [`BATCH`] rows. A batch runs the shortest that holds it: a row that is repeated costs
/// about as much as one that is not.
pub(super) struct Texts([String; TEXTS]);

impl Texts {
    /// `text` writes the statement for so many rows.
    pub(super) fn new(text: impl Fn(usize) -> String) -> Self {
        Self(std::array::from_fn(|power| text(1 << power)))
    }

    /// The text for a batch of [`BATCH`] rows or fewer, filled up by [`filled`].
    pub(super) fn of<T>(&self, batch: &[T]) -> &str {
        &self.0[filled(batch).len().ilog2() as usize]
    }
}

/// A batch and its first row until a text is full. Empty batches are the caller's to pass over.
pub(super) fn filled<T>(batch: &[T]) -> impl ExactSizeIterator<Item = &T> {
    (0..batch.len().next_power_of_two()).map(|index| batch.get(index).unwrap_or(&batch[0]))
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
        let texts = Texts::new(|rows| places(2, rows));
        let rows: Vec<i64> = (0..64).collect();
        let found: Vec<_> = [1, 2, 3, 5, 64].iter().map(|&size| texts.of(&rows[..size])).collect();
        assert_eq!(found[..4], ["?2", "?2, ?3", "?2, ?3, ?4, ?5", "?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9"]);
        assert!(found[4].ends_with("?64, ?65"));
    }

    #[test]
    fn a_short_batch_repeats_its_first_row() {
        assert_eq!(filled(&[7, 8, 9]).collect::<Vec<_>>(), [&7, &8, &9, &7]);
        assert_eq!(params(&[&1_i64], &[7_i64, 8, 9]).len(), 5);
    }
}
