//! A YUM repository as createrepo makes it: packages, and what stands beside them.

mod metadata;

use reqwest::Method;
use wharf_yum::Extra;

use super::Import;
use super::checked::{check, check_now};
use super::folder::text;
use super::server::{Ask, encoded};
use super::stop::{One, Stop, all};
use crate::failure::Outcome;
use metadata::{Data, Listed};

/// Most bytes of advisories, groups or modules that the server takes.
const LARGEST_EXTRA: u64 = 64 << 20;
/// The file that names the others.
const REPOMD: &str = "repodata/repomd.xml";

/// Imports a repository.
pub(super) async fn import(import: &Import<'_>, repository: &str) -> Outcome {
    let (listed, extras) = read(import).map_err(|one| all(one.into(), REPOMD))?;
    import.tally.expect(listed.iter().filter_map(|package| package.claim.size).fold(0, u64::saturating_add));
    let mover = Mover { import, repository };
    let known = mover.known().await.map_err(|stop| all(stop, repository))?;
    let name = |package: &Listed| package.path.clone();
    import.tally.each(import.jobs, listed, name, async |package| mover.bring(package, &known).await).await?;
    // Advisories name packages: they come when those are there.
    import
        .tally
        .each(1, extras, |(_, data)| data.path.clone(), async |(extra, data)| mover.add(extra, &data).await)
        .await
}

/// What stands beside packages, and the file that says it.
type Beside = Vec<(Extra, Data)>;

/// What the metadata list, and what stands beside. What cannot be read of that is noted.
fn read(import: &Import<'_>) -> Result<(Vec<Listed>, Beside), One> {
    let tables = metadata::repomd(&import.folder.read(REPOMD, LARGEST_EXTRA)?)?;
    let named = |kinds: &[&str]| tables.iter().find(|data| kinds.contains(&data.kind.as_str())).cloned();
    let primary = named(&["primary", "primary_zck"]).ok_or_else(|| One::new("it names no primary metadata"))?;
    check_now(&import.folder, &primary.path, &primary.claim)
        .map_err(|why| One::new(format!("{}: {why}", primary.path)))?;
    let listed = metadata::primary(import.folder.unpacked(&primary.path)?)
        .map_err(|why| One::new(format!("{}: {why}", primary.path)))?;
    let extras = [
        (Extra::Groups, &["group", "group_gz", "group_xz", "group_zst"][..]),
        (Extra::Module, &["modules"]),
        (Extra::Advisory, &["updateinfo"]),
    ];
    let ours = ["primary", "filelists", "other", "primary_db", "filelists_db", "other_db", "filelists-ext"];
    for data in &tables {
        let known = ours.contains(&data.kind.as_str())
            || data.kind.ends_with("_zck")
            || extras.iter().any(|(_, kinds)| kinds.contains(&data.kind.as_str()));
        if !known {
            import.tally.passed_over(&data.path, "Wharf serves no metadata of this kind");
        }
    }
    Ok((listed, extras.into_iter().filter_map(|(extra, kinds)| Some((extra, named(kinds)?))).collect()))
}

struct Mover<'a> {
    import: &'a Import<'a>,
    repository: &'a str,
}

impl Mover<'_> {
    /// The SHA-256 of each package that the server's metadata list.
    async fn known(&self) -> Result<std::collections::HashSet<String>, Stop> {
        let base = format!("/yum/{}", self.repository);
        let Some(repomd) = self.import.server.read(&format!("{base}/{REPOMD}")).await? else {
            return Ok(Default::default());
        };
        let tables = metadata::repomd(&repomd)?;
        let Some(primary) = tables.iter().find(|data| data.kind == "primary") else { return Ok(Default::default()) };
        let Some(content) = self.import.server.read(&format!("{base}/{}", primary.path)).await? else {
            return Ok(Default::default());
        };
        let packed = super::folder::unpacked(&primary.path, std::io::Cursor::new(content))?;
        let listed = metadata::primary(packed)?;
        Ok(listed.into_iter().filter_map(|package| Some(package.claim.sha256()?.hex())).collect())
    }

    async fn bring(&self, package: Listed, known: &std::collections::HashSet<String>) -> Result<(), Stop> {
        let tally = &self.import.tally;
        let size = package.claim.size.unwrap_or_default();
        let claimed = package.claim.sha256();
        if claimed.is_some_and(|digest| known.contains(&digest.hex())) {
            tally.there(size);
            return Ok(());
        }
        // Metadata are behind what was uploaded a moment ago.
        let there = match &package.here {
            Some(path) => self.import.server.digest_at(&format!("/yum/{}/{path}", self.repository)).await?,
            None => None,
        };
        if there.is_some() && there == claimed {
            tally.there(size);
            return Ok(());
        }
        let checked = check(&self.import.folder, &package.path, &package.claim).await?;
        if there == Some(checked.sha256) {
            tally.there(size);
            return Ok(());
        }
        if !tally.dry() {
            let ask = Ask::new(Method::PUT, format!("/yum/{}/upload", self.repository));
            self.import.server.send(ask.file(&checked.path, checked.size, tally.bar()), "it").await?;
        }
        tally.sent(checked.size);
        Ok(())
    }

    /// Brings what stands beside the packages, unless the server says all of it already.
    async fn add(&self, extra: Extra, data: &Data) -> Result<(), Stop> {
        let tally = &self.import.tally;
        check_now(&self.import.folder, &data.path, &data.claim)?;
        let text = text(self.import.folder.unpacked(&data.path)?, LARGEST_EXTRA)?;
        let path = format!("/yum/{}/{}", self.repository, extra.file());
        let said = self.import.server.read(&path).await?;
        let said = said.and_then(|content| String::from_utf8(content.into()).ok());
        if said.is_some_and(|said| extra.covers(&said, &text).unwrap_or(false)) {
            tally.there(0);
            return Ok(());
        }
        let size = text.len() as u64;
        if !tally.dry() {
            self.import
                .server
                .send(Ask::new(Method::PUT, format!("{}?wait=1", encoded(&path))).bytes(text), "it")
                .await?;
        }
        tally.sent(size);
        Ok(())
    }
}
