//! `comps.xml`: groups of packages, environments, categories. Files of several uploaders are one for clients.

use wharf_core::InspectError;

use super::{Said, xml};

/// A whole file; what is in its root goes into the one that clients read.
pub(super) fn read(text: &str, name: &str) -> Result<Said, InspectError> {
    let inner = xml::children(text, "comps", None)?;
    let fragment = inner.iter().map(|element| format!("  {element}\n")).collect();
    Ok(Said { id: name.to_owned(), version: "1".to_owned(), fragment })
}
