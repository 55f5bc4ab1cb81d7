//! Behind a reverse proxy.

use wharf_testkit::{Answer, Options, TestServer};

use super::stub::start;

async fn through_a_proxy(server: &TestServer) -> Answer {
    let request = server.anonymous().request(http::Method::GET, "/stub/context");
    let request = request.header_named("x-forwarded-for", "6.6.6.6, 203.0.113.7");
    let request = request.header_named("x-forwarded-proto", "https").header_named("x-forwarded-host", "reg.example");
    request.header_named("x-request-id", "from-the-proxy").send().await
}

#[tokio::test]
async fn a_trusted_proxy_is_believed() {
    let server = start(Options::new().web(|web| web.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()])).await;
    let answer = through_a_proxy(&server).await;
    let context = answer.json();
    assert_eq!(context["address"], "203.0.113.7");
    assert_eq!(context["base_url"], "https://reg.example");
    assert_eq!(context["request_id"], "from-the-proxy");
    answer.assert_header("x-request-id", "from-the-proxy");
}

#[tokio::test]
async fn anybody_else_is_not() {
    let server = start(Options::new().web(|web| web.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()])).await;
    let answer = through_a_proxy(&server).await;
    let context = answer.json();
    assert_eq!(context["address"], "127.0.0.1");
    assert_eq!(context["base_url"], server.url());
    assert_ne!(context["request_id"], "from-the-proxy");
}

#[tokio::test]
async fn the_challenge_names_the_url_that_clients_use() {
    let server = start(Options::new().web(|web| web.external_url = Some("https://example.com/reg".into()))).await;
    for path in ["/v2/", "/reg/v2/"] {
        let challenge =
            server.anonymous().get(path).await.assert_status(401).expect_header("www-authenticate").to_owned();
        assert!(challenge.contains("realm=\"https://example.com/reg/token\""), "{path}: {challenge}");
    }
}

#[tokio::test]
async fn every_answer_has_a_request_id_of_its_own() {
    let server = start(Options::new()).await;
    let first = server.anonymous().get("/stub/context").await;
    let second = server.anonymous().get("/nowhere").await;
    assert_eq!(first.json()["request_id"], first.expect_header("x-request-id"));
    assert_ne!(first.expect_header("x-request-id"), second.expect_header("x-request-id"));
}
