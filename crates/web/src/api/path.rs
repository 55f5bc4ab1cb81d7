//! Paths with places: `/api/v1/repositories/{format}/{repository+}/-/tags/{tag}`. A place ending in `+` takes one or more
//! segments up to a `-`, which no part of a name can be.

use wharf_wire::decode_segment;

/// Holds a path against a template. `None` if it does not fit, or if a segment cannot be decoded.
pub(super) fn fit(template: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let mut segments = path.split('/');
    let mut found = Vec::new();
    for place in template.split('/') {
        let Some(name) = place.strip_prefix('{').and_then(|place| place.strip_suffix('}')) else {
            if segments.next() != Some(place) {
                return None;
            }
            continue;
        };
        let first = decoded(segments.next()?)?;
        let Some(name) = name.strip_suffix('+') else {
            found.push((name, first));
            continue;
        };
        let mut parts = vec![first];
        // The rest of the name ends before the separator, which stays for the template.
        while let Some(segment) = segments.clone().next().filter(|segment| *segment != SEPARATOR) {
            parts.push(decoded(segment)?);
            segments.next();
        }
        found.push((name, parts.join("/")));
    }
    segments.next().is_none().then_some(found)
}

/// Between a repository's name and what is inside it.
const SEPARATOR: &str = "-";

fn decoded(segment: &str) -> Option<String> {
    decode_segment(segment).filter(|text| !text.is_empty() && text != SEPARATOR).map(std::borrow::Cow::into_owned)
}

/// The names of the places of a template, in order.
pub(super) fn places(template: &'static str) -> impl Iterator<Item = &'static str> {
    let inner = |place: &'static str| place.strip_prefix('{').and_then(|place| place.strip_suffix('}'));
    template.split('/').filter_map(inner).map(|name| name.trim_end_matches('+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "/api/v1/repositories/{format}/{repository+}/-/tags/{tag}";

    #[test]
    fn a_name_of_any_depth_ends_at_the_separator() {
        for (path, name) in [
            ("/api/v1/repositories/oci/app/-/tags/v1", "app"),
            ("/api/v1/repositories/oci/team/app/web/-/tags/v1", "team/app/web"),
            ("/api/v1/repositories/oci/tags/-/tags/v1", "tags"),
        ] {
            let expected =
                vec![("format", "oci".to_owned()), ("repository", name.to_owned()), ("tag", "v1".to_owned())];
            assert_eq!(fit(TAG, path), Some(expected), "{path}");
        }
    }

    #[test]
    fn what_does_not_fit_is_no_path() {
        for path in [
            "/api/v1/repositories/oci/team/app/tags/v1",
            "/api/v1/repositories/oci/-/tags/v1",
            "/api/v1/repositories/oci/a//-/tags/v1",
            "/api/v1/repositories/oci/a%2Fb/-/tags/v1",
            "/api/v1/repositories/oci/a/-/tags/v1/",
            "/api/v1/repositories/oci/a/-/tags/",
            "/api/v1/repositories/oci/a/-/-/tags/v1",
        ] {
            assert_eq!(fit(TAG, path), None, "{path}");
        }
    }

    #[test]
    fn places_are_decoded() {
        let found = fit("/api/v1/users/{user}", "/api/v1/users/me%40example.com");
        assert_eq!(found, Some(vec![("user", "me@example.com".to_owned())]));
        assert_eq!(places(TAG).collect::<Vec<_>>(), ["format", "repository", "tag"]);
    }
}
