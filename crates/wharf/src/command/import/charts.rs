//! Charts: packages and their provenance files in folders, with an index.yaml or without. Of ChartMuseum's storage for several
//! repositories each folder is a repository.

mod index;

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::LOCATION;
use serde_json::Value;
use wharf_types::RepoName;

use super::Import;
use super::checked::{Checked, Claim, check};
use super::folder::{Folder, below};
use super::server::{Ask, encoded};
use super::stop::{One, Stop, all};
use crate::failure::{Failure, Outcome};
use index::Index;

/// Folders in folders: ChartMuseum's organisation, team and repository, and one for the files.
const DEEPEST: usize = 4;

/// A chart that is to be brought.
struct Chart {
    path: String,
    provenance: Option<String>,
    claim: Claim,
    size: u64,
}

/// Whether there are charts in a folder or in those below it.
pub(super) fn are_in(folder: &Folder) -> bool {
    folder.has("index.yaml") || !found(folder).is_empty()
}

/// The files of charts, with and without provenance, by the folders that they lie in.
fn found(folder: &Folder) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    walk(folder, "", 0, &mut all);
    all
}

fn walk(folder: &Folder, here: &str, depth: usize, all: &mut BTreeMap<String, Vec<String>>) {
    for name in folder.names(here) {
        let path = below(here, &name);
        if folder.is_folder(&path) {
            if depth < DEEPEST {
                walk(folder, &path, depth + 1, all);
            }
        } else if name.ends_with(".tgz") || name.ends_with(".tgz.prov") {
            all.entry(here.to_owned()).or_default().push(name);
        }
    }
}

/// Imports a folder and those below it.
pub(super) async fn import(import: &Import<'_>, repository: &str) -> Outcome {
    let folders = found(&import.folder);
    let index = Index::read(import);
    let mut repositories: BTreeMap<String, Vec<Chart>> = BTreeMap::new();
    for (folder, names) in &folders {
        // Where an index names files in folders, these are only folders.
        let own = below(repository, folder).trim_end_matches('/').to_owned();
        let into = if folder.is_empty() || index.names_in(folder) { repository.to_owned() } else { own };
        if let Err(error) = into.parse::<RepoName>() {
            import.tally.failed(folder, &One::new(format!("it cannot be a repository: {error}")));
            continue;
        }
        repositories.entry(into).or_default().extend(charts(import, folder, names, &index));
    }
    index.note_missing(import);
    let sizes = repositories.values().flatten().map(|chart| chart.size);
    import.tally.expect(sizes.fold(0, u64::saturating_add));
    for (repository, charts) in repositories {
        let known = known(import, &repository).await.map_err(|stop| all(stop, &repository))?;
        let mover = Mover { import, repository: &repository, known };
        import
            .tally
            .each(import.jobs, charts, |chart| chart.path.clone(), async |chart| mover.bring(chart).await)
            .await?;
    }
    Ok(())
}

fn charts(import: &Import<'_>, folder: &str, names: &[String], index: &Index) -> Vec<Chart> {
    let mut charts = Vec::new();
    for name in names {
        let path = below(folder, name);
        if let Some(chart) = name.strip_suffix(".prov") {
            if !names.iter().any(|name| name == chart) {
                import.tally.failed(&path, &One::new("the chart that it vouches for is not beside it"));
            }
            continue;
        }
        let provenance = format!("{name}.prov");
        let provenance = names.contains(&provenance).then(|| below(folder, &provenance));
        match import.folder.file(&path) {
            Ok((_, metadata)) => {
                charts.push(Chart { claim: index.claim(&path), path, provenance, size: metadata.len() });
            }
            Err(why) => import.tally.failed(&path, &why),
        }
    }
    charts
}

/// Where each chart lies that the server has, by its SHA-256 in hexadecimal.
async fn known(import: &Import<'_>, repository: &str) -> Result<HashMap<String, String>, Stop> {
    let path = format!("/helm/{repository}/api/charts");
    let content = import.server.read(&path).await?.unwrap_or_else(|| Bytes::from_static(b"{}"));
    let wrong =
        |error: serde_json::Error| Stop::All(Failure::new(format!("{path} is not the list of charts: {error}")));
    let charts: HashMap<String, Vec<Value>> = serde_json::from_slice(&content).map_err(wrong)?;
    let entry = |entry: &Value| Some((entry["digest"].as_str()?.to_owned(), entry["urls"][0].as_str()?.to_owned()));
    Ok(charts.values().flatten().filter_map(entry).collect())
}

struct Mover<'a> {
    import: &'a Import<'a>,
    repository: &'a str,
    known: HashMap<String, String>,
}

impl Mover<'_> {
    async fn bring(&self, chart: Chart) -> Result<(), Stop> {
        let checked = check(&self.import.folder, &chart.path, &chart.claim).await?;
        let known = self.known.get(&checked.sha256.hex());
        let place = match known {
            Some(place) => {
                self.import.tally.there(checked.size);
                Some(place.clone())
            }
            None => self.send(&checked, "charts").await?,
        };
        let Some(provenance) = &chart.provenance else { return Ok(()) };
        if let Err(stop) = self.vouch(provenance, place.as_deref()).await {
            let Stop::One(why) = stop else { return Err(stop) };
            self.import.tally.failed(provenance, &why);
        }
        Ok(())
    }

    /// Brings the provenance file of a chart that is at `place`, which is not known in a dry run.
    async fn vouch(&self, provenance: &str, place: Option<&str>) -> Result<(), Stop> {
        let checked = check(&self.import.folder, provenance, &Claim::default()).await?;
        if let Some(place) = place {
            let path = format!("/helm/{}/{place}.prov", self.repository);
            if self.import.server.digest_at(&path).await? == Some(checked.sha256) {
                self.import.tally.there(checked.size);
                return Ok(());
            }
        }
        self.send(&checked, "prov").await.map(drop)
    }

    /// Sends a file as ChartMuseum's clients do. Says where it lies then, below the repository.
    async fn send(&self, checked: &Checked, door: &str) -> Result<Option<String>, Stop> {
        let tally = &self.import.tally;
        let mut place = None;
        if !tally.dry() {
            let base = format!("/helm/{}", self.repository);
            let ask = Ask::new(Method::POST, encoded(&format!("{base}/api/{door}")))
                .header("content-type", "application/gzip")
                .file(&checked.path, checked.size, tally.bar());
            let answer = self.import.server.send(ask, "it").await?;
            let location = answer.header(LOCATION.as_str());
            place = location.and_then(|location| Some(location.split_once(&format!("{base}/"))?.1.to_owned()));
        }
        tally.sent(checked.size);
        Ok(place)
    }
}
