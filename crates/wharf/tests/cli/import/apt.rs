//! APT trees.

use super::{counts, get, import, link, names, ready, sha256, write};
use crate::harness::{Place, Server};
use crate::packages::deb;

/// A tree in the making.
struct Tree<'a> {
    place: &'a Place,
    name: &'a str,
}

impl Tree<'_> {
    fn file(&self, path: &str, content: impl AsRef<[u8]>) {
        write(self.place, &format!("{}/{path}", self.name), content);
    }

    /// Puts a package into the pool, and says what a table has of it.
    fn package(&self, name: &str, version: &str) -> String {
        let (path, content) = (format!("pool/{name}_{version}_all.deb"), deb(name, version));
        let entry = entry(name, version, &path, &content);
        self.file(&path, content);
        entry
    }

    /// Puts tables and a Release that names them.
    fn distribution(&self, name: &str, tables: &[(&str, String)]) {
        let mut sums = String::new();
        for (table, content) in tables {
            self.file(&format!("dists/{name}/{table}"), content);
            sums.push_str(&format!(" {} {} {table}\n", sha256(content), content.len()));
        }
        let release = format!("Origin: Old\nLabel: Old\nSuite: {name}\nCodename: {name}\nSHA256:\n{sums}");
        self.file(&format!("dists/{name}/Release"), release);
    }
}

fn entry(name: &str, version: &str, path: &str, content: &[u8]) -> String {
    format!(
        "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: a <a@example.org>\nFilename: {path}\nSize: {}\n\
         SHA256: {}\nDescription: a test\n\n",
        content.len(),
        sha256(content)
    )
}

/// Which versions of which packages a table of the server lists, once it lists so many.
fn listed(server: &Server, table: &str, count: usize) -> Vec<String> {
    loop {
        let (status, content) = get(server, &format!("/apt/team/debs/dists/{table}"));
        let text = String::from_utf8(content).unwrap();
        let field = |entry: &str, name: &str| {
            let line = entry.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
            line.unwrap_or_default()
        };
        let mut found: Vec<_> = text
            .split("\n\n")
            .filter(|entry| entry.starts_with("Package: "))
            .map(|entry| format!("{} {}", field(entry, "Package: "), field(entry, "Version: ")))
            .collect();
        found.sort();
        if status == 200 && found.len() >= count {
            return found;
        }
        std::thread::yield_now();
    }
}

#[test]
fn every_package_keeps_its_places_and_is_sent_once() {
    let (place, server) = ready();
    let tree = Tree { place: &place, name: "tree" };
    let (one, two) = (tree.package("aa", "1"), tree.package("bb", "1:2"));
    tree.distribution(
        "stable",
        &[("main/binary-all/Packages", format!("{one}{two}")), ("extra/binary-all/Packages", one.clone())],
    );
    tree.distribution("team/testing", &[("main/binary-amd64/Packages", one.clone())]);
    // An alias, as aptly and reprepro make them.
    link(&place, "tree/dists/alias", "stable");

    let (code, told) = import(&place, &["tree", "team/debs", "--dry-run"]);
    assert_eq!((code, counts(&told)), (0, [2, 0, 3, 0]), "{told}");
    assert_eq!(get(&server, "/apt/team/debs/dists/stable/Release").0, 404, "a dry run sends nothing");

    let (code, told) = import(&place, &["tree", "team/debs"]);
    // `aa` goes into two distributions with its upload, and into the other component of three by copies.
    assert_eq!((code, counts(&told)), (0, [2, 0, 3, 0]), "{told}");
    assert_eq!(listed(&server, "stable/main/binary-all/Packages", 2), ["aa 1", "bb 1:2"]);
    assert_eq!(listed(&server, "alias/main/binary-all/Packages", 2), ["aa 1", "bb 1:2"]);
    assert_eq!(listed(&server, "stable/extra/binary-all/Packages", 1), ["aa 1"]);
    assert_eq!(listed(&server, "team/testing/main/binary-all/Packages", 1), ["aa 1"]);

    let again = place.run(&["import", "tree", "apt/team/debs"]).ok();
    assert_eq!(again, "nothing to send: all 2 are there already\n");

    // One more, and one in one more place.
    let three = tree.package("cc", "1");
    tree.distribution("team/testing", &[("main/binary-all/Packages", format!("{one}{two}{three}"))]);
    let (code, told) = import(&place, &["tree", "team/debs"]);
    assert_eq!((code, counts(&told)), (0, [1, 2, 1, 0]), "{told}");
    assert_eq!(listed(&server, "team/testing/main/binary-all/Packages", 3), ["aa 1", "bb 1:2", "cc 1"]);
    let release = String::from_utf8(get(&server, "/apt/team/debs/dists/stable/Release").1).unwrap();
    assert!(release.starts_with("Origin: Old\nLabel: Old\nSuite: stable\n"), "{release}");
    server.stop();
}

#[test]
fn a_source_comes_with_its_files() {
    let (place, server) = ready();
    let tree = Tree { place: &place, name: "tree" };
    let orig = "the source".repeat(10);
    let sum = |content: &str| format!("{} {}", sha256(content), content.len());
    let md5 = "0".repeat(32);
    let mut sources = String::new();
    for (version, change) in [("1.0-1", "one"), ("1.0-2", "two")] {
        let files = format!(
            "Files:\n {md5} {} tool_1.0.orig.tar.gz\n {md5} {} tool_{version}.debian.tar.xz\nChecksums-Sha256:\n {} \
             tool_1.0.orig.tar.gz\n {} tool_{version}.debian.tar.xz\n",
            orig.len(),
            change.len(),
            sum(&orig),
            sum(change)
        );
        let dsc =
            format!("Format: 3.0 (quilt)\nSource: tool\nVersion: {version}\nMaintainer: a <a@example.org>\n{files}");
        let named = files.replace("\nChecksums", &format!("\n {md5} {} tool_{version}.dsc\nChecksums", dsc.len()));
        sources.push_str(&format!(
            "Package: tool\nVersion: {version}\nDirectory: pool/t\n{named} {} tool_{version}.dsc\n\n",
            sum(&dsc)
        ));
        tree.file(&format!("pool/t/tool_{version}.dsc"), dsc);
        tree.file(&format!("pool/t/tool_{version}.debian.tar.xz"), change);
    }
    tree.file("pool/t/tool_1.0.orig.tar.gz", &orig);
    tree.distribution("stable", &[("main/source/Sources", sources.clone())]);
    tree.distribution("testing", &[("contrib/source/Sources", sources)]);

    let (code, told) = import(&place, &["tree", "team/debs"]);
    // The second version needs the same original.
    assert_eq!((code, counts(&told)), (0, [5, 1, 2, 0]), "{told}");
    assert_eq!(listed(&server, "stable/main/source/Sources", 2), ["tool 1.0-1", "tool 1.0-2"]);
    assert_eq!(listed(&server, "testing/contrib/source/Sources", 2), ["tool 1.0-1", "tool 1.0-2"]);
    assert_eq!(get(&server, "/apt/team/debs/pool/t/tool/tool_1.0.orig.tar.gz").1, orig.as_bytes());
    let (code, told) = import(&place, &["tree", "team/debs"]);
    assert_eq!((code, counts(&told)), (0, [0, 6, 0, 0]), "{told}");
    server.stop();
}

#[test]
fn what_an_index_names_outside_of_the_tree_is_not_read() {
    let (place, server) = ready();
    let tree = Tree { place: &place, name: "tree" };
    let secret = deb("secret", "1");
    write(&place, "secret.deb", &secret);
    let good = tree.package("aa", "1");
    link(&place, "tree/pool/link.deb", "../../secret.deb");
    let absolute = place.path("secret.deb").to_str().unwrap().to_owned();
    let paths = ["../secret.deb", "pool/../../secret.deb", absolute.as_str(), "pool/link.deb"];
    let mut table: String = paths.iter().map(|path| entry("secret", "1", path, &secret)).collect();
    table.push_str(&good);
    tree.distribution("stable", &[("main/binary-all/Packages", table)]);
    // A distribution that lies elsewhere is none of the tree's.
    let elsewhere = Tree { place: &place, name: "elsewhere" };
    elsewhere.distribution("other", &[("main/binary-all/Packages", good)]);
    link(&place, "tree/dists/other", place.path("elsewhere/dists/other"));

    let (code, told) = import(&place, &["tree", "team/debs"]);
    assert_eq!((code, counts(&told)), (1, [1, 0, 0, 4]), "{told}");
    let mut wanted = paths.map(str::to_owned);
    wanted.sort();
    assert_eq!(names(&told, "failed"), wanted);
    assert_eq!(listed(&server, "stable/main/binary-all/Packages", 1), ["aa 1"]);
    assert_eq!(get(&server, "/apt/team/debs/pool/s/secret/secret_1_all.deb").0, 404);
    assert_eq!(get(&server, "/apt/team/debs/dists/other/Release").0, 404);
    server.stop();
}

#[test]
fn a_broken_file_is_named_and_the_others_come() {
    let (place, server) = ready();
    let tree = Tree { place: &place, name: "tree" };
    let table: String = ["aa", "bb", "cc", "dd", "ee"].map(|name| tree.package(name, "1")).concat();
    tree.file("pool/bb_1_all.deb", deb("bb", "2"));
    tree.file("pool/cc_1_all.deb", "short");
    std::fs::remove_file(place.path("tree/pool/dd_1_all.deb")).unwrap();
    let no_package = entry("no", "1", "pool/no.deb", b"no package");
    tree.file("pool/no.deb", "no package");
    tree.distribution("stable", &[("main/binary-all/Packages", format!("{table}{no_package}Package: ???\n\n"))]);
    let ended = place.run(&["import", "tree", "team/debs"]);
    let said = ended.err.clone();
    let refused = ended.refused(1);
    for (file, why) in [
        ("pool/bb_1_all.deb", "its sha256 is "),
        ("pool/cc_1_all.deb", "it has 5 bytes"),
        ("pool/dd_1_all.deb", "it is not there"),
        ("pool/no.deb", "400"),
        ("Packages, entry 7", "no Version"),
    ] {
        assert!(said.lines().any(|line| line.contains(file) && line.contains(why)), "{file}: {said}");
    }
    assert!(refused.contains("5 were not imported"), "{refused}");
    assert_eq!(listed(&server, "stable/main/binary-all/Packages", 2), ["aa 1", "ee 1"]);

    // Mended, and run again: only what was missing goes.
    for name in ["bb", "cc", "dd"] {
        tree.package(name, "1");
    }
    let (code, told) = import(&place, &["tree", "team/debs"]);
    assert_eq!((code, counts(&told)), (1, [3, 2, 0, 2]), "{told}");

    // A table that is not what Release says is not read at all.
    tree.file("dists/stable/main/binary-all/Packages", table.replace("Size: ", "Size: 1"));
    let (code, told) = import(&place, &["tree", "team/debs"]);
    assert_eq!((code, counts(&told)), (1, [0, 0, 0, 1]), "{told}");
    assert_eq!(names(&told, "failed"), ["dists/stable/main/binary-all/Packages"]);
    server.stop();
}

#[test]
fn an_import_that_was_killed_goes_on_where_it_was() {
    const COUNT: u64 = 60;
    let (place, server) = ready();
    let tree = Tree { place: &place, name: "tree" };
    let names: Vec<_> = (10..10 + COUNT).map(|number| format!("p{number}")).collect();
    let table: String = names.iter().map(|name| tree.package(name, "1")).collect();
    tree.distribution("stable", &[("main/binary-all/Packages", table)]);
    let mut child = place.command(&["import", "tree", "team/debs", "--jobs", "1"]).spawn().unwrap();
    while get(&server, "/apt/team/debs/pool/p/p12/p12_1_all.deb").0 != 200 {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let (code, told) = import(&place, &["tree", "team/debs"]);
    let [sent, there, placed, failed] = counts(&told);
    assert_eq!((code, sent + there, placed, failed), (0, COUNT, 0, 0), "{told}");
    assert!(there >= 3, "{told}");
    assert_eq!(listed(&server, "stable/main/binary-all/Packages", names.len()).len(), names.len());
    server.stop();
}

#[test]
fn a_tree_without_distributions_goes_where_one_says() {
    let (place, server) = ready();
    let tree = Tree { place: &place, name: "flat" };
    let table = tree.package("aa", "1");
    tree.file("Packages", table);
    let (code, told) = import(&place, &["flat", "team/debs", "--channel", "site", "--section", "local"]);
    assert_eq!((code, counts(&told)), (0, [1, 0, 0, 0]), "{told}");
    assert_eq!(listed(&server, "site/local/binary-all/Packages", 1), ["aa 1"]);
    server.stop();
}

#[test]
fn who_may_not_is_told_once() {
    let (place, server) = ready();
    let tree = Tree { place: &place, name: "tree" };
    let table: String = ["aa", "bb", "cc"].map(|name| tree.package(name, "1")).concat();
    tree.distribution("stable", &[("main/binary-all/Packages", table)]);
    let ended = place.run_with(&["import", "tree", "team/debs"], &[("WHARF_TOKEN", "nothing")], "");
    let refused = ended.refused(1);
    assert!(refused.contains("wharf login") && refused.lines().count() <= 3, "{refused}");

    // Whoever may not see a repository, or not push to it, is not told so of each file.
    place.run_with(&["user", "create", "bob", "--password-stdin"], &[], "a-long-password").ok();
    let bob = Place::new();
    bob.run_with(&["login", &server.url, "-u", "bob", "--password-stdin"], &[], "a-long-password").ok();
    let folder = place.path("tree");
    let folder = folder.to_str().unwrap();
    for granted in [false, true] {
        if granted {
            place.run(&["grant", "add", "team", "bob", "puller"]).ok();
        }
        let refused = bob.run(&["import", folder, "team/debs"]).refused(1);
        assert!(!refused.contains("not imported") && refused.lines().count() <= 3, "{refused}");
    }
    server.stop();
}
