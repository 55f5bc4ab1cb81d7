//! Release: what a distribution is, and the checksums of its tables. InRelease and Release.gpg are the same, signed.

use std::collections::BTreeSet;
use std::fmt::Write;

use bytes::Bytes;
use wharf_core::{IndexError, IndexFile, Publication};
use wharf_types::{Digest, Timestamp};

use crate::name::Component;

/// Names every table.
pub(crate) const RELEASE: &str = "Release";

const TEXT: &str = "text/plain; charset=utf-8";

/// Adds the release, or keeps the current generation if that says the same.
pub(super) async fn add(
    publication: &mut Publication,
    components: &BTreeSet<Component>,
    architectures: &BTreeSet<String>,
    files: &[IndexFile],
) -> Result<(), IndexError> {
    let (name, channel) = (publication.repository().clone(), publication.channel().to_owned());
    let joined = |names: Vec<&str>| names.join(" ");
    let mut fields = vec![
        ("Origin", name.project().as_str().to_owned()),
        ("Label", name.full()),
        ("Suite", channel.clone()),
        ("Codename", channel),
    ];
    fields.push(("Architectures", joined(architectures.iter().map(String::as_str).collect())));
    fields.push(("Components", joined(components.iter().map(Component::as_str).collect())));
    fields.push(("Acquire-By-Hash", "yes".to_owned()));
    let now = publication.now();
    let said = said(&fields, files)?;
    if before(publication).await?.as_deref() == Some(said.as_str()) {
        publication.keep_current();
        return Ok(());
    }
    let text = dated(&said, now);
    publication.add_whole(RELEASE, TEXT, Bytes::from(text)).await?;
    Ok(())
}

/// Everything but when it was said.
fn said(fields: &[(&str, String)], files: &[IndexFile]) -> Result<String, IndexError> {
    let mut text: String = fields.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    let sha512 = |file: &IndexFile| {
        file.sha512.ok_or_else(|| IndexError::Format(format!("{} was not hashed with SHA-512", file.path)))
    };
    let sha256 = |file: &IndexFile| Ok(file.digest);
    section(&mut text, "SHA256", files, sha256)?;
    section(&mut text, "SHA512", files, sha512)?;
    Ok(text)
}

fn section(
    text: &mut String,
    name: &str,
    files: &[IndexFile],
    digest: impl Fn(&IndexFile) -> Result<Digest, IndexError>,
) -> Result<(), IndexError> {
    writeln!(text, "{name}:").map_err(|error| IndexError::Format(error.to_string()))?;
    for file in files {
        let line = writeln!(text, " {} {:>12} {}", digest(file)?.hex(), file.size, file.path);
        line.map_err(|error| IndexError::Format(error.to_string()))?;
    }
    Ok(())
}

/// Puts the time behind the fields and before the checksums.
fn dated(said: &str, now: Timestamp) -> String {
    let (head, sums) = said.split_once("SHA256:").unwrap_or((said, ""));
    format!("{head}{DATE}{}\nSHA256:{sums}", date(now))
}

const DATE: &str = "Date: ";

/// RFC 1123, in the universal time that apt asks for.
fn date(at: Timestamp) -> String {
    at.to_chrono().format("%a, %d %b %Y %H:%M:%S UTC").to_string()
}

/// What the current generation says, without its time.
async fn before(publication: &Publication) -> Result<Option<String>, IndexError> {
    let Some((_, segments)) = publication.current(RELEASE).await? else { return Ok(None) };
    let mut text = String::new();
    for segment in &segments {
        text.push_str(&String::from_utf8_lossy(&publication.read(segment).await?));
    }
    Ok(Some(text.split_inclusive('\n').filter(|line| !line.starts_with(DATE)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_apt_reads_it() {
        let at = Timestamp::from_millis(1_700_000_000_999);
        assert_eq!(date(at), "Tue, 14 Nov 2023 22:13:20 UTC");
    }

    #[test]
    fn a_release_names_each_file_with_both_checksums() {
        let digest = |text: &[u8]| Digest::sha256(text);
        let file = IndexFile {
            path: "main/binary-amd64/Packages".into(),
            media_type: TEXT.into(),
            digest: digest(b"a"),
            sha512: Some(digest(b"b")),
            size: 7,
        };
        let said = said(&[("Suite", "sid".to_owned())], std::slice::from_ref(&file)).unwrap();
        let (first, second) = (digest(b"a").hex(), digest(b"b").hex());
        let path = "           7 main/binary-amd64/Packages";
        assert_eq!(said, format!("Suite: sid\nSHA256:\n {first} {path}\nSHA512:\n {second} {path}\n"));
        assert!(
            dated(&said, Timestamp::from_millis(0))
                .starts_with("Suite: sid\nDate: Thu, 01 Jan 1970 00:00:00 UTC\nSHA256:\n")
        );
        assert!(super::said(&[], &[IndexFile { sha512: None, ..file }]).is_err());
    }
}
