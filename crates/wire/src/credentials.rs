//! The `Authorization` header (RFC 7617, RFC 6750).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use wharf_auth::Presented;

/// What a request presents.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials<'h> {
    /// No header.
    Nothing,
    /// A name and a secret.
    Basic(String, String),
    /// A token.
    Bearer(&'h str),
}

/// The header is there and is not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the Authorization header is neither Basic nor Bearer, or malformed")]
pub struct InvalidCredentials;

impl<'h> Credentials<'h> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`InvalidCredentials`] if it is there and not understood: that must not pass as anonymous.
    pub fn from_headers(headers: &'h HeaderMap) -> Result<Self, InvalidCredentials> {
        let Some(value) = headers.get(AUTHORIZATION) else { return Ok(Self::Nothing) };
        let value = value.to_str().map_err(|_| InvalidCredentials)?;
        let (scheme, rest) = value.trim().split_once(' ').ok_or(InvalidCredentials)?;
        if scheme.eq_ignore_ascii_case("basic") {
            let decoded = STANDARD.decode(rest.trim()).map_err(|_| InvalidCredentials)?;
            let text = String::from_utf8(decoded).map_err(|_| InvalidCredentials)?;
            let (user, password) = text.split_once(':').ok_or(InvalidCredentials)?;
            // Some clients send an empty pair when they have nothing.
            if user.is_empty() && password.is_empty() {
                return Ok(Self::Nothing);
            }
            return Ok(Self::Basic(user.to_owned(), password.to_owned()));
        }
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok(Self::Bearer(rest.trim()));
        }
        Err(InvalidCredentials)
    }

    /// As `auth` takes them.
    pub fn presented(&self) -> Presented<'_> {
        match self {
            Self::Nothing => Presented::Nothing,
            Self::Basic(user, password) => Presented::Basic { user, password },
            Self::Bearer(token) => Presented::Bearer(token),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn a_password_may_contain_colons() {
        let expected = Credentials::Basic("me".into(), "a:b".into());
        let headers = with(&format!("basic {}", STANDARD.encode("me:a:b")));
        assert!(Credentials::from_headers(&headers) == Ok(expected));
    }

    #[test]
    fn a_malformed_header_is_not_anonymous() {
        for value in ["Basic", "Basic !!!", "Digest x", "Bearer", &format!("Basic {}", STANDARD.encode("nocolon"))] {
            assert!(Credentials::from_headers(&with(value)) == Err(InvalidCredentials), "{value}");
        }
    }
}
