//! YUM repositories.

use rpm::{BuildConfig, CompressionType, PackageBuilder};

use super::{counts, get, import, names, ready, sha256, write};
use crate::harness::{Place, Server};

fn package(name: &str, epoch: u32) -> Vec<u8> {
    let mut builder = PackageBuilder::new(name, "1.0", "MIT", "noarch", "A package");
    builder.release("1").epoch(epoch);
    builder.using_config(BuildConfig::v4().compression(CompressionType::Gzip).source_date(1_700_000_000_u32));
    let mut bytes = Vec::new();
    builder.build().unwrap().write(&mut bytes).unwrap();
    bytes
}

/// What primary metadata say of a package.
fn entry(name: &str, epoch: u32, href: &str, content: &[u8]) -> String {
    format!(
        "<package type=\"rpm\"><name>{name}</name><arch>noarch</arch><version epoch=\"{epoch}\" ver=\"1.0\" rel=\"1\"/>\
         <checksum type=\"sha256\" pkgid=\"YES\">{}</checksum><size package=\"{}\"/><location href=\"{href}\"/></package>",
        sha256(content),
        content.len()
    )
}

/// Writes metadata and the repomd.xml that names them.
fn metadata(place: &Place, packages: &[String], others: &[(&str, &str)]) {
    let primary = format!("<metadata>{}</metadata>", packages.concat());
    let all = [&[("primary", primary.as_str())], others].concat();
    let mut repomd = "<repomd>".to_owned();
    for (kind, content) in all {
        write(place, &format!("rpms/repodata/{kind}"), content);
        repomd.push_str(&format!(
            "<data type=\"{kind}\"><checksum type=\"sha256\">{}</checksum><location href=\"repodata/{kind}\"/></data>",
            sha256(content)
        ));
    }
    write(place, "rpms/repodata/repomd.xml", repomd + "</repomd>");
}

/// A file of the server's metadata once it says this.
fn told(server: &Server, path: &str, what: &str) -> String {
    loop {
        let text = String::from_utf8_lossy(&get(server, &format!("/yum/team/el9/{path}")).1).into_owned();
        if text.contains(what) {
            return text;
        }
        std::thread::yield_now();
    }
}

const ADVISORIES: &str =
    "<updates>\n<update type=\"security\" version=\"1\"><id>T-1</id><title>a &amp; b</title></update>\n</updates>";
const GROUPS: &str = "<comps><group><id>core</id><name>Core</name></group></comps>";
const MODULES: &str = "---\ndocument: modulemd-defaults\nversion: 1\ndata:\n  module: tool\n  stream: \"1\"\n...\n";

#[test]
fn packages_come_with_what_stands_beside_them() {
    let (place, server) = ready();
    let (plain, odd) = (package("plain", 0), package("odd", 3));
    write(&place, "rpms/plain.rpm", &plain);
    write(&place, "rpms/sub/odd.rpm", &odd);
    let packages = [entry("plain", 0, "plain.rpm", &plain), entry("odd", 3, "sub/odd.rpm", &odd)];
    let beside = [("updateinfo", ADVISORIES), ("group", GROUPS), ("modules", MODULES), ("productid", "x")];
    metadata(&place, &packages, &beside);
    let (code, said) = import(&place, &["rpms", "team/el9"]);
    assert_eq!((code, counts(&said)), (0, [5, 0, 0, 0]), "{said}");
    assert_eq!(names(&said, "passed_over"), ["repodata/productid"]);
    assert!(told(&server, "updateinfo.xml", "T-1").contains("a &amp; b"));
    assert!(told(&server, "comps.xml", "core").contains("Core"));
    told(&server, "modules.yaml", "tool");
    assert_eq!(get(&server, "/yum/team/el9/Packages/o/epoch-3/odd-1.0-1.noarch.rpm").1, odd);

    let again = place.run(&["import", "rpms", "team/el9"]).ok();
    assert_eq!(again, "nothing to send: all 5 are there already\n");

    // One more advisory.
    metadata(&place, &packages, &[("updateinfo", &ADVISORIES.replace("T-1", "T-2"))]);
    let (code, said) = import(&place, &["rpms", "team/el9"]);
    assert_eq!((code, counts(&said)), (0, [1, 2, 0, 0]), "{said}");
    assert!(told(&server, "updateinfo.xml", "T-2").contains("T-1"));
    server.stop();
}

#[test]
fn files_elsewhere_or_broken_are_named_and_the_others_come() {
    let (place, server) = ready();
    let (plain, secret) = (package("plain", 0), package("secret", 0));
    write(&place, "rpms/plain.rpm", &plain);
    write(&place, "secret.rpm", &secret);
    write(&place, "rpms/broken.rpm", "broken");
    let packages = [
        entry("secret", 0, "../secret.rpm", &secret),
        entry("secret", 0, "http://elsewhere.example/secret.rpm", &secret),
        entry("secret", 0, "broken.rpm", &secret),
        entry("plain", 0, "plain.rpm", &plain),
    ];
    metadata(&place, &packages, &[("updateinfo", "no XML")]);
    let (code, said) = import(&place, &["rpms", "team/el9"]);
    assert_eq!((code, counts(&said)), (1, [1, 0, 0, 4]), "{said}");
    let wanted = ["../secret.rpm", "broken.rpm", "http://elsewhere.example/secret.rpm", "repodata/updateinfo"];
    assert_eq!(names(&said, "failed"), wanted);
    assert_eq!(get(&server, "/yum/team/el9/Packages/p/plain-1.0-1.noarch.rpm").1, plain);
    assert_eq!(get(&server, "/yum/team/el9/Packages/s/secret-1.0-1.noarch.rpm").0, 404);

    // Metadata that are not what repomd.xml says.
    write(&place, "rpms/repodata/primary", "<metadata/>");
    assert!(place.run(&["import", "rpms", "team/el9"]).refused(1).contains("repodata/primary"));
    server.stop();
}
