//! Packages on their way in.

use sha2::{Digest, Sha256, Sha512};
use wharf_testkit::TestServer;

use crate::backend::{objects, on_every_database};
use crate::build::deb;
use crate::shop::{Shop, field};

on_every_database! {
    a_package_is_listed_with_everything_it_says,
    the_same_package_again_changes_nothing,
    other_content_under_the_same_name_is_refused,
    a_package_may_be_uploaded_into_several_distributions_at_once,
    a_package_of_any_size_streams_through,
    a_source_file_alone_is_taken_and_not_listed,
}

async fn a_package_is_listed_with_everything_it_says(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    let hello = deb("hello", "1:1.0-1").field("X-Custom:  kept as it was ").field("SHA256: lies");
    let answer = shop.put("sid/main", hello.bytes()).await;
    answer.assert_status(201).assert_body("pool/h/hello/hello_1.0-1_amd64.deb\n");
    assert_eq!(answer.location(), "/apt/team/debs/pool/h/hello/hello_1.0-1_amd64.deb");
    let got = shop.get(&hello.path()).await;
    got.assert_status(200).assert_body(hello.bytes());
    got.assert_header("content-type", "application/vnd.debian.binary-package");
    let listed = shop.table("sid", "main/binary-amd64/Packages").await;
    let control = hello.control().replace("SHA256: lies\n", "");
    assert!(
        listed.starts_with(&format!("{control}Filename: {}\nSize: {}\n", hello.path(), hello.bytes().len())),
        "{listed}"
    );
    assert_eq!(field(&listed, "SHA256"), hex::encode(Sha256::digest(hello.bytes())));
    assert_eq!(field(&listed, "SHA512"), hex::encode(Sha512::digest(hello.bytes())));
    assert_eq!((field(&listed, "MD5sum").len(), field(&listed, "SHA1").len()), (32, 40));
    assert_eq!(shop.table("sid", "main/Contents-amd64").await, "usr/bin/hello\tutils/hello\n");
    shop.checked("sid").await;
}

async fn the_same_package_again_changes_nothing(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    let hello = deb("hello", "1.0");
    shop.add("sid/main", &hello).await;
    let (release, before) = (shop.release("sid").await, objects(server).await);
    shop.put("sid/main", hello.bytes()).await.assert_status(200);
    assert_eq!(shop.release("sid").await, release);
    assert_eq!(objects(server).await, before);
}

async fn other_content_under_the_same_name_is_refused(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    let hello = deb("hello", "1.0");
    shop.add("sid/main", &hello).await;
    let other = hello.clone().file("./usr/share/doc/x", "other");
    for spot in ["sid/main", "trixie/main", "sid/contrib"] {
        let refused = shop.put(spot, other.bytes()).await;
        refused.assert_status(409).assert_body(format!("{} exists already with other content\n", hello.path()));
    }
    shop.get(&hello.path()).await.assert_body(hello.bytes());
}

async fn a_package_may_be_uploaded_into_several_distributions_at_once(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    let hello = deb("hello", "1.0").file("./usr/share/large", vec![7; 100_000]);
    let path = "/apt/team/debs/pool/bookworm/main/upload?wait=1&distribution=trixie&distribution=a/b";
    server.admin().put(path, hello.bytes()).await.assert_status(201);
    for distribution in ["bookworm", "trixie", "a/b"] {
        assert_eq!(shop.listed(distribution, "main/binary-amd64/Packages").await, ["hello 1.0"], "{distribution}");
        shop.checked(distribution).await;
    }
}

async fn a_package_of_any_size_streams_through(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    let mut noise = Sha512::digest(b"seed").to_vec();
    while noise.len() < 8 << 20 {
        let next = Sha512::digest(&noise[noise.len() - 64..]);
        noise.extend_from_slice(&next);
    }
    let large = deb("large", "1").file("./usr/share/noise", noise).bytes();
    let chunks: Vec<_> = large.chunks(64 * 1024).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect();
    // Without a length, as a client sends what it makes on the way.
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    shop.put("sid/main", body).await.assert_status(201);
    let listed = shop.table("sid", "main/binary-amd64/Packages").await;
    assert_eq!(field(&listed, "SHA256"), hex::encode(Sha256::digest(&large)));
    let part = server.admin().request(http::Method::GET, &shop.path("pool/l/large/large_1_amd64.deb"));
    let part = part.header(http::header::RANGE, "bytes=1000000-1000099").send().await;
    part.assert_status(206).assert_body(&large[1_000_000..1_000_100]);
}

async fn a_source_file_alone_is_taken_and_not_listed(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    let path = shop.path("pool/sid/main/hello_1.0.orig.tar.gz");
    server.admin().put(&path, "anything").await.assert_status(201).assert_body("pool/h/hello/hello_1.0.orig.tar.gz\n");
    shop.get("pool/h/hello/hello_1.0.orig.tar.gz").await.assert_status(200).assert_body("anything");
    shop.get("dists/sid/Release").await.assert_status(404);
}
