//! Range requests on content (RFC 9110, section 14).

use std::ops::Range;

use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderValue, IF_RANGE, RANGE};
use http::request::Parts;
use http::{Method, StatusCode};

/// What a `Range` header asks for, held against the size of the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByteRange {
    /// All of it: no header, another unit, or several ranges at once, which a server may ignore.
    Whole,
    /// One part, clipped to what is there.
    Part(Range<u64>),
    /// Nothing that is there, or nonsense: 416.
    Unsatisfiable,
}

impl ByteRange {
    /// Reads a header for content of `size` bytes.
    pub fn read(header: Option<&str>, size: u64) -> Self {
        let Some(spec) = header.and_then(|h| h.trim().strip_prefix("bytes=")) else { return Self::Whole };
        if spec.contains(',') {
            return Self::Whole;
        }
        let Some((first, last)) = spec.trim().split_once('-') else { return Self::Unsatisfiable };
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let range = match (first.trim().is_empty(), last.trim().is_empty()) {
            (true, true) => None,
            (true, false) => number(last).filter(|n| *n > 0).map(|n| size.saturating_sub(n)..size),
            (false, true) => number(first).map(|first| first..size),
            (false, false) => number(first).zip(number(last)).and_then(|(first, last)| {
                // distribution's suite wants 416 for a range that runs backwards, where RFC 9110 lets one ignore it.
                (first <= last).then(|| first..size.min(last.saturating_add(1)))
            }),
        };
        match range {
            Some(range) if range.start < size && range.start < range.end => Self::Part(range),
            _ => Self::Unsatisfiable,
        }
    }
}

/// What an answer holds of content that a client may ask for in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// 200 or 206.
    pub status: StatusCode,
    /// Which bytes.
    pub range: Range<u64>,
}

impl Part {
    /// What a request asks for of `size` bytes; `None` if that is nothing that is there. `etag` makes the entity tag, which few
    /// requests need.
    pub fn asked(head: &Parts, etag: impl FnOnce() -> String, size: u64) -> Option<Self> {
        match ByteRange::read(wanted_range(head, etag), size) {
            ByteRange::Whole => Some(Self { status: StatusCode::OK, range: 0..size }),
            ByteRange::Part(range) => Some(Self { status: StatusCode::PARTIAL_CONTENT, range }),
            ByteRange::Unsatisfiable => None,
        }
    }

    /// Says in the headers of the answer what it holds of the `size` bytes.
    pub fn describe(&self, headers: &mut HeaderMap, size: u64) {
        headers.insert(CONTENT_LENGTH, (self.range.end - self.range.start).into());
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if self.status == StatusCode::PARTIAL_CONTENT {
            let text = format!("bytes {}-{}/{size}", self.range.start, self.range.end.saturating_sub(1));
            headers.extend(HeaderValue::from_str(&text).ok().map(|value| (CONTENT_RANGE, value)));
        }
    }
}

/// The `Range` to answer. It is for GET alone, and `If-Range` takes it back for other content (RFC 9110, 13.1.5 and 14.2): a client
/// that goes on with half a file wants the other half of the same file, or all of the new one.
fn wanted_range(head: &Parts, etag: impl FnOnce() -> String) -> Option<&str> {
    let condition = head.headers.get(IF_RANGE);
    if head.method != Method::GET || condition.is_some_and(|tag| tag.as_bytes() != etag().as_bytes()) {
        return None;
    }
    head.headers.get(RANGE)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_held_against_the_size() {
        let cases = [
            (None, ByteRange::Whole),
            (Some("bytes=500-1499"), ByteRange::Part(500..1500)),
            (Some("bytes=500-"), ByteRange::Part(500..2048)),
            (Some("bytes=-500"), ByteRange::Part(1548..2048)),
            (Some("bytes=-5000"), ByteRange::Part(0..2048)),
            (Some("bytes=2000-5000"), ByteRange::Part(2000..2048)),
            (Some("bytes=0-18446744073709551615"), ByteRange::Part(0..2048)),
            (Some("bytes=500-0"), ByteRange::Unsatisfiable),
            (Some("bytes=5000-10000"), ByteRange::Unsatisfiable),
            (Some("bytes=2048-"), ByteRange::Unsatisfiable),
            (Some("bytes=-0"), ByteRange::Unsatisfiable),
            (Some("bytes=a-b"), ByteRange::Unsatisfiable),
            (Some("bytes=-"), ByteRange::Unsatisfiable),
            (Some("bytes=0-1,5-6"), ByteRange::Whole),
            (Some("items=0-1"), ByteRange::Whole),
        ];
        for (header, expected) in cases {
            assert_eq!(ByteRange::read(header, 2048), expected, "{header:?}");
        }
    }

    #[test]
    fn an_empty_blob_has_no_part() {
        assert_eq!(ByteRange::read(Some("bytes=0-0"), 0), ByteRange::Unsatisfiable);
    }

    fn asked(method: Method, condition: Option<&str>) -> Option<Part> {
        let mut request = http::Request::builder().method(method).header(RANGE, "bytes=2-3");
        if let Some(condition) = condition {
            request = request.header(IF_RANGE, condition);
        }
        Part::asked(&request.body(()).unwrap().into_parts().0, || "\"a\"".to_owned(), 10)
    }

    #[test]
    fn a_part_is_for_who_gets_and_knows_the_same_content() {
        let (whole, part) = ((StatusCode::OK, 0..10), (StatusCode::PARTIAL_CONTENT, 2..4));
        let is = |part: Option<Part>| part.map(|part| (part.status, part.range)).unwrap();
        assert_eq!(is(asked(Method::GET, None)), part);
        assert_eq!(is(asked(Method::GET, Some("\"a\""))), part);
        assert_eq!(is(asked(Method::GET, Some("\"b\""))), whole);
        assert_eq!(is(asked(Method::HEAD, None)), whole);
        let mut headers = HeaderMap::new();
        Part { status: part.0, range: part.1 }.describe(&mut headers, 10);
        assert_eq!(headers[CONTENT_RANGE], "bytes 2-3/10");
        assert_eq!(headers[CONTENT_LENGTH], "2");
    }
}
