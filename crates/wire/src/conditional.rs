//! Conditional requests (RFC 9110, section 13) for content that is named by its digest.

use http::HeaderMap;
use http::header::IF_NONE_MATCH;

/// Whether the client says it has what `etag` names: then 304 answers it.
pub fn is_unchanged(headers: &HeaderMap, etag: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(|item| item.trim().trim_start_matches("W/"))
        .any(|item| item == "*" || item == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_entity_tag_in_a_list_is_enough() {
        let mut headers = HeaderMap::new();
        headers.insert(IF_NONE_MATCH, "\"a\", W/\"sha256:b\"".parse().unwrap());
        assert!(is_unchanged(&headers, "\"sha256:b\""));
        assert!(!is_unchanged(&headers, "\"sha256:c\""));
    }
}
