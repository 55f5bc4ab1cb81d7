//! What one client knows of what it pushed: what was acknowledged, and what may or may not have been carried out.
//!
//! A client works one request at a time on tags, manifests and repositories of its own, so what it knows is exact: a request
//! without an answer leaves two legal states, and the next thing seen leaves one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::goods::Image;

pub(crate) type Text = Arc<str>;

/// Whether something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    Yes,
    No,
    /// A request that would have changed it got no answer.
    Maybe,
}

impl Held {
    fn after(self, change: Self, sure: bool) -> Self {
        if sure || self == change { change } else { Self::Maybe }
    }
}

/// A client relies on no blob that it has not seen for so long.
const FORGOTTEN: Duration = Duration::from_secs(120);

/// What one client knows.
#[derive(Debug)]
pub(crate) struct Book {
    images: HashMap<Text, Arc<Image>>,
    /// Digests of all manifests, the forgotten too.
    pushed: HashSet<Text>,
    /// Every digest that the tag may point at; `None` for no tag.
    tags: BTreeMap<(Text, Text), Vec<Option<Text>>>,
    manifests: BTreeMap<(Text, Text), Held>,
    blobs: BTreeMap<(Text, Text), Link>,
    /// The repository that nobody else pushes to.
    own: Text,
    waits: Waits,
}

/// What is known of a blob in a repository.
#[derive(Debug, Clone, Copy)]
struct Link {
    held: Held,
    /// Since when it is there.
    since: Instant,
    /// When it was last pushed or seen.
    seen: Instant,
}

/// What was known of a repository when it was deleted.
#[derive(Debug)]
pub(crate) struct Buried {
    tags: BTreeMap<(Text, Text), Vec<Option<Text>>>,
    manifests: BTreeMap<(Text, Text), Held>,
    blobs: BTreeMap<(Text, Text), Link>,
}

/// How long a blob that no manifest names stays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    /// After it came: so long clients see it.
    pub(crate) unreferenced: Duration,
    /// After a client has seen it: so long a manifest may name it.
    pub(crate) grace: Duration,
}

impl Book {
    /// A blank one.
    pub(crate) fn new(own: Text, waits: Waits) -> Self {
        let (images, pushed, tags) = (HashMap::new(), HashSet::new(), BTreeMap::new());
        Self { images, pushed, tags, manifests: BTreeMap::new(), blobs: BTreeMap::new(), own, waits }
    }

    pub(crate) fn image(&self, digest: &str) -> Option<Arc<Image>> {
        self.images.get(digest).cloned()
    }

    /// Whether this manifest was ever sent.
    pub(crate) fn was_pushed(&self, digest: &str) -> bool {
        self.pushed.contains(digest)
    }

    /// Images whose manifest is there for certain.
    pub(crate) fn held(&self, repository: &str) -> Vec<Arc<Image>> {
        let held = self.manifests.iter().filter(|((own, _), held)| &**own == repository && **held == Held::Yes);
        held.filter_map(|((_, digest), _)| self.image(digest)).collect()
    }

    /// Forgets what was deleted long ago, where there is much of it: a run may take hours.
    pub(crate) fn forget(&mut self) {
        let gone = self.manifests.iter().filter(|(_, held)| **held == Held::No).map(|(key, _)| key.clone());
        let gone: Vec<_> = gone.collect();
        if gone.len() > 200 {
            for key in gone {
                self.manifests.remove(&key);
            }
            let manifests = &self.manifests;
            self.images.retain(|digest, _| manifests.keys().any(|(_, own)| own == digest));
        }
        if self.blobs.len() > 1000 {
            self.blobs.retain(|_, link| link.held != Held::No && link.seen.elapsed() < FORGOTTEN);
        }
    }

    pub(crate) fn tags(&self) -> Vec<(Text, Text)> {
        self.tags.keys().cloned().collect()
    }

    pub(crate) fn manifests(&self) -> Vec<(Text, Text)> {
        self.manifests.keys().cloned().collect()
    }

    pub(crate) fn blobs(&self) -> Vec<(Text, Text)> {
        self.blobs.keys().cloned().collect()
    }

    /// Where a tag may point.
    pub(crate) fn legal(&self, repository: &Text, tag: &Text) -> Vec<Option<Text>> {
        self.tags.get(&(repository.clone(), tag.clone())).cloned().unwrap_or_else(|| vec![None])
    }

    pub(crate) fn is_held(&self, repository: &Text, digest: &Text) -> Held {
        self.manifests.get(&(repository.clone(), digest.clone())).copied().unwrap_or(Held::No)
    }

    /// Whether the repository must show the blob: it was acknowledged, and a manifest holds it or it is young. In shared
    /// repositories it may have come earlier, with somebody else.
    pub(crate) fn must_have(&self, repository: &Text, digest: &Text) -> bool {
        let Some(link) = self.blobs.get(&(repository.clone(), digest.clone())) else { return false };
        let young = *repository == self.own && link.since.elapsed() < self.waits.unreferenced;
        link.held == Held::Yes && (young || self.is_named(repository, digest, Held::Yes))
    }

    /// Whether a manifest that names the blob must be taken.
    pub(crate) fn may_name(&self, repository: &Text, digest: &Text) -> bool {
        let Some(link) = self.blobs.get(&(repository.clone(), digest.clone())) else { return false };
        let fresh = link.seen.elapsed() < self.waits.grace;
        link.held == Held::Yes && (fresh || self.is_named(repository, digest, Held::Yes))
    }

    /// Whether a manifest of the repository, there as `held` says, names the blob.
    pub(crate) fn is_named(&self, repository: &Text, blob: &Text, held: Held) -> bool {
        let of = self.manifests.iter().filter(|((own, _), is)| own == repository && **is == held);
        let mut images = of.filter_map(|((_, digest), _)| self.images.get(digest));
        images.any(|image| image.blobs.iter().any(|own| own.digest == *blob))
    }

    /// A manifest was put under a tag.
    pub(crate) fn pushed(&mut self, repository: &Text, tag: &Text, image: &Arc<Image>, sure: bool) {
        self.images.insert(image.digest.clone(), Arc::clone(image));
        self.pushed.insert(image.digest.clone());
        self.point(repository, tag, Some(image.digest.clone()), sure);
        self.hold(repository, &image.digest, Held::Yes, sure);
    }

    /// A manifest came out of the bin.
    pub(crate) fn restored(&mut self, repository: &Text, digest: &Text) {
        self.hold(repository, digest, Held::Yes, true);
    }

    /// A tag was pointed at a manifest that was pushed before, and that may have come out of the bin for it.
    pub(crate) fn repointed(&mut self, repository: &Text, tag: &Text, digest: &Text, sure: bool) {
        self.point(repository, tag, Some(digest.clone()), sure);
        self.hold(repository, digest, Held::Yes, sure);
    }

    /// Every manifest that was pushed to the repository, as far as it is remembered.
    pub(crate) fn ever(&self, repository: &Text) -> Vec<Text> {
        self.manifests.keys().filter(|(own, _)| own == repository).map(|(_, digest)| digest.clone()).collect()
    }

    /// What is known of a repository, for when it comes back.
    pub(crate) fn bury(&self, repository: &Text) -> Buried {
        Buried {
            tags: self.tags.iter().filter(|((own, _), _)| own == repository).map(pair).collect(),
            manifests: self.manifests.iter().filter(|((own, _), _)| own == repository).map(pair).collect(),
            blobs: self.blobs.iter().filter(|((own, _), _)| own == repository).map(pair).collect(),
        }
    }

    /// It came back, as it was.
    pub(crate) fn dug_up(&mut self, repository: &Text, buried: Buried) {
        self.repository_deleted(repository, true);
        self.tags.extend(buried.tags);
        self.manifests.extend(buried.manifests);
        self.blobs.extend(buried.blobs);
    }

    /// A tag was deleted.
    pub(crate) fn untagged(&mut self, repository: &Text, tag: &Text, sure: bool) {
        self.point(repository, tag, None, sure);
    }

    /// A manifest was deleted, and every tag that pointed at it.
    pub(crate) fn deleted(&mut self, repository: &Text, digest: &Text, sure: bool) {
        self.hold(repository, digest, Held::No, sure);
        for ((own, _), legal) in &mut self.tags {
            if own == repository && legal.iter().any(|value| value.as_ref() == Some(digest)) {
                if sure {
                    legal.retain(|value| value.as_ref() != Some(digest));
                }
                add(legal, None);
            }
        }
    }

    /// A repository was deleted with everything in it.
    pub(crate) fn repository_deleted(&mut self, repository: &Text, sure: bool) {
        let manifests: Vec<_> = self.manifests.keys().filter(|(own, _)| own == repository).cloned().collect();
        for (_, digest) in manifests {
            self.hold(repository, &digest, Held::No, sure);
        }
        let tags: Vec<_> = self.tags.keys().filter(|(own, _)| own == repository).cloned().collect();
        for (_, tag) in tags {
            self.point(repository, &tag, None, sure);
        }
        for (_, link) in self.blobs.iter_mut().filter(|((own, _), _)| own == repository) {
            link.held = link.held.after(Held::No, sure);
        }
    }

    /// A blob was pushed by a request that was sent at `sent`.
    pub(crate) fn linked(&mut self, repository: &Text, digest: &Text, sure: bool, sent: Instant) {
        let link = self.link(repository, digest, sent);
        if link.held == Held::No {
            link.since = sent;
        }
        link.held = link.held.after(Held::Yes, sure);
        if sure {
            link.seen = sent;
        }
    }

    /// A blob was deleted.
    pub(crate) fn unlinked(&mut self, repository: &Text, digest: &Text, sure: bool) {
        let link = self.link(repository, digest, Instant::now());
        link.held = link.held.after(Held::No, sure);
    }

    fn link(&mut self, repository: &Text, digest: &Text, now: Instant) -> &mut Link {
        let key = (repository.clone(), digest.clone());
        self.blobs.entry(key).or_insert(Link { held: Held::No, since: now, seen: now })
    }

    fn hold(&mut self, repository: &Text, digest: &Text, change: Held, sure: bool) {
        let held = self.manifests.entry((repository.clone(), digest.clone())).or_insert(Held::No);
        *held = held.after(change, sure);
    }

    fn point(&mut self, repository: &Text, tag: &Text, to: Option<Text>, sure: bool) {
        let legal = self.tags.entry((repository.clone(), tag.clone())).or_insert_with(|| vec![None]);
        if sure {
            legal.clear();
        }
        add(legal, to);
    }

    /// A tag was read.
    ///
    /// # Errors
    /// If it is where it cannot be.
    pub(crate) fn saw_tag(&mut self, repository: &Text, tag: &Text, at: Option<&str>) -> Result<()> {
        let legal = self.legal(repository, tag);
        let Some(seen) = legal.iter().find(|value| value.as_deref() == at).cloned() else {
            bail!("{repository}:{tag} points at {at:?}, legal is {legal:?}");
        };
        self.tags.insert((repository.clone(), tag.clone()), vec![seen.clone()]);
        if let Some(digest) = seen {
            self.saw_manifest(repository, &digest, true)?;
        }
        Ok(())
    }

    /// A manifest was asked for by its digest.
    ///
    /// # Errors
    /// If it is there and must not be, or the other way round.
    pub(crate) fn saw_manifest(&mut self, repository: &Text, digest: &Text, there: bool) -> Result<()> {
        let held = self.is_held(repository, digest);
        let legal = if there { held != Held::No } else { held != Held::Yes };
        ensure!(legal, "{repository}@{digest}: known as {held:?}, and it is {}there", if there { "" } else { "not " });
        if there {
            self.hold(repository, digest, Held::Yes, true);
        } else {
            self.deleted(repository, digest, true);
        }
        Ok(())
    }

    /// A blob was asked for by a request that was sent at `sent`.
    ///
    /// # Errors
    /// If it must be there and is not. One that is there although it was deleted may have come back with another's push.
    pub(crate) fn saw_blob(&mut self, repository: &Text, digest: &Text, there: bool, sent: Instant) -> Result<()> {
        ensure!(there || !self.must_have(repository, digest), "{repository}: blob {digest} is gone");
        if there {
            self.link(repository, digest, sent).seen = sent;
        } else {
            self.unlinked(repository, digest, true);
        }
        Ok(())
    }
}

fn pair<K: Clone, V: Clone>((key, value): (&K, &V)) -> (K, V) {
    (key.clone(), value.clone())
}

fn add(legal: &mut Vec<Option<Text>>, value: Option<Text>) {
    if !legal.contains(&value) {
        legal.push(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goods::Blob;

    fn book() -> Book {
        Book::new("own".into(), Waits { unreferenced: Duration::from_secs(1), grace: Duration::from_secs(5) })
    }

    fn image(seed: u64) -> Arc<Image> {
        Arc::new(Image::of(vec![Blob::new(seed, 10)]))
    }

    #[test]
    fn a_request_without_an_answer_leaves_both_states_until_one_is_seen() {
        let (mut book, repository, tag) = (book(), Text::from("r"), Text::from("t"));
        let (first, second) = (image(1), image(2));
        book.pushed(&repository, &tag, &first, true);
        book.pushed(&repository, &tag, &second, false);
        assert_eq!(book.legal(&repository, &tag), [Some(first.digest.clone()), Some(second.digest.clone())]);
        assert!(book.saw_tag(&repository, &tag, None).is_err(), "neither of them deletes the tag");
        book.saw_tag(&repository, &tag, Some(&second.digest)).unwrap();
        assert!(book.saw_tag(&repository, &tag, Some(&first.digest)).is_err(), "it does not go back");
    }

    #[test]
    fn what_is_acknowledged_must_be_there_and_what_is_deleted_must_not() {
        let (mut book, repository, tag) = (book(), Text::from("r"), Text::from("t"));
        let only = image(1);
        book.pushed(&repository, &tag, &only, true);
        assert!(book.saw_manifest(&repository, &only.digest, false).is_err());
        assert!(book.saw_tag(&repository, &tag, None).is_err());
        book.deleted(&repository, &only.digest, true);
        assert!(book.saw_manifest(&repository, &only.digest, true).is_err());
        book.saw_tag(&repository, &tag, None).unwrap();
    }

    #[test]
    fn a_blob_that_no_manifest_names_may_go_when_its_time_is_up() {
        let (mut book, repository, only) = (book(), Text::from("own"), image(1));
        let (blob, before) =
            (only.blobs[0].digest.clone(), Instant::now().checked_sub(Duration::from_secs(10)).unwrap());
        book.linked(&repository, &blob, true, before);
        assert!(!book.must_have(&repository, &blob) && !book.may_name(&repository, &blob));
        book.saw_blob(&repository, &blob, true, Instant::now()).unwrap();
        assert!(!book.must_have(&repository, &blob) && book.may_name(&repository, &blob));
        book.pushed(&repository, &"t".into(), &only, true);
        assert!(book.must_have(&repository, &blob));
        assert!(book.saw_blob(&repository, &blob, false, Instant::now()).is_err());
    }
}
