//! Matrix parameters, as Artifactory's uploads have them: `x.deb;deb.distribution=bookworm,trixie;deb.component=main`.

use wharf_wire::decode_segment;

use crate::Error;

/// The parameters of the last segment of a path, in order.
#[derive(Debug, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// The path without its parameters, and these.
    pub(super) fn split(path: &str) -> Result<(&str, Self), Error> {
        let Some((path, rest)) = path.split_once(';') else { return Ok((path, Self::default())) };
        if rest.contains('/') {
            return Err(Error::BadPath);
        }
        let mut parameters = Vec::new();
        for pair in rest.split(';').filter(|pair| !pair.is_empty()) {
            let (key, values) = pair.split_once('=').ok_or(Error::BadPath)?;
            let key = decode_segment(key).ok_or(Error::BadPath)?;
            for value in values.split(',').filter(|value| !value.is_empty()) {
                let value = decode_segment(value).ok_or(Error::BadPath)?;
                parameters.push((key.clone().into_owned(), value.into_owned()));
            }
        }
        Ok((path, Self(parameters)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values of a key.
    pub(super) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == key).map(|(_, value)| value.as_str())
    }
}
