//! Paths and queries.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use wharf_types::{InvalidName, RepoName};

/// Decodes one path segment. `None` if it is not UTF-8 or if decoding would make it more than one segment: an encoded
/// slash or a NUL has no honest meaning in a name.
pub fn decode_segment(segment: &str) -> Option<Cow<'_, str>> {
    let decoded = percent_decode_str(segment).decode_utf8().ok()?;
    let smuggled = decoded.len() != segment.len() && decoded.contains(['/', '\\', '\0']);
    if smuggled { None } else { Some(decoded) }
}

/// The pairs of a query string, decoded.
pub fn query_pairs(query: Option<&str>) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes())
}

/// The repository that a peer's URL means by one (decoded) segment, as Nexus and Artifactory name theirs: `debs` is `default/debs`,
/// `team:debs` is `team/debs`. Gitea has one registry of a format for an owner; there it is `<owner>/<the format's segment>`.
///
/// # Errors
/// A name that no repository can have.
pub fn peer_repository(segment: &str) -> Result<RepoName, InvalidName> {
    match segment.split_once(':') {
        Some((project, name)) => RepoName::of(&project.parse()?, name),
        None => segment.parse(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peers_name_is_a_repository_of_the_default_project_or_of_the_one_it_names() {
        assert_eq!(peer_repository("debs").unwrap().full(), "default/debs");
        assert_eq!(peer_repository("team:debs").unwrap().full(), "team/debs");
        assert_eq!(peer_repository("team:more/debs").unwrap().full(), "team/more/debs");
        for bad in ["", ":", "team:", ":debs", "a:b:c", "Debs"] {
            assert!(peer_repository(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_encoded_slash_is_not_a_segment() {
        assert_eq!(decode_segment("a%2Fb"), None);
        assert_eq!(decode_segment("a%00"), None);
        assert_eq!(decode_segment("sha256%3Aab").as_deref(), Some("sha256:ab"));
    }
}
