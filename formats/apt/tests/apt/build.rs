//! Packages to upload, made here.

use sha2::{Digest, Sha256};

/// A binary package in the making.
#[derive(Debug, Clone)]
pub(crate) struct Deb {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) architecture: String,
    fields: String,
    files: Vec<(String, Vec<u8>)>,
}

/// A package of this name and version for amd64.
pub(crate) fn deb(name: &str, version: &str) -> Deb {
    let files = vec![(format!("./usr/bin/{name}"), format!("{name} {version}").into_bytes())];
    Deb { name: name.into(), version: version.into(), architecture: "amd64".into(), fields: String::new(), files }
}

impl Deb {
    /// Built for another architecture.
    pub(crate) fn for_arch(self, architecture: &str) -> Self {
        Self { architecture: architecture.into(), ..self }
    }

    /// With one more line in its control file.
    pub(crate) fn field(self, line: &str) -> Self {
        Self { fields: format!("{}{line}\n", self.fields), ..self }
    }

    /// With one more file.
    pub(crate) fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.into(), content.into()));
        self
    }

    /// What its control file says.
    pub(crate) fn control(&self) -> String {
        let Self { name, version, architecture, fields, .. } = self;
        format!(
            "Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: T <t@example.org>\n\
             Section: utils\n{fields}Description: a package of a test\n It says {name}.\n"
        )
    }

    /// The file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let control = tarball(&[("./control".to_owned(), self.control().into_bytes())]);
        let members = [
            ("debian-binary", b"2.0\n".to_vec()),
            ("control.tar.zst", zstd::encode_all(control.as_slice(), 1).expect("memory")),
            ("data.tar.zst", zstd::encode_all(tarball(&self.files).as_slice(), 1).expect("memory")),
        ];
        ar(&members)
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> String {
        let Self { name, version, architecture, .. } = self;
        let version = version.split_once(':').map_or(version.as_str(), |(_, rest)| rest);
        format!("pool/{}/{name}/{name}_{version}_{architecture}.deb", &name[..1])
    }
}

/// An ar(5) archive.
pub(crate) fn ar(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, content) in members {
        let size = content.len();
        bytes.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 100_644).into_bytes());
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(2), b'\n');
    }
    bytes
}

fn tarball(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, content.as_slice()).expect("memory");
    }
    builder.into_inner().expect("memory")
}

/// A file with its name.
pub(crate) type Named = (String, Vec<u8>);

/// A control file that names files with their checksums.
pub(crate) fn manifest(head: &str, files: &[Named], section: &str) -> Vec<u8> {
    let mut text = format!("{head}Files:\n");
    for (name, content) in files {
        text.push_str(&format!(" {} {}{section} {name}\n", "0".repeat(32), content.len()));
    }
    text.push_str("Checksums-Sha256:\n");
    for (name, content) in files {
        text.push_str(&format!(" {} {} {name}\n", hex::encode(Sha256::digest(content)), content.len()));
    }
    text.into_bytes()
}

/// A source: its files, the .dsc last.
pub(crate) fn source(name: &str, upstream: &str, revision: &str) -> Vec<Named> {
    let orig = (format!("{name}_{upstream}.orig.tar.gz"), format!("upstream of {name} {upstream}").into_bytes());
    let debian = (format!("{name}_{upstream}-{revision}.debian.tar.xz"), format!("debian {revision}").into_bytes());
    let head = format!(
        "Format: 3.0 (quilt)\nSource: {name}\nBinary: {name}\nArchitecture: any\nVersion: {upstream}-{revision}\n\
         Maintainer: T <t@example.org>\n"
    );
    let files = vec![orig, debian];
    let dsc = manifest(&head, &files, "");
    [files, vec![(format!("{name}_{upstream}-{revision}.dsc"), dsc)]].concat()
}
