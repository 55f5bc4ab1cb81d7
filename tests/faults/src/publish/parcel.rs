//! What is uploaded: small packages and charts, each other bytes.

use std::io::Write as _;

use anyhow::Result;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;
use rpm::{BuildConfig, CompressionType, FileOptions, PackageBuilder};
use sha2::{Digest as _, Sha256};

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Deb,
    Rpm,
    Chart,
}

/// One file.
#[derive(Debug, Clone)]
pub(super) struct Parcel {
    pub(super) kind: Kind,
    pub(super) content: Bytes,
    /// In hexadecimal digits.
    pub(super) sha256: String,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Deb, Self::Rpm, Self::Chart];

    /// Where files of this kind are sent.
    pub(super) fn upload(self) -> (Method, &'static str) {
        match self {
            Self::Deb => (Method::PUT, "/apt/team/debs/pool/stable/main/upload"),
            Self::Rpm => (Method::PUT, "/yum/team/rpms/upload"),
            Self::Chart => (Method::POST, "/helm/team/charts/api/charts"),
        }
    }
}

impl Parcel {
    /// A file of this name and number.
    pub(super) fn new(kind: Kind, name: &str, number: usize) -> Result<Self> {
        let content: Bytes = match kind {
            Kind::Deb => deb(name, number)?,
            Kind::Rpm => rpm(name, number)?,
            Kind::Chart => chart(name, number)?,
        }
        .into();
        let sha256 = hex::encode(Sha256::digest(&content));
        Ok(Self { kind, content, sha256 })
    }
}

/// deb(5).
fn deb(name: &str, number: usize) -> Result<Vec<u8>> {
    let control = format!(
        "Package: {name}\nVersion: 1.{number}\nArchitecture: amd64\nMaintainer: T <t@example.org>\nDescription: of a test\n"
    );
    let says = format!("{name} {number}\n");
    let members = [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.gz", tarball("./control", &control)?),
        ("data.tar.gz", tarball(&format!("./usr/share/{name}"), &says)?),
    ];
    let mut file = b"!<arch>\n".to_vec();
    for (member, content) in members {
        writeln!(file, "{member:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`", 0, 0, 0, 100_644, content.len())?;
        file.extend_from_slice(&content);
        if content.len() % 2 == 1 {
            file.push(b'\n');
        }
    }
    Ok(file)
}

fn rpm(name: &str, number: usize) -> Result<Vec<u8>> {
    let mut builder = PackageBuilder::new(name, &format!("1.{number}"), "MIT", "noarch", "of a test");
    builder.release("1");
    builder.using_config(BuildConfig::v4().compression(CompressionType::Gzip).source_date(1_700_000_000_u32));
    builder.with_file_contents(format!("{name} {number}\n"), FileOptions::new(format!("/usr/share/{name}")))?;
    let mut file = Vec::new();
    builder.build()?.write(&mut file)?;
    Ok(file)
}

fn chart(name: &str, number: usize) -> Result<Vec<u8>> {
    let about = format!("apiVersion: v2\nname: {name}\nversion: 1.{number}.0\ndescription: of a test\n");
    tarball(&format!("{name}/Chart.yaml"), &about)
}

fn tarball(path: &str, content: &str) -> Result<Vec<u8>> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    archive.append_data(&mut header, path, content.as_bytes())?;
    Ok(archive.into_inner()?.finish()?)
}
