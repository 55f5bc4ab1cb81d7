//! Two stretches of the log become one page.

use std::cmp::Ordering;

use wharf_db::catalog::trail::Direction;

use super::{AuditKey, AuditLine, AuditPage};

/// What was found in one half.
#[derive(Debug, Default)]
pub(super) struct Stretch {
    /// In the order of reading.
    pub(super) lines: Vec<AuditLine>,
    /// The last line that was looked at, where there may be more; none at the end.
    pub(super) reached: Option<AuditKey>,
}

/// The first `limit` lines of both. Beyond the place that both have reached nothing is known, so nothing is shown.
pub(super) fn merge(one: Stretch, other: Stretch, direction: Direction, limit: usize) -> AuditPage {
    let order = |a: &AuditKey, b: &AuditKey| match direction {
        Direction::Back => b.cmp(a),
        Direction::Forth => a.cmp(b),
    };
    let horizon = [one.reached, other.reached].into_iter().flatten().min_by(order);
    let mut lines = one.lines;
    lines.extend(other.lines);
    lines.sort_by(|a, b| order(&a.key, &b.key));
    lines.retain(|line| horizon.is_none_or(|horizon| order(&line.key, &horizon) != Ordering::Greater));
    let cut = lines.len() > limit;
    lines.truncate(limit);
    let next = if cut { lines.last().map(|line| line.key) } else { horizon };
    AuditPage { lines, next }
}

#[cfg(test)]
mod tests {
    use wharf_db::catalog::accesses::Access;
    use wharf_db::catalog::trail::{Half, Line};
    use wharf_types::Timestamp;

    use super::super::line;
    use super::*;

    fn stretch(half: Half, times: &[i64], more: bool) -> Stretch {
        let row = |at: &i64| {
            let access = Access { at: Timestamp::from_millis(*at), times: 1, ..Access::default() };
            line(half, Line { id: *at, access })
        };
        let lines: Vec<_> = times.iter().map(row).collect();
        let reached = lines.last().filter(|_| more).map(|line| line.key);
        Stretch { lines, reached }
    }

    fn times(page: &AuditPage) -> Vec<i64> {
        page.lines.iter().map(|line| line.at.as_millis()).collect()
    }

    #[test]
    fn lines_beyond_what_both_halves_have_reached_wait_for_the_next_page() {
        let (changes, accesses) = (stretch(Half::Changes, &[9, 7, 1], false), stretch(Half::Accesses, &[8, 6], true));
        let page = merge(changes, accesses, Direction::Back, 10);
        assert_eq!(times(&page), [9, 8, 7, 6]);
        assert_eq!(page.next.map(|key| key.at.as_millis()), Some(6));
    }

    #[test]
    fn the_last_page_has_no_next() {
        let (changes, accesses) = (stretch(Half::Changes, &[1, 3], false), stretch(Half::Accesses, &[2], false));
        let page = merge(changes, accesses, Direction::Forth, 3);
        assert_eq!((times(&page), page.next), (vec![1, 2, 3], None));
    }

    #[test]
    fn a_full_page_goes_on_after_its_last_line() {
        let (changes, accesses) = (stretch(Half::Changes, &[1, 3], false), stretch(Half::Accesses, &[2], false));
        let page = merge(changes, accesses, Direction::Forth, 2);
        assert_eq!((times(&page), page.next.map(|key| key.at.as_millis())), (vec![1, 2], Some(2)));
    }
}
