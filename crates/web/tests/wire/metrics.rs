//! `/metrics`.

use wharf_auth::ServerRole;
use wharf_testkit::{Options, TestServer};

use super::stub::start;

#[tokio::test]
async fn metrics_are_for_those_who_may_inspect_the_server() {
    let server = TestServer::start_default().await;
    let refused = server.anonymous().get("/metrics").await;
    refused
        .assert_error(401, "UNAUTHORIZED")
        .assert_header("www-authenticate", "Basic realm=\"wharf\", charset=\"UTF-8\"");
    server.user("nobody-in-particular").await.get("/metrics").await.assert_error(403, "DENIED");
    server.admin().get("/metrics").await.assert_status(200);
    let auditor = server.user("auditor").await;
    server.grant_on_server("auditor", ServerRole::Auditor).await;
    auditor.get("/metrics").await.assert_status(200);
}

#[tokio::test]
async fn a_scraper_may_have_a_token_of_its_own() {
    let server = TestServer::start(Options::new().web(|web| web.metrics.token = Some("sesame".into()))).await;
    server.anonymous().with_bearer("sesame").get("/metrics").await.assert_status(200);
    server.anonymous().with_bearer("sesam").get("/metrics").await.assert_status(401);
    server.anonymous().get("/metrics").await.assert_status(401);
}

#[tokio::test]
async fn requests_are_counted_by_format_operation_and_status() {
    let server = start(Options::new().web(|web| web.metrics.public = true)).await;
    server.anonymous().post("/stub/echo", "hello").await;
    server.anonymous().get("/v2/").await.assert_status(401);
    let metrics = async || server.anonymous().get("/metrics").await.text();
    super::eventually("the answers are counted", async || metrics().await.contains("wharf_http_sent_bytes_total"))
        .await;
    for line in [
        "wharf_http_requests_total{format=\"stub\",operation=\"echo\",status=\"200\"} 1\n",
        "wharf_http_request_duration_seconds_count{format=\"stub\",operation=\"echo\"} 1\n",
        "wharf_http_received_bytes_total 5\n",
        "status=\"401\"} 1\n",
        // The scrape itself.
        "wharf_http_requests_in_flight 1\n",
        "process_open_fds ",
        "process_resident_memory_bytes ",
        "wharf_build_info{version=\"",
    ] {
        super::eventually(line, async || metrics().await.contains(line)).await;
    }
    let answer = server.anonymous().get("/metrics").await;
    answer.assert_header("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8");
}
