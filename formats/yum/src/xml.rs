//! XML as clients of repositories read it: elements on lines of their own, two blanks a level.

use std::borrow::Cow;
use std::fmt::Write;

use quick_xml::escape::{escape, partial_escape};

/// A piece of a document in the making.
#[derive(Debug, Default)]
pub(crate) struct Xml(String);

impl Xml {
    /// A line as it is.
    pub(crate) fn raw(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// An element with a text.
    pub(crate) fn text(&mut self, level: usize, name: &str, text: &str) {
        self.element(level, name, &[], text);
    }

    /// An element with attributes and a text.
    pub(crate) fn element(&mut self, level: usize, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.begin(level, name, attributes);
        let _ = writeln!(self.0, ">{}</{name}>", text_of(text));
    }

    /// An element with attributes and nothing in it.
    pub(crate) fn empty(&mut self, level: usize, name: &str, attributes: &[(&str, &str)]) {
        self.begin(level, name, attributes);
        self.0.push_str("/>\n");
    }

    /// The begin of an element with others in it.
    pub(crate) fn open(&mut self, level: usize, name: &str, attributes: &[(&str, &str)]) {
        self.begin(level, name, attributes);
        self.0.push_str(">\n");
    }

    /// Its end.
    pub(crate) fn close(&mut self, level: usize, name: &str) {
        let _ = writeln!(self.0, "{:1$}</{name}>", "", 2 * level);
    }

    fn begin(&mut self, level: usize, name: &str, attributes: &[(&str, &str)]) {
        let _ = write!(self.0, "{:1$}<{name}", "", 2 * level);
        for (key, value) in attributes {
            let _ = write!(self.0, " {key}=\"{}\"", value_of(value));
        }
    }

    /// The document.
    pub(crate) fn finish(self) -> String {
        self.0
    }
}

/// What XML 1.0 (section 2.2) has no way to write becomes the character for that. Blanks that a reader would not give back as they
/// were are written as numbers (sections 2.11 and 3.3.3).
fn text_of(text: &str) -> String {
    numbered(&partial_escape(printable(text)), &['\r'])
}

fn value_of(text: &str) -> String {
    numbered(&escape(printable(text)), &['\r', '\n', '\t'])
}

fn numbered(text: &str, which: &[char]) -> String {
    if !text.contains(which) {
        return text.to_owned();
    }
    let write = |c: char| if which.contains(&c) { format!("&#{};", c as u32) } else { c.to_string() };
    text.chars().map(write).collect()
}

fn printable(text: &str) -> Cow<'_, str> {
    let odd = |c: char| (c < ' ' && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{fffe}' | '\u{ffff}');
    if text.contains(odd) { text.replace(odd, "\u{fffd}").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_as_it_was() {
        let mut xml = Xml::default();
        xml.open(0, "a", &[]);
        xml.element(1, "b", &[("c", "x\n<\"'&>\t")], " 1 < 2 & 3 > 2\r\n\"");
        xml.empty(1, "d", &[("e", "")]);
        xml.text(1, "f", "bell \u{7} ä");
        xml.close(0, "a");
        let written = xml.finish();
        assert_eq!(
            written,
            "<a>\n  <b c=\"x&#10;&lt;&quot;&apos;&amp;&gt;&#9;\"> 1 &lt; 2 &amp; 3 &gt; 2&#13;\n\"</b>\n  \
             <d e=\"\"/>\n  <f>bell \u{fffd} ä</f>\n</a>\n"
        );
    }
}
