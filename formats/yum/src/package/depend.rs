//! What a package provides, needs and gets along with, as metadata say it: not every need of a header is told to clients.

use std::collections::{HashMap, HashSet};

use rpm::{Dependency, DependencyFlags, PackageMetadata};
use wharf_core::InspectError;

use super::files::{File, is_primary};
use super::unreadable;

/// One line of a list of dependencies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) relation: Option<Relation>,
    /// Whether it must be there before the package is installed.
    pub(super) pre: bool,
}

/// `>= 1:2.0-3`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Relation {
    pub(super) flags: &'static str,
    pub(super) epoch: String,
    pub(super) version: String,
    pub(super) release: String,
}

/// All lists of a header.
#[derive(Debug, Default)]
pub(super) struct Depends {
    pub(super) provides: Vec<Entry>,
    requires: Vec<Entry>,
    pub(super) conflicts: Vec<Entry>,
    pub(super) obsoletes: Vec<Entry>,
    pub(super) suggests: Vec<Entry>,
    pub(super) enhances: Vec<Entry>,
    pub(super) recommends: Vec<Entry>,
    pub(super) supplements: Vec<Entry>,
}

pub(super) fn all(metadata: &PackageMetadata) -> Result<Depends, InspectError> {
    let read = |found: Result<Vec<Dependency>, rpm::Error>| -> Result<Vec<Entry>, InspectError> {
        Ok(found.map_err(unreadable)?.iter().map(Entry::from).collect())
    };
    Ok(Depends {
        provides: read(metadata.get_provides())?,
        requires: read(metadata.get_requires())?,
        conflicts: read(metadata.get_conflicts())?,
        obsoletes: read(metadata.get_obsoletes())?,
        suggests: read(metadata.get_suggests())?,
        enhances: read(metadata.get_enhances())?,
        recommends: read(metadata.get_recommends())?,
        supplements: read(metadata.get_supplements())?,
    })
}

impl From<&Dependency> for Entry {
    fn from(dependency: &Dependency) -> Self {
        let Dependency { name, flags, version } = dependency;
        let early = DependencyFlags::PREREQ | DependencyFlags::SCRIPT_PRE | DependencyFlags::SCRIPT_POST;
        Self { name: name.clone(), relation: Relation::read(*flags, version), pre: flags.intersects(early) }
    }
}

impl Relation {
    fn read(flags: DependencyFlags, text: &str) -> Option<Self> {
        let flags = match flags.comparator_str() {
            "<" => "LT",
            "<=" => "LE",
            "=" => "EQ",
            ">=" => "GE",
            ">" => "GT",
            _ => return None,
        };
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) if epoch.bytes().all(|b| b.is_ascii_digit()) => (epoch, rest),
            Some((_, rest)) => ("", rest),
            None => ("", text),
        };
        let epoch = if epoch.is_empty() && !rest.is_empty() { "0" } else { epoch };
        let (version, release) = rest.split_once('-').unwrap_or((rest, ""));
        let [epoch, version, release] = [epoch, version, release].map(str::to_owned);
        Some(Self { flags, epoch, version, release })
    }
}

/// What clients are told that it needs: not what rpm itself must be able to do, nor what the package provides in the same words, nor
/// anything twice; and of the many symbol versions of the C library only the newest, which implies the others.
pub(super) fn needed(depends: &Depends, files: &[File<'_>]) -> Vec<Entry> {
    let own: HashSet<String> = files.iter().map(File::path).filter(|path| is_primary(path)).collect();
    let provided: HashSet<_> = depends.provides.iter().map(|entry| (entry.name.as_str(), &entry.relation)).collect();
    let mut told: HashMap<&str, &Entry> = HashMap::new();
    let mut needed = Vec::new();
    let mut libc: Option<&Entry> = None;
    for entry in &depends.requires {
        let name = entry.name.as_str();
        if name.starts_with("rpmlib(") || own.contains(name) || provided.contains(&(name, &entry.relation)) {
            continue;
        }
        if told.get(name).is_some_and(|known| *known == entry) {
            continue;
        }
        if name.starts_with("libc.so.6") {
            if libc.is_none_or(|known| is_newer(&entry.name, &known.name)) {
                libc = Some(entry);
            }
            continue;
        }
        told.insert(name, entry);
        needed.push(entry.clone());
    }
    needed.extend(libc.cloned());
    needed
}

/// Whether the first of two needs of the C library is of a newer symbol version: `libc.so.6(GLIBC_2.34)(64bit)`.
fn is_newer(name: &str, than: &str) -> bool {
    symbols(name) > symbols(than)
}

fn symbols(name: &str) -> Vec<u32> {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("", |(inner, _)| inner);
    inner.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(flags: DependencyFlags, text: &str) -> Option<(&'static str, String, String, String)> {
        Relation::read(flags, text).map(|Relation { flags, epoch, version, release }| (flags, epoch, version, release))
    }

    #[test]
    fn a_version_is_taken_apart() {
        let told = |flags, e: &str, v: &str, r: &str| Some((flags, e.to_owned(), v.to_owned(), r.to_owned()));
        assert_eq!(relation(DependencyFlags::GE, "1:2.0~rc1-3.el9"), told("GE", "1", "2.0~rc1", "3.el9"));
        assert_eq!(relation(DependencyFlags::LESS, "2"), told("LT", "0", "2", ""));
        assert_eq!(relation(DependencyFlags::EQUAL, ""), told("EQ", "", "", ""));
        assert_eq!(relation(DependencyFlags::ANY, "2"), None);
        assert_eq!(relation(DependencyFlags::EQUAL | DependencyFlags::SCRIPT_POST, "2"), told("EQ", "0", "2", ""));
    }

    fn needs(names: &[&str]) -> Vec<String> {
        let entry = |text: &&str| {
            let (name, version) = text.split_once(" = ").unwrap_or((text, ""));
            let flags = if version.is_empty() { DependencyFlags::ANY } else { DependencyFlags::EQUAL };
            Entry { name: name.to_owned(), relation: Relation::read(flags, version), pre: false }
        };
        let depends = Depends {
            provides: ["self", "virtual = 2"].iter().map(entry).collect(),
            requires: names.iter().map(entry).collect(),
            ..Depends::default()
        };
        let files = [("/usr/bin/", "own"), ("/usr/lib/", "private")];
        let files: Vec<File<'_>> = files.iter().map(|(folder, name)| File::plain(folder, name)).collect();
        needed(&depends, &files).into_iter().map(|entry| entry.name).collect()
    }

    #[test]
    fn what_a_package_brings_along_or_rpm_can_do_is_not_told() {
        let names = ["rpmlib(PayloadIsZstd)", "self", "/usr/bin/own", "/usr/lib/private", "other", "other"];
        assert_eq!(needs(&names), ["/usr/lib/private", "other"]);
        assert_eq!(needs(&["virtual = 2", "virtual", "virtual = 1"]), ["virtual", "virtual"]);
    }

    #[test]
    fn of_the_c_library_the_newest_symbols_are_told() {
        let libc = |version: &str| format!("libc.so.6({version})(64bit)");
        let names = [libc("GLIBC_2.9"), libc("GLIBC_2.34"), "z".to_owned(), libc(""), libc("GLIBC_2.17")];
        assert_eq!(needs(&names.each_ref().map(String::as_str)), ["z", &libc("GLIBC_2.34")]);
    }
}
