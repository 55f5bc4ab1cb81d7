//! XML of strangers that is handed on as it came: it must stand for itself wherever it is put.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use wharf_core::InspectError;

use crate::package::refused;

/// Elements inside each other; advisories have six.
const DEEPEST: usize = 32;

/// Walks over a document and tells of each element how deep it stands, its begin, and where it begins and ends in the text. What would
/// need the rest of its document, or means something else elsewhere, is refused: types, entities, names with other prefixes than XML's own.
pub(crate) fn walk(
    text: &str,
    mut tell: impl FnMut(usize, &BytesStart<'_>, std::ops::Range<usize>) -> Result<(), InspectError>,
) -> Result<(), InspectError> {
    let odd = |c: char| (c < ' ' && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{fffe}' | '\u{ffff}');
    if text.contains(odd) {
        return Err(refused("it has a control character, which XML cannot have"));
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut open: Vec<(BytesStart<'static>, usize)> = Vec::new();
    let mut roots = 0;
    loop {
        let begin = position(&reader);
        let event = reader.read_event().map_err(|error| refused(format!("it is not XML: {error}")))?;
        let end = position(&reader);
        match event {
            Event::Start(start) => {
                check(&start)?;
                roots += usize::from(open.is_empty());
                if open.len() == DEEPEST {
                    return Err(refused(format!("its elements stand more than {DEEPEST} deep")));
                }
                open.push((start.into_owned(), begin));
            }
            Event::Empty(start) => {
                check(&start)?;
                roots += usize::from(open.is_empty());
                tell(open.len(), &start, begin..end)?;
            }
            Event::End(_) => {
                let (start, begin) = open.pop().ok_or_else(|| refused("it ends more than it begins"))?;
                tell(open.len(), &start, begin..end)?;
            }
            Event::GeneralRef(name) => {
                let known = name.resolve_char_ref().is_ok_and(|found| found.is_none_or(is_writable))
                    && (name.is_char_ref() || matches!(&*name, b"lt" | b"gt" | b"amp" | b"quot" | b"apos"));
                if !known || open.is_empty() {
                    return Err(refused("it refers to something that is not in it"));
                }
            }
            Event::Text(text) if open.is_empty() && !text.iter().all(u8::is_ascii_whitespace) => {
                return Err(refused("it has text outside of its elements"));
            }
            Event::DocType(_) if !open.is_empty() => return Err(refused("it has a document type inside")),
            Event::Eof if open.is_empty() && roots == 1 => return Ok(()),
            Event::Eof => return Err(refused("it is not one whole element")),
            _ => {}
        }
    }
}

fn is_writable(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn check(start: &BytesStart<'_>) -> Result<(), InspectError> {
    let prefixed = |name: &[u8]| name.contains(&b':') && !name.starts_with(b"xml:");
    if prefixed(start.name().as_ref()) {
        return Err(refused("an element has a prefix"));
    }
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| refused(format!("it is not XML: {error}")))?;
        if prefixed(attribute.key.as_ref()) || attribute.key.as_ref() == b"xmlns" {
            return Err(refused("an attribute has a prefix or names a namespace"));
        }
        let value = std::str::from_utf8(&attribute.value).map_err(|_| refused("it is not UTF-8"))?;
        if value.contains('<') || quick_xml::escape::unescape(value).is_err() {
            return Err(refused("an attribute refers to something that is not in it"));
        }
    }
    Ok(())
}

/// The elements right below the root, which has this name. With `only`, one of another name is refused.
pub(crate) fn children(text: &str, root: &str, only: Option<&str>) -> Result<Vec<String>, InspectError> {
    let mut found = Vec::new();
    walk(text, |depth, start, range| {
        let name = start.name();
        match depth {
            0 if name.as_ref() != root.as_bytes() => Err(refused(format!("its root is not <{root}>"))),
            1 if only.is_some_and(|only| name.as_ref() != only.as_bytes()) => {
                Err(refused(format!("<{root}> has something else in it than <{}>", only.unwrap_or_default())))
            }
            1 => {
                found.push(text[range].to_owned());
                Ok(())
            }
            _ => Ok(()),
        }
    })?;
    Ok(found)
}
