//! Binary packages: what a .deb or .udeb (deb(5)) says of itself. Every byte of it is a stranger's.

pub(crate) mod ar;
pub(crate) mod tree;

use std::collections::BTreeMap;
use std::io::{Read, Write};

use wharf_core::{Arrival, Contents, InspectError};

use crate::index::kind;
use crate::name::{self, Kind, List};
use crate::package::{Ask, refused};
use crate::paragraph::Paragraph;
use crate::sums::{Hashed, Sums};

/// Most bytes of the control file.
const LONGEST_CONTROL: u64 = 1024 * 1024;
/// Most bytes of what the control archive unpacks to: scripts and checksums of files.
const LARGEST_CONTROL_ARCHIVE: u64 = 256 * 1024 * 1024;
/// What the files of a package may unpack to: so much, and so many times its own size. Zeros shrink to a seven-thousandth.
const LARGEST_DATA: u64 = 4 * 1024 * 1024 * 1024;
const MOST_SHRUNK: u64 = 100;
/// Most bytes of the list of files.
const LONGEST_LISTING: usize = 64 * 1024 * 1024;
/// What only the index may say, and what only an installed package has.
const OURS: [&str; 7] = ["Filename", "Size", "MD5sum", "SHA1", "SHA256", "SHA512", "Status"];

/// What was found in an archive.
#[derive(Default)]
struct Found {
    control: Option<Paragraph>,
    /// A line for each file: its path.
    paths: Vec<Vec<u8>>,
}

/// Reads a package to its end.
pub(crate) fn inspect(file: &mut dyn Read, arrival: &Arrival) -> Result<Contents, InspectError> {
    let ask = Ask::read(arrival)?;
    let mut file = Hashed::new(file);
    let Found { control, paths } = members(&mut file)?;
    let sums = file.finish().map_err(|error| refused(format!("it cannot be read to its end: {error}")))?;
    let control = control.ok_or_else(|| refused("it has no control archive"))?;
    let is_udeb = control.get("Package-Type") == Some("udeb") || ask.file_name_ends_with(".udeb");
    describe(&control, &paths, &sums, &ask, is_udeb)
}

fn members(file: &mut impl Read) -> Result<Found, InspectError> {
    let mut archive = ar::Archive::open(file)?;
    let first = archive.next()?.ok_or_else(|| refused("the archive is empty"))?;
    let mut format = Vec::new();
    if first.name != "debian-binary" || first.size > 64 {
        return Err(refused("it is not a Debian package: its first member is not debian-binary"));
    }
    archive.read_to_end(&mut format).map_err(|error| refused(error.to_string()))?;
    if !format.starts_with(b"2.") {
        return Err(refused("it is a Debian package of another format than 2"));
    }
    let mut found = Found::default();
    while let Some(member) = archive.next()? {
        let is = |wanted: &str| member.name == wanted || member.name.starts_with(&format!("{wanted}."));
        match found.control {
            None if is("control.tar") => found.control = Some(control(&member.name, &mut archive)?),
            None if member.name.starts_with('_') => {}
            None => return Err(refused(format!("{:?} stands where its control archive should be", member.name))),
            Some(_) if is("data.tar") => {
                found.paths = paths(&member, &mut archive)?;
                return Ok(found);
            }
            Some(_) if member.name.starts_with('_') => {}
            Some(_) => return Err(refused(format!("{:?} stands where its files should be", member.name))),
        }
    }
    Err(refused("it has no files: the archive ends before data.tar"))
}

/// The control file out of the control archive.
fn control(name: &str, member: &mut impl Read) -> Result<Paragraph, InspectError> {
    let decoder = tree::decoder(name, member)?.filter(|_| !name.ends_with(".bz2"));
    let decoder = decoder.ok_or_else(|| refused(format!("{name}: dpkg has no such compression of control files")))?;
    let mut archive = tree::Capped { inner: decoder, left: LARGEST_CONTROL_ARCHIVE };
    let mut control = None;
    tree::walk(&mut archive, &mut |entry| {
        if entry.path != b"control" {
            return Ok(());
        }
        if !entry.is_file || control.is_some() {
            return Err(refused("its control file is no file, or is there twice"));
        }
        if entry.size > LONGEST_CONTROL {
            return Err(refused(format!("its control file is larger than {LONGEST_CONTROL} bytes")));
        }
        let mut text = Vec::new();
        entry.content.take(LONGEST_CONTROL).read_to_end(&mut text).map_err(|error| refused(error.to_string()))?;
        control = Some(Paragraph::read(&text)?);
        Ok(())
    })?;
    control.ok_or_else(|| refused("its control archive has no control file"))
}

/// The paths of the files that it installs.
fn paths(member: &ar::Member, content: &mut impl Read) -> Result<Vec<Vec<u8>>, InspectError> {
    // What is compressed in a way that dpkg may know one day is taken; only, no list says what is in it.
    let Some(inner) = tree::decoder(&member.name, content)? else { return Ok(Vec::new()) };
    let left = member.size.saturating_mul(MOST_SHRUNK).max(LARGEST_DATA);
    let mut archive = tree::Capped { inner, left };
    let (mut paths, mut bytes) = (Vec::new(), 0);
    tree::walk(&mut archive, &mut |entry| {
        bytes += entry.path.len() + 1;
        if bytes > LONGEST_LISTING {
            return Err(refused("it has too many files"));
        }
        // A list has a line for each path.
        if !entry.path.contains(&b'\n') {
            paths.push(entry.path);
        }
        Ok(())
    })?;
    Ok(paths)
}

fn describe(
    control: &Paragraph,
    paths: &[Vec<u8>],
    sums: &Sums,
    ask: &Ask,
    is_udeb: bool,
) -> Result<Contents, InspectError> {
    let (package, version) = (control.require("Package")?, control.require("Version")?);
    let architecture = control.require("Architecture")?;
    let said = |error: name::InvalidPart| refused(format!("its control file is wrong: {error}"));
    name::check_name(package).map_err(said)?;
    name::check_version(version).map_err(said)?;
    name::check_architecture(architecture).map_err(said)?;
    ask.agrees_with(package, version, architecture)?;
    // `Source: name (version)` where they differ from the package's.
    let source = control.get("Source").and_then(|text| text.split([' ', '(']).next());
    let source = source.filter(|text| !text.is_empty()).unwrap_or(package);
    name::check_name(source).map_err(said)?;
    let kind = if is_udeb { Kind::Installer(architecture.into()) } else { Kind::Binary(architecture.into()) };
    let ending = if is_udeb { "udeb" } else { "deb" };
    let file = format!("{package}_{}_{architecture}.{ending}", name::without_epoch(version));
    let depends = ["Pre-Depends", "Depends"].iter().filter_map(|field| control.get(field));
    Ok(Contents {
        name: package.to_owned(),
        version: version.to_owned(),
        architecture: architecture.to_owned(),
        depends: depends.flat_map(|list| list.split(',')).map(|one| one.trim().to_owned()).collect(),
        path: ask.path(source, &file, sums),
        fragments: BTreeMap::from([
            (kind::PACKAGES.to_owned(), stanza(control, sums)),
            (kind::CONTENTS.to_owned(), listing(control, paths)?),
        ]),
        part: Some(List { component: ask.component.clone(), kind }.to_string()),
        // By arrival: the order of an index means nothing to its readers.
        sorts_as: None,
        goes_with: None,
    })
}

/// What the index says, but for what the catalog knows: the sums that it does not have, an empty line, and the control file.
fn stanza(control: &Paragraph, Sums { md5, sha1, sha512 }: &Sums) -> Vec<u8> {
    format!("{md5} {sha1} {sha512}\n{}", control.without(&OURS)).into_bytes()
}

fn listing(control: &Paragraph, paths: &[Vec<u8>]) -> Result<Vec<u8>, InspectError> {
    let package = control.require("Package")?;
    let section =
        control.get("Section").filter(|section| !section.is_empty() && !section.contains(char::is_whitespace));
    let who = section.map_or_else(|| package.to_owned(), |section| format!("{section}/{package}"));
    let mut lines = Vec::new();
    for path in paths {
        lines.extend_from_slice(path);
        // Writing to memory does not fail.
        writeln!(lines, "\t{who}").map_err(|error| refused(error.to_string()))?;
    }
    Ok(lines)
}

#[cfg(test)]
mod tests;
