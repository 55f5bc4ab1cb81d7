//! Statements over many rows. One text for every batch, so that it is prepared once; a short batch repeats its first row.

use crate::ToValue;

/// Rows of one statement.
pub(super) const BATCH: usize = 64;

/// The places of a batch, the first of them `?first`: `?2, ?3, …`.
pub(super) fn places(first: usize) -> String {
    (first..first + BATCH).map(|number| format!("?{number}")).collect::<Vec<_>>().join(", ")
}

/// `head`, and a batch behind it. Empty batches are the caller's to pass over.
pub(super) fn params<'a, T: ToValue + Sync>(
    head: &[&'a (dyn ToValue + Sync)],
    batch: &'a [T],
) -> Vec<&'a (dyn ToValue + Sync)> {
    let mut params = head.to_vec();
    params.extend((0..BATCH).map(|index| batch.get(index).unwrap_or(&batch[0]) as &(dyn ToValue + Sync)));
    params
}
