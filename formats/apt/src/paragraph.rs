//! Paragraphs of control files (deb-control(5), Debian Policy 5.1), kept byte for byte: what a package says of itself reaches the
//! index as it was written. Written here because readers of the format that others offer fold and trim values.

use wharf_core::InspectError;

use crate::package::refused;

/// One paragraph.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Paragraph {
    fields: Vec<Field>,
}

/// A field with everything that belongs to it: name, colon, value, continuation lines and the end of the last line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    name: String,
    raw: String,
}

impl Field {
    fn value(&self) -> &str {
        self.raw[self.name.len() + 1..].trim()
    }
}

impl Paragraph {
    /// Reads a file that is one paragraph; empty lines may stand before and behind it.
    pub(crate) fn read(text: &[u8]) -> Result<Self, InspectError> {
        let text = std::str::from_utf8(text).map_err(|_| refused("its control file is not UTF-8"))?;
        let text = text.trim_start_matches(['\n', '\r']).trim_end();
        let mut paragraph = Self::default();
        for line in text.lines() {
            paragraph.add_line(line)?;
        }
        if paragraph.fields.is_empty() {
            return Err(refused("its control file is empty"));
        }
        Ok(paragraph)
    }

    fn add_line(&mut self, line: &str) -> Result<(), InspectError> {
        let shown = || line.chars().take(60).collect::<String>();
        if line.contains(|c: char| c.is_control() && c != '\t') {
            return Err(refused(format!("its control file has control characters: {:?}", shown())));
        }
        // A line of spaces ends a paragraph for some readers and not for others: what follows would be a package of its own.
        if line.trim().is_empty() {
            return Err(refused("its control file has an empty line inside, or more than one paragraph"));
        }
        if line.starts_with([' ', '\t']) {
            let field = self.fields.last_mut();
            let field = field.ok_or_else(|| refused("its control file begins with a continuation line"))?;
            field.raw.push_str(line);
            field.raw.push('\n');
            return Ok(());
        }
        let name = line.split_once(':').map(|(name, _)| name).filter(|name| is_name(name));
        let name = name.ok_or_else(|| refused(format!("a line of its control file is no field: {:?}", shown())))?;
        if self.get(name).is_some() {
            return Err(refused(format!("its control file has {name} twice")));
        }
        self.fields.push(Field { name: name.to_owned(), raw: format!("{line}\n") });
        Ok(())
    }

    /// The value of a field, without the space around it. Names are the same in upper and lower case.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(Field::value)
    }

    /// The value of a field that must be there and say something.
    pub(crate) fn require(&self, name: &str) -> Result<&str, InspectError> {
        let value = self.get(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| refused(format!("its control file has no {name}")))
    }

    /// The lines of a value with one entry a line, as checksums have them, each in its words.
    pub(crate) fn table(&self, name: &str) -> impl Iterator<Item = Vec<&str>> {
        let lines = self.get(name).unwrap_or_default().lines();
        lines.map(|line| line.split_ascii_whitespace().collect()).filter(|words: &Vec<_>| !words.is_empty())
    }

    /// All fields but those of these names, as they were written.
    pub(crate) fn without(&self, names: &[&str]) -> String {
        let kept = |field: &&Field| !names.iter().any(|name| field.name.eq_ignore_ascii_case(name));
        self.fields.iter().filter(kept).map(|field| field.raw.as_str()).collect()
    }
}

/// Printable and no colon; `#` begins comments, and `-` the armour of signatures.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic()) && !name.starts_with(['#', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = "Package: hello\nVersion:1.0 \nX-Odd:  two  spaces\t\nDescription: says hello\n and more:\n .\n  * \
                         indented\n\tby a tab\n";

    #[test]
    fn what_was_written_is_kept() {
        let paragraph = Paragraph::read(HELLO.as_bytes()).unwrap();
        assert_eq!(paragraph.without(&[]), HELLO);
        assert_eq!(paragraph.get("version"), Some("1.0"));
        assert_eq!(paragraph.get("X-ODD"), Some("two  spaces"));
        assert_eq!(paragraph.get("Missing"), None);
        let rest = paragraph.without(&["description", "PACKAGE"]);
        assert_eq!(rest, "Version:1.0 \nX-Odd:  two  spaces\t\n");
    }

    #[test]
    fn empty_lines_around_it_and_a_missing_last_newline_are_nothing() {
        let paragraph = Paragraph::read(b"\n\nA: 1\nB: 2\n\n\n").unwrap();
        assert_eq!(paragraph.without(&[]), "A: 1\nB: 2\n");
        assert_eq!(Paragraph::read(b"A: 1\nB: 2").unwrap(), paragraph);
        assert_eq!(Paragraph::read(b"A: 1\r\nB: 2\r\n").unwrap(), paragraph, "line ends of Windows");
    }

    #[test]
    fn a_table_is_read_in_words() {
        let paragraph = Paragraph::read(b"Files:\n aa 1 x\n\tbb  2 y\nNext: 1\n").unwrap();
        assert_eq!(paragraph.table("Files").collect::<Vec<_>>(), [vec!["aa", "1", "x"], vec!["bb", "2", "y"]]);
        assert_eq!(paragraph.table("Sums").count(), 0);
    }

    #[test]
    fn what_is_no_paragraph_is_refused() {
        for text in [
            &b""[..],
            b"\n\n",
            b" A: 1\n",
            b"no colon\n",
            b": 1\n",
            b"A B: 1\n",
            b"#A: 1\n",
            b"-----BEGIN PGP SIGNED MESSAGE-----\n",
            b"A: 1\na: 2\n",
            b"A: 1\n\nPackage: another\n",
            b"A: 1\n \t \nPackage: another\n",
            b"A: 1\0\n",
            b"A: 1\x1b[2J\n",
            b"A: 1\rB: 2\n",
            b"A: \xff\n",
        ] {
            assert!(Paragraph::read(text).is_err(), "{:?}", String::from_utf8_lossy(text));
        }
    }
}
