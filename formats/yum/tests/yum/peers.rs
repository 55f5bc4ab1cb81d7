//! Uploads as clients of other servers make them.

use http::Method;
use http::header::CONTENT_TYPE;
use wharf_testkit::TestServer;

use crate::backend::on_every_database;
use crate::shelf::{Shelf, built, package};

on_every_database! {
    what_gitea_takes_is_taken,
    what_nexus_takes_is_taken,
    what_artifactory_takes_is_taken,
}

async fn what_gitea_takes_is_taken(server: &TestServer) {
    let admin = server.admin();
    let base = "/api/packages/team/rpm/el9";
    let file = package("tool", "1-1");
    admin.put(&format!("{base}/upload?wait=1"), file.clone()).await.assert_status(201);
    admin.put(&format!("{base}/upload"), file.clone()).await.assert_status(409);
    admin.put(&format!("{base}/upload"), built("tool", "1-1", 0, "other")).await.assert_status(409);
    admin.put(&format!("{base}/upload"), "no package").await.assert_status(400);
    admin.get(&format!("{base}/package/tool/1-1/noarch")).await.assert_status(200).assert_body(&file);
    admin.get(&format!("{base}/repodata/repomd.xml")).await.assert_status(200);
    assert_eq!(Shelf::new(server, "team/el9").listed().await, ["tool"]);
    let repo = admin.get("/api/packages/team/rpm/el9.repo").await.assert_status(200).text();
    assert!(repo.contains("/yum/team/el9/mirrorlist\n"), "{repo}");
    admin.delete(&format!("{base}/package/tool/1-1/noarch")).await.assert_status(204);
    admin.delete(&format!("{base}/package/tool/1-1/noarch")).await.assert_status(404);
}

async fn what_nexus_takes_is_taken(server: &TestServer) {
    let admin = server.admin();
    let file = package("tool", "1-1");
    admin.put("/repository/team:el9/9/tool-1-1.noarch.rpm", file.clone()).await.assert_status(201);
    admin.get("/repository/team:el9/9/tool-1-1.noarch.rpm").await.assert_status(200).assert_body(&file);
    let form = |name: &str, content: &[u8]| {
        let head = format!(
            "--edge\r\nContent-Disposition: form-data; name=\"yum.directory\"\r\n\r\n/9\r\n--edge\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"a.rpm\"\r\n\r\n"
        );
        [head.as_bytes(), content, b"\r\n--edge--\r\n"].concat()
    };
    let post = async |body: Vec<u8>, content_type: &str| {
        let request = admin.request(Method::POST, "/service/rest/v1/components?repository=team:el9&wait=1");
        request.header(CONTENT_TYPE, content_type).body(body).send().await
    };
    let multipart = "multipart/form-data; boundary=edge";
    post(form("yum.asset", &package("other", "1-1")), multipart).await.assert_status(204);
    assert_eq!(Shelf::new(server, "team/el9").listed().await, ["other", "tool"]);
    post(form("apt.asset", &file), multipart).await.assert_status(400);
    post(form("yum.asset", b"no package"), multipart).await.assert_status(400);
    post(form("yum.asset", &file)[..100].to_vec(), multipart).await.assert_status(400);
    post(file, "application/x-rpm").await.assert_status(400);
    admin.get("/repository/team:el9/9/repodata/repomd.xml").await.assert_status(200);
}

async fn what_artifactory_takes_is_taken(server: &TestServer) {
    let admin = server.admin();
    let file = package("tool", "1-1");
    let said = admin.put("/artifactory/team:el9/x86_64/tool-1-1.noarch.rpm;a=b", file.clone()).await;
    let json = said.assert_status(201).json();
    let digest = wharf_testkit::sha256(&file);
    assert_eq!(json["checksums"]["sha256"], digest.trim_start_matches("sha256:"));
    assert_eq!(json["path"], "/Packages/t/tool-1-1.noarch.rpm");
    admin.post("/artifactory/api/yum/team:el9?async=0", "").await.assert_status(200);
    admin.get("/artifactory/team:el9/x86_64/tool-1-1.noarch.rpm").await.assert_status(200).assert_body(&file);
    admin.delete("/artifactory/team:el9/x86_64/tool-1-1.noarch.rpm").await.assert_status(204);
}
