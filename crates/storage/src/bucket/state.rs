//! What an unfinished object is, as its progress keeps it: all that another process needs to go on.

use bytes::Bytes;

use crate::{Error, ObjectKey, Progress, Result};

/// First byte of the state.
const VERSION: u8 = 1;

/// A multipart upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Multipart {
    /// Its id.
    pub(super) id: String,
    /// Of the parts that are there, from the first on: what completes the upload with them.
    pub(super) parts: Vec<String>,
}

/// Where an unfinished object stands: parts that are in the bucket, and the bytes after them that do not fill another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct State {
    /// Bytes in each part. All are of one size: not every store takes others.
    pub(super) part_size: u32,
    /// Begun when there was enough for a part.
    pub(super) multipart: Option<Multipart>,
    /// Fewer bytes than a part has.
    pub(super) tail: Vec<u8>,
}

impl State {
    /// Nothing yet.
    pub(super) fn new(part_size: u32) -> Self {
        Self { part_size, ..Self::default() }
    }

    /// Bytes in the bucket and in the tail.
    pub(super) fn held(&self) -> u64 {
        let parts = self.multipart.as_ref().map_or(0, |multipart| multipart.parts.len());
        parts as u64 * u64::from(self.part_size) + self.tail.len() as u64
    }

    /// Whether anything is in the bucket.
    pub(super) fn is_begun(at: &Progress) -> bool {
        Self::decode(&at.state).is_some_and(|(state, _)| state.multipart.is_some())
    }

    /// Its own tail counts for nothing here: it would be there twice.
    pub(super) fn with_tail(&self, tail: Vec<Bytes>) -> Progress {
        let parts = self.multipart.as_ref().map_or(&[][..], |multipart| &multipart.parts);
        let length: usize = tail.iter().map(Bytes::len).sum();
        let mut bytes = Vec::with_capacity(length + 64 * (parts.len() + 8));
        bytes.push(VERSION);
        put(&mut bytes, &self.part_size.to_be_bytes());
        put(&mut bytes, self.multipart.as_ref().map_or(&[], |multipart| multipart.id.as_bytes()));
        bytes.extend_from_slice(&u32::try_from(parts.len()).unwrap_or(u32::MAX).to_be_bytes());
        parts.iter().for_each(|part| put(&mut bytes, part.as_bytes()));
        bytes.push(u8::from(self.multipart.is_some()));
        // Each piece goes as soon as it is copied.
        tail.into_iter().for_each(|piece| bytes.extend_from_slice(&piece));
        Progress { offset: parts.len() as u64 * u64::from(self.part_size) + length as u64, state: bytes }
    }

    /// `None` for the progress of nothing.
    pub(super) fn read(key: &ObjectKey, at: &Progress) -> Result<Option<Self>> {
        if at.state.is_empty() && at.offset == 0 {
            return Ok(None);
        }
        let truncated = |held| Error::Truncated { key: key.clone(), expected: at.offset, held };
        // Of another backend, or cut.
        let (mut state, tail) = Self::decode(&at.state).ok_or_else(|| truncated(0))?;
        state.tail = tail.to_vec();
        // What is held beyond the offset would be another's: a progress says exactly how far it goes.
        if state.held() == at.offset { Ok(Some(state)) } else { Err(truncated(state.held())) }
    }

    /// All but the tail, and the tail.
    fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let rest = &mut bytes.strip_prefix(&[VERSION])?;
        let part_size = u32::from_be_bytes(take(rest)?.try_into().ok()?);
        let id = text(rest)?;
        let (count, others) = rest.split_at_checked(4)?;
        *rest = others;
        let count = u32::from_be_bytes(count.try_into().ok()?);
        let parts = (0..count).map(|_| text(rest)).collect::<Option<Vec<_>>>()?;
        let (begun, tail) = rest.split_first()?;
        let multipart = (*begun == 1).then_some(Multipart { id, parts });
        Some((Self { part_size, multipart, tail: Vec::new() }, tail))
    }
}

/// Ids of uploads and parts are short; one longer than this is no id.
fn put(bytes: &mut Vec<u8>, field: &[u8]) {
    let length = u16::try_from(field.len()).unwrap_or(u16::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&field[..usize::from(length)]);
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, others) = rest.split_at_checked(2)?;
    let (field, others) = others.split_at_checked(usize::from(u16::from_be_bytes(length.try_into().ok()?)))?;
    *rest = others;
    Some(field)
}

fn text(rest: &mut &[u8]) -> Option<String> {
    String::from_utf8(take(rest)?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let multipart = Multipart { id: "upload".to_owned(), parts: vec!["\"a\"".to_owned(), "\"b\"".to_owned()] };
        State { part_size: 5, multipart: Some(multipart), tail: b"tail".to_vec() }
    }

    #[test]
    fn a_state_round_trips_and_knows_its_length() {
        let key = ObjectKey::new([1; 16]);
        for state in [state(), State::new(5), State { tail: b"x".to_vec(), ..State::new(5) }] {
            let progress = state.with_tail(vec![state.tail.clone().into()]);
            assert_eq!(progress.offset, state.held());
            assert_eq!(State::read(&key, &progress).unwrap(), Some(state));
        }
        assert_eq!(State::read(&key, &Progress::default()).unwrap(), None);
    }

    #[test]
    fn a_state_that_was_cut_or_is_of_another_length_is_refused() {
        let (key, whole) = (ObjectKey::new([1; 16]), state().with_tail(vec![Bytes::from_static(b"tail")]));
        for length in 0..whole.state.len() {
            let cut = Progress { offset: whole.offset, state: whole.state[..length].to_vec() };
            assert!(State::read(&key, &cut).is_err(), "{length}");
        }
        let refused = State::read(&key, &Progress { offset: 15, ..whole });
        assert!(matches!(refused, Err(Error::Truncated { expected: 15, held: 14, .. })), "{refused:?}");
    }
}
