//! Names, tags, digests and methods that cannot be.

use http::Method;
use wharf_testkit::TestServer;

use crate::backend::on_every_database;
use crate::blob::{Blob, unknown};
use crate::refusal::Refusal;
use crate::remains::assert_objects;
use crate::repository::Repository;

on_every_database! {
    malformed_names_are_refused,
    malformed_references_are_refused,
    a_method_that_an_endpoint_has_not_is_refused_with_those_it_has,
    paths_that_are_no_endpoint_are_not_found,
    what_is_malformed_is_refused_before_anybody_is_asked_who_they_are,
}

async fn malformed_names_are_refused(server: &TestServer) {
    let admin = server.admin();
    let long = "a".repeat(256);
    let names = [
        "UPPER",
        "Team/app",
        "team/App",
        "-a",
        "a-",
        ".a",
        "a.",
        "_a",
        "a_",
        "a..b",
        "a___b",
        "a._b",
        "a-_b",
        "a%20b",
        "a+b",
        "a@b",
        "a:b",
        "a%3Ab",
        "%C3%A9",
        "a$b",
        "a*",
        "a~b",
        "team//app",
        "team/-/app",
        &long,
        "a%0Ab",
        "a%0D%0Ax",
        "%F0%9F%90%B3",
    ];
    for name in names {
        let repository = Repository::of(&admin, name);
        repository.get("tags/list").await.refused(400, "NAME_INVALID");
        repository.get("manifests/v1").await.refused(400, "NAME_INVALID");
        repository.head(&format!("blobs/{}", unknown())).await.assert_status(400);
        repository.request(Method::POST, "blobs/uploads/").send().await.refused(400, "NAME_INVALID");
    }
    assert_eq!(admin.get("/v2/_catalog").await.json()["repositories"], serde_json::json!([]));
    assert_objects(server, 0).await;
}

async fn malformed_references_are_refused(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    repository.push(&Blob::of("{}")).await;
    let long = "a".repeat(129);
    for tag in [".hidden", "-dash", "a b", "a%20b", "%C3%A9", "a%00", "a+b", &long, "", "a%0A"] {
        let code = if tag == "a%00" { "NAME_INVALID" } else { "TAG_INVALID" };
        let rest = format!("manifests/{}", tag.replace(' ', "%20"));
        repository.get(&rest).await.refused(400, code);
        repository
            .put_manifest(&tag.replace(' ', "%20"), wharf_testkit::media::MANIFEST, "{}")
            .await
            .refused(400, code);
        repository.delete(&rest).await.refused(400, code);
    }
    let digest = unknown();
    let upper = digest.to_uppercase();
    let short = &digest[..digest.len() - 1];
    let long = format!("{digest}0");
    let not_hex = format!("{short}g");
    let wrong_length = digest.replace("sha256", "sha512");
    for digest in [
        "latest",
        "sha256",
        "sha256:",
        ":",
        "md5:d41d8cd98f00b204e9800998ecf8427e",
        "sha256+b64:x",
        &upper,
        short,
        &long,
        &not_hex,
        &wrong_length,
    ] {
        repository.get(&format!("blobs/{digest}")).await.refused(400, "DIGEST_INVALID");
        repository.delete(&format!("blobs/{digest}")).await.refused(400, "DIGEST_INVALID");
        repository.get(&format!("referrers/{digest}")).await.refused(400, "DIGEST_INVALID");
        let encoded = digest.replace('+', "%2B");
        for query in [format!("digest={encoded}"), format!("mount={encoded}"), format!("mount={encoded}&from=team/app")]
        {
            let begin = repository.request(Method::POST, &format!("blobs/uploads/?{query}"));
            begin.body("x").send().await.refused(400, "DIGEST_INVALID");
        }
    }
    repository.request(Method::POST, "blobs/uploads/?digest-algorithm=md5").send().await.refused(400, "DIGEST_INVALID");
    // A percent sign more changes nothing.
    let encoded = format!("blobs/{}", Blob::of("{}").digest.replace(':', "%3A"));
    repository.get(&encoded).await.assert_status(200).assert_body("{}");
}

async fn a_method_that_an_endpoint_has_not_is_refused_with_those_it_has(server: &TestServer) {
    let admin = server.admin();
    let table = [
        ("/v2/".to_owned(), "GET, HEAD"),
        ("/v2/_catalog".to_owned(), "GET, HEAD"),
        ("/v2/team/app/tags/list".to_owned(), "GET, HEAD"),
        (format!("/v2/team/app/referrers/{}", unknown()), "GET, HEAD"),
        ("/v2/team/app/manifests/v1".to_owned(), "GET, HEAD, PUT, DELETE"),
        (format!("/v2/team/app/blobs/{}", unknown()), "GET, HEAD, DELETE"),
        ("/v2/team/app/blobs/uploads/".to_owned(), "POST"),
        ("/v2/team/app/blobs/uploads/0123".to_owned(), "GET, HEAD, PATCH, PUT, DELETE"),
    ];
    for (path, allowed) in table {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            if allowed.split(", ").any(|name| name == method.as_str()) {
                continue;
            }
            let answer = admin.request(method, &path).send().await;
            answer.refused(405, "UNSUPPORTED");
            answer.assert_header("allow", allowed);
        }
        for method in [Method::OPTIONS, Method::TRACE, Method::from_bytes(b"PROPFIND").unwrap()] {
            admin.request(method, &path).send().await.assert_status(405);
        }
    }
}

async fn paths_that_are_no_endpoint_are_not_found(server: &TestServer) {
    for path in [
        "/v2/x",
        "/v2/team/app",
        "/v2/team/app/",
        "/v2/team/app/tags",
        "/v2/team/app/tags/list/",
        "/v2/team/app/manifests",
    ] {
        server.admin().get(path).await.refused(404, "UNSUPPORTED");
        server.anonymous().get(path).await.refused(404, "UNSUPPORTED");
    }
    for path in ["/v1/", "/v3/", "/v22/", "/V2/", "//v2/", "/x/v2/"] {
        server.admin().get(path).await.refused(404, "NOT_FOUND");
    }
    server.admin().get("/v2").await.assert_status(200);
}

async fn what_is_malformed_is_refused_before_anybody_is_asked_who_they_are(server: &TestServer) {
    let anybody = Repository::of(&server.anonymous(), "team/app");
    anybody.get("manifests/.bad").await.refused(400, "TAG_INVALID");
    anybody.get("blobs/sha256:short").await.refused(400, "DIGEST_INVALID");
    Repository::of(&server.anonymous(), "UPPER").get("tags/list").await.refused(400, "NAME_INVALID");
    anybody.request(Method::PUT, "blobs/uploads/0123").send().await.refused(400, "DIGEST_INVALID");
}
