//! Registry tokens: what they are good for, and those that are good for nothing.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use serde_json::{Value, json};
use wharf_auth::{Identity, Origin, Role};
use wharf_testkit::{ADMIN, ADMIN_PASSWORD, Client, Image, TestServer};

use crate::backend::{on_every_database, options};
use crate::blob::Blob;
use crate::refusal::Refusal;
use crate::repository::Repository;

on_every_database! {
    a_challenge_names_the_scope_that_is_needed,
    a_token_is_good_for_its_scopes_and_its_owner_s_grants,
    a_token_for_nobody_reads_what_is_public,
    a_token_ends_with_its_time,
    a_token_ends_with_its_owner_s_grants_and_account,
    forged_tokens_are_refused,
    names_and_passwords_that_cannot_be_are_wrong_ones,
}

const PULL: &str = "repository:team/app:pull";

async fn token(client: &Client, scope: &str) -> String {
    let answer = client.request(Method::GET, "/token").query(&[("scope", scope), ("service", "wharf")]).send().await;
    answer.assert_status(200).json()["token"].as_str().unwrap().to_owned()
}

/// Fails unless the caller is asked to come back with a token of this scope.
async fn assert_challenged(client: &Client, method: Method, path: &str, scope: &str) {
    let answer = client.request(method, path).send().await;
    answer.refused(401, "UNAUTHORIZED");
    let host = answer.expect_header("www-authenticate").to_owned();
    let (realm, rest) = host.split_once(',').unwrap();
    assert!(realm.starts_with("Bearer realm=\"http://127.0.0.1:") && realm.ends_with("/token\""), "{answer}");
    let scope = if scope.is_empty() { String::new() } else { format!(",scope=\"{scope}\"") };
    assert_eq!(rest, format!("service=\"wharf\"{scope}"), "{answer}");
}

async fn a_challenge_names_the_scope_that_is_needed(server: &TestServer) {
    Image::new().push(&server.admin(), "team/app:v1").await;
    let blob = Blob::of("{}").digest;
    let upload = Repository::new(server, "team/app").begin().await;
    let elsewhere = server.admin().with_registry_token(&["repository:team/web:pull,push,delete"]).await;
    let (push, delete) = ("repository:team/app:pull,push", "repository:team/app:delete");
    let table = [
        (Method::GET, "/v2/_catalog".to_owned(), "registry:catalog:*"),
        (Method::GET, "/v2/team/app/tags/list".to_owned(), PULL),
        (Method::GET, format!("/v2/team/app/referrers/{blob}"), PULL),
        (Method::GET, "/v2/team/app/manifests/v1".to_owned(), PULL),
        (Method::GET, format!("/v2/team/app/blobs/{blob}"), PULL),
        (Method::PUT, "/v2/team/app/manifests/v1".to_owned(), push),
        (Method::POST, "/v2/team/app/blobs/uploads/".to_owned(), push),
        (Method::GET, upload.clone(), push),
        (Method::PATCH, upload.clone(), push),
        (Method::DELETE, upload, push),
        (Method::DELETE, "/v2/team/app/manifests/v1".to_owned(), delete),
        (Method::DELETE, format!("/v2/team/app/blobs/{blob}"), delete),
    ];
    for (method, path, scope) in table {
        assert_challenged(&server.anonymous(), method.clone(), &path, scope).await;
        assert_challenged(&elsewhere, method, &path, scope).await;
    }
    assert_challenged(&server.anonymous(), Method::GET, "/v2/", "").await;
    server
        .anonymous()
        .get("/v2/")
        .await
        .assert_status(401)
        .assert_header("docker-distribution-api-version", "registry/2.0");
    elsewhere.get("/v2/").await.assert_status(200).assert_header("docker-distribution-api-version", "registry/2.0");
}

async fn a_token_is_good_for_its_scopes_and_its_owner_s_grants(server: &TestServer) {
    let digest = Image::new().push(&server.admin(), "team/app:v1").await;
    Image::new().push(&server.admin(), "team/web:v1").await;
    let puller = server.user_with("paul", Role::Puller, "team").await;
    let owner = server.user_with("otto", Role::Owner, "team").await;
    let all = "repository:team/app:pull,push,delete";
    // The scope is more than the grants give, the grants are more than the scope.
    let wide = Repository::of(&puller.with_registry_token(&[all]).await, "team/app");
    let narrow = Repository::of(&owner.with_registry_token(&[PULL]).await, "team/app");
    for repository in [&wide, &narrow] {
        repository.get("manifests/v1").await.assert_status(200);
    }
    wide.request(Method::POST, "blobs/uploads/").send().await.refused(403, "DENIED");
    wide.delete("manifests/v1").await.refused(403, "DENIED");
    assert_challenged(&narrow.client, Method::DELETE, "/v2/team/app/manifests/v1", "repository:team/app:delete").await;
    assert_challenged(&narrow.client, Method::GET, "/v2/team/web/manifests/v1", "repository:team/web:pull").await;
    // A token from a token is no wider.
    let wider = token(&narrow.client, all).await;
    let wider = narrow.client.with_bearer(&wider);
    assert_challenged(&wider, Method::DELETE, "/v2/team/app/manifests/v1", "repository:team/app:delete").await;
    let star = owner.with_registry_token(&["repository:team/app:*"]).await;
    star.delete(&format!("/v2/team/app/manifests/{digest}")).await.assert_status(202);
    for nothing in [
        "",
        "repository:team/app",
        "repository:team/app:fly",
        "repository:TEAM/app:pull",
        "x:y:z",
        "repository(apt):team/app:pull",
    ] {
        let useless = owner.with_registry_token(&[nothing]).await;
        assert_challenged(&useless, Method::GET, "/v2/team/app/tags/list", PULL).await;
    }
}

async fn a_token_for_nobody_reads_what_is_public(server: &TestServer) {
    server.public_project("open").await;
    for name in ["open/app:v1", "team/app:v1"] {
        Image::new().push(&server.admin(), name).await;
    }
    let scopes = ["repository:open/app:pull,push", PULL];
    let anybody = server.anonymous().with_registry_token(&scopes).await;
    anybody.get("/v2/open/app/manifests/v1").await.assert_status(200);
    anybody.get("/v2/open/app/tags/list").await.assert_status(200);
    anybody.get("/v2/open/missing/tags/list").await.refused(401, "UNAUTHORIZED");
    anybody.get("/v2/team/app/manifests/v1").await.refused(401, "UNAUTHORIZED");
    anybody.post("/v2/open/app/blobs/uploads/", "").await.refused(401, "UNAUTHORIZED");
    anybody.delete("/v2/open/app/manifests/v1").await.refused(401, "UNAUTHORIZED");
    server.anonymous().get("/v2/open/app/manifests/v1").await.assert_status(200);
}

async fn a_token_ends_with_its_time(server: &TestServer) {
    Image::new().push(&server.admin(), "team/app:v1").await;
    let client = server.admin().with_registry_token(&[PULL]).await;
    let anybody = server.anonymous().with_registry_token(&[PULL]).await;
    server.clock().advance(Duration::from_secs(14 * 60));
    client.get("/v2/team/app/manifests/v1").await.assert_status(200);
    server.clock().advance(Duration::from_secs(60));
    for expired in [client, anybody] {
        assert_challenged(&expired, Method::GET, "/v2/team/app/manifests/v1", PULL).await;
        assert_challenged(&expired, Method::GET, "/v2/", "").await;
    }
}

async fn a_token_ends_with_its_owner_s_grants_and_account(server: &TestServer) {
    Image::new().push(&server.admin(), "team/app:v1").await;
    let user = server.user_with("paul", Role::Puller, "team").await;
    let client = user.with_registry_token(&[PULL]).await;
    client.get("/v2/team/app/manifests/v1").await.assert_status(200);
    server.grant("paul", Role::Viewer, "team", "**").await;
    client.get("/v2/team/app/manifests/v1").await.refused(403, "DENIED");
    let (by, origin, name) = (Identity::system("test"), Origin::default(), "paul".parse().unwrap());
    let (project, pattern) = ("team".parse().unwrap(), "**".parse().unwrap());
    let grantee = wharf_auth::Grantee::User("paul".parse().unwrap());
    server.core().auth().revoke_grant(&by, &origin, &grantee, (&project, &pattern)).await.unwrap();
    client.get("/v2/team/app/manifests/v1").await.refused(404, "NAME_UNKNOWN");
    server.core().auth().delete_user(&by, &origin, &name).await.unwrap();
    client.get("/v2/team/app/manifests/v1").await.refused(401, "UNAUTHORIZED");
}

/// The token's parts, with the JSON of the first two.
fn read(token: &str) -> (Value, Value, String) {
    let parts: Vec<&str> = token.split('.').collect();
    let json = |text: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap();
    (json(parts[0]), json(parts[1]), parts[2].to_owned())
}

fn write(header: &Value, claims: &Value, signature: &str) -> String {
    let text = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.{signature}", text(header), text(claims))
}

fn changed(json: &Value, key: &str, value: Value) -> Value {
    let mut json = json.clone();
    json[key] = value;
    json
}

/// Tokens that somebody has made from a good one.
fn forgeries(good: &str) -> Vec<String> {
    let (header, claims, signature) = read(good);
    let access = json!([{ "type": "repository", "name": "team/app", "actions": ["pull", "push", "delete"] }]);
    let none = |alg: &str| json!({ "alg": alg, "typ": "JWT", "kid": header["kid"] });
    let (first, last) = signature.split_at(signature.len() - 2);
    vec![
        write(&header, &changed(&claims, "access", access), &signature),
        write(&header, &changed(&claims, "exp", json!(99_999_999_999_i64)), &signature),
        write(&header, &changed(&claims, "holder", json!({ "id": 1, "generation": 1 })), &signature),
        write(&none("none"), &claims, ""),
        write(&none("none"), &claims, &signature),
        write(&none("None"), &claims, ""),
        write(&none("HS384"), &claims, &signature),
        write(&none("RS256"), &claims, &signature),
        write(&changed(&header, "kid", json!("another")), &claims, &signature),
        write(&header, &claims, ""),
        write(&header, &claims, &format!("{last}{first}")),
        good.rsplit_once('.').unwrap().0.to_owned(),
        format!("{good}.{signature}"),
        format!("{good}x"),
        "x.y.z".to_owned(),
        "..".to_owned(),
        "garbage".to_owned(),
        "=".repeat(4000),
        "a".repeat(20_000),
    ]
}

async fn forged_tokens_are_refused(server: &TestServer) {
    Image::new().push(&server.admin(), "team/app:v1").await;
    let good = token(&server.admin(), PULL).await;
    let form =
        [("grant_type", "password"), ("username", ADMIN), ("password", ADMIN_PASSWORD), ("access_type", "offline")];
    let form = server.anonymous().request(Method::POST, "/token").form(&form).send().await.assert_status(200).json();
    let refresh = form["refresh_token"].as_str().unwrap().to_owned();
    let stranger = TestServer::start(options()).await;
    Image::new().push(&stranger.admin(), "team/app:v1").await;
    let foreign = token(&stranger.admin(), PULL).await;
    for bad in forgeries(&good).iter().chain([&refresh, &foreign]) {
        let client = server.anonymous().with_bearer(bad);
        assert_challenged(&client, Method::GET, "/v2/team/app/manifests/v1", PULL).await;
        assert_challenged(&client, Method::GET, "/v2/", "").await;
    }
    for header in ["Bearer", "Bearer ", "Basic", "Basic !", "Basic Og", "Digest x", "x", ""] {
        let request = server.anonymous().request(Method::GET, "/v2/team/app/manifests/v1");
        request.header(http::header::AUTHORIZATION, header).send().await.refused(401, "UNAUTHORIZED");
    }
    server.anonymous().with_bearer(&good).get("/v2/team/app/manifests/v1").await.assert_status(200);
}

async fn names_and_passwords_that_cannot_be_are_wrong_ones(server: &TestServer) {
    let long = "x".repeat(5000);
    let pairs = [
        ("ad\u{0}min", "x"),
        ("admin", "a\u{0}b"),
        ("\u{1F433}", "x"),
        (&*long, "x"),
        ("admin", &*long),
        ("'; --", "x"),
        ("", "x"),
    ];
    for (name, password) in pairs {
        let client = server.anonymous().with_basic(name, password);
        client.get("/v2/").await.refused(401, "UNAUTHORIZED");
        client.get("/token").await.refused(401, "UNAUTHORIZED");
    }
    let odd = server.admin().get("/token?scope=repository:a%00b:pull&account=%00&service=%ff&client_id=%00").await;
    odd.assert_status(200);
}
