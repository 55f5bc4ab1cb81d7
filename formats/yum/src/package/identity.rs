//! Name, epoch, version, release and architecture, and where that lies in a repository.

use rpm::{IndexTag, PackageMetadata};
use wharf_core::InspectError;

use super::{optional, refused};

/// Most bytes of a name, a version, a release.
const LONGEST: usize = 128;

/// What makes a package that one and no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) name: String,
    pub(crate) epoch: u32,
    pub(crate) version: String,
    pub(crate) release: String,
    /// As metadata say it: `src` for every source package.
    pub(crate) arch: String,
    /// Of a source package whose sources are not all in it.
    nosrc: bool,
}

impl Identity {
    pub(super) fn read(metadata: &PackageMetadata) -> Result<Self, InspectError> {
        let header = &metadata.header;
        let has = |tag: IndexTag| header.entry_is_present(tag);
        let of = |what: &str, tag: IndexTag, also: &str| {
            let text = optional(header.get_entry_data_as_string(tag))?.unwrap_or_default();
            if part(text, also) {
                Ok(text.to_owned())
            } else {
                Err(refused(format!(
                    "its {what} is {:?}: it must be letters, digits and some of {also:?}",
                    text.chars().take(LONGEST).collect::<String>()
                )))
            }
        };
        let source = metadata.is_source_package();
        Ok(Self {
            name: of("name", IndexTag::RPMTAG_NAME, "-._+")?,
            epoch: optional(header.get_entry_data_as_u32(IndexTag::RPMTAG_EPOCH))?.unwrap_or_default(),
            version: of("version", IndexTag::RPMTAG_VERSION, "._+~^")?,
            release: of("release", IndexTag::RPMTAG_RELEASE, "._+~^")?,
            arch: if source { "src".to_owned() } else { of("architecture", IndexTag::RPMTAG_ARCH, "_")? },
            nosrc: source && (has(IndexTag::RPMTAG_NOSOURCE) || has(IndexTag::RPMTAG_NOPATCH)),
        })
    }

    /// Epoch (unless it is 0), version and release.
    pub(crate) fn evr(&self) -> String {
        let Self { epoch, version, release, .. } = self;
        if *epoch == 0 { format!("{version}-{release}") } else { format!("{epoch}:{version}-{release}") }
    }

    /// Where it lies: one path for one identity. File names have no epoch, so another one than 0 is a folder.
    pub(crate) fn path(&self) -> String {
        let Self { name, epoch, version, release, arch, nosrc } = self;
        let arch = if *nosrc { "nosrc" } else { arch };
        let epoch = if *epoch == 0 { String::new() } else { format!("epoch-{epoch}/") };
        format!("{}/{epoch}{name}-{version}-{release}.{arch}.rpm", folder(name))
    }
}

/// Where packages of this name lie.
fn folder(name: &str) -> String {
    let first = name.chars().next().map(|c| c.to_ascii_lowercase()).unwrap_or('_');
    format!("Packages/{first}")
}

/// Where a file of this name lies if its epoch is 0: for clients who know what they have uploaded, and not what became of it.
pub(crate) fn place_of(file_name: &str) -> Option<String> {
    let stem = file_name.strip_suffix(".rpm")?;
    let (name, _) =
        stem.rsplit_once('.').and_then(|(nvr, _)| nvr.rsplit_once('-')).and_then(|(nv, _)| nv.rsplit_once('-'))?;
    part(name, "-._+").then(|| format!("{}/{file_name}", folder(name)))
}

/// Where a package lies that is named by its parts; the version begins with an epoch if it has one, as `3:` or `3-`.
pub fn path_of(name: &str, version: &str, arch: &str) -> Option<String> {
    let (epoch, version) = match version.split_once(':') {
        Some((epoch, version)) => (epoch, version),
        None if version.matches('-').count() == 2 => version.split_once('-')?,
        None => ("0", version),
    };
    let (version, release) = version.split_once('-')?;
    let parts = [(name, "-._+"), (version, "._+~^"), (release, "._+~^"), (arch, "_")];
    let [name, version, release, arch] = [name, version, release, arch].map(str::to_owned);
    let fits = parts.into_iter().all(|(text, also)| part(text, also));
    let epoch = epoch.parse().ok().filter(|_| fits)?;
    Some(Identity { name, epoch, version, release, arch, nosrc: false }.path())
}

/// Whether a text can be a part of a file name and of a URL.
fn part(text: &str, also: &str) -> bool {
    text.len() <= LONGEST
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, epoch: u32, version: &str) -> Identity {
        let (version, release) = version.split_once('-').unwrap();
        Identity {
            name: name.to_owned(),
            epoch,
            version: version.to_owned(),
            release: release.to_owned(),
            arch: "x86_64".to_owned(),
            nosrc: false,
        }
    }

    #[test]
    fn one_identity_has_one_path() {
        assert_eq!(of("Foo-bar", 0, "1.0~rc1-2^git").path(), "Packages/f/Foo-bar-1.0~rc1-2^git.x86_64.rpm");
        assert_eq!(of("foo", 3, "1-2").path(), "Packages/f/epoch-3/foo-1-2.x86_64.rpm");
        assert_eq!((of("foo", 3, "1-2").evr(), of("foo", 0, "1-2").evr()), ("3:1-2".into(), "1-2".into()));
    }

    #[test]
    fn a_file_name_says_where_the_file_lies() {
        let name = "Foo-bar-1.0~rc1-2^git.x86_64.rpm";
        assert_eq!(place_of(name), Some(of("Foo-bar", 0, "1.0~rc1-2^git").path()));
        assert_eq!(path_of("foo", "3:1-2", "x86_64"), Some(of("foo", 3, "1-2").path()));
        assert_eq!(path_of("foo", "3-1-2", "x86_64"), Some(of("foo", 3, "1-2").path()));
        assert_eq!(path_of("foo", "1-2", "x86_64"), Some(of("foo", 0, "1-2").path()));
        assert_eq!(path_of("foo", "1", "x86_64"), None);
        for name in ["foo.rpm", "foo-1.x86_64.rpm", "-1-2.noarch.rpm", "foo-1-2.x86_64.deb", "a/b-1-2.x.rpm"] {
            assert_eq!(place_of(name), None, "{name}");
        }
    }
}
