//! What the tables of a tree list, and where.

use std::collections::HashMap;
use std::fmt;
use std::io::BufReader;

use wharf_apt::{Component, Distribution, Foreign, ForeignFile, ForeignRelease, Table};

use super::super::Import;
use super::super::checked::{Claim, check_now};
use super::super::folder::{Folder, below};
use super::super::stop::One;
use super::claim;

/// Most bytes of a Release.
const LARGEST_RELEASE: u64 = 64 << 20;
/// Folders of a distribution's name.
const DEEPEST: usize = 4;
/// How tables are packed, the dearest to read last. bzip2 is there to say that it is not read.
const ENDINGS: [&str; 5] = ["", ".gz", ".xz", ".zst", ".bz2"];

/// A distribution and component.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) distribution: String,
    pub(super) component: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.distribution, self.component)
    }
}

/// A package or source, and all its places.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) foreign: Foreign,
    pub(super) places: Vec<Place>,
}

impl Item {
    pub(super) fn is_source(&self) -> bool {
        self.foreign.architecture == "source"
    }

    /// The package, or the .dsc of a source.
    pub(super) fn file(&self) -> &ForeignFile {
        &self.foreign.files[self.foreign.files.len() - 1]
    }

    /// What a .dsc names.
    pub(super) fn others(&self) -> &[ForeignFile] {
        &self.foreign.files[..self.foreign.files.len() - 1]
    }

    pub(super) fn named(&self) -> &str {
        &self.file().path
    }

    /// In which table of a component it is.
    pub(super) fn table(&self) -> String {
        let Foreign { architecture, file, .. } = &self.foreign;
        match () {
            () if self.is_source() => "source/Sources".to_owned(),
            () if file.ends_with(".udeb") => format!("debian-installer/binary-{architecture}/Packages"),
            () => format!("binary-{architecture}/Packages"),
        }
    }
}

/// All that a tree lists.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) items: Vec<Item>,
    /// What the Release of each distribution says, as settings.
    pub(super) settings: Vec<(String, String)>,
    known: HashMap<(String, Claim), usize>,
}

/// Whether a folder is a tree without `dists`: its table lies beside the packages.
pub(in super::super) fn is_flat(folder: &Folder) -> bool {
    ["Packages", "Sources"].into_iter().any(|table| packed(folder, table).is_some())
}

/// Reads a whole tree.
pub(super) fn read(import: &Import<'_>, (distribution, component): (&str, &str)) -> Tree {
    let mut reader = Reader { import, tree: Tree::default() };
    if import.folder.is_folder("dists") {
        reader.walk("", 0);
    } else {
        let place = Place { distribution: distribution.to_owned(), component: component.to_owned() };
        for table in ["Packages", "Sources"] {
            reader.table("", table, &place, None);
        }
    }
    reader.tree
}

/// A table in whichever form it is there.
fn packed(folder: &Folder, table: &str) -> Option<String> {
    ENDINGS.into_iter().map(|ending| format!("{table}{ending}")).find(|path| folder.has(path))
}

struct Reader<'a> {
    import: &'a Import<'a>,
    tree: Tree,
}

impl Reader<'_> {
    /// Reads the distributions in a folder below `dists`, and the one that it is itself. What cannot be read is noted.
    fn walk(&mut self, distribution: &str, depth: usize) {
        let folder = &self.import.folder;
        let here = below("dists", distribution).trim_end_matches('/').to_owned();
        let (mut components, mut others) = (Vec::new(), Vec::new());
        for name in folder.names(&here) {
            let inside = folder.names(&format!("{here}/{name}"));
            let is_table =
                |name: &String| name.starts_with("binary-") || name == "source" || name == "debian-installer";
            if inside.iter().any(is_table) { &mut components } else { &mut others }.push((name, inside));
        }
        if !components.is_empty() {
            self.distribution(distribution, &here, components);
        }
        for (name, inside) in others {
            if depth < DEEPEST && !inside.is_empty() {
                self.walk(&below(distribution, &name), depth + 1);
            }
        }
    }

    fn distribution(&mut self, distribution: &str, here: &str, components: Vec<(String, Vec<String>)>) {
        if let Err(error) = distribution.parse::<Distribution>() {
            return self.import.tally.failed(here, &One::new(error));
        }
        let release = match self.release(here) {
            Ok(release) => release,
            Err((path, why)) => return self.import.tally.failed(&path, &why),
        };
        if let Some(release) = &release {
            self.tree.settings.push((distribution.to_owned(), release.settings()));
        }
        for (component, inside) in components {
            if let Err(error) = component.parse::<Component>() {
                self.import.tally.failed(&format!("{here}/{component}"), &One::new(error));
                continue;
            }
            let installer = self.import.folder.names(&format!("{here}/{component}/debian-installer"));
            let installer = installer.into_iter().map(|name| format!("debian-installer/{name}"));
            let place = Place { distribution: distribution.to_owned(), component: component.clone() };
            for name in inside.into_iter().chain(installer) {
                let table = match name.rsplit('/').next() {
                    Some("source") => "Sources",
                    Some(name) if name.starts_with("binary-") => "Packages",
                    _ => continue,
                };
                self.table(here, &format!("{component}/{name}/{table}"), &place, release.as_ref());
            }
        }
    }

    /// What a distribution says of itself; nothing if nobody has made a Release.
    fn release(&self, here: &str) -> Result<Option<ForeignRelease>, (String, One)> {
        for name in ["InRelease", "Release"] {
            let path = format!("{here}/{name}");
            if !self.import.folder.has(&path) {
                continue;
            }
            let content = self.import.folder.read(&path, LARGEST_RELEASE);
            let read = content.and_then(|content| ForeignRelease::read(&content).map_err(One::new));
            return read.map(Some).map_err(|why| (path, why));
        }
        Ok(None)
    }

    /// Reads a table, which must be what Release says of it.
    fn table(&mut self, here: &str, table: &str, place: &Place, release: Option<&ForeignRelease>) {
        let folder = &self.import.folder;
        let Some(path) = packed(folder, &below(here, table)) else { return };
        let name = path.strip_prefix(here).unwrap_or(&path).trim_start_matches('/').to_owned();
        if let Some(release) = release.filter(|release| !release.files.is_empty()) {
            let Some(said) = release.files.iter().find(|file| file.path == name) else {
                self.import.tally.passed_over(&path, "Release does not name it, so no client reads it");
                return;
            };
            if let Err(why) = check_now(folder, &path, &claim(said)) {
                return self.import.tally.failed(&path, &why);
            }
        }
        if let Err(why) = self.entries(&path, place) {
            self.import.tally.failed(&path, &why);
        }
    }

    fn entries(&mut self, path: &str, place: &Place) -> Result<(), One> {
        let reader = self.import.folder.unpacked(path)?;
        for (number, entry) in Table::new(BufReader::with_capacity(256 * 1024, reader)).enumerate() {
            match entry.map_err(|error| One::new(format!("it cannot be read: {error}")))? {
                Ok(foreign) => self.tree.add(foreign, place),
                Err(why) => self.import.tally.failed(&format!("{path}, entry {}", number + 1), &One::new(why)),
            }
        }
        Ok(())
    }
}

impl Tree {
    fn add(&mut self, foreign: Foreign, place: &Place) {
        let file = &foreign.files[foreign.files.len() - 1];
        let key = (file.path.clone(), claim(file));
        if let Some(known) = self.known.get(&key) {
            let places = &mut self.items[*known].places;
            if !places.contains(place) {
                places.push(place.clone());
            }
            return;
        }
        self.known.insert(key, self.items.len());
        self.items.push(Item { foreign, places: vec![place.clone()] });
    }
}
