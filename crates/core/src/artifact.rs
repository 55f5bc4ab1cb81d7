//! Packages that are OCI artifacts too: one thing, two doors.
//!
//! A format may say which form its packages have as artifacts. Its repository `a/b` and the repositories `a/b/<name>` of the other
//! format then hold the same: the package `<name>` is an artifact of that name, its version is a tag.
//!
//! What comes as a package gets manifest and tag in the transaction of its row, and loses them in the transaction that removes it
//! (`twin.rs`). What happens to tags, by whatever way, leaves an order in its transaction; `reflect.rs` carries it out by looking
//! where the tag points now, so it may run late and twice.
//!
//! A repository that lists packages may go, and its artifacts stay: what lists them has no say over who pulls them. One that is made anew
//! lists what lies there already.

mod reflect;
mod twin;

use std::collections::BTreeMap;
use std::sync::Arc;

use wharf_types::{FormatName, RepoName, Tag};

pub(crate) use reflect::{
    Order, REFLECT, artifacts_of, ask_to_reflect, ask_to_reflect_below, reflect_manifest, reflect_move,
};
pub(crate) use twin::{Companion, Twin, attach, let_packages_go, put_twin, remove_twin};

use crate::{Format, InspectError};

/// The form that packages of a format have as OCI artifacts.
pub trait ArtifactForm: Send + Sync {
    /// The format whose repositories hold the artifacts.
    fn format(&self) -> FormatName;

    /// The media type of the configuration, by which such artifacts are known.
    fn config_type(&self) -> &'static str;

    /// The media type of the layer that is the package.
    fn content_type(&self) -> &'static str;

    /// The media type of a layer that goes with it, and the [`section`](crate::Arrival::section) as which that arrives.
    fn companion(&self) -> (&'static str, &'static str);

    /// Name and tag of a package; `None` for one that cannot be an artifact.
    fn address(&self, name: &str, version: &str) -> Option<(String, Tag)>;

    /// The path of the package that an artifact of this name and tag is; `None` for what is none.
    fn path(&self, name: &str, tag: &Tag) -> Option<String>;

    /// The configuration and the annotations of the manifest, out of what indexes say of the package. Always the same of the same
    /// package.
    ///
    /// # Errors
    /// Fragments that do not say it.
    fn describe(&self, fragments: &BTreeMap<String, Vec<u8>>) -> Result<Description, InspectError>;
}

/// What a manifest says of a package beside its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Description {
    /// The configuration.
    pub config: Vec<u8>,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
}

/// A form and the format whose packages have it.
#[derive(Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) by: FormatName,
    pub(crate) form: &'static dyn ArtifactForm,
}

/// The forms of all formats of the server.
#[derive(Clone, Default)]
pub(crate) struct Doors(Arc<[Shown]>);

impl std::fmt::Debug for Doors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|shown| shown.by)).finish()
    }
}

impl Doors {
    pub(crate) fn of(formats: &[Arc<dyn Format>]) -> Self {
        let shown = formats.iter().filter_map(|format| Some(Shown { by: format.name(), form: format.artifacts()? }));
        Self(shown.collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Who shows artifacts of this type.
    pub(crate) fn of_type(&self, artifact_type: &str) -> Option<Shown> {
        self.0.iter().copied().find(|shown| shown.form.config_type() == artifact_type)
    }

    /// The form of this format's packages.
    pub(crate) fn shown_by(&self, format: &str) -> Option<Shown> {
        self.0.iter().copied().find(|shown| shown.by.as_str() == format)
    }

    /// Who may show artifacts of this format's repositories.
    pub(crate) fn of_format(&self, format: FormatName) -> impl Iterator<Item = Shown> {
        self.0.iter().copied().filter(move |shown| shown.form.format() == format)
    }
}

/// The repository that shows an artifact's, and the artifact's name: `a/b/c` is `c` in `a/b`. A project alone is no repository.
pub(crate) fn view_of(artifact: &RepoName) -> Option<(RepoName, String)> {
    let full = artifact.full();
    let (view, name) = full.rsplit_once('/')?;
    view.contains('/').then(|| Some((view.parse().ok()?, name.to_owned())))?
}

/// The artifact's repository of a package of this name.
pub(crate) fn artifact_of(view: &RepoName, name: &str) -> Option<RepoName> {
    format!("{}/{name}", view.full()).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_what_its_artifacts_lie_in() {
        let view = |text: &str| view_of(&text.parse().unwrap()).map(|(view, name)| (view.to_string(), name));
        assert_eq!(view("team/charts/a"), Some(("team/charts".to_owned(), "a".to_owned())));
        assert_eq!(view("team/x/y/a"), Some(("team/x/y".to_owned(), "a".to_owned())));
        assert_eq!(view("team/a"), None);
        assert_eq!(view("a"), None);
        let charts: RepoName = "team/charts".parse().unwrap();
        assert_eq!(artifact_of(&charts, "a").unwrap().to_string(), "team/charts/a");
        assert_eq!(artifact_of(&charts, "A"), None);
    }
}
