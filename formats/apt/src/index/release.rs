//! Release: what a distribution is, and the checksums of its tables. InRelease and Release.gpg are the same, signed.

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use chrono::NaiveDateTime;
use wharf_core::{IndexError, IndexFile, Publication, Reissue};
use wharf_types::{Digest, Timestamp};

use super::Layout;
use crate::name::Component;
use crate::settings::Settings;

/// Names every table.
const RELEASE: &str = "Release";
/// The same, signed around itself: what apt reads, so that it never sees one of two files change before the other.
const INLINE: &str = "InRelease";
/// The signature beside it.
const DETACHED: &str = "Release.gpg";

const TEXT: &str = "text/plain; charset=utf-8";

/// Adds the release, or keeps the current generation if that says the same and is good for long enough.
pub(super) async fn add(
    publication: &mut Publication,
    layout: &Layout,
    settings: &Settings,
    files: &[IndexFile],
) -> Result<(), IndexError> {
    let keys = publication.signed_by().await?;
    let mut fields = fields(publication, layout, settings);
    fields.push(("Signed-By", keys.join(", ")));
    let said = said(&fields, files)?;
    let before = publication.current_content(RELEASE).await?.as_deref().map(Before::read);
    let floor = before.as_ref().map(|before| before.made);
    let fits = before.filter(|before| before.said == said);
    issue(publication, &said, fits, floor, settings.valid_for()).await
}

/// Says anew what the release of an earlier generation says: with a date that is not before what clients have seen, which they
/// would keep otherwise, and with the signatures of today.
pub(super) async fn reissue(
    publication: &mut Publication,
    why: Reissue,
    valid_for: Option<Duration>,
) -> Result<(), IndexError> {
    let Some(earlier) = publication.current_content(RELEASE).await?.as_deref().map(Before::read) else {
        publication.keep_current();
        return Ok(());
    };
    let keys = publication.signed_by().await?.join(", ");
    let signed = |line: &str| match line.starts_with(SIGNED_BY) {
        true => format!("{SIGNED_BY}{keys}\n"),
        false => line.to_owned(),
    };
    let said: String = earlier.said.split_inclusive('\n').map(signed).collect();
    let seen = publication.seen_content(RELEASE).await?.as_deref().map(Before::read);
    let floor = seen.map(|seen| seen.made);
    let fits = Some(earlier).filter(|earlier| why == Reissue::Due && earlier.said == said);
    issue(publication, &said, fits, floor, valid_for).await
}

/// Adds a release that says this, or keeps what `fits` if that is good for long enough. Servers' clocks differ, and apt keeps what
/// it has where what it finds is dated before that: the date is not before `floor`.
async fn issue(
    publication: &mut Publication,
    said: &str,
    fits: Option<Before>,
    floor: Option<Timestamp>,
    valid_for: Option<Duration>,
) -> Result<(), IndexError> {
    let now = publication.now();
    let until = |made: Timestamp| valid_for.map(|span| date(made.after(span)));
    // Half of its time is left for renewing it, should the server be down.
    let renewed = |made: Timestamp| valid_for.map(|span| made.after(span / 2));
    let made = match fits {
        Some(Before { made, until: known, .. })
            if until(made) == known && renewed(made).is_none_or(|due| due > now) =>
        {
            publication.keep_current();
            made
        }
        _ => {
            let now = floor.map_or(now, |floor| floor.max(now));
            let text = dated(said, now, valid_for);
            sign(publication, &text).await?;
            publication.add_whole(RELEASE, TEXT, Bytes::from(text)).await?;
            now
        }
    };
    if let Some(due) = renewed(made) {
        publication.renew_at(due);
    }
    Ok(())
}

/// Adds both forms of the signature.
async fn sign(publication: &mut Publication, text: &str) -> Result<(), IndexError> {
    const SIGNATURE: &str = "application/pgp-signature";
    let inline = publication.clear_sign(text).await?;
    publication.add_whole(INLINE, TEXT, Bytes::from(inline)).await?;
    let detached = publication.sign_detached(text.as_bytes()).await?;
    publication.add_whole(DETACHED, SIGNATURE, Bytes::from(detached)).await?;
    Ok(())
}

fn fields(publication: &Publication, layout: &Layout, settings: &Settings) -> Vec<(&'static str, String)> {
    let (name, channel) = (publication.repository(), publication.channel());
    let or = |said: &Option<String>, own: String| said.clone().unwrap_or(own);
    let joined = |names: Vec<&str>| names.join(" ");
    let components = joined(layout.components.iter().map(Component::as_str).collect());
    let mut fields = vec![
        ("Origin", or(&settings.origin, name.project().as_str().to_owned())),
        ("Label", or(&settings.label, name.full())),
        ("Suite", or(&settings.suite, channel.to_owned())),
        ("Codename", or(&settings.codename, channel.to_owned())),
    ];
    fields.extend(settings.version.clone().map(|version| ("Version", version)));
    fields.push(("Architectures", joined(layout.architectures.iter().map(String::as_str).collect())));
    fields.push(("Components", components));
    fields.extend(settings.description.clone().map(|description| ("Description", description)));
    let flags = [("NotAutomatic", settings.not_automatic), ("ButAutomaticUpgrades", settings.but_automatic_upgrades)];
    fields.extend(flags.into_iter().filter(|(_, set)| *set == Some(true)).map(|(flag, _)| (flag, "yes".to_owned())));
    fields.push(("Acquire-By-Hash", "yes".to_owned()));
    fields
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

const SIGNED_BY: &str = "Signed-By: ";
const DATE: &str = "Date: ";
const UNTIL: &str = "Valid-Until: ";

/// Puts the time behind the fields and before the checksums.
fn dated(said: &str, now: Timestamp, valid_for: Option<Duration>) -> String {
    let (head, sums) = said.split_once("SHA256:").unwrap_or((said, ""));
    let until = valid_for.map(|span| format!("{UNTIL}{}\n", date(now.after(span)))).unwrap_or_default();
    format!("{head}{DATE}{}\n{until}SHA256:{sums}", date(now))
}

/// RFC 1123, in the universal time that apt asks for.
const FORM: &str = "%a, %d %b %Y %H:%M:%S UTC";

fn date(at: Timestamp) -> String {
    at.to_chrono().format(FORM).to_string()
}

/// What an earlier generation says.
struct Before {
    /// Without its times.
    said: String,
    made: Timestamp,
    until: Option<String>,
}

impl Before {
    fn read(content: &[u8]) -> Self {
        let text = String::from_utf8_lossy(content);
        let value = |field: &str| text.lines().find_map(|line| line.strip_prefix(field));
        // One that cannot be read is as old as can be.
        let made = value(DATE).and_then(|date| NaiveDateTime::parse_from_str(date, FORM).ok());
        let made = Timestamp::from_millis(made.map_or(0, |time| time.and_utc().timestamp_millis()));
        let until = value(UNTIL).map(str::to_owned);
        let timeless = |line: &&str| !line.starts_with(DATE) && !line.starts_with(UNTIL);
        Self { said: text.split_inclusive('\n').filter(timeless).collect(), made, until }
    }
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
            dated(&said, Timestamp::from_millis(0), None)
                .starts_with("Suite: sid\nDate: Thu, 01 Jan 1970 00:00:00 UTC\nSHA256:\n")
        );
        assert!(super::said(&[], &[IndexFile { sha512: None, ..file }]).is_err());
    }
}
