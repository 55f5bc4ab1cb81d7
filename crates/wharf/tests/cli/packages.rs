//! Repositories of packages from the command line: push, keys, snapshots.

use crate::harness::Place;

/// An ustar archive (POSIX.1) of one file.
pub(crate) fn tar(name: &str, content: &str) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    header[148..156].copy_from_slice(b"        ");
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = header.to_vec();
    archive.extend_from_slice(content.as_bytes());
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    archive
}

/// A package without files (deb(5)).
pub(crate) fn deb(name: &str, version: &str) -> Vec<u8> {
    let control = format!(
        "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: a test\n"
    );
    let mut file = b"!<arch>\n".to_vec();
    let parts = [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar", tar("./control", &control)),
        ("data.tar", tar("./a", "a")),
    ];
    for (name, content) in parts {
        file.extend_from_slice(
            format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, content.len()).as_bytes(),
        );
        file.extend_from_slice(&content);
        if content.len() % 2 == 1 {
            file.push(b'\n');
        }
    }
    file
}

#[test]
fn packages_are_pushed_signed_and_kept_in_snapshots() {
    let place = Place::new();
    let server = place.serve();
    place.login(&server);
    place.run(&["project", "create", "team"]).ok();
    let mut files = Vec::new();
    for (name, version) in [("aa", "1"), ("bb", "1"), ("bb", "2")] {
        let file = format!("{name}_{version}_all.deb");
        std::fs::write(place.path(&file), deb(name, version)).unwrap();
        files.push(file);
    }
    // Several at once; the format is known by the name of the file.
    let pushed = place.run(&["push", &files[0], &files[1], "team/debs", "--wait"]).ok();
    assert_eq!(pushed.lines().collect::<Vec<_>>(), [format!("{}: pushed", files[0]), format!("{}: pushed", files[1])]);
    assert!(place.run(&["push", &files[0], "apt/team/debs"]).ok().contains("is there already"));
    place.write("note.md", "no package");
    assert!(place.run(&["push", "note.md", "team/debs"]).refused(2).contains("no format takes"));
    assert!(place.run(&["push", &files[0], "team/debs", "--format", "oci"]).refused(2).contains("oci"));
    assert!(place.run(&["push", "missing.deb", "team/debs"]).refused(2).contains("missing.deb"));
    place.write("broken.deb", "no archive");
    assert!(place.run(&["push", "broken.deb", "team/debs"]).refused(1).contains("broken.deb was not taken (400"));

    place.run(&["snapshot", "create", "apt/team/debs", "first", "--channel", "stable"]).ok();
    place.run(&["push", &files[2], "team/debs", "--wait"]).ok();
    place.run(&["snapshot", "create", "apt/team/debs", "second", "--channel", "stable"]).ok();
    let diff = place.run(&["snapshot", "diff", "apt/team/debs", "first", "second", "--output", "json"]).json();
    assert_eq!(
        (diff.as_array().unwrap().len(), &diff[0]["change"], &diff[0]["name"]),
        (1, &"changed".into(), &"bb".into())
    );
    assert_eq!((&diff[0]["from"][0], &diff[0]["to"][1]), (&"1".into(), &"2".into()));
    place.run(&["snapshot", "publish", "apt/team/debs", "first"]).ok();
    let listed = place.run(&["snapshot", "list", "apt/team/debs", "--output", "json"]).json();
    assert_eq!((&listed[0]["published"], &listed[1]["published"]), (&true.into(), &false.into()), "{listed}");
    assert!(place.run(&["snapshot", "delete", "apt/team/debs", "first", "--yes"]).refused(1).contains("clients see"));
    place.run(&["snapshot", "publish", "apt/team/debs", "--live", "--channel", "stable"]).ok();
    place.run(&["snapshot", "delete", "apt/team/debs", "first", "--yes"]).ok();
    assert!(place.run(&["snapshot", "show", "apt/team/debs", "first"]).refused(1).contains("no snapshot first"));

    assert!(place.run(&["setup", "apt/team/debs"]).ok().contains("/apt/team/debs"));
    server.stop();
}

#[test]
fn keys_are_shown_rotated_and_retired() {
    let place = Place::new();
    let server = place.serve();
    place.login(&server);
    place.run(&["project", "create", "team"]).ok();
    std::fs::write(place.path("a.deb"), deb("aa", "1")).unwrap();
    place.run(&["push", "a.deb", "team/debs", "--wait"]).ok();
    let armored = place.run(&["key", "export", "apt/team/debs"]).ok();
    assert!(armored.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----"), "{armored}");
    let keys = place.run(&["key", "list", "apt/team/debs", "--output", "json"]).json();
    let first = keys[0]["fingerprint"].as_str().unwrap().to_owned();
    assert!(place.run(&["key", "retire", "apt/team/debs", &first, "--yes"]).refused(1).contains("the only key"));
    place.run(&["key", "rotate", "apt/team/debs"]).ok();
    place.run(&["key", "retire", "apt/team/debs", &first, "--yes"]).ok();
    let shown = place.run(&["key", "show", "apt/team/debs", &first[first.len() - 16..], "--output", "json"]).json();
    assert!(shown["retired_at"].is_string(), "{shown}");
    place.write("nothing.asc", "-----BEGIN PGP nothing");
    assert!(place.run(&["key", "import", "apt/team/debs", "nothing.asc"]).refused(1).contains("cannot be used"));

    // Any public key will do for a keyring.
    place.write("known.asc", &armored);
    place.run(&["keyring", "add", "team", "known.asc"]).ok();
    let keyring = place.run(&["keyring", "list", "team", "--output", "json"]).json();
    assert_eq!((&keyring[0]["fingerprint"], &keyring[0]["added_by"]), (&first.as_str().into(), &"admin".into()));
    place.run(&["keyring", "remove", "team", &first, "--yes"]).ok();
    server.stop();
}
