//! An APT tree: what its Packages and Sources list, each in its distributions and components.
//!
//! A file is sent once, into one distribution; into the others it is copied on the server.

mod listed;
mod tree;

use reqwest::Method;
use wharf_apt::{Foreign, ForeignFile};
use wharf_types::Digest;

use super::Import;
use super::checked::{Checked, Claim, check};
use super::server::{Ask, encoded};
use super::stop::{One, Stop, all};
use crate::failure::Outcome;
use listed::Known;
pub(super) use tree::is_flat;
use tree::{Item, Place};

/// Imports a tree.
pub(super) async fn import(import: &Import<'_>, repository: &str, flat: (&str, &str)) -> Outcome {
    let tree = tree::read(import, flat);
    let sizes = tree.items.iter().flat_map(|item| &item.foreign.files).map(|file| file.size);
    import.tally.expect(sizes.fold(0, u64::saturating_add));
    let known = Known::read(import, repository, &tree.items).await.map_err(|stop| all(stop, repository))?;
    let mover = Mover { import, repository, known };
    let (sources, binaries): (Vec<_>, Vec<_>) = tree.items.iter().partition(|item| item.is_source());
    let name = |item: &&Item| item.named().to_owned();
    import.tally.each(import.jobs, binaries, name, async |item| mover.bring(item).await).await?;
    // Versions of a source share files: those of one name come one after the other.
    import
        .tally
        .each(
            import.jobs,
            by_name(sources),
            |group| group[0].foreign.name.clone(),
            async |group| {
                import.tally.each(1, group, name, async |item| mover.bring(item).await).await.map_err(Stop::from)
            },
        )
        .await?;
    for (distribution, settings) in &tree.settings {
        mover.describe(distribution, settings).await.map_err(|stop| all(stop, distribution))?;
    }
    Ok(())
}

fn by_name(mut sources: Vec<&Item>) -> Vec<Vec<&Item>> {
    sources.sort_by(|a, b| a.foreign.name.cmp(&b.foreign.name));
    sources.chunk_by(|a, b| a.foreign.name == b.foreign.name).map(<[_]>::to_vec).collect()
}

struct Mover<'a> {
    import: &'a Import<'a>,
    repository: &'a str,
    known: Known,
}

impl Mover<'_> {
    /// Sees to it that an item is in all its places.
    async fn bring(&self, item: &Item) -> Result<(), Stop> {
        let claim = claim(item.file());
        let (digest, checked) = match claim.sha256() {
            Some(digest) => (digest, None),
            None => {
                let checked = check(&self.import.folder, &item.file().path, &claim).await?;
                (checked.sha256, Some(checked))
            }
        };
        let is_listed = |place: &&Place| self.known.has(item, place, &digest);
        let (mut listed, mut missing): (Vec<_>, Vec<_>) = item.places.iter().partition(is_listed);
        if listed.is_empty() {
            self.look_again(item, &digest, &mut listed, &mut missing).await?;
        }
        if listed.is_empty() {
            let checked = match checked {
                Some(checked) => checked,
                None => check(&self.import.folder, &item.file().path, &claim).await?,
            };
            listed = self.send(item, &checked, &mut missing).await?;
        } else {
            for file in &item.foreign.files {
                self.import.tally.there(file.size);
            }
        }
        for place in missing {
            if !self.import.tally.dry() && !self.copy(&item.foreign, listed[0], place).await? {
                return Err(One::new(format!("it is in {} no more, from where it was to be copied", listed[0])).into());
            }
            self.import.tally.changed();
        }
        Ok(())
    }

    /// Tables are behind what was uploaded a moment ago, and what a published snapshot lists is no news: if the pool has the file, it
    /// is asked for in each place by copying it onto itself, which changes nothing.
    async fn look_again<'i>(
        &self,
        item: &'i Item,
        digest: &Digest,
        listed: &mut Vec<&'i Place>,
        missing: &mut Vec<&'i Place>,
    ) -> Result<(), Stop> {
        let Foreign { folder, file, .. } = &item.foreign;
        if self.digest_at(&format!("{folder}/{file}")).await? != Some(*digest) {
            return Ok(());
        }
        for place in std::mem::take(missing) {
            let there = self.copy(&item.foreign, place, place).await?;
            if there { &mut *listed } else { &mut *missing }.push(place);
        }
        Ok(())
    }

    async fn digest_at(&self, path: &str) -> Result<Option<Digest>, Stop> {
        self.import.server.digest_at(&format!("/apt/{}/{path}", self.repository)).await
    }

    /// Lists in one place what is listed in another; false if it is not there.
    async fn copy(&self, foreign: &Foreign, from: &Place, to: &Place) -> Result<bool, Stop> {
        let Foreign { name, version, architecture, .. } = foreign;
        let path = format!("/apt/{}/pool/{from}/{name}/{version}/{architecture}", self.repository);
        let to = format!("to={}&component={}", encoded(&to.distribution), encoded(&to.component));
        let ask = Ask::new(Method::POST, format!("{}?{to}", encoded(&path)));
        Ok(self.import.server.find(ask, "it").await?.is_some())
    }

    /// Sends the files of an item into the first of the places, and into the others that one upload can name. Takes those out of
    /// `missing` and gives them back.
    async fn send<'i>(
        &self,
        item: &'i Item,
        checked: &Checked,
        missing: &mut Vec<&'i Place>,
    ) -> Result<Vec<&'i Place>, Stop> {
        let Some(first) = missing.first().copied() else { return Ok(Vec::new()) };
        for file in item.others() {
            self.send_file(&item.foreign, first, file).await?;
        }
        let (named, others): (Vec<_>, Vec<_>) =
            std::mem::take(missing).into_iter().partition(|place| place.component == first.component);
        *missing = others;
        let more: Vec<_> =
            named[1..].iter().map(|place| format!("distribution={}", encoded(&place.distribution))).collect();
        let name = if item.is_source() { item.foreign.file.as_str() } else { "upload" };
        self.put(&format!("pool/{first}/{name}"), &more.join("&"), checked).await?;
        self.import.tally.sent(checked.size);
        Ok(named)
    }

    /// Sends a file that a .dsc will name.
    async fn send_file(&self, foreign: &Foreign, place: &Place, file: &ForeignFile) -> Result<(), Stop> {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let claim = claim(file);
        let there = self.digest_at(&format!("{}/{name}", foreign.folder)).await?;
        if there.is_some() && there == claim.sha256() {
            self.import.tally.there(file.size);
            return Ok(());
        }
        let checked = check(&self.import.folder, &file.path, &claim).await.map_err(|stop| match stop {
            Stop::One(one) => Stop::One(One::new(format!("{name}: {one}"))),
            all => all,
        })?;
        if there == Some(checked.sha256) {
            self.import.tally.there(file.size);
            return Ok(());
        }
        self.put(&format!("pool/{place}/{name}"), "", &checked).await?;
        self.import.tally.sent(checked.size);
        Ok(())
    }

    async fn put(&self, path: &str, query: &str, checked: &Checked) -> Result<(), Stop> {
        if self.import.tally.dry() {
            return Ok(());
        }
        let path = encoded(&format!("/apt/{}/{path}", self.repository));
        let ask = Ask::new(Method::PUT, if query.is_empty() { path } else { format!("{path}?{query}") })
            .header("x-checksum-sha256", checked.sha256.hex())
            .file(&checked.path, checked.size, self.import.tally.bar());
        self.import.server.send(ask, "it").await.map(drop)
    }

    /// Says of a distribution what its Release said, if nobody has said anything yet: apt asks its user when that changes.
    async fn describe(&self, distribution: &str, settings: &str) -> Result<(), Stop> {
        if self.import.tally.dry() {
            return Ok(());
        }
        let path = encoded(&format!("/apt/{}/dists/{distribution}/settings", self.repository));
        let kept = self.import.server.answer(Ask::new(Method::GET, path.clone())).await?;
        if !kept.status.is_success() || kept.content.trim_ascii() != b"{}" || settings == "{}" {
            return Ok(());
        }
        let answer = self.import.server.answer(Ask::new(Method::PUT, path).bytes(settings.to_owned())).await?;
        if !answer.status.is_success() {
            let why = format!("its Origin, Label and Suite were not taken ({}): set them by hand", answer.status);
            self.import.tally.passed_over(&format!("dists/{distribution}/Release"), &why);
        }
        Ok(())
    }
}

fn claim(file: &ForeignFile) -> Claim {
    let sums = file.sums.iter().map(|(algorithm, sum)| ((*algorithm).to_owned(), sum.clone())).collect();
    Claim { size: Some(file.size), sums }
}
