//! What a chart package and its provenance file say of themselves.

use std::collections::BTreeMap;
use std::io::Read;

use wharf_core::{Arrival, Contents, GoesWith, InspectError};

use crate::archive;
use crate::metadata::Metadata;
use crate::provenance::Provenance;
use crate::version::Version;

/// The kind of fragment: the chart's metadata as JSON.
pub(crate) const KIND: &str = "chart";
/// What parts name and version in a position; lower than all that names are made of.
pub(crate) const SEPARATOR: char = ' ';
/// What provenance files arrive as.
pub(crate) const PROVENANCE: &str = "provenance";

/// Most bytes of `Chart.yaml`.
const LARGEST_METADATA: u64 = 1024 * 1024;
/// Positions have no more room.
const LONGEST_POSITION: usize = 255;

/// The path of a chart inside its repository.
pub(crate) fn path(name: &str, version: &str) -> String {
    format!("charts/{name}-{version}.tgz")
}

/// The path of a chart's provenance file.
pub(crate) fn provenance_path(chart: &str) -> String {
    format!("{chart}.prov")
}

/// Reads what has arrived to its end.
pub(crate) fn inspect(file: &mut dyn Read, arrival: &Arrival) -> Result<Contents, InspectError> {
    let contents = if arrival.section == PROVENANCE { provenance(file)? } else { chart(file)? };
    let name = contents.path.rsplit('/').next().unwrap_or_default();
    match &arrival.file_name {
        Some(called) if called != name => {
            Err(InspectError(format!("the file is {name}, and the URL calls it {called:?}")))
        }
        _ => Ok(contents),
    }
}

fn chart(file: &mut dyn Read) -> Result<Contents, InspectError> {
    let metadata = metadata(file)?;
    let version = metadata.version()?;
    let position = position(&metadata.name, &version)?;
    let path = path(&metadata.name, version.as_str());
    let json = serde_json::to_vec(&metadata).map_err(|error| InspectError(error.to_string()))?;
    let depends = metadata.dependency_names();
    Ok(Contents {
        version: metadata.version,
        name: metadata.name,
        path,
        depends,
        fragments: BTreeMap::from([(KIND.to_owned(), json)]),
        part: Some(String::new()),
        sorts_as: Some(position),
        ..Contents::default()
    })
}

/// Where the index has a chart: by name, newest first.
fn position(name: &str, version: &Version) -> Result<String, InspectError> {
    let position = format!("{name}{SEPARATOR}{}", version.newest_first());
    if position.len() > LONGEST_POSITION {
        return Err(InspectError("the chart's name and version together are too long".to_owned()));
    }
    Ok(position)
}

fn metadata(file: &mut dyn Read) -> Result<Metadata, InspectError> {
    let (mut chart, mut requirements) = (None, None);
    let wanted = |path: &str| matches!(path, "Chart.yaml" | "requirements.yaml").then_some(LARGEST_METADATA);
    archive::walk(file, wanted, |path, content| {
        let text = text(path, content)?;
        let place = if path == "Chart.yaml" { &mut chart } else { &mut requirements };
        match place.replace(text) {
            None => Ok(()),
            Some(_) => Err(InspectError(format!("the package has {path} twice"))),
        }
    })?;
    let chart = chart.ok_or_else(|| InspectError("the package has no Chart.yaml in its folder".to_owned()))?;
    Metadata::read(&chart, requirements.as_deref())
}

/// A file of a chart that has to be text.
pub(crate) fn text(path: &str, content: Vec<u8>) -> Result<String, InspectError> {
    let text = String::from_utf8(content).map_err(|_| InspectError(format!("{path} is not UTF-8")))?;
    Ok(text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned))
}

fn provenance(file: &mut dyn Read) -> Result<Contents, InspectError> {
    let Provenance { metadata, digest, clear_signed } = Provenance::read_from(file)?;
    let chart = path(&metadata.name, &metadata.version);
    Ok(Contents {
        version: metadata.version,
        name: metadata.name,
        path: provenance_path(&chart),
        goes_with: Some(GoesWith { path: chart, digest, clear_signed: Some(clear_signed) }),
        ..Contents::default()
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, Header};

    use super::*;

    pub(crate) fn packed(files: &[(&str, &str)]) -> Vec<u8> {
        let mut tar = Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, path, content.as_bytes()).unwrap();
        }
        gzipped(&tar.into_inner().unwrap())
    }

    pub(crate) fn gzipped(content: &[u8]) -> Vec<u8> {
        let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
        gz.write_all(content).unwrap();
        gz.finish().unwrap()
    }

    fn read(file: &[u8]) -> Result<Contents, String> {
        inspect(&mut &*file, &Arrival::default()).map_err(|error| error.0)
    }

    #[test]
    fn a_chart_says_what_it_is() {
        let file = packed(&[
            ("crate/Chart.yaml", "\u{feff}apiVersion: v2\nname: crate\nversion: 1.2.3+b\n"),
            ("crate/values.yaml", "a: 1\n"),
            ("crate/charts/other/Chart.yaml", "name: other\nversion: 9.9.9\n"),
        ]);
        let contents = read(&file).unwrap();
        assert_eq!((contents.name.as_str(), contents.version.as_str()), ("crate", "1.2.3+b"));
        assert_eq!(contents.path, "charts/crate-1.2.3+b.tgz");
        assert!(contents.sorts_as.unwrap().starts_with("crate "));
        assert_eq!(contents.fragments[KIND], br#"{"name":"crate","version":"1.2.3+b","apiVersion":"v2"}"#);
    }

    #[test]
    fn charts_sort_by_name_before_version() {
        let at = |name, version: &str| position(name, &version.parse().unwrap()).unwrap();
        let mut positions =
            [at("a-b", "1.0.0"), at("a", "1.0.0"), at("ab", "1.0.0"), at("a", "2.0.0"), at("a.b", "1.0.0")];
        positions.sort();
        assert_eq!(
            positions,
            [at("a", "2.0.0"), at("a", "1.0.0"), at("a-b", "1.0.0"), at("a.b", "1.0.0"), at("ab", "1.0.0")]
        );
        let long = format!("1.0.0-{}", "a.".repeat(60) + "a");
        assert!(position(&"n".repeat(128), &long.parse().unwrap()).is_err());
    }

    #[test]
    fn what_is_no_chart_is_refused() {
        let good = ("crate/Chart.yaml", "name: crate\nversion: 1.0.0\n");
        let table: Vec<(Vec<u8>, &str)> = vec![
            (packed(&[("crate/values.yaml", "")]), "no Chart.yaml"),
            (packed(&[("crate/sub/Chart.yaml", "")]), "no Chart.yaml"),
            (packed(&[good, good]), "Chart.yaml twice"),
            (packed(&[("crate/Chart.yaml", &"#".repeat(1024 * 1024 + 1))]), "larger than"),
            (packed(&[("crate/Chart.yaml", "name: crate\nversion: one\n")]), "not a version"),
        ];
        for (file, why) in table {
            let error = read(&file).expect_err(why);
            assert!(error.contains(why), "{why}: {error}");
        }
    }

    #[test]
    fn metadata_that_is_no_text_is_refused() {
        let mut tar = Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        header.set_size(2);
        tar.append_data(&mut header, "crate/Chart.yaml", &b"\xff\xfe"[..]).unwrap();
        let error = read(&gzipped(&tar.into_inner().unwrap())).unwrap_err();
        assert_eq!(error, "Chart.yaml is not UTF-8");
    }
}
