//! Whether what was seen of one tag has a legal order: the search of Wing and Gong with the memory of Lowe ("Testing for
//! linearizability", 2017). Operations whose answer never came may have happened at any time since they began, or never.

use std::collections::HashSet;
use std::hash::Hash;

/// An operation on one tag. Values are numbers; `None` is no tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// It was seen to point there.
    Read(Option<u32>),
    /// It was pointed there.
    Write(u32),
    /// It was there and was deleted.
    Delete,
}

/// An operation and when it ran, in any unit that grows.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) act: Act,
    pub(crate) begun: u64,
    /// `None`: its answer never came.
    pub(crate) ended: Option<u64>,
}

/// Whether there is an order in which each operation takes effect between its begin and its end.
pub(crate) fn is_linearizable(operations: &[Operation]) -> bool {
    search(operations, None, |at: Option<u32>, act| match act {
        Act::Read(seen) => (*seen == at).then_some(at),
        Act::Write(value) => Some(Some(*value)),
        Act::Delete => at.map(|_| None),
    })
}

/// Whether the changes took effect in the order of `history`: all of it, and nothing else.
pub(crate) fn agrees_with(operations: &[Operation], history: &[Option<u32>]) -> bool {
    let seen = |position: usize| position.checked_sub(1).and_then(|last| history[last]);
    // What must have happened has an end for the search; that all of the history was used shows in the closing read.
    let end = operations.iter().flat_map(|one| [Some(one.begun), one.ended]).flatten().max().unwrap_or_default();
    let mut operations = operations.to_vec();
    let last = Operation { act: Act::Read(history.last().copied().flatten()), begun: end + 1, ended: Some(end + 2) };
    let closing = operations.len();
    operations.push(last);
    search_with(&operations, 0, |position: usize, index, act| match act {
        _ if index == closing => (position == history.len()).then_some(position),
        Act::Read(value) => (*value == seen(position)).then_some(position),
        Act::Write(value) => (history.get(position) == Some(&Some(*value))).then_some(position + 1),
        Act::Delete => (history.get(position) == Some(&None) && seen(position).is_some()).then_some(position + 1),
    })
}

fn search<S: Copy + Eq + Hash>(operations: &[Operation], first: S, step: impl Fn(S, &Act) -> Option<S>) -> bool {
    search_with(operations, first, |state, _, act| step(state, act))
}

/// A place in the list of begins and ends. Number 0 is before the first, and after the last.
#[derive(Debug, Clone, Copy)]
struct Entry {
    operation: usize,
    /// Where the operation ends, for a begin that has an end; 0 otherwise.
    end: usize,
    begins: bool,
    before: usize,
    after: usize,
}

struct List(Vec<Entry>);

impl List {
    fn of(operations: &[Operation]) -> Self {
        // At one instant begins come before ends: then they overlap, which allows more orders and never a wrong verdict.
        let mut moments: Vec<(u64, bool, usize)> = Vec::new();
        for (index, operation) in operations.iter().enumerate() {
            moments.push((operation.begun, false, index));
            moments.extend(operation.ended.map(|ended| (ended, true, index)));
        }
        moments.sort_unstable();
        let count = moments.len();
        let mut entries = vec![Entry { operation: 0, end: 0, begins: false, before: count, after: 1 % (count + 1) }];
        let mut begins = vec![0; operations.len()];
        for (place, (_, ends, operation)) in moments.into_iter().enumerate() {
            let own = place + 1;
            entries.push(Entry { operation, end: 0, begins: !ends, before: place, after: (own + 1) % (count + 1) });
            if ends {
                entries[begins[operation]].end = own;
            } else {
                begins[operation] = own;
            }
        }
        Self(entries)
    }

    /// Takes a begin and its end out of the list.
    fn lift(&mut self, begin: usize) {
        for own in [begin, self.0[begin].end].into_iter().filter(|own| *own != 0) {
            let Entry { before, after, .. } = self.0[own];
            self.0[before].after = after;
            self.0[after].before = before;
        }
    }

    /// Puts them back, in the reverse order.
    fn unlift(&mut self, begin: usize) {
        for own in [self.0[begin].end, begin].into_iter().filter(|own| *own != 0) {
            let Entry { before, after, .. } = self.0[own];
            self.0[before].after = own;
            self.0[after].before = own;
        }
    }
}

fn search_with<S: Copy + Eq + Hash>(
    operations: &[Operation],
    first: S,
    step: impl Fn(S, usize, &Act) -> Option<S>,
) -> bool {
    let mut list = List::of(operations);
    let mut open = operations.iter().filter(|operation| operation.ended.is_some()).count();
    let mut done = vec![0_u64; operations.len().div_ceil(64)];
    let (mut known, mut taken, mut state) = (HashSet::new(), Vec::new(), first);
    let mut at = list.0[0].after;
    while open > 0 {
        let entry = list.0[at];
        let next = if entry.begins { step(state, entry.operation, &operations[entry.operation].act) } else { None };
        let flip = |done: &mut Vec<u64>, operation: usize| done[operation / 64] ^= 1 << (operation % 64);
        if let Some(next) = next {
            flip(&mut done, entry.operation);
            if known.insert((done.clone(), next)) {
                taken.push((at, state));
                open -= usize::from(entry.end != 0);
                state = next;
                list.lift(at);
                at = list.0[0].after;
                continue;
            }
            flip(&mut done, entry.operation);
        }
        if entry.begins {
            at = entry.after;
            continue;
        }
        // Somebody's end, or the end of the list: what was taken last was taken too early.
        let Some((last, before)) = taken.pop() else { return false };
        list.unlift(last);
        flip(&mut done, list.0[last].operation);
        open += usize::from(list.0[last].end != 0);
        (state, at) = (before, list.0[last].after);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::Act::{Delete, Read, Write};
    use super::*;

    fn history(operations: &[(Act, u64, u64)]) -> Vec<Operation> {
        let one = |(act, begun, ended): &(Act, u64, u64)| Operation {
            act: act.clone(),
            begun: *begun,
            ended: (*ended != 0).then_some(*ended),
        };
        operations.iter().map(one).collect()
    }

    #[test]
    fn legal_histories_pass() {
        for operations in [
            vec![],
            vec![(Read(None), 1, 2), (Write(1), 3, 4), (Read(Some(1)), 5, 6), (Delete, 7, 8), (Read(None), 9, 10)],
            // Two writers at once: either order, as long as everybody sees the same.
            vec![(Write(1), 1, 10), (Write(2), 1, 10), (Read(Some(2)), 2, 3), (Read(Some(1)), 4, 5)],
            // A read beside a write sees the old or the new value.
            vec![(Write(1), 1, 2), (Write(2), 3, 9), (Read(Some(1)), 4, 5), (Read(Some(2)), 6, 7)],
            // Without an answer: never, at once, or much later.
            vec![(Write(1), 1, 0), (Read(None), 2, 3)],
            vec![(Write(1), 1, 0), (Read(None), 2, 3), (Read(Some(1)), 4, 5)],
            vec![(Write(1), 1, 2), (Delete, 3, 0), (Read(Some(1)), 4, 5), (Read(None), 6, 7)],
        ] {
            assert!(is_linearizable(&history(&operations)), "{operations:?}");
        }
    }

    #[test]
    fn illegal_histories_are_rejected() {
        for operations in [
            // A read from nowhere.
            vec![(Read(Some(1)), 1, 2)],
            vec![(Write(1), 1, 2), (Read(Some(2)), 3, 4)],
            // An acknowledged write that is not seen.
            vec![(Write(1), 1, 2), (Read(None), 3, 4)],
            // A stale read.
            vec![(Write(1), 1, 2), (Write(2), 3, 4), (Read(Some(1)), 5, 6)],
            // Two readers that see two writes in two orders.
            vec![
                (Write(1), 1, 10),
                (Write(2), 1, 10),
                (Read(Some(1)), 2, 3),
                (Read(Some(2)), 4, 5),
                (Read(Some(1)), 6, 7),
            ],
            // What was deleted comes back.
            vec![(Write(1), 1, 2), (Delete, 3, 4), (Read(Some(1)), 5, 6)],
            // One tag deleted twice.
            vec![(Write(1), 1, 2), (Delete, 3, 6), (Delete, 3, 6)],
            // Without an answer, but seen: then it does not go back.
            vec![(Write(1), 1, 2), (Write(2), 3, 0), (Read(Some(2)), 4, 5), (Read(Some(1)), 6, 7)],
            // It cannot be seen before it began.
            vec![(Read(Some(1)), 1, 2), (Write(1), 3, 0)],
        ] {
            assert!(!is_linearizable(&history(&operations)), "{operations:?}");
        }
    }

    #[test]
    fn a_recorded_history_must_be_the_order_that_was_seen() {
        let operations =
            history(&[(Write(1), 1, 2), (Write(2), 3, 9), (Write(3), 3, 9), (Write(4), 4, 0), (Read(Some(3)), 10, 11)]);
        assert!(agrees_with(&operations, &[Some(1), Some(2), Some(3)]));
        assert!(agrees_with(&operations, &[Some(1), Some(4), Some(2), Some(3)]));
        assert!(agrees_with(&operations, &[Some(1), Some(2), Some(3), Some(4)]), "the last one after the read");
        for wrong in [
            vec![Some(1), Some(3), Some(2)],
            vec![Some(2), Some(1), Some(3)],
            vec![Some(1), Some(3)],
            vec![Some(1), Some(2), Some(3), Some(5)],
            vec![Some(1), Some(2), Some(2), Some(3)],
            vec![Some(1), None, Some(2), Some(3)],
        ] {
            assert!(!agrees_with(&operations, &wrong), "{wrong:?}");
        }
    }

    #[test]
    fn a_thousand_operations_at_once_are_no_matter() {
        let mut operations = Vec::new();
        for round in 0..200_u64 {
            let (begun, ended) = (round * 10, round * 10 + 12);
            for writer in 0..4 {
                operations.push((Write(u32::try_from(round * 4 + writer).unwrap()), begun, ended));
            }
            operations.push((Read(Some(u32::try_from(round * 4 + round % 4).unwrap())), begun + 5, ended));
        }
        assert!(is_linearizable(&history(&operations)));
        operations.push((Read(Some(0)), 5000, 5001));
        assert!(!is_linearizable(&history(&operations)));
    }
}
