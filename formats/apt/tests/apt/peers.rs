//! The upload lines that other servers document.

use http::Method;
use sha2::{Digest, Sha256};
use wharf_testkit::TestServer;

use crate::backend::on_every_database;
use crate::build::deb;
use crate::shop::Shop;

on_every_database! {
    giteas_lines_work,
    nexus_lines_work,
    nexus_components_come_in_forms,
    gitlabs_lines_work,
    artifactorys_lines_work,
    artifactorys_checksums_are_held_against_the_content,
    an_architecture_that_is_not_the_packages_is_refused,
}

async fn giteas_lines_work(server: &TestServer) {
    let shop = Shop::at(&server.admin(), "/api/packages/team/debian");
    let hello = deb("hello", "1.0");
    let put = async |file| shop.client.put(&shop.path("pool/bookworm/main/upload"), file).await;
    put(hello.bytes()).await.assert_status(201);
    // It is answered when it shows.
    assert_eq!(shop.listed("bookworm", "main/binary-amd64/Packages").await, ["hello 1.0"]);
    put(hello.clone().file("./x", "other").bytes()).await.assert_status(409);
    put(b"no package".to_vec()).await.assert_status(400);
    shop.checked("bookworm").await;
    shop.get(&hello.path()).await.assert_status(200);
    assert_eq!(Shop::new(server, "team/debian").release("bookworm").await, shop.release("bookworm").await);
    let path = shop.path("pool/bookworm/main/hello/1.0/amd64");
    shop.client.delete(&path).await.assert_status(204);
    shop.client.delete(&path).await.assert_status(404);
}

async fn nexus_lines_work(server: &TestServer) {
    server.project("default").await;
    let request = server.admin().request(Method::POST, "/repository/debs/");
    // The documented line sends a package under this type.
    let request = request.header(http::header::CONTENT_TYPE, "multipart/form-data");
    request.body(deb("hello", "1.0").bytes()).send().await.assert_status(201);
    let shop = Shop::at(&server.admin(), "/repository/debs");
    assert_eq!(shop.listed("stable", "main/binary-amd64/Packages").await, ["hello 1.0"]);
    shop.get(&deb("hello", "1.0").path()).await.assert_status(200).assert_body(deb("hello", "1.0").bytes());
    shop.checked("stable").await;
    let path = "/repository/team:debs?distribution=sid&component=contrib";
    server.admin().post(path, deb("hello", "1.0").bytes()).await.assert_status(201);
    assert_eq!(Shop::new(server, "team/debs").listed("sid", "contrib/binary-amd64/Packages").await, ["hello 1.0"]);
}

fn form(part: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("--B\r\nContent-Disposition: form-data; name=\"{part}\"; filename=\"x.deb\"\r\n\r\n");
    [head.as_bytes(), content, b"\r\n--B--\r\n"].concat()
}

async fn nexus_components_come_in_forms(server: &TestServer) {
    server.project("team").await;
    let hello = deb("hello", "1.0");
    let post = async |query: &str, body: Vec<u8>| {
        let request =
            server.admin().request(Method::POST, &format!("/service/rest/v1/components?repository=team:debs{query}"));
        request.header(http::header::CONTENT_TYPE, "multipart/form-data; boundary=B").body(body).send().await
    };
    let refused = post("", form("yum.asset", &hello.bytes())).await;
    assert!(refused.assert_status(400).text().contains("no part apt.asset"), "{refused}");
    post("", b"nothing".to_vec()).await.assert_status(400);
    post("", form("apt.asset", b"no package")).await.assert_status(400);
    post("", form("apt.asset", &hello.bytes())).await.assert_status(204);
    post("&distribution=sid&component=contrib", form("apt.asset", &hello.bytes())).await.assert_status(204);
    let shop = Shop::new(server, "team/debs");
    assert_eq!(shop.listed("stable", "main/binary-amd64/Packages").await, ["hello 1.0"]);
    assert_eq!(shop.listed("sid", "contrib/binary-amd64/Packages").await, ["hello 1.0"]);
    shop.get(&hello.path()).await.assert_status(200).assert_body(hello.bytes());
}

async fn gitlabs_lines_work(server: &TestServer) {
    server.project("team").await;
    let shop = Shop::at(&server.admin(), "/api/v4/projects/team%2Fapp/packages/debian");
    let hello = deb("hello", "1.0");
    let query = "?distribution=bookworm&component=main&wait=1";
    let put = async |file: &str, bytes: Vec<u8>| shop.client.put(&shop.path(file), bytes).await;
    let said = put(&format!("hello_1.0_amd64.deb{query}"), hello.bytes()).await;
    assert_eq!(said.assert_status(201).json()["message"], "201 Created");
    assert_eq!(shop.listed("bookworm", "main/binary-amd64/Packages").await, ["hello 1.0"]);
    shop.get(&hello.path()).await.assert_status(200).assert_body(hello.bytes());
    put(&format!("hello_1.0_amd64.deb{query}"), hello.clone().file("./x", "other").bytes()).await.assert_status(409);
    assert_eq!(Shop::new(server, "team/app").release("bookworm").await, shop.release("bookworm").await);
    // By dput: the package waits, and its .changes says where it goes.
    let other = deb("other", "1.0");
    put("other_1.0_amd64.deb", other.bytes()).await.assert_status(201);
    assert_eq!(shop.listed("bookworm", "main/binary-amd64/Packages").await, ["hello 1.0"]);
    let head = "Format: 1.8\nSource: other\nBinary: other\nArchitecture: amd64\nVersion: 1.0\nDistribution: bookworm\n\
                Maintainer: T <t@example.org>\nChanges:\n other (1.0) bookworm; urgency=low\n .\n   * New.\n";
    let named = [("other_1.0_amd64.deb".to_owned(), other.bytes())];
    put("other_1.0_amd64.changes?wait=1", crate::build::manifest(head, &named, " utils optional"))
        .await
        .assert_status(201);
    assert_eq!(shop.listed("bookworm", "main/binary-amd64/Packages").await, ["hello 1.0", "other 1.0"]);
}

async fn artifactorys_lines_work(server: &TestServer) {
    let matrix = ";deb.distribution=bookworm;deb.distribution=trixie;deb.component=main;deb.architecture=amd64";
    let path = format!("/artifactory/team:debs/pool/h/hello.deb{matrix}?wait=1");
    let hello = deb("hello", "1.0");
    let answer = server.admin().put(&path, hello.bytes()).await;
    let said = answer.assert_status(201).json();
    assert_eq!(said["checksums"]["sha256"], hex::encode(Sha256::digest(hello.bytes())));
    assert_eq!(said["path"], format!("/{}", hello.path()));
    let shop = Shop::at(&server.admin(), "/artifactory/team:debs");
    for distribution in ["bookworm", "trixie"] {
        assert_eq!(shop.listed(distribution, "main/binary-amd64/Packages").await, ["hello 1.0"]);
    }
    shop.get(&hello.path()).await.assert_status(200).assert_body(hello.bytes());
}

async fn artifactorys_checksums_are_held_against_the_content(server: &TestServer) {
    let path = "/artifactory/team:debs/x.deb;deb.distribution=sid;deb.component=main;deb.architecture=amd64?wait=1";
    let hello = deb("hello", "1.0").file("./usr/share/large", vec![7; 100_000]).bytes();
    let put = |checksum: &str| {
        server.admin().request(Method::PUT, path).header_named("X-Checksum-Sha256", checksum).body(hello.clone())
    };
    let refused = put(&"a".repeat(64)).send().await;
    assert!(refused.assert_status(400).text().contains("the content hashes to sha256:"), "{refused}");
    put("nonsense").send().await.assert_status(400);
    Shop::new(server, "team/debs").get("dists/sid/Release").await.assert_status(404);
    let right = hex::encode(Sha256::digest(&hello));
    let deploy = put(&right).header_named("X-Checksum-Deploy", "true").send().await;
    deploy.assert_status(404);
    put(&right.to_uppercase()).send().await.assert_status(201);
}

async fn an_architecture_that_is_not_the_packages_is_refused(server: &TestServer) {
    let path = "/artifactory/team:debs/x.deb;deb.distribution=sid;deb.component=main;deb.architecture=arm64";
    let refused = server.admin().put(path, deb("hello", "1.0").bytes()).await;
    let expected = "invalid package: hello 1.0 is built for amd64, and the request says arm64\n";
    refused.assert_status(400).assert_body(expected);
}
