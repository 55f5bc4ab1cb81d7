//! Lists in pieces: only what has changed since the current generation is made again.
//!
//! A piece covers the positions from its first up to the next piece's first. A change makes the piece that covers it dirty;
//! neighbouring dirty pieces are one stretch, which is read again and cut anew. What comes after a well-filled last piece begins
//! a new one, so that adding at the end costs little; when many small pieces lie side by side they are made one stretch too.
//!
//! A list may have groups, which no piece divides: then a piece covers everything from the lowest position that its first group could
//! have up to the highest of its last.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use wharf_db::catalog::{generations, placements};
use wharf_types::Digest;

use super::encode::{Block, Encoding};
use super::{Publication, Segment};
use crate::{Error, IndexError, Package, Result};

/// Packages read at once.
const PAGE: i64 = 500;
/// So many small pieces side by side are made larger ones.
const MOST_SMALL: usize = 8;

/// Which list, and how it is kept.
#[derive(Debug, Clone, Copy)]
pub struct ListPlan<'a> {
    /// The part of the channel; empty where it has one.
    pub part: &'a str,
    /// The kind of fragment.
    pub kind: &'a str,
    /// About so many bytes make a piece, before compression.
    pub piece_bytes: usize,
    /// In which compressed forms.
    pub encodings: &'a [Encoding],
}

/// A part of a list, with its compressed forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What the format made.
    pub raw: Segment,
    /// How many packages are in it.
    pub entries: u64,
    encoded: BTreeMap<Encoding, Encoded>,
}

/// A compressed form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Encoded {
    digest: Digest,
    size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    block: Option<Block>,
}

impl Piece {
    /// A compressed form, if the list is kept in it.
    pub fn encoded(&self, encoding: Encoding) -> Option<(Segment, Option<Block>)> {
        let Encoded { digest, size, block } = self.encoded.get(&encoding)?;
        Some((Segment { digest: *digest, size: *size }, *block))
    }
}

fn piece(row: &generations::Piece) -> Result<Piece> {
    let encoded = serde_json::from_str(&row.encodings)
        .map_err(|error| Error::Inconsistent(format!("the encodings of a piece: {error}")))?;
    Ok(Piece { raw: Segment { digest: row.digest, size: row.size }, entries: row.entries, encoded })
}

/// Appends what an index says of one package, whose fragment is given.
pub type Render<'a> = &'a mut (dyn FnMut(&Package, &[u8], &mut Vec<u8>) -> std::result::Result<(), IndexError> + Send);

/// What has changed in a channel since its current generation.
#[derive(Default)]
pub(super) struct Changes {
    /// To be forgotten with the next generation.
    pub(super) ids: BTreeSet<i64>,
    positions: BTreeMap<String, BTreeSet<String>>,
}

impl Changes {
    pub(super) fn new(rows: Vec<placements::Change>) -> Self {
        let mut changes = Self::default();
        for placements::Change { id, part, position } in rows {
            changes.ids.insert(id);
            changes.positions.entry(part).or_default().insert(position);
        }
        changes
    }

    fn touches(&self, part: &str, stretch: &Bounds) -> bool {
        self.positions.get(part).is_some_and(|positions| positions.iter().any(|position| stretch.covers(position)))
    }

    fn any_up_to(&self, part: &str, from: &str, last: &str) -> bool {
        let Some(positions) = self.positions.get(part) else { return false };
        positions.iter().any(|position| position.as_str() >= from && position.as_str() <= last)
    }
}

/// From a position on, up to and without another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bounds {
    from: String,
    until: Option<String>,
}

/// Before every other position that is behind this one: positions have no control characters, and PostgreSQL knows no NUL.
fn behind(position: &str) -> String {
    format!("{position}\u{1}")
}

impl Bounds {
    fn covers(&self, position: &str) -> bool {
        position >= self.from.as_str() && self.until.as_deref().is_none_or(|until| position < until)
    }
}

/// What to do with a list: pieces to keep, and stretches to make anew, in order.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Keep(generations::Piece),
    Make(Bounds),
}

/// `wanted` is about how many bytes a piece has.
fn plan(current: Vec<generations::Piece>, changes: &Changes, part: &str, wanted: u64) -> Vec<Step> {
    let firsts: Vec<String> = current.iter().map(|piece| piece.first.clone()).collect();
    let bounds = |at: usize| Bounds {
        from: if at == 0 { String::new() } else { firsts[at].clone() },
        until: firsts.get(at + 1).cloned(),
    };
    let mut dirty: Vec<bool> = (0..current.len()).map(|at| changes.touches(part, &bounds(at))).collect();
    let mut appended = None;
    if let Some((last, at)) = current.last().zip(current.len().checked_sub(1)) {
        let only_behind = !changes.any_up_to(part, &bounds(at).from, &last.last);
        if dirty[at] && only_behind && last.size >= wanted / 4 {
            dirty[at] = false;
            appended = Some(Bounds { from: behind(&last.last), until: None });
        }
    }
    merge_small(&current, wanted, &mut dirty);
    let mut steps: Vec<Step> = Vec::new();
    for (at, piece) in current.into_iter().enumerate() {
        match (dirty[at], steps.last_mut()) {
            (false, _) => steps.push(Step::Keep(piece)),
            (true, Some(Step::Make(stretch))) => stretch.until = bounds(at).until,
            (true, _) => steps.push(Step::Make(bounds(at))),
        }
    }
    match (appended, steps.last()) {
        // The last piece is made again for another reason, with what comes behind it.
        (Some(_), Some(Step::Make(_))) => {}
        (Some(stretch), _) => steps.push(Step::Make(stretch)),
        (None, None) => steps.push(Step::Make(Bounds { from: String::new(), until: None })),
        (None, Some(_)) => {}
    }
    steps
}

fn merge_small(current: &[generations::Piece], wanted: u64, dirty: &mut [bool]) {
    let mut begin = 0;
    while begin < current.len() {
        let small = current[begin..].iter().take_while(|piece| piece.size < wanted / 2).count();
        if small >= MOST_SMALL {
            dirty[begin..begin + small].fill(true);
        }
        begin += small.max(1);
    }
}

/// Rendered packages on their way into pieces.
#[derive(Default)]
struct Cutter {
    /// What ends the name of a group, where there are groups.
    separator: Option<char>,
    content: Vec<u8>,
    /// Where each package's part ends, and its position.
    ends: Vec<(usize, String)>,
}

/// What a piece is made of before it is stored.
struct Cut {
    content: Bytes,
    first: String,
    last: String,
    entries: u64,
}

/// The name of a position's group with the separator, or the position itself where it is in none.
fn group(position: &str, separator: Option<char>) -> &str {
    let end = separator.and_then(|separator| Some(position.find(separator)? + separator.len_utf8()));
    &position[..end.unwrap_or(position.len())]
}

impl Cutter {
    /// Takes the front off, up to the first package that ends at or behind `bytes`, and the rest of its group. Unless that was
    /// `all`, more of it may come: then nothing is taken.
    fn cut(&mut self, bytes: usize, all: bool) -> Option<Cut> {
        let count = self.ends.partition_point(|(end, _)| *end < bytes) + 1;
        let count = self.group_end(count.min(self.ends.len()));
        if count == self.ends.len() && !all && self.separator.is_some() {
            return None;
        }
        let (first, last) = (&self.ends.first()?.1, &self.ends.get(count.checked_sub(1)?)?.1);
        let (first, last) = match self.separator {
            None => (first.clone(), last.clone()),
            Some(_) => (group(first, self.separator).to_owned(), format!("{}\u{10ffff}", group(last, self.separator))),
        };
        let size = self.ends[count - 1].0;
        let rest = self.content.split_off(size);
        let content = std::mem::replace(&mut self.content, rest).into();
        self.ends.drain(..count);
        for (end, _) in &mut self.ends {
            *end -= size;
        }
        Some(Cut { content, first, last, entries: count as u64 })
    }

    /// So many packages and those that are in one group with the last of them.
    fn group_end(&self, count: usize) -> usize {
        let Some(last) = count.checked_sub(1).and_then(|last| self.ends.get(last)) else { return count };
        let of = |position| group(position, self.separator);
        count + self.ends[count..].iter().take_while(|(_, position)| of(position) == of(&last.1)).count()
    }
}

impl Publication {
    /// The parts of the channel that hold packages, in order.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn parts(&self) -> Result<Vec<String>> {
        let args = (self.repository, self.channel.as_str());
        let parts = self
            .core
            .inner
            .db
            .read(&args, |tx, (repository, channel)| Box::pin(placements::parts(tx, *repository, channel)));
        parts.await.map_err(Error::from)
    }

    /// The pieces of a list as they should be now. `render` is asked for those packages whose piece has changed; it must say
    /// the same of the same package each time. Pieces are never empty; a list without packages has none.
    ///
    /// # Errors
    /// Those of storage and database, and what `render` says.
    pub async fn list(
        &mut self,
        plan_of: &ListPlan<'_>,
        render: Render<'_>,
    ) -> std::result::Result<Vec<Piece>, IndexError> {
        self.pieces(plan_of, None, render).await
    }

    /// The same for a list whose positions begin with the name of a group, a separator behind it. A group lies in one piece whole, and
    /// is rendered whole or not at all.
    ///
    /// # Errors
    /// Those of [`Self::list`].
    pub async fn list_of_groups(
        &mut self,
        plan_of: &ListPlan<'_>,
        separator: char,
        render: Render<'_>,
    ) -> std::result::Result<Vec<Piece>, IndexError> {
        self.pieces(plan_of, Some(separator), render).await
    }

    async fn pieces(
        &mut self,
        plan_of: &ListPlan<'_>,
        separator: Option<char>,
        render: Render<'_>,
    ) -> std::result::Result<Vec<Piece>, IndexError> {
        let ListPlan { part, kind, piece_bytes, .. } = *plan_of;
        let args = (self.repository, self.channel.as_str(), part, kind);
        let current = self.core.inner.db.read(&args, |tx, (repository, channel, part, kind)| {
            Box::pin(generations::current_pieces(tx, *repository, channel, part, kind))
        });
        let current = current.await.map_err(Error::from)?;
        let mut rows = Vec::with_capacity(current.len() + 1);
        for step in plan(current, &self.changes, part, piece_bytes as u64) {
            match step {
                Step::Keep(piece) => rows.push(piece),
                Step::Make(bounds) => self.make(plan_of, (bounds, separator), render, &mut rows).await?,
            }
        }
        let pieces = rows.iter().map(piece).collect::<Result<_>>()?;
        self.lists.push(generations::List { part: part.to_owned(), kind: kind.to_owned(), pieces: rows });
        Ok(pieces)
    }

    async fn make(
        &self,
        plan: &ListPlan<'_>,
        (bounds, separator): (Bounds, Option<char>),
        render: Render<'_>,
        rows: &mut Vec<generations::Piece>,
    ) -> std::result::Result<(), IndexError> {
        let ListPlan { part, kind, piece_bytes: wanted, .. } = *plan;
        let (channel, part, kind) = (self.channel.clone(), part.to_owned(), kind.to_owned());
        let mut stretch = placements::Stretch { channel, part, kind, from: bounds.from, until: bounds.until };
        let mut cutter = Cutter { separator, ..Cutter::default() };
        loop {
            let args = (self.repository, &stretch);
            let page =
                self.core.inner.db.read(&args, |tx, (repository, stretch)| {
                    Box::pin(placements::page(tx, *repository, stretch, PAGE))
                });
            let page = page.await.map_err(Error::from)?;
            let Some(last) = page.last() else { break };
            stretch.from = behind(&last.position);
            for row in page {
                let placements::Listed { position, package, fragment } = row;
                render(&Package::from(package), &fragment, &mut cutter.content)?;
                cutter.ends.push((cutter.content.len(), position));
            }
            while cutter.content.len() >= 2 * wanted
                && let Some(cut) = cutter.cut(wanted, false)
            {
                self.keep(plan, Some(cut), rows).await?;
            }
        }
        // One large group may have kept smaller ones waiting.
        while cutter.content.len() >= 2 * wanted {
            self.keep(plan, cutter.cut(wanted, true), rows).await?;
        }
        if cutter.content.len() > wanted + wanted / 2 {
            self.keep(plan, cutter.cut(cutter.content.len() / 2, true), rows).await?;
        }
        let rest = cutter.content.len();
        Ok(self.keep(plan, cutter.cut(rest, true), rows).await?)
    }

    /// Stores a piece in all its forms.
    async fn keep(&self, plan: &ListPlan<'_>, cut: Option<Cut>, rows: &mut Vec<generations::Piece>) -> Result<()> {
        let Some(Cut { content, first, last, entries }) = cut else { return Ok(()) };
        let (encodings, whole) = (plan.encodings.to_vec(), content.clone());
        let compressed = tokio::task::spawn_blocking(move || {
            encodings
                .into_iter()
                .map(|encoding| Ok((encoding, encoding.piece(&whole)?)))
                .collect::<std::io::Result<Vec<_>>>()
        });
        let compressed = match compressed.await {
            Ok(Ok(compressed)) => compressed,
            Ok(Err(error)) => return Err(Error::NotPublished(format!("a piece was not compressed: {error}"))),
            Err(error) => return Err(Error::Inconsistent(format!("compressing was cut off: {error}"))),
        };
        let raw = self.store(content).await?;
        let mut encoded = BTreeMap::new();
        for (encoding, (bytes, block)) in compressed {
            let Segment { digest, size } = self.store(bytes).await?;
            encoded.insert(encoding, Encoded { digest, size, block });
        }
        let encodings = serde_json::to_string(&encoded).map_err(|error| Error::Inconsistent(error.to_string()))?;
        rows.push(generations::Piece { first, last, entries, digest: raw.digest, size: raw.size, encodings });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(firsts: &[(&str, &str, u64)]) -> Vec<generations::Piece> {
        let piece = |(first, last, size): &(&str, &str, u64)| generations::Piece {
            first: (*first).to_owned(),
            last: (*last).to_owned(),
            entries: 1,
            digest: Digest::sha256(first.as_bytes()),
            size: *size,
            encodings: "{}".to_owned(),
        };
        firsts.iter().map(piece).collect()
    }

    fn changed(positions: &[&str]) -> Changes {
        let change =
            |position: &&str| placements::Change { id: 0, part: String::new(), position: (*position).to_owned() };
        Changes::new(positions.iter().map(change).collect())
    }

    /// `b..f` for a stretch, the first position for a piece that is kept.
    fn told(steps: &[Step]) -> Vec<String> {
        let tell = |step: &Step| match step {
            Step::Keep(piece) => piece.first.clone(),
            Step::Make(Bounds { from, until }) => format!("{from}..{}", until.as_deref().unwrap_or_default()),
        };
        steps.iter().map(tell).collect()
    }

    fn planned(positions: &[&str]) -> Vec<String> {
        let current = pieces(&[("b", "d", 100), ("f", "h", 100), ("k", "m", 100), ("p", "q", 100)]);
        told(&plan(current, &changed(positions), "", 100))
    }

    #[test]
    fn only_the_pieces_that_cover_a_change_are_made_again() {
        assert_eq!(planned(&[]), ["b", "f", "k", "p"]);
        assert_eq!(planned(&["g"]), ["b", "f..k", "k", "p"]);
        assert_eq!(planned(&["i"]), ["b", "f..k", "k", "p"], "a gap belongs to the piece before it");
        assert_eq!(planned(&["a"]), ["..f", "f", "k", "p"]);
        assert_eq!(planned(&["c", "g", "l"]), ["..p", "p"]);
        assert_eq!(planned(&["q"]), ["b", "f", "k", "p.."]);
    }

    #[test]
    fn what_comes_behind_a_filled_last_piece_begins_a_new_one() {
        assert_eq!(planned(&["x", "y"]), ["b", "f", "k", "p", "q\u{1}.."]);
        assert_eq!(planned(&["q", "x"]), ["b", "f", "k", "p.."], "one inside it has changed too");
        let small = pieces(&[("b", "d", 100), ("f", "h", 10)]);
        assert_eq!(told(&plan(small, &changed(&["x"]), "", 100)), ["b", "f.."]);
    }

    #[test]
    fn many_small_pieces_become_one_stretch() {
        let names: Vec<String> = ('b'..='l').map(String::from).collect();
        let small: Vec<_> = names.iter().map(|name| (name.as_str(), name.as_str(), 30)).collect();
        assert_eq!(told(&plan(pieces(&small[..7]), &changed(&["z"]), "", 100)).len(), 8);
        assert_eq!(told(&plan(pieces(&small), &changed(&["z"]), "", 100)), [".."]);
    }

    #[test]
    fn a_list_that_is_not_there_is_made_whole() {
        assert_eq!(told(&plan(Vec::new(), &changed(&["x"]), "", 100)), [".."]);
    }

    #[test]
    fn pieces_end_between_packages() {
        let mut cutter = Cutter::default();
        for n in 0..10 {
            cutter.content.extend_from_slice(&[b'0' + n; 10]);
            cutter.ends.push((cutter.content.len(), n.to_string()));
        }
        let first = cutter.cut(25, false).unwrap();
        assert_eq!((first.content.len(), first.first.as_str(), first.last.as_str(), first.entries), (30, "0", "2", 3));
        let rest = cutter.cut(cutter.content.len(), false).unwrap();
        assert_eq!((rest.content.len(), rest.first.as_str(), rest.last.as_str(), rest.entries), (70, "3", "9", 7));
        assert!(cutter.cut(10, true).is_none());
    }

    #[test]
    fn pieces_do_not_end_inside_a_group() {
        let mut cutter = Cutter { separator: Some(' '), ..Cutter::default() };
        for position in ["a 1", "a 2", "b 1", "b 2", "b 3", "c 1"] {
            cutter.content.extend_from_slice(&[b'x'; 10]);
            cutter.ends.push((cutter.content.len(), position.to_owned()));
        }
        let first = cutter.cut(25, false).unwrap();
        assert_eq!((first.first.as_str(), first.last.as_str(), first.entries), ("a ", "b \u{10ffff}", 5));
        assert!(cutter.cut(5, false).is_none(), "more of the group may come");
        assert_eq!(cutter.cut(5, true).unwrap().entries, 1);
        // A new first or last of a group changes the piece that has the group.
        let pieces = pieces(&[("a ", "b \u{10ffff}", 100), ("c ", "c \u{10ffff}", 100)]);
        for (position, steps) in [("c 0", ["a ", "c .."]), ("c 9", ["a ", "c .."]), ("b 9", ["..c ", "c "])] {
            assert_eq!(told(&plan(pieces.clone(), &changed(&[position]), "", 100)), steps, "{position}");
        }
        assert_eq!(told(&plan(pieces, &changed(&["d 1"]), "", 100)), ["a ", "c ", "c \u{10ffff}\u{1}.."]);
    }
}
