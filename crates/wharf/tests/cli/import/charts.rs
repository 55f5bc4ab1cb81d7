//! Folders of charts.

use std::io::Write;

use super::{counts, get, import, link, names, ready, sha256, write};
use crate::packages::tar;

fn chart(name: &str, version: &str) -> Vec<u8> {
    let text = format!("apiVersion: v2\nname: {name}\nversion: {version}\n");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&tar(&format!("{name}/Chart.yaml"), &text)).unwrap();
    gz.finish().unwrap()
}

/// A provenance file in Helm's form, signed by nobody.
fn provenance(name: &str, version: &str, chart: &[u8]) -> String {
    format!(
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\napiVersion: v2\nname: {name}\nversion: {version}\n\n...\nfiles:\n  \
         {name}-{version}.tgz: sha256:{}\n-----BEGIN PGP SIGNATURE-----\n\nwsBc\n-----END PGP SIGNATURE-----\n",
        sha256(chart)
    )
}

#[test]
fn charts_come_with_their_provenance() {
    let (place, server) = ready();
    let crate_ = chart("crate", "1.0.0");
    write(&place, "charts/crate-1.0.0.tgz", &crate_);
    write(&place, "charts/crate-1.0.0.tgz.prov", provenance("crate", "1.0.0", &crate_));
    // Under another name than its own, which clients never see.
    write(&place, "charts/renamed.tgz", chart("pallet", "2.0.0+b"));
    write(&place, "charts/readme.md", "");
    let (code, said) = import(&place, &["charts", "team/charts"]);
    assert_eq!((code, counts(&said)), (0, [3, 0, 0, 0]), "{said}");
    assert_eq!(get(&server, "/helm/team/charts/charts/crate-1.0.0.tgz").1, crate_);
    assert_eq!(get(&server, "/helm/team/charts/charts/crate-1.0.0.tgz.prov").0, 200);
    assert_eq!(get(&server, "/helm/team/charts/charts/pallet-2.0.0%2Bb.tgz").0, 200);
    let again = place.run(&["import", "charts", "helm/team/charts"]).ok();
    assert_eq!(again, "nothing to send: all 3 are there already\n");
    server.stop();
}

#[test]
fn an_index_says_what_files_must_be_and_folders_are_repositories_without_one() {
    let (place, server) = ready();
    let (good, other) = (chart("good", "1.0.0"), chart("other", "1.0.0"));
    write(&place, "charts/sub/good-1.0.0.tgz", &good);
    write(&place, "charts/other-1.0.0.tgz", &other);
    write(&place, "charts/team-b/own-1.0.0.tgz", chart("own", "1.0.0"));
    write(&place, "charts/Not-A-Name/own-1.0.0.tgz", chart("own", "1.0.0"));
    let entry = |url: &str, digest: &str| format!("  - urls: [\"{url}\"]\n    digest: {digest}\n");
    let index = format!(
        "apiVersion: v1\nentries:\n  good:\n{}  other:\n{}  gone:\n{}{}{}",
        entry("sub/good-1.0.0.tgz", &sha256(&good)),
        entry("https://old.example/charts/other-1.0.0.tgz", &sha256("something else")),
        entry("https://old.example/charts/gone-1.0.0.tgz", "aa"),
        entry("../gone.tgz", "aa"),
        entry("/etc/passwd", "aa")
    );
    write(&place, "charts/index.yaml", index);
    write(&place, "charts/alone.tgz.prov", "nothing");
    write(&place, "charts/broken-1.0.0.tgz", "no archive");
    link(&place, "charts/link-1.0.0.tgz", "../secret.tgz");
    write(&place, "secret.tgz", chart("secret", "1.0.0"));
    let (code, said) = import(&place, &["charts", "team/charts"]);
    assert_eq!(code, 1);
    let wanted = [
        "../gone.tgz",
        "/etc/passwd",
        "Not-A-Name",
        "alone.tgz.prov",
        "broken-1.0.0.tgz",
        "https://old.example/charts/gone-1.0.0.tgz",
        "link-1.0.0.tgz",
        "other-1.0.0.tgz",
    ];
    assert_eq!(names(&said, "failed"), wanted, "{said}");
    assert_eq!(counts(&said)[..3], [2, 0, 0], "{said}");
    assert_eq!(get(&server, "/helm/team/charts/charts/good-1.0.0.tgz").1, good);
    assert_eq!(get(&server, "/helm/team/charts/team-b/charts/own-1.0.0.tgz").0, 200);
    assert_eq!(get(&server, "/helm/team/charts/charts/secret-1.0.0.tgz").0, 404);
    server.stop();
}
