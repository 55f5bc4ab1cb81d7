//! The head of a package file, taken in and measured before anything else reads it: lead, signature header and header (rpm's
//! "Package format" manual, V4 and V6). A reader of headers believes offsets and counts; here they are held against what is there.

use std::io::Read;

use wharf_core::InspectError;

use super::refused;

/// Bytes of the lead.
const LEAD: usize = 96;
/// Bytes before the entries of a header: magic, version, reserved, two numbers.
const INTRO: usize = 16;
/// Bytes of an entry: tag, type, offset, count.
const ENTRY: usize = 16;
/// Entries of a header that rpm itself takes.
const MOST_ENTRIES: usize = 0xffff;
/// Most bytes of a signature header.
const LARGEST_SIGNATURE: usize = 8 << 20;
/// Most bytes of a header: a package with 100 000 files has some 15 MB.
const LARGEST_HEADER: usize = 32 << 20;
/// Entries share bytes only by mistake or malice: they may be so many times as long as what they lie in.
const MOST_SHARING: usize = 2;

/// The bytes of a package before its payload.
pub(crate) struct Head {
    /// All of them.
    pub(crate) bytes: Vec<u8>,
    /// Where the header begins, after the signature header and its padding.
    pub(crate) header_start: usize,
}

/// Reads up to the payload.
pub(crate) fn read(file: &mut dyn Read) -> Result<Head, InspectError> {
    let mut bytes = Vec::new();
    take(file, LEAD, &mut bytes, "it is shorter than the lead of an RPM package")?;
    if bytes[..4] != [0xed, 0xab, 0xee, 0xdb] {
        return Err(refused("it is not an RPM package: its first bytes are others"));
    }
    header(file, &mut bytes, "signature header", LARGEST_SIGNATURE)?;
    let padding = bytes.len().next_multiple_of(8) - bytes.len();
    take(file, padding, &mut bytes, "it ends in its signature header")?;
    let header_start = bytes.len();
    header(file, &mut bytes, "header", LARGEST_HEADER)?;
    Ok(Head { bytes, header_start })
}

/// Appends a header whose entries all lie inside it.
fn header(file: &mut dyn Read, bytes: &mut Vec<u8>, what: &str, most: usize) -> Result<(), InspectError> {
    let truncated = format!("it ends in its {what}");
    let begin = bytes.len();
    take(file, INTRO, bytes, &truncated)?;
    let intro = &bytes[begin..];
    if intro[..4] != [0x8e, 0xad, 0xe8, 1] {
        return Err(refused(format!("its {what} does not begin like one of version 1")));
    }
    let (entries, store) = (number(intro, 8), number(intro, 12));
    if entries == 0 || entries > MOST_ENTRIES || entries * ENTRY + store > most {
        return Err(refused(format!(
            "its {what} says that it has {entries} entries and {store} bytes, which is too much"
        )));
    }
    take(file, entries * ENTRY + store, bytes, &truncated)?;
    let (index, store) = bytes[begin + INTRO..].split_at(entries * ENTRY);
    let mut total = 0;
    for entry in index.chunks_exact(ENTRY) {
        let length = length(entry, store)
            .ok_or_else(|| refused(format!("entry {} of its {what} does not lie inside it", number(entry, 0))))?;
        total += length;
        if total > MOST_SHARING * store.len() {
            return Err(refused(format!("the entries of its {what} lie over each other")));
        }
    }
    Ok(())
}

/// How many bytes of the store an entry has; `None` if they are not there.
fn length(entry: &[u8], store: &[u8]) -> Option<usize> {
    let (kind, offset, count) = (number(entry, 4), number(entry, 8), number(entry, 12));
    let there = store.get(offset..)?;
    let length = match kind {
        0 => 0,
        1 | 2 | 7 => count,
        3 => count.checked_mul(2)?,
        4 => count.checked_mul(4)?,
        5 => count.checked_mul(8)?,
        // One string, as long as it is: its count says nothing.
        6 => strings(there, 1)?,
        8 | 9 => strings(there, count)?,
        _ => return None,
    };
    (length <= there.len()).then_some(length)
}

/// How many bytes so many strings have, each with its NUL.
fn strings(there: &[u8], count: usize) -> Option<usize> {
    // A string has at least its NUL, so the count cannot be larger.
    if count > there.len() {
        return None;
    }
    let mut ends = there.iter().enumerate().filter(|(_, byte)| **byte == 0).map(|(at, _)| at + 1);
    if count == 0 { Some(0) } else { ends.nth(count - 1) }
}

fn number(bytes: &[u8], at: usize) -> usize {
    bytes[at..at + 4].iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// Appends exactly so many bytes; what is announced is not allocated before it has come.
fn take(file: &mut dyn Read, count: usize, bytes: &mut Vec<u8>, truncated: &str) -> Result<(), InspectError> {
    let read = file.take(count as u64).read_to_end(bytes).map_err(|error| refused(error.to_string()))?;
    if read == count { Ok(()) } else { Err(refused(truncated)) }
}
