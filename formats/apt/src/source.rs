//! Sources (.dsc, dsc(5)) and uploads (.changes, deb-changes(5)): control files that name other files, perhaps signed.

use std::collections::BTreeMap;
use std::io::Read;

use sha2::{Digest as _, Sha256};
use wharf_core::{Arrival, Contents, InspectError};

use crate::index::kind;
use crate::name::{self, Kind, List};
use crate::package::{Ask, refused};
use crate::paragraph::Paragraph;
use crate::sums::Sums;

/// Most bytes of a .dsc or .changes.
pub(crate) const LONGEST: usize = 1024 * 1024;
/// Most files that one of them names.
const MOST_FILES: usize = 4096;

/// A file as a .dsc or .changes names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedFile {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) sha256: String,
    /// `contrib/utils`; empty in a .dsc.
    pub(crate) section: String,
}

/// A .dsc or .changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) paragraph: Paragraph,
    pub(crate) files: Vec<NamedFile>,
}

impl Manifest {
    /// Reads a file, without asking who has signed it.
    pub(crate) fn read(content: &[u8]) -> Result<Self, InspectError> {
        let paragraph = Paragraph::read(&cleartext(content)?)?;
        let source = paragraph.require("Source")?.split(' ').next().unwrap_or_default();
        let said = |error: name::InvalidPart| refused(error.to_string());
        name::check_name(source).map_err(said)?;
        name::check_version(paragraph.require("Version")?).map_err(said)?;
        let files = files(&paragraph)?;
        Ok(Self { paragraph, files })
    }

    pub(crate) fn source(&self) -> &str {
        self.paragraph.get("Source").and_then(|text| text.split(' ').next()).unwrap_or_default()
    }

    pub(crate) fn version(&self) -> &str {
        self.paragraph.get("Version").unwrap_or_default()
    }
}

/// The files that both lists name, which must be the same.
fn files(paragraph: &Paragraph) -> Result<Vec<NamedFile>, InspectError> {
    let mut sections = BTreeMap::new();
    for words in paragraph.table("Files") {
        let (Some(name), Some(size)) = (words.last(), words.get(1)) else {
            return Err(refused("a line of Files is not a checksum, a size and a name"));
        };
        sections.insert((*name).to_owned(), (*size, if words.len() == 5 { words[2] } else { "" }));
    }
    let mut files = Vec::new();
    for words in paragraph.table("Checksums-Sha256") {
        let [sha256, size, name] = words[..] else {
            return Err(refused("a line of Checksums-Sha256 is not a checksum, a size and a name"));
        };
        check_file_name(name)?;
        let is_hash = sha256.len() == 64 && sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let number = size.parse().ok().filter(|_| is_hash && size.bytes().all(|b| b.is_ascii_digit()));
        let number =
            number.ok_or_else(|| refused(format!("Checksums-Sha256 has no good checksum and size of {name}")))?;
        let section = match sections.remove(name) {
            Some((same, section)) if same == size => section.to_owned(),
            _ => return Err(refused(format!("Files and Checksums-Sha256 do not say the same of {name}"))),
        };
        files.push(NamedFile { name: name.to_owned(), size: number, sha256: sha256.to_owned(), section });
    }
    if let Some(name) = sections.keys().next() {
        return Err(refused(format!("Checksums-Sha256 does not name {name}, or names it twice")));
    }
    if files.is_empty() || files.len() > MOST_FILES {
        return Err(refused("it names no files, or thousands"));
    }
    Ok(files)
}

/// A name of a file, and not of a folder above.
pub(crate) fn check_file_name(name: &str) -> Result<(), InspectError> {
    let fine = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 200
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.~_:".contains(&b));
    if fine {
        Ok(())
    } else {
        Err(refused(format!("{:?} is no file name", name.chars().take(100).collect::<String>())))
    }
}

/// Source and version of a file that a .dsc may name: `hello_1.0.orig.tar.gz`.
pub(crate) fn of_file(name: &str) -> Result<(&str, &str), InspectError> {
    check_file_name(name)?;
    let odd = || refused(format!("{name} is not the name of a file of a source, as hello_1.0.orig.tar.gz"));
    let (source, rest) = name.split_once('_').ok_or_else(odd)?;
    name::check_name(source).map_err(|_| odd())?;
    let end = [".orig", ".debian.tar", ".diff.", ".tar."].iter().filter_map(|end| rest.find(end)).min();
    let version = end.map(|end| &rest[..end]).filter(|version| !version.is_empty()).ok_or_else(odd)?;
    Ok((source, version))
}

/// What a clear-signed message (RFC 9580, section 7) signs, or the whole of what is not signed. The signature itself is checked
/// elsewhere; here only what it signs may be read, so nothing may stand before or behind.
pub(crate) fn cleartext(content: &[u8]) -> Result<Vec<u8>, InspectError> {
    const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
    const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";
    let text = std::str::from_utf8(content).map_err(|_| refused("it is not UTF-8"))?;
    let mut lines = text.lines().map(str::trim_end).skip_while(|line| line.is_empty()).peekable();
    if lines.peek() != Some(&BEGIN) {
        return Ok(content.to_vec());
    }
    let mut lines = lines.skip(1).skip_while(|line| !line.is_empty()).skip(1);
    let mut signed = String::new();
    for line in lines.by_ref() {
        if line == SIGNATURE {
            let behind = lines.skip_while(|line| *line != "-----END PGP SIGNATURE-----").skip(1);
            return match { behind }.all(str::is_empty) {
                true => Ok(signed.into_bytes()),
                false => Err(refused("something stands behind its signature")),
            };
        }
        match line.strip_prefix("- ") {
            Some(escaped) => signed.push_str(escaped),
            None if line.starts_with('-') => return Err(refused("its signed text is damaged")),
            None => signed.push_str(line),
        }
        signed.push('\n');
    }
    Err(refused("its signature is cut off"))
}

/// Reads a .dsc.
pub(crate) fn inspect(file: &mut dyn Read, arrival: &Arrival) -> Result<Contents, InspectError> {
    let ask = Ask::read(arrival)?;
    let mut content = Vec::new();
    file.take(LONGEST as u64 + 1).read_to_end(&mut content).map_err(|error| refused(error.to_string()))?;
    if content.len() > LONGEST {
        return Err(refused(format!("a .dsc is at most {LONGEST} bytes")));
    }
    let manifest = Manifest::read(&content)?;
    let (source, version) = (manifest.source(), manifest.version());
    let file = format!("{source}_{}.dsc", name::without_epoch(version));
    Ok(Contents {
        name: source.to_owned(),
        version: version.to_owned(),
        architecture: "source".to_owned(),
        depends: Vec::new(),
        path: format!("{}/{file}", name::pool_folder(source)),
        fragments: BTreeMap::from([(kind::SOURCES.to_owned(), stanza(&manifest, &file, &content).into_bytes())]),
        part: Some(List { component: ask.component, kind: Kind::Source }.to_string()),
        sorts_as: None,
        goes_with: None,
    })
}

/// What Sources says: the .dsc, with itself among its files.
fn stanza(manifest: &Manifest, file: &str, content: &[u8]) -> String {
    const LISTS: [(&str, usize); 3] = [("Files", 0), ("Checksums-Sha1", 1), ("Checksums-Sha256", 2)];
    let Sums { md5, sha1, .. } = Sums::of(content);
    let sums = [md5, sha1, hex::encode(Sha256::digest(content))];
    let paragraph = &manifest.paragraph;
    let source = manifest.source();
    let rest = paragraph.without(&["Source", "Package", "Directory", "Files", "Checksums-Sha1", "Checksums-Sha256"]);
    let mut text = format!("Package: {source}\n{rest}Directory: {}\n", name::pool_folder(source));
    for (list, sum) in LISTS {
        let mut lines: Vec<String> = paragraph.table(list).map(|words| words.join(" ")).collect();
        // Some .dsc have no SHA-1.
        if !lines.is_empty() {
            lines.insert(0, format!("{} {} {file}", sums[sum], content.len()));
            text.push_str(&format!("{list}:\n {}\n", lines.join("\n ")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::Brings;

    fn dsc() -> String {
        let hash = "a".repeat(64);
        format!(
            "Format: 3.0 (quilt)\nSource: hello\nBinary: hello\nArchitecture: any\nVersion: 1:2.10-3\nMaintainer: A \
             <a@example.org>\nFiles:\n {md5} 725946 hello_2.10.orig.tar.gz\n {md5} 12 hello_2.10-3.debian.tar.xz\n\
             Checksums-Sha256:\n {hash} 725946 hello_2.10.orig.tar.gz\n {hash} 12 hello_2.10-3.debian.tar.xz\n",
            md5 = "b".repeat(32)
        )
    }

    fn signed(text: &str) -> String {
        format!(
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{text}\n-----BEGIN PGP SIGNATURE-----\n\nabc\n\
             -----END PGP SIGNATURE-----\n"
        )
    }

    #[test]
    fn a_source_names_its_files_and_itself() {
        let arrival = Ask::new(Brings::Source, "main".parse().unwrap()).into_arrival("sid");
        for text in [dsc(), signed(&dsc())] {
            let contents = inspect(&mut text.as_bytes(), &arrival).unwrap();
            assert_eq!(contents.path, "pool/h/hello/hello_2.10-3.dsc");
            assert_eq!(contents.part.as_deref(), Some("main/source"));
            let said = String::from_utf8(contents.fragments[kind::SOURCES].clone()).unwrap();
            assert!(said.starts_with("Package: hello\nFormat: 3.0 (quilt)\nBinary: hello\n"), "{said}");
            assert!(said.contains("\nDirectory: pool/h/hello\nFiles:\n "), "{said}");
            let own = format!(" {} {} hello_2.10-3.dsc\n", hex::encode(Sha256::digest(&text)), text.len());
            assert!(said.contains(&own) && !said.contains("Sha1") && !said.contains("PGP"), "{said}");
        }
    }

    #[test]
    fn files_are_named_with_size_and_checksum() {
        let manifest = Manifest::read(dsc().as_bytes()).unwrap();
        assert_eq!((manifest.source(), manifest.version()), ("hello", "1:2.10-3"));
        let names: Vec<_> = manifest.files.iter().map(|file| (file.name.as_str(), file.size)).collect();
        assert_eq!(names, [("hello_2.10.orig.tar.gz", 725_946), ("hello_2.10-3.debian.tar.xz", 12)]);
    }

    #[test]
    fn lists_that_do_not_agree_are_refused() {
        let good = dsc();
        let hash = "a".repeat(64);
        for (from, to) in [
            ("Checksums-Sha256", "Checksums-Other"),
            ("Files", "Others"),
            (" 12 ", " 13 "),
            ("725946 hello_2.10.orig", "725947 hello_2.10.orig"),
            ("hello_2.10.orig.tar.gz", "../hello_2.10.orig.tar.gz"),
            ("hello_2.10.orig.tar.gz", ".hidden"),
            (&hash, "AAAA"),
            (" 12 ", " -12 "),
            ("Version: 1:2.10-3", "Version: v2"),
            ("Source: hello", "Source: ../hello"),
            ("Source: hello\n", ""),
        ] {
            let bad = if from == " 12 " { good.replacen(from, to, 1) } else { good.replace(from, to) };
            let bad = if from.starts_with("725946 ") { good.replacen(from, to, 1) } else { bad };
            assert_ne!(bad, good);
            assert!(Manifest::read(bad.as_bytes()).is_err(), "{from} as {to}");
        }
        assert!(Manifest::read(b"\xff").is_err());
    }

    #[test]
    fn only_what_is_signed_is_read() {
        let text = cleartext(signed("A: 1\n- -----BEGIN x\n").as_bytes()).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "A: 1\n-----BEGIN x\n\n");
        for bad in [
            signed("A: 1\n") + "B: 2\n",
            signed("A: 1\n").replace("-----END PGP SIGNATURE-----\n", "") + "B: 2\n-----END PGP SIGNATURE-----\nC: 3\n",
            signed("A: 1\n-----BEGIN PGP SIGNED MESSAGE-----\n"),
            signed("A: 1\n").replace("-----BEGIN PGP SIGNATURE-----\n", ""),
        ] {
            assert!(cleartext(bad.as_bytes()).is_err(), "{bad}");
        }
        // What stands before it makes it no signed message, and then it is no paragraph either.
        assert!(Manifest::read(format!("X: 1\n{}", signed(&dsc())).as_bytes()).is_err());
    }

    #[test]
    fn files_of_sources_are_known_by_their_names() {
        for (name, version) in [
            ("hello_2.10.orig.tar.gz", "2.10"),
            ("hello_2.10-3.debian.tar.xz", "2.10-3"),
            ("hello_2.10.orig.tar.gz.asc", "2.10"),
            ("hello_2.10.orig-docs.tar.xz", "2.10"),
            ("hello_2.10-3.diff.gz", "2.10-3"),
            ("hello_2.10.tar.xz", "2.10"),
        ] {
            assert_eq!(of_file(name).unwrap(), ("hello", version), "{name}");
        }
        for name in ["hello", "hello_.tar.gz", "hello_1", "_1.tar.gz", "a/b_1.tar.gz", "../b_1.tar.gz", ""] {
            assert!(of_file(name).is_err(), "{name}");
        }
    }
}
