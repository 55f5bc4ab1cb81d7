//! A request to the API before it is sent.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;

/// A request to the API.
#[derive(Debug, Default)]
pub(crate) struct Call<'a> {
    pub(super) operation: &'a str,
    places: Vec<(&'a str, String)>,
    pub(super) query: Vec<(&'a str, String)>,
    pub(super) body: Option<Content>,
}

/// What a request carries.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Json(Value),
    Text(String),
}

/// What cannot stand in a segment of a path. A colon of a digest can.
const SEGMENT: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'/').add(b'<').add(b'>').add(b'?').add(b'\\');
/// The same for a repository's name, which keeps its slashes.
const NAME: &AsciiSet = &SEGMENT.remove(b'/');

impl<'a> Call<'a> {
    /// A request for this operation.
    pub(crate) fn new(operation: &'a str) -> Self {
        Self { operation, ..Self::default() }
    }

    /// What stands in a place of the path.
    #[must_use]
    pub(crate) fn at(mut self, place: &'a str, value: impl ToString) -> Self {
        self.places.push((place, value.to_string()));
        self
    }

    /// A parameter of the query, if there is a value for it.
    #[must_use]
    pub(crate) fn with(mut self, name: &'a str, value: Option<impl ToString>) -> Self {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }

    /// A JSON body. Fields that are null are left out: to the server that is the same.
    #[must_use]
    pub(crate) fn body(mut self, mut body: Value) -> Self {
        if let Value::Object(fields) = &mut body {
            fields.retain(|_, value| !value.is_null());
        }
        self.body = Some(Content::Json(body));
        self
    }

    /// A plain text as the body.
    #[must_use]
    pub(crate) fn text(mut self, text: String) -> Self {
        self.body = Some(Content::Text(text));
        self
    }

    /// The path of the route with its places filled.
    pub(super) fn path(&self, template: &str) -> String {
        let filled = template.split('/').map(|segment| {
            let place = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            let Some(name) = place else { return segment.to_owned() };
            let (name, set) = name.strip_suffix('+').map_or((name, SEGMENT), |name| (name, NAME));
            let value = self.places.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value);
            utf8_percent_encode(value, set).to_string()
        });
        filled.collect::<Vec<_>>().join("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_and_encoded() {
        let call = Call::new("x").at("format", "oci").at("repository", "team/app").at("tag", "a b/c");
        let path = call.path("/api/v1/repositories/{format}/{repository+}/-/tags/{tag}");
        assert_eq!(path, "/api/v1/repositories/oci/team/app/-/tags/a%20b%2Fc");
    }
}
