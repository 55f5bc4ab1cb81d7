//! What the Packages and Sources of another repository say, for whoever brings its packages here.

use std::collections::HashMap;
use std::io::{self, BufRead, Read};

use wharf_core::InspectError;

use crate::name;
use crate::package::refused;
use crate::paragraph::Paragraph;
use crate::settings::Settings;
use crate::source::cleartext;

/// Most bytes of what a table says of one package: a source of thousands of binaries has the most.
const LONGEST: u64 = 4 * 1024 * 1024;

/// A file that a table names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignFile {
    /// Below the root of the tree that the table stands in, as the table says it: anything.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// Name of the algorithm, in small letters, and checksum; the strongest first.
    pub sums: Vec<(&'static str, String)>,
}

/// A package or source that a table lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture; of a source `source`.
    pub architecture: String,
    /// Its files: the package, or those of the source with the .dsc at the end.
    pub files: Vec<ForeignFile>,
    /// Where such a package lies here, whatever folder it lies in there.
    pub folder: String,
    /// What its file is called here.
    pub file: String,
}

/// The entries of a table, one after the other.
#[derive(Debug)]
pub struct Table<R> {
    reader: R,
}

impl<R: BufRead> Table<R> {
    /// Of what is read.
    pub fn new(reader: R) -> Self {
        Self { reader }
    }

    /// The text of the next entry; what is longer than any is cut there, and then it is no paragraph.
    fn text(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut text = Vec::new();
        loop {
            let begin = text.len();
            let room = LONGEST.saturating_sub(begin as u64) + 1;
            let count = (&mut self.reader).take(room).read_until(b'\n', &mut text)?;
            if text.len() as u64 > LONGEST {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "an entry is larger than 4 MiB"));
            }
            let is_blank = text[begin..].iter().all(u8::is_ascii_whitespace);
            match (count, is_blank) {
                (0, _) if begin == 0 => return Ok(None),
                (0, _) => return Ok(Some(text)),
                (_, true) if begin == 0 => text.clear(),
                (_, true) => return Ok(Some(text)),
                (_, false) => {}
            }
        }
    }
}

impl<R: BufRead> Iterator for Table<R> {
    /// What cannot be read ends the table; an entry that says nothing good of itself does not.
    type Item = io::Result<Result<Foreign, InspectError>>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.text().transpose()?.map(|text| Foreign::read(&text)))
    }
}

impl Foreign {
    /// Reads an entry of Packages, or of Sources, which has a `Directory`.
    ///
    /// # Errors
    /// If it is none, or names no files.
    pub fn read(text: &[u8]) -> Result<Self, InspectError> {
        let paragraph = Paragraph::read(text)?;
        let said = |error: name::InvalidPart| refused(error.to_string());
        let (package, version) = (paragraph.require("Package")?, paragraph.require("Version")?);
        name::check_name(package).map_err(said)?;
        name::check_version(version).map_err(said)?;
        match (paragraph.get("Directory"), paragraph.get("Filename")) {
            (Some(directory), None) => source(&paragraph, (package, version), directory),
            _ => binary(&paragraph, (package, version)),
        }
    }
}

/// The Release or InRelease of a distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignRelease {
    /// The tables that it names, by their path below it.
    pub files: Vec<ForeignFile>,
    paragraph: Paragraph,
}

impl ForeignRelease {
    /// Reads one; a signature around it is not asked for.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(content: &[u8]) -> Result<Self, InspectError> {
        let paragraph = Paragraph::read(&cleartext(content)?)?;
        let lists = [("sha512", "SHA512"), ("sha256", "SHA256"), ("sha1", "SHA1"), ("md5", "MD5Sum")];
        let files = listed(&paragraph, &lists, "")?;
        Ok(Self { files, paragraph })
    }

    /// What it says of its distribution, as the settings of one here: JSON. What cannot be said here is left out.
    pub fn settings(&self) -> String {
        let text = |field| self.paragraph.get(field).map(str::to_owned).filter(|text| Settings::can_say(text));
        let words = |field| self.paragraph.get(field).unwrap_or_default().split_ascii_whitespace();
        let yes =
            |field| self.paragraph.get(field).is_some_and(|text| text.eq_ignore_ascii_case("yes")).then_some(true);
        let settings = Settings {
            origin: text("Origin"),
            label: text("Label"),
            suite: text("Suite"),
            codename: text("Codename"),
            version: text("Version"),
            description: text("Description"),
            not_automatic: yes("NotAutomatic"),
            but_automatic_upgrades: yes("ButAutomaticUpgrades").filter(|_| yes("NotAutomatic").is_some()),
            architectures: words("Architectures")
                .filter(|word| name::check_architecture(word).is_ok())
                .map(str::to_owned)
                .collect(),
            components: words("Components").filter_map(|word| word.parse().ok()).collect(),
            ..Settings::default()
        };
        settings.text().unwrap_or_default()
    }
}

/// The files that several tables of checksums name, which must agree on their sizes.
fn listed(
    paragraph: &Paragraph,
    lists: &[(&'static str, &str)],
    directory: &str,
) -> Result<Vec<ForeignFile>, InspectError> {
    let mut files: Vec<ForeignFile> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (kind, list) in lists {
        for words in paragraph.table(list) {
            let [sum, size, name] = words[..] else {
                return Err(refused(format!("a line of {list} is not a checksum, a size and a name")));
            };
            let size = size.parse().map_err(|_| refused(format!("a size in {list} is no number")))?;
            let path = if matches!(directory, "" | ".") { name.to_owned() } else { format!("{directory}/{name}") };
            let sum = (*kind, sum.to_owned());
            match places.get(&path).map(|place| &mut files[*place]) {
                Some(file) if file.size == size => file.sums.push(sum),
                Some(_) => return Err(refused(format!("it gives {name} two sizes"))),
                None => {
                    places.insert(path.clone(), files.len());
                    files.push(ForeignFile { path, size, sums: vec![sum] });
                }
            }
        }
    }
    Ok(files)
}

fn binary(paragraph: &Paragraph, (package, version): (&str, &str)) -> Result<Foreign, InspectError> {
    let architecture = paragraph.require("Architecture")?;
    name::check_architecture(architecture).map_err(|error| refused(error.to_string()))?;
    let source = paragraph.get("Source").and_then(|text| text.split([' ', '(']).next());
    let source = source.filter(|text| !text.is_empty()).unwrap_or(package);
    name::check_name(source).map_err(|error| refused(error.to_string()))?;
    let path = paragraph.require("Filename")?;
    let size = paragraph.require("Size")?.parse().map_err(|_| refused("its Size is no number"))?;
    let named = [("sha512", "SHA512"), ("sha256", "SHA256"), ("sha1", "SHA1"), ("md5", "MD5sum")];
    let sums = named.into_iter().filter_map(|(kind, field)| Some((kind, paragraph.get(field)?.to_owned()))).collect();
    let ending = if path.ends_with(".udeb") { "udeb" } else { "deb" };
    Ok(Foreign {
        file: format!("{package}_{}_{architecture}.{ending}", name::without_epoch(version)),
        name: package.to_owned(),
        version: version.to_owned(),
        architecture: architecture.to_owned(),
        files: vec![ForeignFile { path: path.to_owned(), size, sums }],
        folder: name::pool_folder(source),
    })
}

fn source(paragraph: &Paragraph, (package, version): (&str, &str), directory: &str) -> Result<Foreign, InspectError> {
    let lists =
        [("sha512", "Checksums-Sha512"), ("sha256", "Checksums-Sha256"), ("sha1", "Checksums-Sha1"), ("md5", "Files")];
    let mut files = listed(paragraph, &lists, directory)?;
    files.sort_by_key(|file| file.path.ends_with(".dsc"));
    if !files.last().is_some_and(|file| file.path.ends_with(".dsc")) {
        return Err(refused("it names no .dsc"));
    }
    Ok(Foreign {
        file: format!("{package}_{}.dsc", name::without_epoch(version)),
        name: package.to_owned(),
        version: version.to_owned(),
        architecture: "source".to_owned(),
        files,
        folder: name::pool_folder(package),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<Result<Foreign, InspectError>> {
        Table::new(text.as_bytes()).collect::<io::Result<_>>().unwrap()
    }

    #[test]
    fn a_table_says_where_a_package_lies_there_and_here() {
        let text = "\n\nPackage: libhello1\nSource: hello (2.0)\nVersion: 1:2.0-1\nArchitecture: amd64\nFilename: \
                    x/y.deb\nSize: 12\nMD5sum: aa\nSHA256: bb\n\n\nPackage: hello\nVersion: 1\nArchitecture: all\n\
                    Filename: ../hello.udeb\nSize: 3\nSHA1: cc";
        let [first, second] = all(text).try_into().unwrap();
        let first = first.unwrap();
        assert_eq!((first.folder.as_str(), first.file.as_str()), ("pool/h/hello", "libhello1_2.0-1_amd64.deb"));
        let file =
            ForeignFile { path: "x/y.deb".into(), size: 12, sums: vec![("sha256", "bb".into()), ("md5", "aa".into())] };
        assert_eq!(first.files, [file]);
        let second = second.unwrap();
        assert_eq!((second.files[0].path.as_str(), second.file.as_str()), ("../hello.udeb", "hello_1_all.udeb"));
    }

    #[test]
    fn a_source_has_its_dsc_at_the_end() {
        let text = "Package: hello\nVersion: 1-1\nDirectory: pool/main/h/hello\nFiles:\n aa 1 hello_1-1.dsc\n bb 2 \
                    hello_1.orig.tar.gz\nChecksums-Sha256:\n cc 1 hello_1-1.dsc\n dd 2 hello_1.orig.tar.gz\n";
        let found = all(text).remove(0).unwrap();
        let paths: Vec<_> = found.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["pool/main/h/hello/hello_1.orig.tar.gz", "pool/main/h/hello/hello_1-1.dsc"]);
        assert_eq!(found.files[1].sums, [("sha256", "cc".to_owned()), ("md5", "aa".to_owned())]);
        assert_eq!((found.architecture.as_str(), found.file.as_str()), ("source", "hello_1-1.dsc"));
    }

    #[test]
    fn a_release_names_its_tables_and_its_distribution() {
        let text = format!(
            "Origin: Team\nSuite: stable\nCodename: twelve\nNotAutomatic: yes\nArchitectures: amd64 source\n\
             Components: main a/b\nDescription: {}\nMD5Sum:\n aa 7 main/binary-amd64/Packages\nSHA256:\n bb 7 \
             main/binary-amd64/Packages\n",
            "x".repeat(300)
        );
        let signed = format!(
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{text}-----BEGIN PGP SIGNATURE-----\n\nabc\n\
             -----END PGP SIGNATURE-----\n"
        );
        let release = ForeignRelease::read(signed.as_bytes()).unwrap();
        assert_eq!(release.files.len(), 1);
        assert_eq!(release.files[0].sums, [("sha256", "bb".to_owned()), ("md5", "aa".to_owned())]);
        assert_eq!(
            release.settings(),
            r#"{"origin":"Team","suite":"stable","codename":"twelve","not_automatic":true,"architectures":["amd64"],"components":["main"]}"#
        );
        assert!(Settings::read(release.settings().as_bytes(), true).is_ok());
    }

    #[test]
    fn an_entry_that_is_none_does_not_hide_the_others() {
        let good = "Package: hello\nVersion: 1\nArchitecture: all\nFilename: a.deb\nSize: 1\n\n";
        for bad in [
            "Package: ../x\nVersion: 1\nArchitecture: all\nFilename: a\nSize: 1\n\n",
            "Package: hello\nVersion: 1\nArchitecture: all\nFilename: a\nSize: -1\n\n",
            "Package: hello\nVersion: 1\nArchitecture: ../all\nFilename: a\nSize: 1\n\n",
            "Package: hello\nVersion: 1\nArchitecture: all\nSize: 1\n\n",
            "Package: hello\nVersion: 1\nDirectory: a\nFiles:\n aa 1 x.tar.gz\n\n",
            "Package: hello\nVersion: 1\nDirectory: a\nFiles:\n aa 1\n\n",
            "nothing\n\n",
        ] {
            let found = all(&format!("{bad}{good}"));
            assert!(found.len() == 2 && found[0].is_err() && found[1].is_ok(), "{bad}");
        }
        let endless = "a".repeat(5 << 20);
        assert!(Table::new(endless.as_bytes()).next().unwrap().is_err());
    }
}
