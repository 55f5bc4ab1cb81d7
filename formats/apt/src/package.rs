//! What a file is that comes in, as the request says it, and what it says of itself.

use std::collections::BTreeMap;
use std::io::Read;

use serde::{Deserialize, Serialize};
use wharf_core::{Arrival, Contents, InspectError};

use crate::name::{self, Component};
use crate::sums::{Hashed, Sums};
use crate::{deb, source};

/// Name and architecture of what waits for its .changes, and the folder it waits in.
pub(crate) const WAITING: &str = "incoming";

pub(crate) fn refused(why: impl Into<String>) -> InspectError {
    InspectError(why.into())
}

/// What kind of file comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Brings {
    /// A .deb or .udeb.
    Binary,
    /// A .dsc, whose files are known to be there.
    Source,
    /// A file that a .dsc will name.
    SourceFile,
    /// A file that waits for its .changes, in a folder of its uploader's.
    Waiting(String),
}

/// What a request says of a file beside its bytes. It travels as [`Arrival::section`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ask {
    pub(crate) brings: Brings,
    pub(crate) component: Component,
    /// What it may be built for; empty is anything.
    #[serde(default)]
    pub(crate) architectures: Vec<String>,
    /// Whether the same name, version and architecture may come with other bytes: then paths differ by content.
    #[serde(default)]
    pub(crate) by_content: bool,
    #[serde(default)]
    pub(crate) file_name: String,
}

impl Ask {
    pub(crate) fn new(brings: Brings, component: Component) -> Self {
        Self { brings, component, architectures: Vec::new(), by_content: false, file_name: String::new() }
    }

    pub(crate) fn into_arrival(self, channel: &str) -> Arrival {
        // Strings and lists of them are always JSON.
        let section = serde_json::to_string(&self).unwrap_or_default();
        let (channel, file_name) = (channel.to_owned(), Some(self.file_name));
        Arrival { channel, section, file_name, replaces: false }
    }

    pub(crate) fn read(arrival: &Arrival) -> Result<Self, InspectError> {
        serde_json::from_str(&arrival.section).map_err(|_| refused("nothing says into which component it goes"))
    }

    pub(crate) fn file_name_ends_with(&self, ending: &str) -> bool {
        self.file_name.ends_with(ending)
    }

    /// Whether it is built for what the request says.
    pub(crate) fn agrees_with(&self, package: &str, version: &str, architecture: &str) -> Result<(), InspectError> {
        let wanted = &self.architectures;
        if wanted.is_empty() || architecture == "all" || wanted.iter().any(|wanted| wanted == architecture) {
            return Ok(());
        }
        let wanted = wanted.join(", ");
        Err(refused(format!("{package} {version} is built for {architecture}, and the request says {wanted}")))
    }

    pub(crate) fn path(&self, source: &str, file: &str, sums: &Sums) -> String {
        let folder = name::pool_folder(source);
        if self.by_content { format!("{folder}/{}/{file}", &sums.sha512[..16]) } else { format!("{folder}/{file}") }
    }
}

/// Reads a file to its end.
pub(crate) fn inspect(file: &mut dyn Read, arrival: &Arrival) -> Result<Contents, InspectError> {
    let ask = Ask::read(arrival)?;
    match &ask.brings {
        Brings::Binary => deb::inspect(file, arrival),
        Brings::Source => source::inspect(file, arrival),
        Brings::SourceFile => {
            let (source, version) = source::of_file(&ask.file_name)?;
            unlisted(file, (source, version, "source"), &format!("{}/{}", name::pool_folder(source), ask.file_name))
        }
        Brings::Waiting(folder) => {
            source::check_file_name(&ask.file_name)?;
            unlisted(file, (WAITING, &ask.file_name, WAITING), &format!("{folder}/{}", ask.file_name))
        }
    }
}

/// A file that no index names.
fn unlisted(
    file: &mut dyn Read,
    (name, version, architecture): (&str, &str, &str),
    path: &str,
) -> Result<Contents, InspectError> {
    // Whoever reads less than all has not noticed that the rest is missing.
    Hashed::new(file).finish().map_err(|error| refused(format!("it cannot be read to its end: {error}")))?;
    Ok(Contents {
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: architecture.to_owned(),
        depends: Vec::new(),
        path: path.to_owned(),
        fragments: BTreeMap::new(),
        part: None,
        sorts_as: None,
        goes_with: None,
    })
}
