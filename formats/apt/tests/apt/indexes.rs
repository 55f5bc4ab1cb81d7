//! Indexes as apt reads them.

use sha2::{Digest, Sha512};
use wharf_testkit::TestServer;

use crate::backend::on_every_database;
use crate::build::deb;
use crate::shop::Shop;

on_every_database! {
    every_component_and_architecture_has_its_tables,
    what_runs_on_all_is_listed_for_each,
    installer_packages_are_listed_apart,
    a_removed_package_is_gone_from_the_index_and_the_pool,
    old_indexes_stay_readable_by_hash,
    many_packages_are_all_listed_however_they_come_and_go,
    a_publication_reads_no_package,
    a_release_says_what_it_is,
    unchanged_files_are_answered_without_a_body,
    what_is_not_there_is_not_found,
}

async fn every_component_and_architecture_has_its_tables(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    shop.add("sid/main", &deb("one", "1")).await;
    shop.add("sid/contrib", &deb("two", "1").for_arch("arm64")).await;
    assert_eq!(shop.listed("sid", "main/binary-amd64/Packages").await, ["one 1"]);
    assert_eq!(shop.listed("sid", "contrib/binary-arm64/Packages").await, ["two 1"]);
    assert_eq!(shop.table("sid", "contrib/binary-amd64/Packages").await, "");
    assert_eq!(shop.table("sid", "main/binary-arm64/Packages").await, "");
    let release = shop.release("sid").await;
    assert!(release.contains("\nArchitectures: amd64 arm64\nComponents: contrib main\n"), "{release}");
    let paths: Vec<_> = shop.checked("sid").await.into_iter().map(|entry| entry.path).collect();
    // Four tables, and two of Contents, in four forms each.
    assert_eq!(paths.len(), 4 * 4 + 2 * 4, "{paths:?}");
}

async fn what_runs_on_all_is_listed_for_each(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    shop.add("sid/main", &deb("scripts", "1").for_arch("all")).await;
    assert_eq!(shop.listed("sid", "main/binary-all/Packages").await, ["scripts 1"]);
    shop.add("sid/main", &deb("tool", "1")).await;
    shop.add("sid/main", &deb("tool", "1").for_arch("arm64")).await;
    for architecture in ["amd64", "arm64"] {
        let path = format!("main/binary-{architecture}/Packages");
        assert_eq!(shop.listed("sid", &path).await, ["scripts 1", "tool 1"], "{architecture}");
    }
    assert!(shop.release("sid").await.contains("\nArchitectures: all amd64 arm64\n"));
}

async fn installer_packages_are_listed_apart(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    shop.add("sid/main", &deb("disk-udeb", "1").field("Package-Type: udeb")).await;
    let path = "main/debian-installer/binary-amd64/Packages";
    assert_eq!(shop.listed("sid", path).await, ["disk-udeb 1"]);
    assert_eq!(shop.table("sid", "main/Contents-udeb-amd64").await, "usr/bin/disk-udeb\tutils/disk-udeb\n");
    shop.get("pool/d/disk-udeb/disk-udeb_1_amd64.udeb").await.assert_status(200);
    shop.checked("sid").await;
}

async fn a_removed_package_is_gone_from_the_index_and_the_pool(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    let (one, two) = (deb("one", "1"), deb("two", "1"));
    shop.add("sid/main", &one).await;
    shop.add("sid/main", &two).await;
    shop.delete("pool/sid/main/one/1/amd64").await.assert_status(204);
    shop.get(&one.path()).await.assert_status(404);
    shop.delete("pool/sid/main/one/1/amd64").await.assert_status(404);
    assert_eq!(shop.listed("sid", "main/binary-amd64/Packages").await, ["two 1"]);
    shop.delete(&two.path()).await.assert_status(204);
    let release = shop.release("sid").await;
    assert!(release.contains("\nArchitectures: \nComponents: \n"), "{release}");
    // The name is free again, for other content too.
    shop.add("sid/main", &one.file("./usr/share/more", "more")).await;
}

async fn old_indexes_stay_readable_by_hash(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    shop.add("sid/main", &deb("one", "1")).await;
    let before = shop.checked("sid").await;
    for n in 0..5 {
        shop.add("sid/main", &deb("two", &format!("{n}"))).await;
    }
    for entry in before {
        let folder = entry.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = format!("dists/sid/{folder}/by-hash/SHA256/{}", entry.hash);
        let answer = shop.get(&path).await;
        assert_eq!(answer.assert_status(200).body.len(), entry.size);
        answer.assert_header("cache-control", "private, max-age=31536000, immutable");
    }
}

async fn many_packages_are_all_listed_however_they_come_and_go(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    let name = |n: usize| format!("package{n:02}");
    for n in 0..40 {
        let path = shop.path("pool/sid/main/upload");
        server.admin().put(&path, deb(&name(n), "1").bytes()).await.assert_status(201);
    }
    shop.add("sid/main", &deb(&name(40), "1")).await;
    for n in (0..41).step_by(3) {
        server.admin().delete(&shop.path(&format!("pool/sid/main/{}/1/amd64", name(n)))).await.assert_status(204);
    }
    shop.add("sid/main", &deb("last", "1")).await;
    let mut expected: Vec<_> = (0..41).filter(|n| n % 3 != 0).map(|n| format!("{} 1", name(n))).collect();
    expected.insert(0, "last 1".to_owned());
    assert_eq!(shop.listed("sid", "main/binary-amd64/Packages").await, expected);
    assert_eq!(shop.table("sid", "main/Contents-amd64").await.lines().count(), expected.len());
    shop.checked("sid").await;
}

async fn a_publication_reads_no_package(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    let noise: Vec<u8> = (0..2000_u32).flat_map(|n| Sha512::digest(n.to_be_bytes())).collect();
    shop.add("sid/main", &deb("large", "1").file("./usr/share/large", noise)).await;
    server.lose_the_one_above(50_000).await;
    shop.add("sid/main", &deb("small", "1")).await;
    assert_eq!(shop.listed("sid", "main/binary-amd64/Packages").await, ["large 1", "small 1"]);
    shop.delete("pool/sid/main/small/1/amd64").await.assert_status(204);
    assert_eq!(shop.listed("sid", "main/binary-amd64/Packages").await, ["large 1"]);
    shop.checked("sid").await;
}

async fn a_release_says_what_it_is(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    shop.add("bookworm/updates/main", &deb("one", "1")).await;
    let release = shop.release("bookworm/updates").await;
    let head = "Origin: team\nLabel: team/debs\nSuite: bookworm/updates\nCodename: bookworm/updates\n\
                Architectures: amd64\nComponents: main\nAcquire-By-Hash: yes\nSigned-By: ";
    assert!(release.starts_with(head), "{release}");
    let date = release.lines().find_map(|line| line.strip_prefix("Date: ")).expect("a date");
    assert!(date.ends_with(" UTC") && date.len() == 29, "{date}");
}

async fn unchanged_files_are_answered_without_a_body(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    shop.add("sid/main", &deb("one", "1")).await;
    let answer = shop.get("dists/sid/Release").await;
    let tag = answer.expect_header("etag").to_owned();
    answer.assert_header("cache-control", "private, no-cache");
    let request = server.admin().request(http::Method::GET, &shop.path("dists/sid/Release"));
    request.header(http::header::IF_NONE_MATCH, &tag).send().await.assert_status(304).assert_body("");
    let head = server.admin().head(&shop.path("dists/sid/main/binary-amd64/Packages.xz")).await;
    head.assert_status(200).assert_body("").assert_header("content-type", "application/x-xz");
}

async fn what_is_not_there_is_not_found(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    shop.get("dists/sid/Release").await.assert_status(404);
    shop.add("sid/main", &deb("one", "1")).await;
    for path in [
        "dists/other/Release",
        "dists/sid/main/binary-i386/Packages",
        "dists/sid/main/source/Sources",
        "dists/sid/main/i18n/Translation-en",
        "pool/o/one/one_2_amd64.deb",
        "pool/x",
        &format!("dists/sid/by-hash/SHA256/{}", "a".repeat(64)),
    ] {
        shop.get(path).await.assert_status(404);
    }
    server.anonymous().get(&shop.path("dists/sid/Release")).await.assert_status(401);
}
