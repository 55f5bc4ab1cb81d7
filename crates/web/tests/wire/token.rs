//! `/token`, and the road from a challenge to a pull.

use http::Method;
use serde_json::Value;
use wharf_testkit::{ADMIN, ADMIN_PASSWORD, Answer, Client, Image, Options, TestServer};

fn text<'a>(json: &'a Value, key: &str) -> &'a str {
    json[key].as_str().unwrap_or_else(|| panic!("no {key} in {json:#}"))
}

async fn form(client: &Client, pairs: &[(&str, &str)]) -> Answer {
    client.request(Method::POST, "/token").form(pairs).send().await
}

#[tokio::test]
async fn a_token_has_the_form_that_clients_expect() {
    let server = TestServer::start_default().await;
    let answer = server.admin().get("/token?service=wharf&scope=repository:team/app:pull,push&account=admin").await;
    let json = answer.assert_status(200).assert_header("content-type", "application/json").json();
    answer.assert_header("cache-control", "no-store");
    assert_eq!(json["token"], json["access_token"]);
    assert!(json["expires_in"].as_u64().is_some_and(|seconds| seconds >= 60));
    assert!(text(&json, "issued_at").ends_with('Z'));
    assert!(json.get("refresh_token").is_none());
}

#[tokio::test]
async fn a_challenge_leads_to_a_token_that_is_good_for_what_was_asked() {
    let server = TestServer::start_default().await;
    let digest = Image::new().layer("hello").push(&server.admin(), "team/app:v1").await;
    let path = "/v2/team/app/manifests/v1";
    let challenge = server.anonymous().get(path).await.assert_status(401).expect_header("www-authenticate").to_owned();
    assert!(challenge.contains("scope=\"repository:team/app:pull\""), "{challenge}");
    let puller = server.admin().with_registry_token(&["repository:team/app:pull"]).await;
    puller.get(path).await.assert_status(200).assert_header("docker-content-digest", &digest);
    puller.delete(path).await.assert_status(401);
}

#[tokio::test]
async fn several_scopes_may_be_repeated_or_joined() {
    let server = TestServer::start_default().await;
    for name in ["team/a", "team/b", "team/c"] {
        Image::new().push(&server.admin(), &format!("{name}:v1")).await;
    }
    let scopes = ["repository:team/a:pull", "repository:team/b:pull repository:team/c:pull"];
    let client = server.admin().with_registry_token(&scopes).await;
    for name in ["team/a", "team/b", "team/c"] {
        client.get(&format!("/v2/{name}/manifests/v1")).await.assert_status(200);
    }
}

#[tokio::test]
async fn nobody_gets_a_token_for_what_is_public() {
    let server = TestServer::start_default().await;
    server.public_project("open").await;
    Image::new().push(&server.admin(), "open/app:v1").await;
    Image::new().push(&server.admin(), "closed/app:v1").await;
    let scopes = ["repository:open/app:pull", "repository:closed/app:pull"];
    let anybody = server.anonymous().with_registry_token(&scopes).await;
    anybody.get("/v2/open/app/manifests/v1").await.assert_status(200);
    assert_ne!(anybody.get("/v2/closed/app/manifests/v1").await.status, 200);
}

#[tokio::test]
async fn wrong_credentials_are_401_with_a_basic_challenge() {
    let server = TestServer::start_default().await;
    let wrong = server.anonymous().with_basic(ADMIN, "wrong").get("/token").await;
    wrong.assert_error(401, "UNAUTHORIZED");
    assert!(wrong.expect_header("www-authenticate").starts_with("Basic realm="));
    let unknown = server.anonymous().with_basic("nobody", "wrong").get("/token").await;
    assert_eq!(unknown.assert_status(401).body, wrong.body);
    let garbled =
        server.anonymous().request(Method::GET, "/token").header_named("authorization", "Basic !").send().await;
    garbled.assert_error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let server = TestServer::start(Options::new().auth(|auth| auth.throttle.free_per_account = 1)).await;
    let guesser = server.anonymous().with_basic(ADMIN, "wrong");
    super::eventually("it is slowed down", async || guesser.get("/token").await.status == 429).await;
    guesser.get("/token").await.assert_error(429, "TOOMANYREQUESTS").expect_header("retry-after");
}

#[tokio::test]
async fn a_password_by_form_gives_a_refresh_token_that_gives_tokens() {
    let server = TestServer::start_default().await;
    Image::new().push(&server.admin(), "team/app:v1").await;
    let scope = ("scope", "repository:team/app:pull");
    let who = [("username", ADMIN), ("password", ADMIN_PASSWORD)];
    let ask =
        [&[("grant_type", "password"), ("access_type", "offline"), ("client_id", "docker"), scope], &who[..]].concat();
    let first = form(&server.anonymous(), &ask).await.assert_status(200).json();
    let refresh = text(&first, "refresh_token");
    let ask = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("service", "wharf"), scope];
    let second = form(&server.anonymous(), &ask).await.assert_status(200).json();
    let client = server.anonymous().with_bearer(text(&second, "access_token"));
    client.get("/v2/team/app/manifests/v1").await.assert_status(200);
    let answer = server.admin().get("/token?offline_token=true&client_id=docker").await;
    text(&answer.assert_status(200).json(), "refresh_token");
}

#[tokio::test]
async fn a_form_that_makes_no_sense_is_refused() {
    let server = TestServer::start_default().await;
    let anonymous = server.anonymous();
    form(&anonymous, &[("grant_type", "client_credentials")]).await.assert_error(400, "UNSUPPORTED");
    form(&anonymous, &[]).await.assert_error(400, "UNSUPPORTED");
    form(&anonymous, &[("grant_type", "refresh_token"), ("refresh_token", "x.y.z")])
        .await
        .assert_error(401, "UNAUTHORIZED");
    let wrong = [("grant_type", "password"), ("username", ADMIN), ("password", "wrong")];
    form(&anonymous, &wrong).await.assert_error(401, "UNAUTHORIZED");
    form(&anonymous, &[("scope", &"a".repeat(100_000))]).await.assert_status(413);
}
