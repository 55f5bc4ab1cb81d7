//! What a run of the collector would do now, without doing it.

use std::collections::HashMap;

use wharf_db::Tx;
use wharf_db::catalog::reviews::Review;
use wharf_db::catalog::{blobs, collection, doomed, holders, pins, reviews};
use wharf_types::{Digest, Timestamp};

use super::review::{self, Times, Verdict};
use crate::{Core, Error, Result};

/// What would happen to something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// A link would be hidden, and go when its grace is over.
    Hidden,
    /// A link would go.
    Unlinked,
    /// A blob would go; its bytes follow, when pulls under way had their time.
    Removed,
    /// The bytes of a blob that is gone would go.
    Freed,
}

impl Fate {
    /// The name, as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hidden => "hidden",
            Self::Unlinked => "unlinked",
            Self::Removed => "removed",
            Self::Freed => "freed",
        }
    }
}

/// One thing that a run would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What would happen.
    pub fate: Fate,
    /// To what; not known of some objects.
    pub digest: Option<Digest>,
    /// In which repository, if it is a link.
    pub repository: Option<String>,
    /// Bytes.
    pub size: u64,
    /// Why.
    pub reason: String,
    /// Since when it may.
    pub due: Timestamp,
}

/// A page of a preview.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preview {
    /// What would change.
    pub candidates: Vec<Candidate>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<String>,
}

/// More links to one digest than this are not looked through: then its bytes are taken to stay.
const MOST_LINKS: i64 = 1000;

/// Rows of a page. Each takes several statements, and on SQLite a read keeps its thread.
const MOST_ROWS: i64 = 200;

/// Where a preview goes on. Reviews come first, then links by their age, then objects.
#[derive(Debug, Clone, PartialEq, Eq)]
enum From {
    Reviews(Timestamp, i64),
    Links(collection::Place),
    Objects(String),
}

impl From {
    fn read(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::Reviews(Timestamp::from_millis(i64::MIN), 0));
        }
        let (kind, rest) = text.split_once('.')?;
        let parts: Vec<&str> = rest.split('.').collect();
        let number = |index: usize| parts.get(index)?.parse::<i64>().ok();
        match kind {
            "r" => Some(Self::Reviews(Timestamp::from_millis(number(0)?), number(1)?)),
            "l" => {
                Some(Self::Links((Timestamp::from_millis(number(0)?), number(1)?, hex::decode(parts.get(2)?).ok()?)))
            }
            "o" => Some(Self::Objects(rest.to_owned())),
            _ => None,
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Reviews(due, id) => format!("r.{}.{id}", due.as_millis()),
            Self::Links((at, repository, digest)) => {
                format!("l.{}.{repository}.{}", at.as_millis(), hex::encode(digest))
            }
            Self::Objects(object) => format!("o.{object}"),
        }
    }
}

/// What one page needs to know.
struct Looking<'a, 'c> {
    tx: &'a mut Tx<'c>,
    times: Times,
    cursor: collection::Place,
    names: HashMap<i64, String>,
    found: Vec<Candidate>,
}

impl Core {
    /// What a run of the collector would do now, a page at a time: up to about `limit` candidates after the page that ended with
    /// `after`. `None` if that is no end of a page. Nothing is changed.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn preview_collection(&self, after: &str, limit: usize) -> Result<Option<Preview>> {
        let Some(from) = From::read(after) else { return Ok(None) };
        let args = (self.times(), from, i64::try_from(limit).unwrap_or(i64::MAX).min(MOST_ROWS));
        let seen = self.inner.db.snapshot(&args, |tx, (times, from, limit)| {
            Box::pin(async move {
                let cursor = collection::cursor(tx).await?;
                let mut looking = Looking { tx, times: *times, cursor, names: HashMap::new(), found: Vec::new() };
                let next = looking.page(from, *limit).await?;
                Ok::<_, Error>(Preview { candidates: looking.found, next: next.map(|next| next.write()) })
            })
        });
        Ok(Some(seen.await?))
    }
}

impl Looking<'_, '_> {
    /// Looks at up to `limit` rows of one kind; what follows is the next page's.
    async fn page(&mut self, from: &From, limit: i64) -> Result<Option<From>> {
        let full = |rows: usize| rows as i64 >= limit;
        match from {
            From::Reviews(due, id) => {
                let rows = reviews::due(self.tx, self.times.now, (*due, *id), limit).await?;
                for review in &rows {
                    self.review(review).await?;
                }
                Ok(Some(match rows.last().filter(|_| full(rows.len())) {
                    Some(last) => From::Reviews(last.due_at, last.id),
                    None => From::Links(self.cursor.clone()),
                }))
            }
            From::Links(place) => {
                let rows = collection::links_by_age(self.tx, place, self.times.cursor, limit).await?;
                for link in rows.iter().filter(|link| !link.needed && link.expiring_at.is_none()) {
                    self.link_of_age(link).await?;
                }
                Ok(Some(match rows.last().filter(|_| full(rows.len())) {
                    Some(last) => From::Links((last.created_at, last.repository, last.digest.to_bytes())),
                    None => From::Objects(String::new()),
                }))
            }
            From::Objects(after) => {
                let rows = doomed::page(self.tx, after, limit).await?;
                self.objects(&rows).await?;
                Ok(rows.last().filter(|_| full(rows.len())).map(|last| From::Objects(last.object.clone())))
            }
        }
    }

    async fn review(&mut self, review: &Review) -> Result<()> {
        // The first due review of a link, and of the bytes, speaks for all of them.
        let all = self.due_reviews(&review.digest).await?;
        let (first, of_link) =
            (all.first().map(|first| first.id), |other: &&Review| other.repository == review.repository);
        if let Some(repository) = review.repository
            && all.iter().find(of_link).map(|first| first.id) == Some(review.id)
            && let Some(link) = collection::link_of(self.tx, repository, &review.digest).await?
        {
            match self.times.judge(&link) {
                Verdict::Hides => self.add(Fate::Hidden, &link, &review.reason, review.due_at).await?,
                Verdict::Goes => self.add(Fate::Unlinked, &link, &review.reason, review.due_at).await?,
                _ => {}
            }
        }
        if first == Some(review.id) && self.bytes_go(&review.digest, &all).await? {
            self.add_blob(&review.digest, &review.reason, review.due_at).await?;
        }
        Ok(())
    }

    async fn link_of_age(&mut self, link: &collection::Link) -> Result<()> {
        let (why, due) = (review::UNNAMED, link.created_at);
        let all = self.due_reviews(&link.digest).await?;
        if all.iter().any(|review| review.repository == Some(link.repository)) {
            return Ok(());
        }
        match self.times.judge(link) {
            Verdict::Hides => self.add(Fate::Hidden, link, why, due).await,
            Verdict::Goes => {
                self.add(Fate::Unlinked, link, why, due).await?;
                let links = collection::links_to(self.tx, &link.digest, MOST_LINKS).await?;
                let first = links.iter().filter(|other| self.is_of_age(other)).map(key).min();
                if all.is_empty() && first == Some(key(link)) && self.bytes_go(&link.digest, &all).await? {
                    self.add_blob(&link.digest, why, due).await?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn objects(&mut self, rows: &[doomed::Doomed]) -> Result<()> {
        let pins = pins::living(self.tx, i64::MAX).await?;
        for row in rows.iter().filter(|row| row.due_at <= self.times.now) {
            if pins.iter().any(|pin| pin.since <= row.doomed_at) {
                continue;
            }
            let reason = "its blob is gone".to_owned();
            let (fate, due) = (Fate::Freed, row.due_at);
            self.found.push(Candidate { fate, digest: row.digest, repository: None, size: row.size, reason, due });
        }
        Ok(())
    }

    async fn due_reviews(&mut self, digest: &Digest) -> Result<Vec<Review>> {
        let mut all = reviews::of_digest(self.tx, digest, MOST_LINKS).await?;
        all.retain(|review| review.due_at <= self.times.now);
        all.sort_unstable_by_key(|review| (review.due_at, review.id));
        Ok(all)
    }

    /// Whether nothing would hold the blob when every link that is under review now and can go has gone.
    async fn bytes_go(&mut self, digest: &Digest, due: &[Review]) -> Result<bool> {
        if collection::is_held(self.tx, digest).await? {
            return Ok(false);
        }
        let links = collection::links_to(self.tx, digest, MOST_LINKS).await?;
        Ok(links.len() < usize::try_from(MOST_LINKS).unwrap_or(usize::MAX)
            && links.iter().all(|link| {
                let reviewed = due.iter().any(|review| review.repository == Some(link.repository));
                self.times.judge(link) == Verdict::Goes && (reviewed || self.is_of_age(link))
            }))
    }

    /// Whether the cursor would come to the link now.
    fn is_of_age(&self, link: &collection::Link) -> bool {
        link.expiring_at.is_none() && link.created_at <= self.times.cursor && key(link) > self.cursor
    }

    async fn add(&mut self, fate: Fate, link: &collection::Link, reason: &str, due: Timestamp) -> Result<()> {
        let size = blobs::find(self.tx, &link.digest).await?.map_or(0, |blob| blob.size);
        let repository = Some(name(self.tx, &mut self.names, link.repository).await?);
        let (digest, reason) = (Some(link.digest), reason.to_owned());
        self.found.push(Candidate { fate, digest, repository, size, reason, due });
        Ok(())
    }

    async fn add_blob(&mut self, digest: &Digest, reason: &str, due: Timestamp) -> Result<()> {
        let Some(blob) = blobs::find(self.tx, digest).await? else { return Ok(()) };
        let (digest, reason) = (Some(*digest), reason.to_owned());
        self.found.push(Candidate { fate: Fate::Removed, digest, repository: None, size: blob.size, reason, due });
        Ok(())
    }
}

fn key(link: &collection::Link) -> collection::Place {
    (link.created_at, link.repository, link.digest.to_bytes())
}

/// What a repository is called, with a remark if it was deleted.
pub(super) async fn name(tx: &mut Tx<'_>, names: &mut HashMap<i64, String>, id: i64) -> Result<String> {
    if let Some(known) = names.get(&id) {
        return Ok(known.clone());
    }
    let name = match holders::repository(tx, id).await? {
        Some(found) if found.deleted_at.is_some() => format!("{} (deleted)", found.name),
        Some(found) => found.name,
        None => format!("(repository {id}, gone)"),
    };
    names.insert(id, name.clone());
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_page_is_read_back() {
        let at = Timestamp::from_millis(1_700_000_000_123);
        for from in [From::Reviews(at, 7), From::Links((at, 3, vec![1, 0xab])), From::Objects("ab12".into())] {
            assert_eq!(From::read(&from.write()), Some(from));
        }
        assert!(From::read("").is_some());
        for text in ["x", "r.1", "r.a.b", "l.1.2.zz", "z.1"] {
            assert_eq!(From::read(text), None, "{text}");
        }
    }
}
