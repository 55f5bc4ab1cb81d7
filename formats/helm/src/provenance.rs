//! Provenance files: a clear-signed message (RFC 9580, 7) of two YAML documents, the chart's metadata and the digests of its files.

use std::collections::BTreeMap;
use std::io::Read;

use serde::Deserialize;
use wharf_core::InspectError;
use wharf_types::Digest;

use crate::metadata::Metadata;
use crate::{package, yaml};

/// Most bytes of a provenance file.
pub(crate) const LARGEST: u64 = 2 * 1024 * 1024;

const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";

/// What a provenance file vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Provenance {
    pub(crate) metadata: Metadata,
    /// Of the package.
    pub(crate) digest: Digest,
    /// The whole file, and the text in it that was read.
    pub(crate) clear_signed: (String, String),
}

#[derive(Deserialize)]
struct Sums {
    files: BTreeMap<String, String>,
}

fn refused(why: impl Into<String>) -> InspectError {
    InspectError(format!("not a provenance file: {}", why.into()))
}

impl Provenance {
    /// Reads one to its end. The signature is not looked at.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read_from(file: &mut dyn Read) -> Result<Self, InspectError> {
        let mut content = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut content).map_err(|error| refused(error.to_string()))?;
        if content.len() as u64 > LARGEST {
            return Err(refused(format!("it is larger than {LARGEST} bytes")));
        }
        Self::read(&package::text("it", content).map_err(|error| refused(error.0))?)
    }

    fn read(text: &str) -> Result<Self, InspectError> {
        let message = message(text)?;
        let (chart, sums) = message
            .split_once("\n...\n")
            .ok_or_else(|| refused("it has not both the chart's metadata and the digests of its files"))?;
        let metadata = Metadata::read(chart, None)?;
        let sums: Sums = yaml::read(sums).map_err(|error| refused(format!("its digests cannot be read: {error}")))?;
        let name = format!("{}-{}.tgz", metadata.name, metadata.version);
        let digest = sums.files.get(&name).ok_or_else(|| refused(format!("it has no digest of {name}")))?;
        let digest = digest.parse().map_err(|_| refused(format!("it has no digest of {name} that is known here")))?;
        let clear_signed = (text.to_owned(), message);
        Ok(Self { metadata, digest, clear_signed })
    }
}

/// What is signed, without the dashes that escape it.
fn message(text: &str) -> Result<String, InspectError> {
    let text = text.replace("\r\n", "\n");
    let (_, rest) = text.split_once(BEGIN).ok_or_else(|| refused("it is no clear-signed message"))?;
    // Headers (Hash: …) end with an empty line.
    let (_, rest) = rest.split_once("\n\n").ok_or_else(|| refused("its head does not end"))?;
    let end = format!("\n{SIGNATURE}");
    let (message, _) = rest.split_once(&end).ok_or_else(|| refused("it is not signed"))?;
    let lines = message.split('\n').map(|line| line.strip_prefix("- ").unwrap_or(line));
    Ok(lines.collect::<Vec<_>>().join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(chart: &str, sums: &str) -> String {
        format!("{BEGIN}\nHash: SHA512\n\n{chart}\n...\n{sums}\n{SIGNATURE}\n\nabc\n-----END PGP SIGNATURE-----\n")
    }

    #[test]
    fn a_provenance_file_names_the_chart_and_its_digest() {
        let sums = format!("files:\n  crate-1.0.0.tgz: sha256:{}\n", "0".repeat(64));
        let text = file("apiVersion: v2\nkeywords:\n- - a\nname: crate\nversion: 1.0.0\n", &sums);
        let told = Provenance::read(&text).unwrap();
        assert_eq!(told.metadata.name, "crate");
        assert_eq!(told.digest.hex(), "0".repeat(64));
        assert_eq!(Provenance::read(&text.replace('\n', "\r\n")).unwrap().clear_signed.1, told.clear_signed.1);
    }

    #[test]
    fn what_is_no_provenance_file_is_refused() {
        let chart = "name: crate\nversion: 1.0.0\n";
        let good = format!("files:\n  crate-1.0.0.tgz: sha256:{}\n", "0".repeat(64));
        for (text, why) in [
            (String::new(), "no clear-signed message"),
            (format!("{BEGIN}\nHash: x"), "head does not end"),
            (format!("{BEGIN}\n\n{chart}\n...\n{good}"), "not signed"),
            (file(chart, &good).replace("\n...\n", "\n"), "both"),
            (file("name: ../a\nversion: 1.0.0", &good), "not a name"),
            (file(chart, "files: {}"), "no digest of crate-1.0.0.tgz"),
            (file(chart, "files: {crate-1.0.0.tgz: 'md5:0'}"), "known here"),
            (file(chart, "other: {}"), "cannot be read"),
        ] {
            let error = Provenance::read(&text).expect_err(why);
            assert!(error.0.contains(why), "{why}: {error}");
        }
        let large = vec![b'x'; 3 * 1024 * 1024];
        assert!(Provenance::read_from(&mut &large[..]).is_err());
    }
}
