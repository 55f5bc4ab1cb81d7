//! The index of one distribution: tables (Packages, Sources, Contents) put together from pieces that generations share, and the
//! Release that names them all. The order of packages in a table means nothing to its readers, so it is that of arrival, and a
//! table for an architecture is its own pieces followed by those of `all`.

mod release;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use wharf_core::encode::{Block, Encoding, stream_end, stream_header};
use wharf_core::{IndexError, IndexFile, ListPlan, Package, Piece, Publication, Reissue, Segment};

use crate::name::{Component, Kind, List};
use crate::settings::{InvalidSettings, Settings};

/// Kinds of fragments.
pub(crate) mod kind {
    /// The stanza of a binary package, with its checksums before it.
    pub(crate) const PACKAGES: &str = "packages";
    /// The files that a package installs.
    pub(crate) const CONTENTS: &str = "contents";
    /// The stanza of a source.
    pub(crate) const SOURCES: &str = "sources";
}

const TEXT: &str = "text/plain; charset=utf-8";
/// In which forms a table is there, beside the plain one.
const ENCODINGS: [Encoding; 3] = [Encoding::Gzip, Encoding::Xz, Encoding::Zstd];
/// The architecture of what runs on all.
const ALL: &str = "all";

/// Tables by their path, each with the lists whose pieces it is made of, one after the other.
#[derive(Debug, Default, PartialEq, Eq)]
struct Layout {
    tables: BTreeMap<String, Table>,
    components: BTreeSet<Component>,
    architectures: BTreeSet<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Table {
    lists: Vec<List>,
    kind: &'static str,
    /// Whether it is there although nothing is in it.
    always: bool,
}

impl Layout {
    /// What a distribution with these lists has: for each component the same architectures, so that no client is told of one that is
    /// missing in some component. What the settings name is there although nothing may be in it.
    fn of(lists: &[List], settings: &Settings) -> Self {
        let (components, architectures) = (settings.components.clone(), settings.architectures.clone());
        let mut layout = Self { components, architectures, ..Self::default() };
        let (mut installers, mut has_sources) = (BTreeSet::new(), false);
        for list in lists {
            layout.components.insert(list.component.clone());
            match &list.kind {
                Kind::Binary(architecture) => drop(layout.architectures.insert(architecture.clone())),
                Kind::Installer(architecture) => drop(installers.insert(architecture.clone())),
                Kind::Source => has_sources = true,
            }
        }
        for component in layout.components.clone() {
            for architecture in layout.architectures.clone() {
                layout.add_binary(&component, &architecture, Kind::Binary, "");
            }
            for architecture in &installers {
                layout.add_binary(&component, architecture, Kind::Installer, "udeb-");
            }
            if has_sources {
                let list = List { component, kind: Kind::Source };
                let table = Table { lists: vec![list.clone()], kind: kind::SOURCES, always: true };
                layout.tables.insert(format!("{list}/Sources"), table);
            }
        }
        layout.architectures.extend(installers);
        layout
    }

    fn add_binary(&mut self, component: &Component, architecture: &str, kind: fn(String) -> Kind, prefix: &str) {
        let list = |architecture: &str| List { component: component.clone(), kind: kind(architecture.to_owned()) };
        let mut lists = vec![list(architecture)];
        if architecture != ALL {
            lists.push(list(ALL));
        }
        let path = format!("{}/Packages", lists[0]);
        self.tables.insert(path, Table { lists: lists.clone(), kind: kind::PACKAGES, always: true });
        let path = format!("{component}/Contents-{prefix}{architecture}");
        self.tables.insert(path, Table { lists, kind: kind::CONTENTS, always: false });
    }
}

/// Puts the index together.
pub(crate) async fn publish(publication: &mut Publication, piece_bytes: usize) -> Result<(), IndexError> {
    publication.with_sha512();
    let lists: Result<Vec<List>, _> = publication.parts().await?.iter().map(|part| part.parse()).collect();
    let lists = lists.map_err(|error| IndexError::Format(error.to_string()))?;
    let settings = settings(publication).await?;
    let layout = Layout::of(&lists, &settings);
    let mut pieces: BTreeMap<(&List, &str), Vec<Piece>> = BTreeMap::new();
    for list in &lists {
        let kinds: &[&str] =
            if list.kind == Kind::Source { &[kind::SOURCES] } else { &[kind::PACKAGES, kind::CONTENTS] };
        for kind in kinds {
            pieces.insert((list, kind), list_pieces(publication, list, kind, piece_bytes).await?);
        }
    }
    let mut files = Vec::new();
    for (path, Table { lists, kind, always }) in &layout.tables {
        let parts = lists.iter().filter_map(|list| pieces.get(&(list, *kind))).flatten();
        let parts: Vec<&Piece> = parts.collect();
        if *always || !parts.is_empty() {
            add_table(publication, path, &parts, &mut files).await?;
        }
    }
    release::add(publication, &layout, &settings, &files).await
}

/// Says an earlier index anew.
pub(crate) async fn reissue(publication: &mut Publication, why: Reissue) -> Result<(), IndexError> {
    publication.with_sha512();
    let settings = settings(publication).await?;
    release::reissue(publication, why, settings.valid_for()).await
}

async fn settings(publication: &Publication) -> Result<Settings, IndexError> {
    let wrong = |error: InvalidSettings| IndexError::Format(error.to_string());
    let of_repository = Settings::kept(publication.settings("").await?.as_deref()).map_err(wrong)?;
    let own = Settings::kept(publication.settings(publication.channel()).await?.as_deref()).map_err(wrong)?;
    Ok(own.or(of_repository))
}

async fn list_pieces(
    publication: &mut Publication,
    list: &List,
    kind: &str,
    piece_bytes: usize,
) -> Result<Vec<Piece>, IndexError> {
    let part = list.to_string();
    let plan = ListPlan { part: &part, kind, piece_bytes, encodings: &ENCODINGS };
    let mut render = |package: &Package, fragment: &[u8], out: &mut Vec<u8>| match kind {
        kind::PACKAGES => stanza(package, fragment, out),
        kind::SOURCES => {
            out.extend_from_slice(fragment);
            out.push(b'\n');
            Ok(())
        }
        _ => {
            out.extend_from_slice(fragment);
            Ok(())
        }
    };
    publication.list(&plan, &mut render).await
}

/// The control file as it was, and what the index adds.
fn stanza(package: &Package, fragment: &[u8], out: &mut Vec<u8>) -> Result<(), IndexError> {
    let odd = || IndexError::Format(format!("{}: what was kept of the package is damaged", package.path));
    let text = std::str::from_utf8(fragment).map_err(|_| odd())?;
    let (sums, control) = text.split_once('\n').ok_or_else(odd)?;
    let [md5, sha1, sha512] = sums.split(' ').collect::<Vec<_>>()[..] else { return Err(odd()) };
    let Package { path, size, digest, .. } = package;
    out.extend_from_slice(control.as_bytes());
    let added = format!(
        "Filename: {path}\nSize: {size}\nMD5sum: {md5}\nSHA1: {sha1}\nSHA256: {}\nSHA512: {sha512}\n\n",
        digest.hex()
    );
    out.extend_from_slice(added.as_bytes());
    Ok(())
}

/// Adds a table in all its forms.
async fn add_table(
    publication: &mut Publication,
    path: &str,
    pieces: &[&Piece],
    files: &mut Vec<IndexFile>,
) -> Result<(), IndexError> {
    let mut file = publication.begin(path, TEXT).await?;
    for piece in pieces {
        file.take(&piece.raw).await?;
    }
    files.push(publication.finish(file).await?);
    for encoding in ENCODINGS {
        let path = format!("{path}.{}", encoding.extension());
        let mut file = publication.begin(&path, encoding.media_type()).await?;
        if encoding == Encoding::Xz {
            file.push(stream_header()).await?;
        }
        let mut blocks = Vec::new();
        for (segment, block) in pieces.iter().map(|piece| encoded(piece, encoding)).collect::<Result<Vec<_>, _>>()? {
            file.take(&segment).await?;
            blocks.extend(block);
        }
        if encoding == Encoding::Xz {
            file.push(stream_end(&blocks)).await?;
        } else if pieces.is_empty() {
            // A file of no member is no file of its kind.
            file.push(nothing(encoding)?).await?;
        }
        files.push(publication.finish(file).await?);
    }
    Ok(())
}

fn encoded(piece: &Piece, encoding: Encoding) -> Result<(Segment, Option<Block>), IndexError> {
    let form = piece.encoded(encoding);
    form.ok_or_else(|| IndexError::Format(format!("a piece is not there as .{}", encoding.extension())))
}

fn nothing(encoding: Encoding) -> Result<Bytes, IndexError> {
    let (bytes, _) = encoding.piece(b"").map_err(|error| IndexError::Format(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(lists: &[&str]) -> Layout {
        Layout::of(&lists.iter().map(|list| list.parse().unwrap()).collect::<Vec<_>>(), &Settings::default())
    }

    #[test]
    fn every_component_has_every_architecture_and_what_runs_on_all() {
        let layout = layout(&["contrib/binary-arm64", "main/binary-all", "main/binary-amd64", "main/source"]);
        let told: Vec<_> = layout
            .tables
            .iter()
            .filter(|(_, table)| table.kind != kind::CONTENTS)
            .map(|(path, table)| (path.as_str(), table.lists.len()))
            .collect();
        let expected = [
            ("contrib/binary-all/Packages", 1),
            ("contrib/binary-amd64/Packages", 2),
            ("contrib/binary-arm64/Packages", 2),
            ("contrib/source/Sources", 1),
            ("main/binary-all/Packages", 1),
            ("main/binary-amd64/Packages", 2),
            ("main/binary-arm64/Packages", 2),
            ("main/source/Sources", 1),
        ];
        assert_eq!(told, expected);
        assert!(layout.tables.contains_key("main/Contents-amd64"));
        assert_eq!(layout.architectures.into_iter().collect::<Vec<_>>(), ["all", "amd64", "arm64"]);
    }

    #[test]
    fn what_an_installer_loads_has_tables_of_its_own() {
        let layout = layout(&["main/binary-amd64", "main/debian-installer/binary-amd64"]);
        let table = &layout.tables["main/debian-installer/binary-amd64/Packages"];
        assert_eq!(table.lists[1].to_string(), "main/debian-installer/binary-all");
        assert!(layout.tables.contains_key("main/Contents-udeb-amd64"));
    }
}
