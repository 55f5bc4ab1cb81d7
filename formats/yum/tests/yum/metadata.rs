//! The files that clients read, through many publications.

use std::process::Command;

use wharf_testkit::{TestServer, sha256};

use crate::backend::on_every_database;
use crate::shelf::{Shelf, between, built, package};

on_every_database! {
    both_doors_say_the_same,
    files_of_old_metadata_can_still_be_read,
    one_more_package_leaves_all_pieces_but_the_last,
    a_mirror_list_leads_to_metadata_that_stay,
    metadata_are_signed_and_their_signatures_outlive_them,
    a_snapshot_is_signed_anew_when_clients_see_it_again,
    a_publication_reads_no_package,
    a_repo_file_names_the_repository,
}

async fn both_doors_say_the_same(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    for n in 0..12 {
        shelf.put("upload", package(&format!("p{n}"), "1-1")).await.assert_status(201);
    }
    shelf.add(package("last", "1-1")).await;
    assert_eq!(shelf.listed().await.len(), 13);
    assert_eq!(shelf.metadata().await, shelf.metadata_of("zstd/").await);
    let repomd = shelf.get("zstd/repodata/repomd.xml").await.text();
    assert!(repomd.contains("-primary.xml.zst\"") && !repomd.contains(".gz"), "{repomd}");
    let path = between(&shelf.metadata().await["primary"], "<location href=\"", "\"").to_owned();
    shelf.get(&format!("zstd/{path}")).await.assert_status(200);
}

async fn files_of_old_metadata_can_still_be_read(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    let mut told = Vec::new();
    for n in 0..5 {
        shelf.add(package(&format!("p{n}"), "1-1")).await;
        let repomd = shelf.get("repodata/repomd.xml").await;
        repomd.assert_status(200).assert_header("cache-control", "private, no-cache");
        let text = repomd.text();
        told.extend(text.split("href=\"").skip(1).map(|rest| rest.split('"').next().expect("a path").to_owned()));
    }
    assert_eq!(told.len(), 15);
    for path in told {
        shelf
            .get(&path)
            .await
            .assert_status(200)
            .assert_header("cache-control", "private, max-age=31536000, immutable");
        // The hash alone is not enough: it must be the file that the name says.
        let wrong = path.replace("primary", "other").replace("filelists", "primary");
        shelf.get(&wrong).await.assert_status(if wrong == path { 200 } else { 404 });
    }
}

async fn one_more_package_leaves_all_pieces_but_the_last(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    for n in 0..40 {
        shelf.put("upload", package(&format!("p{n}"), "1-1")).await.assert_status(201);
    }
    shelf.add(package("q", "1-1")).await;
    let target = wharf_core::Target::new(wharf_yum::NAME, "team/el9".parse().expect("a name"));
    let segments = async || {
        let file = server.core().index_file(&target, "", "primary.xml.gz").await.expect("a file");
        file.segments()
    };
    let before = segments().await;
    shelf.add(package("r", "1-1")).await;
    let after = segments().await;
    assert!(before.len() > 6, "{}", before.len());
    // The first says how many there are, the last two are the piece that has grown and the end.
    assert_ne!(before[0], after[0]);
    assert_eq!(before[1..before.len() - 2], after[1..before.len() - 2]);
    assert_eq!(shelf.listed().await.len(), 42);
}

async fn a_mirror_list_leads_to_metadata_that_stay(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    shelf.add(package("a", "1-1")).await;
    let door = async |list: &str| {
        let url = shelf.get(list).await.assert_status(200).text();
        url.trim_end().split_once("/yum/team/el9/").map(|(_, door)| door.to_owned()).expect("a URL of the repository")
    };
    let (then, zstd) = (door("mirrorlist").await, door("zstd/mirrorlist").await);
    let before = shelf.metadata().await;
    let path = shelf.add(package("b", "1-1")).await;
    assert_eq!(shelf.metadata_of(&then).await, before);
    assert_eq!(shelf.metadata_of(&zstd).await, before);
    assert_ne!(door("mirrorlist").await, then);
    assert_eq!(shelf.metadata_of(&door("mirrorlist").await).await, shelf.metadata().await);
    // A package has one place, whatever the metadata that lead to it.
    shelf.get(&format!("{then}{path}")).await.assert_status(200);
    let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    shelf.get(&format!("at/{hex}/repodata/repomd.xml")).await.assert_status(404);
}

async fn metadata_are_signed_and_their_signatures_outlive_them(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    shelf.add(package("a", "1-1")).await;
    let keys = shelf.get("repodata/repomd.xml.key").await.assert_status(200).text();
    assert!(keys.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----"), "{keys}");
    shelf.get("key.asc").await.assert_status(200).assert_body(&keys);
    for door in ["", "zstd/"] {
        let repomd = shelf.get(&format!("{door}repodata/repomd.xml")).await.assert_status(200).body.clone();
        let signature = shelf.get(&format!("{door}repodata/repomd.xml.asc")).await.assert_status(200).text();
        assert!(is_signed(&keys, &repomd, &signature), "{door}");
        let fixed = format!("at/{}/repodata", sha256(&repomd).trim_start_matches("sha256:"));
        shelf.add(package(&format!("b{}", door.len()), "1-1")).await;
        assert!(!is_signed(&keys, &repomd, &shelf.get(&format!("{door}repodata/repomd.xml.asc")).await.text()));
        shelf.get(&format!("{fixed}/repomd.xml")).await.assert_status(200).assert_body(&repomd);
        shelf.get(&format!("{fixed}/repomd.xml.asc")).await.assert_status(200).assert_body(&signature);
    }
}

/// What `gpgv` says of a signature.
fn is_signed(keys: &str, message: &[u8], signature: &str) -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, content: &[u8]| std::fs::write(folder.path().join(name), content).expect("a file");
    write("message", message);
    write("signature", signature.as_bytes());
    write("keys", keys.as_bytes());
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).env("GNUPGHOME", folder.path()).current_dir(folder.path());
        command.output().expect("GnuPG").status.success()
    };
    assert!(run("gpg", &["--batch", "--yes", "-o", "keys.gpg", "--dearmor", "keys"]));
    run("gpgv", &["--keyring", "./keys.gpg", "signature", "message"])
}

async fn a_snapshot_is_signed_anew_when_clients_see_it_again(server: &TestServer) {
    let hour = std::time::Duration::from_secs(3600);
    // gpgv trusts no signature of the future.
    server.clock().set_back(hour);
    let shelf = Shelf::new(server, "team/el9");
    let target = wharf_core::Target::new(wharf_yum::NAME, "team/el9".parse().expect("a name"));
    let (name, actor) = ("first".parse().expect("a name"), wharf_core::Actor::system());
    shelf.add(package("a", "1-1")).await;
    let before = shelf.metadata().await;
    server.core().create_snapshot(&target, "", name, &actor).await.expect("a snapshot");
    shelf.add(package("b", "1-1")).await;
    let door =
        shelf.get("mirrorlist").await.text().trim_end().rsplit_once("/yum/team/el9/").expect("a door").1.to_owned();
    let revision = async || -> u64 {
        let text = shelf.get("repodata/repomd.xml").await.assert_status(200).text();
        between(&text, "<revision>", "<").parse().expect("a number")
    };
    let newest = revision().await;
    server.clock().advance(hour);
    server.core().rotate_key(&target, None, &actor).await.expect("another key");
    server.core().wait_until_published(&target, "").await.expect("to be published");
    server.core().publish_snapshot(&target, &"first".parse().expect("a name"), &actor).await.expect("to be seen");
    assert_eq!(shelf.metadata().await, before);
    assert!(revision().await > newest, "yum keeps what is newer");
    // Who has begun before the change can go on.
    let keys = shelf.get("key.asc").await.text();
    for door in [door.as_str(), "", "zstd/"] {
        let repomd = shelf.get(&format!("{door}repodata/repomd.xml")).await.assert_status(200).body.clone();
        let signature = shelf.get(&format!("{door}repodata/repomd.xml.asc")).await.assert_status(200).text();
        assert!(is_signed(&keys, &repomd, &signature), "{door}");
    }
    let seen = shelf.get("mirrorlist").await.text();
    assert_eq!(shelf.metadata_of(seen.trim_end().rsplit_once("/yum/team/el9/").expect("a door").1).await, before);
    server.core().publish_live(&target, "", &actor).await.expect("to be seen");
    assert_eq!(shelf.listed().await, ["a", "b"]);
}

async fn a_publication_reads_no_package(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    let noise: String = (0..2000).map(|n: u32| sha256(n.to_be_bytes())).collect();
    shelf.add(built("large", "1-1", 0, &noise)).await;
    server.lose_the_one_above(50_000).await;
    shelf.add(package("small", "1-1")).await;
    assert_eq!(shelf.listed().await, ["large", "small"]);
    shelf.delete("small-1-1.noarch.rpm?wait=1").await.assert_status(204);
    assert_eq!(shelf.listed().await, ["large"]);
}

async fn a_repo_file_names_the_repository(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    shelf.get("team-el9.repo").await.assert_status(404);
    shelf.add(package("a", "1-1")).await;
    let text = shelf.get("team-el9.repo").await.assert_status(200).text();
    assert!(text.starts_with("[team-el9]\nname=team/el9\nmirrorlist=http://"), "{text}");
    assert!(text.contains("/yum/team/el9/mirrorlist\n") && text.contains("/yum/team/el9/key.asc\n"), "{text}");
}
