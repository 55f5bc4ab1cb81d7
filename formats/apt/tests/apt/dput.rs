//! Uploads by dput.

use std::time::Duration;

use wharf_testkit::TestServer;

use crate::backend::on_every_database;
use crate::build::{Named, deb, manifest, source};
use crate::shop::Shop;

on_every_database! {
    what_a_changes_file_names_is_taken_in,
    a_changes_file_that_names_other_content_is_refused_and_nothing_is_listed,
    nobody_reads_what_waits,
    what_waits_for_long_is_forgotten,
}

async fn put(shop: &Shop, (name, content): &Named) -> wharf_testkit::Answer {
    shop.client.put(&shop.path(&format!("incoming/{name}?wait=1")), content.clone()).await
}

fn upload() -> Vec<Named> {
    let mut files = source("hello", "1.0", "1");
    files.push(("hello_1.0-1_amd64.deb".to_owned(), deb("hello", "1.0-1").bytes()));
    files.push(("hello_1.0-1_amd64.buildinfo".to_owned(), b"Format: 1.0\n".to_vec()));
    files
}

fn changes(files: &[Named], section: &str) -> Named {
    let head = "Format: 1.8\nSource: hello\nBinary: hello\nArchitecture: source amd64\nVersion: 1.0-1\nDistribution: sid\n\
                Maintainer: T <t@example.org>\nChanges:\n hello (1.0-1) sid; urgency=low\n .\n   * New.\n";
    let section = format!(" {section} optional");
    ("hello_1.0-1_amd64.changes".to_owned(), manifest(head, files, &section))
}

async fn what_a_changes_file_names_is_taken_in(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    let files = upload();
    for file in &files {
        put(&shop, file).await.assert_status(201);
    }
    // A client that tries again.
    put(&shop, &files[0]).await.assert_status(201);
    put(&shop, &changes(&files, "contrib/utils"))
        .await
        .assert_status(201)
        .assert_body("hello 1.0-1 was taken: 5 files\n");
    assert_eq!(shop.listed("sid", "contrib/binary-amd64/Packages").await, ["hello 1.0-1"]);
    assert_eq!(shop.listed("sid", "contrib/source/Sources").await, ["hello 1.0-1"]);
    shop.get("pool/h/hello/hello_1.0.orig.tar.gz").await.assert_status(200);
    shop.checked("sid").await;
    // Nothing waits any more.
    put(&shop, &changes(&files, "utils")).await.assert_status(400);
}

async fn a_changes_file_that_names_other_content_is_refused_and_nothing_is_listed(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    let files = upload();
    for file in &files[1..] {
        put(&shop, file).await.assert_status(201);
    }
    let named = changes(&files, "utils");
    let missing = "it names hello_1.0.orig.tar.gz, which was not uploaded: send that first\n";
    put(&shop, &named).await.assert_status(400).assert_body(missing);
    put(&shop, &(files[0].0.clone(), b"other".to_vec())).await.assert_status(201);
    assert!(put(&shop, &named).await.assert_status(400).text().contains("another checksum or size"));
    for (from, to) in [("Distribution: sid", "Distribution: UNRELEASED"), ("Distribution: sid", "Distribution: ../x")] {
        let text = String::from_utf8(named.1.clone()).expect("UTF-8").replace(from, to);
        put(&shop, &(named.0.clone(), text.into_bytes())).await.assert_status(400);
    }
    put(&shop, &(named.0.clone(), b"not a changes file".to_vec())).await.assert_status(400);
    put(&shop, &(named.0.clone(), vec![b'x'; 2 << 20])).await.assert_status(413);
    shop.get("dists/sid/Release").await.assert_status(404);
}

async fn nobody_reads_what_waits(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    put(&shop, &upload()[0]).await.assert_status(201);
    shop.get("incoming/hello_1.0.orig.tar.gz").await.assert_status(405);
    shop.get("pool/h/hello/hello_1.0.orig.tar.gz").await.assert_status(404);
    for name in ["..", ".hidden", "a%20b.deb"] {
        let answer = shop.client.put(&shop.path(&format!("incoming/{name}")), "x").await;
        assert!(answer.status.is_client_error(), "{name}: {answer}");
    }
}

async fn what_waits_for_long_is_forgotten(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    let files = upload();
    put(&shop, &files[0]).await.assert_status(201);
    server.clock().advance(Duration::from_secs(25 * 60 * 60));
    for file in &files[1..] {
        put(&shop, file).await.assert_status(201);
    }
    assert!(put(&shop, &changes(&files, "utils")).await.assert_status(400).text().contains("was not uploaded"));
}
