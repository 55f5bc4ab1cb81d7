//! What clients do to update, with every checksum held against what came.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Method;
use sha2::{Digest as _, Sha256};

use super::{Kind, Scene};
use crate::wire::{Ask, Outcome};

/// A file that an index lists.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    path: String,
    /// In hexadecimal digits.
    pub(super) sha256: String,
}

/// One client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader {
    kind: Kind,
}

impl Reader {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind }
    }

    /// Reads the index and one of its files, again and again, until all uploads are done.
    pub(super) async fn run(self, scene: Arc<Scene>, seed: u64) -> Result<()> {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut most = 0;
        while !scene.done.load(Ordering::SeqCst) {
            let url = scene.site.url(&mut rng).await;
            let Some(entries) = self.read(&scene, &url).await? else { continue };
            ensure!(!entries.is_empty(), "{:?}: an index without files", self.kind);
            most = most.max(entries.len());
            // Nothing is deleted here, but another server may be a moment behind.
            let entry = &entries[rng.random_range(0..entries.len())];
            if self.fetch(&scene, &url, entry).await?.is_some() {
                scene.updates.fetch_add(1, Ordering::SeqCst);
            }
        }
        println!("  a reader of {:?} saw up to {most} files", self.kind);
        Ok(())
    }

    /// Everything that the index lists now; `None` if the server was killed meanwhile.
    pub(super) async fn read(self, scene: &Scene, url: &str) -> Result<Option<Vec<Entry>>> {
        match self.kind {
            Kind::Deb => apt(scene, url).await,
            Kind::Rpm => yum(scene, url).await,
            Kind::Chart => helm(scene, url).await,
        }
        .with_context(|| format!("{:?}", self.kind))
    }

    /// A listed file, held against its checksum; `None` if the server was killed meanwhile.
    pub(super) async fn fetch(self, scene: &Scene, url: &str, entry: &Entry) -> Result<Option<()>> {
        let base = match self.kind {
            Kind::Deb => "/apt/team/debs/",
            Kind::Rpm => "/yum/team/rpms/",
            Kind::Chart => "/helm/team/charts/",
        };
        Ok(whole(scene, url, &format!("{base}{}", entry.path), &entry.sha256).await?.map(drop))
    }
}

/// InRelease, and the list that it names by its hash.
async fn apt(scene: &Scene, url: &str) -> Result<Option<Vec<Entry>>> {
    let base = "/apt/team/debs/dists/stable";
    let Some(release) = get(scene, url, &format!("{base}/InRelease")).await? else { return Ok(None) };
    let release = text(&release)?;
    let sums = release.split("\nSHA256:\n").nth(1).context("no SHA256 in InRelease")?;
    let sums = sums.lines().take_while(|line| line.starts_with(' '));
    let list = sums.filter_map(|line| line.strip_suffix(" main/binary-amd64/Packages.gz")).next();
    let hash = list.and_then(|line| line.split_whitespace().next()).context("no Packages.gz in InRelease")?;
    let path = format!("{base}/main/binary-amd64/by-hash/SHA256/{hash}");
    let Some(list) = whole(scene, url, &path, hash).await? else { return Ok(None) };
    let list = unpacked(&list)?;
    let stanzas = list.split("\n\n").filter(|stanza| !stanza.trim().is_empty());
    let field = |stanza: &str, name: &str| {
        let line = stanza.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        line.map(str::to_owned).with_context(|| format!("no {name} in {stanza}"))
    };
    let entry = |stanza| Ok(Entry { path: field(stanza, "Filename:")?, sha256: field(stanza, "SHA256:")? });
    stanzas.map(entry).collect::<Result<_>>().map(Some)
}

/// The mirror that the list of mirrors names, its repomd.xml, and primary.
async fn yum(scene: &Scene, url: &str) -> Result<Option<Vec<Entry>>> {
    let Some(mirrors) = get(scene, url, "/yum/team/rpms/mirrorlist").await? else { return Ok(None) };
    let mirrors = text(&mirrors)?;
    let mirror = mirrors.lines().find(|line| line.starts_with("http")).context("a list of no mirrors")?;
    let base = mirror.strip_prefix(url).with_context(|| format!("{mirror} is not below {url}"))?.trim_end_matches('/');
    let Some(repomd) = get(scene, url, &format!("{base}/repodata/repomd.xml")).await? else { return Ok(None) };
    let repomd = text(&repomd)?;
    let primary = repomd.split("<data type=\"primary\">").nth(1).context("no primary in repomd.xml")?;
    let hash = between(primary, "<checksum type=\"sha256\">", "<").context("no checksum of primary")?;
    let href = between(primary, "href=\"", "\"").context("no place of primary")?;
    let Some(list) = whole(scene, url, &format!("{base}/{href}"), hash).await? else { return Ok(None) };
    let list = unpacked(&list)?;
    let entry = |package: &str| {
        let hash =
            between(package, "<checksum type=\"sha256\" pkgid=\"YES\">", "<").context("a package without hash")?;
        let href = between(package, "<location href=\"", "\"").context("a package without place")?;
        Ok(Entry { path: href.to_owned(), sha256: hash.to_owned() })
    };
    list.split("<package type=\"rpm\">").skip(1).map(entry).collect::<Result<_>>().map(Some)
}

/// index.yaml.
async fn helm(scene: &Scene, url: &str) -> Result<Option<Vec<Entry>>> {
    let Some(index) = get(scene, url, "/helm/team/charts/index.yaml").await? else { return Ok(None) };
    let (mut entries, mut hash) = (Vec::new(), None);
    for line in text(&index)?.lines().map(|line| line.trim_start_matches([' ', '-'])) {
        if let Some(digest) = line.strip_prefix("digest: ") {
            ensure!(hash.replace(digest.trim_matches('"').to_owned()).is_none(), "a chart without URL");
        } else if line.trim_matches('"').ends_with(".tgz") {
            let sha256 = hash.take().context("a chart without digest")?;
            entries.push(Entry { path: line.trim_matches('"').to_owned(), sha256 });
        }
    }
    Ok(Some(entries))
}

/// A file that has to be there; `None` if the server was killed meanwhile.
async fn get(scene: &Scene, url: &str, path: &str) -> Result<Option<Bytes>> {
    match scene.wire.send(Ask::new(Method::GET, format!("{url}{path}"))).await? {
        Outcome::Answered(answer) if answer.status == 200 && answer.body.is_some() => Ok(answer.body),
        Outcome::Answered(answer) if answer.body.is_some() => bail!("GET {path}: {}", answer.shown()),
        Outcome::Answered(_) | Outcome::NotSent | Outcome::Unknown => {
            scene.site.gone(url).await?;
            Ok(None)
        }
    }
}

/// A file of this checksum.
async fn whole(scene: &Scene, url: &str, path: &str, sha256: &str) -> Result<Option<Bytes>> {
    let Some(content) = get(scene, url, path).await? else { return Ok(None) };
    let found = hex::encode(Sha256::digest(&content));
    ensure!(found == sha256, "GET {path}: {found} came, {sha256} was announced");
    Ok(Some(content))
}

fn unpacked(content: &[u8]) -> Result<String> {
    let mut text = String::new();
    MultiGzDecoder::new(content).read_to_string(&mut text)?;
    Ok(text)
}

fn text(content: &[u8]) -> Result<&str> {
    Ok(std::str::from_utf8(content)?)
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}
