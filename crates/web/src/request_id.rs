//! The name of a request in logs, answers and the audit log.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The header that carries it.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const LONGEST: usize = 128;

/// The id that a trusted proxy gave, if it is one; a new one otherwise.
pub(crate) fn choose(headers: &HeaderMap, trusted: bool) -> HeaderValue {
    let given = if trusted { headers.get(REQUEST_ID).filter(|value| is_well_formed(value)) } else { None };
    given.cloned().unwrap_or_else(generate)
}

fn is_well_formed(value: &HeaderValue) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(byte);
    (1..=LONGEST).contains(&value.len()) && value.as_bytes().iter().all(plain)
}

/// 128 random bits: unique without asking anybody, and telling nothing of how many requests there are.
fn generate() -> HeaderValue {
    let mut text = [0; 32];
    let encoded = hex::encode_to_slice(rand::random::<u128>().to_be_bytes(), &mut text);
    debug_assert!(encoded.is_ok());
    // Shared from the beginning: the log, the answer and the audit log hold it.
    HeaderValue::from_maybe_shared(Bytes::from_owner(text)).unwrap_or(HeaderValue::from_static("0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(given: &str, trusted: bool) -> HeaderValue {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, given.parse().unwrap());
        choose(&headers, trusted)
    }

    #[test]
    fn an_id_is_taken_from_trusted_proxies_only() {
        assert_eq!(chosen("abc-1", true), "abc-1");
        assert_ne!(chosen("abc-1", false), "abc-1");
    }

    #[test]
    fn a_malformed_id_is_replaced() {
        for given in ["", "a b", "a\"b", &"x".repeat(129)] {
            assert_eq!(chosen(given, true).len(), 32, "{given}");
        }
    }

    #[test]
    fn ids_differ() {
        assert_ne!(generate(), generate());
    }
}
