//! Paging by key: `n` and `last`, continued by a `Link` header (distribution-spec, "Listing Tags").

use crate::path::query_pairs;

/// What a list request asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Entries wanted; `None` leaves it to the server.
    pub limit: Option<usize>,
    /// Only entries strictly after this key.
    pub last: Option<String>,
}

/// `n` is not a number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("n={0:?} is not a number of entries")]
pub struct InvalidPage(pub String);

impl Page {
    /// Reads `n` and `last` of a query string.
    ///
    /// # Errors
    /// [`InvalidPage`].
    pub fn from_query(query: Option<&str>) -> Result<Self, InvalidPage> {
        let mut page = Self::default();
        for (key, value) in query_pairs(query) {
            match key.as_ref() {
                "n" => page.limit = Some(value.parse().map_err(|_| InvalidPage(value.chars().take(40).collect()))?),
                "last" => page.last = Some(value.into_owned()),
                _ => {}
            }
        }
        Ok(page)
    }

    /// The `Link` header to the page after `last`, on `path`, keeping the `extra` parameters.
    pub fn link(path: &str, limit: usize, last: &str, extra: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("n", &limit.to_string()).append_pair("last", last);
        for (key, value) in extra {
            query.append_pair(key, value);
        }
        format!("<{path}?{}>; rel=\"next\"", query.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_the_page_it_names() {
        let link = Page::link("/v2/a/tags/list", 2, "v1+x", &[("artifactType", "a/b")]);
        assert_eq!(link, "</v2/a/tags/list?n=2&last=v1%2Bx&artifactType=a%2Fb>; rel=\"next\"");
        let query = link.split(['?', '>']).nth(1);
        assert_eq!(Page::from_query(query).unwrap(), Page { limit: Some(2), last: Some("v1+x".into()) });
    }

    #[test]
    fn a_negative_page_is_refused() {
        assert!(Page::from_query(Some("n=-1")).is_err());
    }
}
