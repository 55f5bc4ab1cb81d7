//! `modules.yaml`: documents about modules, each for itself.

use serde::Deserialize;
use wharf_core::InspectError;

use super::Said;
use crate::package::refused;

/// What a document says of what it is about (modulemd specification, versions 1 to 3).
#[derive(Deserialize)]
struct Document {
    document: String,
    data: Data,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Data {
    name: Option<String>,
    module: Option<String>,
    stream: Option<String>,
    version: Option<u64>,
    modified: Option<u64>,
    context: Option<String>,
    arch: Option<String>,
}

/// The documents of a stream.
pub(super) fn documents(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for line in text.lines() {
        let marks =
            |mark: &str| line == mark || line.strip_prefix(mark).is_some_and(|rest| rest.starts_with([' ', '\t']));
        if marks("---") || marks("...") {
            documents.push(String::new());
            // What follows the mark on its line belongs to the document, unless it is a comment.
            let rest = line.strip_prefix("---").unwrap_or_default().trim();
            if rest.is_empty() || rest.starts_with('#') {
                continue;
            }
        }
        if let Some(document) = documents.last_mut() {
            document.push_str(line.trim_start_matches("--- "));
            document.push('\n');
        }
    }
    let says = |line: &str| !line.trim().is_empty() && !line.starts_with(['#', '%']);
    documents.retain(|document| document.lines().any(says));
    documents
}

/// One document.
pub(super) fn read(text: &str) -> Result<Said, InspectError> {
    let [document] = documents(text).try_into().map_err(|_| refused("it is not one YAML document"))?;
    let Document { document: kind, data } = serde_saphyr::from_str(&document)
        .map_err(|error| refused(format!("it is no document about modules: {error}")))?;
    if !kind.starts_with("modulemd") {
        return Err(refused(format!("it is a document of the kind {:?}", kind.chars().take(100).collect::<String>())));
    }
    let name = data.name.or(data.module).ok_or_else(|| refused("it does not name its module"))?;
    let version = data.version.or(data.modified).map(|number| number.to_string());
    let parts = [Some(kind), Some(name), data.stream, version.clone(), data.context, data.arch];
    let id = parts.into_iter().flatten().collect::<Vec<_>>().join(":");
    Ok(Said { id, version: version.unwrap_or_else(|| "1".to_owned()), fragment: format!("---\n{document}...\n") })
}
