//! Sources.

use wharf_testkit::TestServer;

use crate::backend::on_every_database;
use crate::build::{Named, manifest, source};
use crate::shop::{Shop, field};

on_every_database! {
    a_source_is_listed_with_its_files,
    a_source_whose_files_are_not_here_is_refused,
    files_go_with_the_last_source_that_names_them,
    a_file_of_a_source_is_not_taken_away_alone,
}

async fn put(shop: &Shop, (name, content): &Named) -> wharf_testkit::Answer {
    shop.client.put(&shop.path(&format!("pool/sid/main/{name}?wait=1")), content.clone()).await
}

async fn a_source_is_listed_with_its_files(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    let files = source("hello", "1.0", "1");
    for file in &files {
        put(&shop, file).await.assert_status(201);
        shop.get(&format!("pool/h/hello/{}", file.0)).await.assert_status(200).assert_body(&file.1);
    }
    let listed = shop.table("sid", "main/source/Sources").await;
    assert_eq!((field(&listed, "Package"), field(&listed, "Version")), ("hello", "1.0-1"));
    assert_eq!(field(&listed, "Directory"), "pool/h/hello");
    for (name, content) in &files {
        use sha2::{Digest, Sha256};
        let line = format!("\n {} {} {name}\n", hex::encode(Sha256::digest(content)), content.len());
        assert!(listed.contains(&line), "{name} is not in {listed}");
    }
    shop.checked("sid").await;
}

async fn a_source_whose_files_are_not_here_is_refused(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    let files = source("hello", "1.0", "1");
    let [orig, debian, dsc] = &files[..] else { panic!("three files") };
    let missing = "it names hello_1.0.orig.tar.gz, which was not uploaded: send that first\n";
    put(&shop, dsc).await.assert_status(400).assert_body(missing);
    put(&shop, &(orig.0.clone(), b"other content".to_vec())).await.assert_status(201);
    put(&shop, debian).await.assert_status(201);
    let differs = "it names hello_1.0.orig.tar.gz with another checksum or size than the file has that was uploaded\n";
    put(&shop, dsc).await.assert_status(400).assert_body(differs);
    let outside = manifest("Source: hello\nVersion: 1\n", &[("../x_1.tar.gz".to_owned(), Vec::new())], "");
    put(&shop, &("hello_1.dsc".to_owned(), outside)).await.assert_status(400);
    shop.get("dists/sid/Release").await.assert_status(404);
}

async fn files_go_with_the_last_source_that_names_them(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    for revision in ["1", "2"] {
        for file in source("hello", "1.0", revision) {
            assert!(put(&shop, &file).await.status.is_success());
        }
    }
    let status = async |file: &str| shop.get(&format!("pool/h/hello/{file}")).await.status.as_u16();
    shop.delete("pool/sid/main/hello/1.0-1/source").await.assert_status(204);
    assert_eq!(status("hello_1.0-1.dsc").await, 404);
    assert_eq!(status("hello_1.0-1.debian.tar.xz").await, 404);
    assert_eq!(status("hello_1.0.orig.tar.gz").await, 200, "1.0-2 needs it");
    shop.delete("pool/h/hello/hello_1.0-2.dsc").await.assert_status(204);
    assert_eq!(status("hello_1.0.orig.tar.gz").await, 404);
}

async fn a_file_of_a_source_is_not_taken_away_alone(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    for file in source("hello", "1.0", "1") {
        put(&shop, &file).await.assert_status(201);
    }
    let refused = shop.delete("pool/h/hello/hello_1.0.orig.tar.gz").await;
    let expected = "pool/h/hello/hello_1.0.orig.tar.gz belongs to pool/h/hello/hello_1.0-1.dsc: delete that\n";
    refused.assert_status(409).assert_body(expected);
}
