//! What of a repository is worth bringing: where tags lead, what that names, and what refers to it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use wharf_core::{InvalidManifest, Parsed, media};
use wharf_types::{Digest, MediaType};

use super::super::Import;
use super::super::stop::One;
use super::Bringing;
use super::layout::{Layout, Tagged};

/// A manifest.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) content: Bytes,
    pub(super) parsed: Parsed,
}

/// What is brought of a repository.
#[derive(Debug)]
pub(super) struct Repository {
    pub(super) name: String,
    pub(super) tags: BTreeMap<String, Digest>,
    pub(super) manifests: BTreeMap<Digest, Held>,
    by_digest: BTreeMap<Digest, Vec<String>>,
}

impl Held {
    fn read(content: Vec<u8>) -> Result<Self, One> {
        let parsed = match Parsed::read(&content, None) {
            // The specification lets images and indexes go without; the registry knew by their shape too.
            Err(InvalidManifest::Untyped) => {
                let image: MediaType = media::IMAGE.parse().map_err(One::new)?;
                let index: MediaType = media::INDEX.parse().map_err(One::new)?;
                Parsed::read(&content, Some(&image)).or_else(|_| Parsed::read(&content, Some(&index)))
            }
            read => read,
        };
        Ok(Self { parsed: parsed.map_err(One::new)?, content: content.into() })
    }

    /// What must be there before it.
    pub(super) fn blobs(&self) -> impl Iterator<Item = Digest> {
        self.parsed.config.iter().chain(&self.parsed.layers).copied()
    }
}

impl Repository {
    /// Reads a repository. What cannot be read is noted.
    pub(super) fn read(
        import: &Import<'_>,
        layout: &Layout<'_>,
        name: &str,
        tagged: Vec<Tagged>,
        bringing: Bringing,
    ) -> Self {
        let (mut tags, mut by_digest) = (BTreeMap::new(), BTreeMap::<_, Vec<String>>::new());
        for (tag, digest) in tagged {
            match digest {
                Ok(digest) => {
                    by_digest.entry(digest).or_default().push(tag.clone());
                    tags.insert(tag, digest);
                }
                Err(why) => import.tally.failed(&format!("{name}:{tag}"), &why),
            }
        }
        let revisions: BTreeSet<Digest> = layout.revisions(name).into_iter().collect();
        let mut reader = Reader { import, layout, name, revisions: &revisions, read: BTreeMap::new() };
        let roots: Vec<Digest> = if bringing.untagged {
            revisions.iter().chain(tags.values()).copied().collect()
        } else {
            tags.values().copied().collect()
        };
        let mut reached = BTreeSet::new();
        reader.reach(roots, &mut reached);
        reader.reach_referrers(&mut reached);
        let left = revisions.difference(&reached).count();
        if left > 0 {
            let tag = if bringing.keep_newer { "no tag that was not left" } else { "no tag" };
            let why = format!("{left} manifests that {tag} leads to; --untagged brings them too");
            import.tally.passed_over(name, &why);
        }
        let manifests = reader.read.into_iter().filter_map(|(digest, held)| Some((digest, held?)));
        let manifests = manifests.filter(|(digest, _)| reached.contains(digest)).collect();
        Self { name: name.to_owned(), tags, manifests, by_digest }
    }

    pub(super) fn tags_of(&self, digest: &Digest) -> &[String] {
        self.by_digest.get(digest).map_or(&[], Vec::as_slice)
    }

    /// The manifests so that each comes behind all that it names.
    pub(super) fn levels(&self) -> Vec<Vec<Digest>> {
        let mut left: BTreeSet<Digest> = self.manifests.keys().copied().collect();
        let mut levels = Vec::new();
        while !left.is_empty() {
            let names_one =
                |digest: &&Digest| self.manifests[*digest].parsed.manifests.iter().any(|named| left.contains(named));
            let level: Vec<Digest> = left.iter().filter(|digest| !names_one(digest)).copied().collect();
            // Only what names itself would be left, and no digest allows that.
            if level.is_empty() {
                break;
            }
            left.retain(|digest| !level.contains(digest));
            levels.push(level);
        }
        levels
    }
}

struct Reader<'a> {
    import: &'a Import<'a>,
    layout: &'a Layout<'a>,
    name: &'a str,
    revisions: &'a BTreeSet<Digest>,
    /// None is what could not be read.
    read: BTreeMap<Digest, Option<Held>>,
}

impl Reader<'_> {
    fn held(&mut self, digest: Digest) -> Option<&Held> {
        let (import, layout, name) = (self.import, self.layout, self.name);
        let held = self.read.entry(digest).or_insert_with(|| {
            let read = layout.manifest(&digest).and_then(Held::read);
            read.inspect_err(|why| import.tally.failed(&format!("{name}@{digest}"), why)).ok()
        });
        held.as_ref()
    }

    /// Adds all that can be reached. An index may name what was never here.
    fn reach(&mut self, mut from: Vec<Digest>, reached: &mut BTreeSet<Digest>) {
        while let Some(digest) = from.pop() {
            if !reached.insert(digest) {
                continue;
            }
            if let Some(held) = self.held(digest) {
                let named = held.parsed.manifests.clone();
                from.extend(named.into_iter().filter(|named| self.revisions.contains(named)));
            }
        }
    }

    /// Adds what refers to something reached: signatures, inventories, and what is signed of those.
    fn reach_referrers(&mut self, reached: &mut BTreeSet<Digest>) {
        loop {
            let others: Vec<Digest> = self.revisions.difference(reached).copied().collect();
            let refers = |digest: &Digest| {
                let subject = self.held(*digest).and_then(|held| held.parsed.subject);
                subject.is_some_and(|subject| reached.contains(&subject))
            };
            let mut refers = refers;
            let new: Vec<Digest> = others.into_iter().filter(|digest| refers(digest)).collect();
            if new.is_empty() {
                return;
            }
            self.reach(new, reached);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_without_a_type_is_known_by_its_shape() {
        let digest = Digest::sha256(b"{}");
        let descriptor = serde_json::json!({ "mediaType": "application/octet-stream", "digest": digest, "size": 2 });
        let image = serde_json::json!({ "schemaVersion": 2, "config": descriptor, "layers": [descriptor] });
        let held = Held::read(image.to_string().into_bytes()).unwrap();
        assert_eq!((held.parsed.media_type.as_str(), held.blobs().count()), (media::IMAGE, 2));
        let index = serde_json::json!({ "schemaVersion": 2, "manifests": [descriptor] });
        let held = Held::read(index.to_string().into_bytes()).unwrap();
        assert_eq!((held.parsed.media_type.as_str(), held.blobs().count()), (media::INDEX, 0));
        assert!(Held::read(br#"{"schemaVersion":1,"name":"a"}"#.to_vec()).is_err());
        assert!(Held::read(b"{}".to_vec()).is_err());
    }
}
