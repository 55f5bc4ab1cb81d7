//! Which known name a misspelt one was probably meant to be.

/// The known name nearest to `unknown`, if one is near enough to be worth naming.
pub(super) fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let farthest = (unknown.len() / 3).max(2);
    let by_distance = known.into_iter().map(|name| (distance(unknown, name), name));
    by_distance
        .filter(|(distance, _)| *distance <= farthest)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The Levenshtein distance of two names. Only their first bytes count: one of them comes from outside.
fn distance(one: &str, other: &str) -> usize {
    const MOST: usize = 64;
    let cut = |text: &str| text.bytes().take(MOST).collect::<Vec<_>>();
    let (one, other) = (cut(one), cut(other));
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_single_changes() {
        for (one, other, expected) in
            [("", "abc", 3), ("public", "pubic", 1), ("kitten", "sitting", 3), ("same", "same", 0)]
        {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn only_a_near_name_is_suggested() {
        assert_eq!(nearest("expires", ["expires_at", "name"]), None);
        assert_eq!(nearest("expire_at", ["expires_at", "name"]), Some("expires_at"));
    }
}
