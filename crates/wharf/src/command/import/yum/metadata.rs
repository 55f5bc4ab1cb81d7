//! repomd.xml and primary.xml, as far as files are named in them.

use std::io::{BufReader, Read};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::super::checked::Claim;
use super::super::stop::One;

/// Most bytes of one text.
const LONGEST: usize = 64 * 1024;

/// A file of metadata.
#[derive(Debug, Clone, Default)]
pub(super) struct Data {
    /// `primary`, `updateinfo` …
    pub(super) kind: String,
    pub(super) path: String,
    pub(super) claim: Claim,
}

/// A package.
#[derive(Debug, Clone, Default)]
pub(super) struct Listed {
    /// There.
    pub(super) path: String,
    pub(super) claim: Claim,
    /// Where it lies here, if its name can lie anywhere.
    pub(super) here: Option<String>,
    name: String,
    arch: String,
    evr: String,
}

/// Walks over the elements of a document: tells the begin of each, and its text at its end.
fn walk(from: impl Read, mut tell: impl FnMut(Told<'_>) -> Result<(), One>) -> Result<(), One> {
    let wrong = |error: &dyn std::fmt::Display| One::new(format!("it is not the XML that was expected: {error}"));
    let mut reader = Reader::from_reader(BufReader::with_capacity(256 * 1024, from));
    let (mut buffer, mut text, mut depth) = (Vec::new(), String::new(), 0_u32);
    loop {
        buffer.clear();
        let event = reader.read_event_into(&mut buffer).map_err(|error| wrong(&error))?;
        match event {
            Event::Start(start) => {
                (text, depth) = (String::new(), depth + 1);
                tell(Told::Begin(&start))?;
            }
            Event::Empty(start) => {
                tell(Told::Begin(&start))?;
                tell(Told::End(start.local_name().as_ref(), ""))?;
            }
            Event::Text(piece) => text.push_str(&piece.decode().map_err(|error| wrong(&error))?),
            Event::GeneralRef(name) => {
                let name = name.decode().map_err(|error| wrong(&error))?;
                let known = quick_xml::escape::unescape(&format!("&{name};")).map(std::borrow::Cow::into_owned);
                text.push_str(&known.map_err(|error| wrong(&error))?);
            }
            Event::End(end) => {
                depth = depth.checked_sub(1).ok_or_else(|| wrong(&"it ends more than it begins"))?;
                tell(Told::End(end.local_name().as_ref(), text.trim()))?;
                text.clear();
            }
            Event::Eof if depth == 0 => return Ok(()),
            Event::Eof => return Err(wrong(&"it is cut off")),
            _ => {}
        }
        if text.len() > LONGEST {
            // Descriptions; nothing that is asked for is so long.
            text.clear();
        }
    }
}

/// What is told of a document.
enum Told<'a> {
    Begin(&'a BytesStart<'a>),
    End(&'a [u8], &'a str),
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = start.try_get_attribute(name).ok()??;
    let value = std::str::from_utf8(&found.value).ok()?;
    Some(quick_xml::escape::unescape(value).ok()?.into_owned())
}

/// A `<location>`: below the folder, unless it says that it lies elsewhere.
fn location(start: &BytesStart<'_>) -> Result<String, One> {
    let href = attribute(start, "href").ok_or_else(|| One::new("a location in it has no href"))?;
    match attribute(start, "xml:base") {
        // Its being an address makes it a path that nothing is at.
        Some(base) => Ok(format!("{}/{href}", base.trim_end_matches('/'))),
        None => Ok(href),
    }
}

/// The files of metadata.
pub(super) fn repomd(content: &[u8]) -> Result<Vec<Data>, One> {
    let (mut all, mut algorithm) = (Vec::<Data>::new(), String::new());
    walk(content, |told| {
        match told {
            Told::Begin(start) => match start.local_name().as_ref() {
                b"data" => {
                    all.push(Data { kind: attribute(start, "type").unwrap_or_default(), ..Data::default() });
                }
                b"checksum" => algorithm = attribute(start, "type").unwrap_or_default(),
                b"location" => {
                    if let Some(data) = all.last_mut() {
                        data.path = location(start)?;
                    }
                }
                _ => {}
            },
            Told::End(name, text) => match (name, all.last_mut()) {
                (b"checksum", Some(data)) => data.claim.sums = vec![(algorithm.clone(), text.to_owned())],
                (b"size", Some(data)) => data.claim.size = text.parse().ok(),
                _ => {}
            },
        }
        Ok(())
    })?;
    Ok(all)
}

/// The packages.
pub(super) fn primary(from: impl Read) -> Result<Vec<Listed>, One> {
    let (mut all, mut algorithm, mut depth_of_format) = (Vec::<Listed>::new(), String::new(), 0_u32);
    walk(from, |told| {
        match told {
            Told::Begin(start) => match (start.local_name().as_ref(), all.last_mut()) {
                (b"package", _) if depth_of_format == 0 => all.push(Listed::default()),
                // What stands in it has names that others have too.
                (b"format", _) => depth_of_format += 1,
                (b"checksum", _) => algorithm = attribute(start, "type").unwrap_or_default(),
                (b"size", Some(package)) => {
                    package.claim.size = attribute(start, "package").and_then(|text| text.parse().ok());
                }
                (b"version", Some(package)) => {
                    let [epoch, version, release] =
                        ["epoch", "ver", "rel"].map(|name| attribute(start, name).unwrap_or_default());
                    let epoch = if epoch.is_empty() { "0" } else { &epoch };
                    package.evr = format!("{epoch}:{version}-{release}");
                }
                (b"location", Some(package)) => package.path = location(start)?,
                _ => {}
            },
            Told::End(b"format", _) => depth_of_format = depth_of_format.saturating_sub(1),
            Told::End(name, text) if depth_of_format == 0 => match (name, all.last_mut()) {
                (b"checksum", Some(package)) => package.claim.sums = vec![(algorithm.clone(), text.to_owned())],
                (b"name", Some(package)) => package.name = text.to_owned(),
                (b"arch", Some(package)) => package.arch = text.to_owned(),
                (b"package", Some(package)) => {
                    package.here = wharf_yum::path_of(&package.name, &package.evr, &package.arch);
                }
                _ => {}
            },
            Told::End(..) => {}
        }
        Ok(())
    })?;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIMARY: &str = r#"<?xml version="1.0"?><metadata xmlns="http://linux.duke.edu/metadata/common" packages="2">
<package type="rpm"><name>odd</name><arch>x86_64</arch><version epoch="3" ver="1.0" rel="2"/>
<checksum type="sha256" pkgid="YES">aa</checksum><summary>a &amp; b</summary><size package="7" installed="9" archive="9"/>
<location href="Packages/odd&amp;1.rpm"/><format><rpm:provides xmlns:rpm="r"><rpm:entry name="x"/></rpm:provides><file>/name</file>
</format></package>
<package type="rpm"><name>plain</name><arch>noarch</arch><version epoch="0" ver="1" rel="1"/><checksum type="sha">bb</checksum>
<location xml:base="http://elsewhere/" href="plain.rpm"/></package></metadata>"#;

    #[test]
    fn packages_are_read_with_what_is_said_of_their_files() {
        let [odd, plain] = primary(PRIMARY.as_bytes()).unwrap().try_into().unwrap();
        assert_eq!((odd.path.as_str(), odd.claim.size), ("Packages/odd&1.rpm", Some(7)));
        assert_eq!(odd.claim.sums, [("sha256".to_owned(), "aa".to_owned())]);
        assert_eq!(odd.here.as_deref(), Some("Packages/o/epoch-3/odd-1.0-2.x86_64.rpm"));
        assert_eq!(plain.path, "http://elsewhere/plain.rpm");
        assert_eq!(
            (plain.claim.sums[0].0.as_str(), plain.here.as_deref()),
            ("sha", Some("Packages/p/plain-1-1.noarch.rpm"))
        );
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        assert!(primary(&PRIMARY.as_bytes()[..300]).is_err());
        assert!(primary(&b"no XML < at all"[..]).is_err());
        assert!(repomd(b"<repomd><data type=\"primary\"><location/></data></repomd>").is_err());
    }

    #[test]
    fn the_files_of_metadata_are_read() {
        let text = r#"<repomd xmlns="r"><revision>1</revision><data type="primary"><checksum type="sha256">aa</checksum>
<open-checksum type="sha1">bb</open-checksum><location href="repodata/aa-primary.xml.gz"/><size>12</size><open-size>9</open-size></data></repomd>"#;
        let [data] = repomd(text.as_bytes()).unwrap().try_into().unwrap();
        assert_eq!((data.kind.as_str(), data.path.as_str()), ("primary", "repodata/aa-primary.xml.gz"));
        assert_eq!((data.claim.size, &data.claim.sums[0].1[..]), (Some(12), "aa"));
    }
}
