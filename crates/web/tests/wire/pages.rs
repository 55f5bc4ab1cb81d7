//! `/`, and what nobody answers.

use http::Method;
use http::header::ACCEPT;
use wharf_testkit::{Options, Raw, TestServer};
use wharf_web::AppError;
use wharf_wire::Door;

use super::connections::h2c;
use super::stub::{Stub, start};

#[tokio::test]
async fn a_browser_gets_a_page_with_this_host_and_no_script() {
    let server = TestServer::start_default().await;
    let page = server.anonymous().request(Method::GET, "/").header(ACCEPT, "text/html,*/*").send().await;
    page.assert_status(200).assert_header("content-type", "text/html; charset=utf-8");
    page.assert_header("x-content-type-options", "nosniff").assert_header("x-frame-options", "DENY");
    let policy = page.expect_header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let text = page.text();
    assert!(text.contains(&format!("docker login -u NAME {}", server.address())), "{text}");
    assert!(!text.contains("<script") && text.contains("/api/openapi.json"));
}

#[tokio::test]
async fn others_get_a_line() {
    let server = TestServer::start_default().await;
    let answer = server.anonymous().get("/").await;
    answer
        .assert_status(200)
        .assert_header("content-type", "text/plain; charset=utf-8")
        .assert_header("vary", "Accept");
    assert_eq!(answer.text().lines().count(), 1);
    assert!(server.anonymous().head("/").await.assert_status(200).body.is_empty());
}

#[tokio::test]
async fn what_nobody_answers_is_404_in_json() {
    let server = start(Options::new()).await;
    for path in ["/favicon.ico", "/robots.txt", "/v22", "/stubs", "//", "/livez/", "/token/"] {
        let answer = server.anonymous().get(path).await;
        answer.assert_error(404, "NOT_FOUND").assert_header("x-content-type-options", "nosniff");
    }
}

#[tokio::test]
async fn methods_that_nobody_knows_are_405() {
    let server = start(Options::new()).await;
    for method in ["OPTIONS", "TRACE", "PROPFIND", "get"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        for path in ["/", "/v2/", "/api/v1/users", "/nowhere"] {
            let answer = server.anonymous().request(method.clone(), path).send().await;
            answer.assert_error(405, "UNSUPPORTED").assert_header("allow", "GET, HEAD, POST, PUT, PATCH, DELETE");
        }
    }
    server.anonymous().post("/livez", "").await.assert_status(405).assert_header("allow", "GET, HEAD");
    server.anonymous().put("/token", "").await.assert_status(405).assert_header("allow", "GET, HEAD, POST");
}

#[tokio::test]
async fn a_path_longer_than_any_of_ours_is_414() {
    let server = start(Options::new().web(|web| web.limits.uri_bytes = 100)).await;
    server.anonymous().get(&format!("/{}", "a".repeat(100))).await.assert_error(414, "URI_TOO_LONG");
}

#[tokio::test]
async fn a_request_without_a_host_is_400() {
    let server = start(Options::new()).await;
    for head in ["GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\"b\r\n\r\n"] {
        let mut raw = Raw::connect(server.address()).await;
        raw.send(head).await;
        assert_eq!(raw.answer().await.status, 400, "{head}");
    }
}

#[tokio::test]
async fn what_can_be_got_can_be_asked_for_without_its_body() {
    let server = TestServer::start_default().await;
    for client in [server.anonymous(), h2c(&server)] {
        for path in ["/", "/livez", "/api/openapi.json", "/api/v1/version", "/api/v1/nothing", "/v2/a/manifests/b"] {
            let (got, asked) = (client.get(path).await, client.head(path).await);
            assert_eq!(asked.status, got.status, "{path}");
            asked.assert_header("content-length", &got.body.len().to_string());
            assert!(asked.body.is_empty() && !got.body.is_empty(), "{path}");
        }
    }
}

#[tokio::test]
async fn the_api_is_below_its_own_path() {
    let server = start(Options::new()).await;
    let document = server.anonymous().get("/api/openapi.json").await.assert_status(200).json();
    assert!(document["openapi"].is_string());
    server.anonymous().get("/apis").await.assert_status(404);
}

#[tokio::test]
async fn two_formats_cannot_have_the_same_paths() {
    let server = TestServer::start_default().await;
    let doors: Vec<Box<dyn Door>> = vec![Box::new(Stub::default()), Box::new(Stub::default())];
    let api = wharf_web::api::Api::new(Vec::new());
    let taken = wharf_web::App::new(server.core().clone(), doors, api, &wharf_web::Config::default());
    assert!(matches!(taken, Err(AppError::MountTaken("/stub"))));
}
