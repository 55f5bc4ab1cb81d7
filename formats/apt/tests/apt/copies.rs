//! Packages in several distributions.

use wharf_testkit::TestServer;

use crate::backend::{objects, on_every_database};
use crate::build::{deb, source};
use crate::shop::Shop;

on_every_database! {
    a_package_is_copied_without_its_bytes,
    a_package_stays_as_long_as_a_distribution_lists_it,
    a_copy_may_go_into_another_component,
    a_source_is_copied_with_its_files,
    what_is_not_listed_cannot_be_copied,
}

async fn a_package_is_copied_without_its_bytes(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    let hello = deb("hello", "1:1.0").file("./usr/share/large", vec![7; 100_000]);
    shop.add("sid/main", &hello).await;
    let before = objects(server).await;
    let path = shop.path("pool/sid/main/hello/1:1.0/amd64?to=trixie&wait=1");
    server.admin().post(&path, "").await.assert_status(201).assert_body("hello 1:1.0 is in trixie/main\n");
    server.admin().post(&path, "").await.assert_status(200);
    assert_eq!(objects(server).await, before);
    let packages = "main/binary-amd64/Packages";
    assert_eq!(shop.table("trixie", packages).await, shop.table("sid", packages).await);
    shop.checked("trixie").await;
}

async fn a_package_stays_as_long_as_a_distribution_lists_it(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    let hello = deb("hello", "1.0");
    shop.add("sid/main", &hello).await;
    assert_eq!(shop.put("trixie/main", hello.bytes()).await.status, 201);
    shop.delete("pool/sid/main/hello/1.0/amd64").await.assert_status(204);
    shop.get("dists/sid/main/binary-amd64/Packages").await.assert_status(404);
    assert_eq!(shop.listed("trixie", "main/binary-amd64/Packages").await, ["hello 1.0"]);
    shop.get(&hello.path()).await.assert_status(200);
    shop.delete("pool/trixie/main/hello/1.0/amd64").await.assert_status(204);
    shop.get(&hello.path()).await.assert_status(404);
}

async fn a_copy_may_go_into_another_component(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    shop.add("sid/main", &deb("hello", "1.0").for_arch("all")).await;
    let path = shop.path("pool/sid/main/hello/1.0/all?to=sid&component=contrib&wait=1");
    server.admin().post(&path, "").await.assert_status(201);
    assert_eq!(shop.listed("sid", "contrib/binary-all/Packages").await, ["hello 1.0"]);
}

async fn a_source_is_copied_with_its_files(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    for (name, content) in source("hello", "1.0", "1") {
        server.admin().put(&shop.path(&format!("pool/sid/main/{name}")), content).await.assert_status(201);
    }
    let path = shop.path("pool/sid/main/hello/1.0-1/source?to=trixie&wait=1");
    server.admin().post(&path, "").await.assert_status(201);
    assert_eq!(shop.listed("trixie", "main/source/Sources").await, ["hello 1.0-1"]);
    shop.delete("pool/sid/main/hello/1.0-1/source").await.assert_status(204);
    shop.get("pool/h/hello/hello_1.0.orig.tar.gz").await.assert_status(200);
}

async fn what_is_not_listed_cannot_be_copied(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    shop.add("sid/main", &deb("hello", "1.0")).await;
    for path in [
        "pool/sid/main/hello/1.1/amd64?to=trixie",
        "pool/sid/contrib/hello/1.0/amd64?to=trixie",
        "pool/sid/main/hello/1.0/arm64?to=trixie",
        "pool/other/main/hello/1.0/amd64?to=trixie",
    ] {
        server.admin().post(&shop.path(path), "").await.assert_status(404);
    }
    server.admin().post(&shop.path("pool/sid/main/hello/1.0/amd64"), "").await.assert_status(400);
    server.admin().post(&shop.path("pool/sid/main/hello/1.0/amd64?to=by-hash"), "").await.assert_status(400);
}
