//! Which known name a misspelt one was probably meant to be.

/// The known name nearest to `unknown`, if one is near enough to be worth naming.
pub(crate) fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let farthest = (unknown.len() / 3).max(2);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(unknown, name), name))
        .filter(|(distance, _)| *distance <= farthest)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_name_is_suggested() {
        let known = ["listen.address", "log.format", "storage.path"];
        assert_eq!(nearest("listen.adress", known), Some("listen.address"));
        assert_eq!(nearest("log.fromat", known), Some("log.format"));
        assert_eq!(nearest("zzz", known), None);
    }
}
