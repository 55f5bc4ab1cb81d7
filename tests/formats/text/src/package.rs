//! What a package says of itself. Every byte of it is a stranger's: sizes are capped before anything is kept.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};

use wharf_core::{Arrival, Contents, InspectError};

use crate::index::KIND;

/// Most bytes of a header.
const LONGEST_HEADER: u64 = 16 * 1024;
/// Bytes of the text that are looked at together.
const CHUNK: usize = 64 * 1024;
/// What only the index may say.
const OURS: [&str; 4] = ["lines", "path", "size", "sha256"];

/// Name and value of a field, as they were written.
type Field = (String, String);

/// Reads a package to its end.
pub(crate) fn inspect(file: &mut dyn Read, arrival: &Arrival) -> Result<Contents, InspectError> {
    let mut file = BufReader::with_capacity(CHUNK, file);
    let fields = header(&mut file)?;
    let value =
        |wanted: &str| fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.clone());
    let name = value("name").ok_or_else(|| refused("the header has no Name"))?;
    let version = value("version").ok_or_else(|| refused("the header has no Version"))?;
    let architecture = value("architecture").unwrap_or_default();
    if !part(&name, "+.-") || !part(&version, "+.-~") || !(architecture.is_empty() || part(&architecture, "-")) {
        return Err(refused("Name, Version and Architecture are letters, digits and some of '+', '.', '-' and '~'"));
    }
    let lines = lines(&mut file)?;
    let mut fragment: String = fields.iter().map(|(key, value)| format!("{key}: {value}\n")).collect();
    fragment.push_str(&format!("Lines: {lines}\n"));
    let ending = if architecture.is_empty() { String::new() } else { format!("_{architecture}") };
    let path = format!("{}/packages/{name}_{version}{ending}.txt", arrival.channel);
    let fragments = BTreeMap::from([(KIND.to_owned(), fragment.into_bytes())]);
    let (part, sorts_as) = (Some(String::new()), Some(path.clone()));
    Ok(Contents { name, version, architecture, path, fragments, part, sorts_as, ..Contents::default() })
}

fn refused(why: impl Into<String>) -> InspectError {
    InspectError(why.into())
}

/// Whether a text can be a part of a file name. `_` parts the parts.
fn part(text: &str, others: &str) -> bool {
    text.len() <= 100
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// The fields up to the empty line.
fn header(file: &mut impl BufRead) -> Result<Vec<Field>, InspectError> {
    let mut file = file.take(LONGEST_HEADER);
    let mut fields: Vec<Field> = Vec::new();
    loop {
        let mut line = Vec::new();
        file.read_until(b'\n', &mut line).map_err(|error| refused(error.to_string()))?;
        if line.pop() != Some(b'\n') {
            return Err(refused("the header does not end with an empty line, or is longer than 16 KiB"));
        }
        if line.is_empty() {
            return Ok(fields);
        }
        let (key, value) = field(line)?;
        if fields.iter().any(|(known, _)| known.eq_ignore_ascii_case(&key)) {
            return Err(refused(format!("the header has {key} twice")));
        }
        fields.push((key, value));
    }
}

fn field(line: Vec<u8>) -> Result<Field, InspectError> {
    let line = String::from_utf8(line).map_err(|_| refused("the header is not UTF-8"))?;
    let (key, value) = line.split_once(':').ok_or_else(|| refused("a line of the header has no colon"))?;
    let value = value.trim();
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') || value.is_empty() {
        return Err(refused("a line of the header is not \"Key: value\""));
    }
    if value.contains(char::is_control) {
        return Err(refused(format!("{key} has control characters")));
    }
    if OURS.iter().any(|ours| ours.eq_ignore_ascii_case(key)) {
        return Err(refused(format!("{key} is said by the index, not by a package")));
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// How many lines the text has.
fn lines(file: &mut impl BufRead) -> Result<usize, InspectError> {
    let mut lines = 0;
    loop {
        let chunk = file.fill_buf().map_err(|error| refused(error.to_string()))?;
        if chunk.is_empty() {
            return Ok(lines);
        }
        if chunk.contains(&0) {
            return Err(refused("the text has a NUL"));
        }
        lines += chunk.iter().filter(|byte| **byte == b'\n').count();
        let length = chunk.len();
        file.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Contents, InspectError> {
        inspect(&mut &*text, &Arrival { channel: "stable".into(), ..Arrival::default() })
    }

    #[test]
    fn a_package_says_what_it_is() {
        let contents =
            read(b"Name: hello\nversion:1.2~rc1 \nSummary: \xc3\xa4 b\nArchitecture: arm64\n\none\ntwo\n").unwrap();
        let Contents { name, version, architecture, path, mut fragments, .. } = contents;
        assert_eq!((name.as_str(), version.as_str(), architecture.as_str()), ("hello", "1.2~rc1", "arm64"));
        assert_eq!(path, "stable/packages/hello_1.2~rc1_arm64.txt");
        let said = "Name: hello\nversion: 1.2~rc1\nSummary: ä b\nArchitecture: arm64\nLines: 2\n";
        assert_eq!(String::from_utf8(fragments.remove(KIND).unwrap()).unwrap(), said);
    }

    #[test]
    fn the_text_may_be_empty_and_the_architecture_missing() {
        assert_eq!(read(b"Name: a\nVersion: 1\n\n").unwrap().path, "stable/packages/a_1.txt");
    }

    #[test]
    fn what_is_no_package_is_refused() {
        let long = format!("Name: a\nVersion: 1\nX: {}\n\n", "x".repeat(20_000));
        let endless = "x".repeat(20_000);
        for text in [
            "",
            "Name: a\nVersion: 1\n",
            "Name: a\n\n",
            "Version: 1\n\n",
            "Name: a\nName: b\nVersion: 1\n\n",
            "Name: ../a\nVersion: 1\n\n",
            "Name: a/b\nVersion: 1\n\n",
            "Name: a\nVersion: 1_2\n\n",
            "Name: a\nVersion: 1\nArchitecture: a/b\n\n",
            "Name: a\nVersion: 1\nno colon\n\n",
            "Name: a\nVersion: 1\nKey:\n\n",
            "Name: a\nVersion: 1\nKey: a\rb\n\n",
            "Name: a\nVersion: 1\nSHA256: forged\n\n",
            "Name: a\nVersion: 1\n\n\0",
            &long,
            &endless,
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(read(b"Name: \xff\nVersion: 1\n\n").is_err());
    }
}
