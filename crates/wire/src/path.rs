//! Paths and queries.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_slash_is_not_a_segment() {
        assert_eq!(decode_segment("a%2Fb"), None);
        assert_eq!(decode_segment("a%00"), None);
        assert_eq!(decode_segment("sha256%3Aab").as_deref(), Some("sha256:ab"));
    }
}
