//! What is not taken, and who may not.

use wharf_auth::Role;
use wharf_testkit::TestServer;

use crate::backend::{objects, on_every_database};
use crate::build::{ar, deb};
use crate::shop::Shop;

on_every_database! {
    what_is_no_package_is_refused_and_leaves_nothing,
    who_may_not_push_pull_or_delete_is_told_so,
}

async fn what_is_no_package_is_refused_and_leaves_nothing(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    let before = objects(server).await;
    let good = deb("hello", "1.0").bytes();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", Vec::new(), "not a Debian package"),
        ("text", vec![b'x'; 100_000], "not a Debian package"),
        ("truncated", good[..good.len() - 40].to_vec(), "invalid package"),
        ("no files", ar(&[("debian-binary", b"2.0\n".to_vec())]), "no files"),
        ("a version of letters", deb("hello", "abc").bytes(), "is not a version"),
        ("a bad name", deb("hello_you", "1").bytes(), "is not the name of a package"),
        ("a bad architecture", deb("hello", "1").for_arch("source").bytes(), "is not an architecture"),
        ("a name that climbs", deb("hello", "1").field("Source: ../../x").bytes(), "is not the name of a package"),
        ("a second paragraph", deb("hello", "1").field("A: b\n\nPackage: evil").bytes(), "more than one paragraph"),
        ("a field twice", deb("hello", "1").field("version: 2").bytes(), "twice"),
    ];
    for (what, file, expected) in cases {
        let answer = shop.put("sid/main", file).await;
        assert!(answer.assert_status(400).text().contains(expected), "{what}: {answer}");
    }
    shop.get("dists/sid/Release").await.assert_status(404);
    assert_eq!(objects(server).await, before);
    shop.put("s%20id/main", good.clone()).await.assert_status(400);
    server.admin().get("/api/v1/repositories/apt/team/debs").await.assert_status(404);
}

async fn who_may_not_push_pull_or_delete_is_told_so(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    let hello = deb("hello", "1.0");
    shop.add("sid/main", &hello).await;
    let guest = server.user_with("visitor", Role::Puller, "team").await;
    let theirs = Shop::at(&guest, "/apt/team/debs");
    theirs.get("dists/sid/Release").await.assert_status(200);
    theirs.put("sid/main", hello.bytes()).await.assert_status(403);
    theirs.delete("pool/sid/main/hello/1.0/amd64").await.assert_status(403);
    guest.post("/apt/team/debs/pool/sid/main/hello/1.0/amd64?to=x", "").await.assert_status(403);
    guest.put("/apt/team/debs/incoming/x.deb", "x").await.assert_status(403);
    let stranger = server.user("stranger").await;
    stranger.get("/apt/team/debs/dists/sid/Release").await.assert_status(404);
    let answer = server.anonymous().get("/apt/team/debs/dists/sid/Release").await;
    assert!(answer.assert_status(401).expect_header("www-authenticate").starts_with("Basic "), "{answer}");
}
