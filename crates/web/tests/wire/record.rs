//! What is written down of requests. These tests run on one thread, whose log they read.

use serde_json::Value;
use wharf_testkit::{Options, Raw, logged};
use wharf_web::AccessLog;

use super::eventually;
use super::stub::start;

/// The lines about requests, of which there is one at least.
async fn requests() -> Vec<Value> {
    let lines = || logged().into_iter().filter(|line| line["fields"]["message"] == "request").collect::<Vec<_>>();
    eventually("a line is there", async || !lines().is_empty()).await;
    lines()
}

#[tokio::test]
async fn a_request_is_one_line_without_secrets() {
    let server = start(Options::new()).await;
    let answer = server.anonymous().with_bearer("wft_secret").post("/stub/echo?n=1&token=secret", "hello").await;
    server.anonymous().get("/livez").await;
    let lines = requests().await;
    assert_eq!(lines.len(), 1, "{lines:#?}");
    let fields = &lines[0]["fields"];
    assert_eq!((lines[0]["level"].as_str(), fields["status"].as_u64()), (Some("INFO"), Some(200)));
    assert_eq!((fields["method"].as_str(), fields["path"].as_str()), (Some("POST"), Some("/stub/echo?n=1&…")));
    assert_eq!((fields["format"].as_str(), fields["operation"].as_str()), (Some("stub"), Some("echo")));
    assert_eq!((fields["bytes_in"].as_u64(), fields["bytes_out"].as_u64()), (Some(5), Some(5)));
    assert_eq!((fields["actor"].as_str(), fields["address"].as_str()), (Some("tester"), Some("127.0.0.1")));
    assert_eq!(fields["request_id"], answer.expect_header("x-request-id"));
    assert!(fields["duration_ms"].is_f64() && fields["cut_short"].is_null() && fields["error"].is_null());
    assert!(!logged().iter().any(|line| line.to_string().contains("secret")));
}

#[tokio::test]
async fn a_panic_is_answered_500_and_logged_and_the_connection_lives_on() {
    let server = start(Options::new()).await;
    let mut raw = Raw::connect(server.address()).await;
    let answer = raw.get("/stub/panic").await;
    assert_eq!(answer.status, 500);
    let id = answer.header("x-request-id").unwrap().to_owned();
    let told = String::from_utf8(answer.body).unwrap();
    assert!(told.contains(&id) && !told.contains("as the test wanted"), "{told}");
    assert_eq!(raw.get("/livez").await.status, 200);
    let line = &requests().await[0];
    assert_eq!((line["level"].as_str(), line["fields"]["request_id"].as_str()), (Some("ERROR"), Some(id.as_str())));
    assert_eq!(line["fields"]["error"], "panic: as the test wanted");
}

#[tokio::test]
async fn only_failures_are_logged_where_nothing_else_is_wanted() {
    let server = start(Options::new().web(|web| web.access_log = AccessLog::Failures)).await;
    server.anonymous().get("/stub/context").await.assert_status(200);
    server.anonymous().get("/nowhere").await.assert_status(404);
    server.anonymous().get("/stub/panic").await.assert_status(500);
    assert_eq!(requests().await.iter().map(|line| line["fields"]["status"].as_u64()).collect::<Vec<_>>(), [Some(500)]);
}

#[tokio::test]
async fn a_client_that_goes_away_is_written_down_as_such() {
    let server = start(Options::new()).await;
    let mut raw = Raw::connect(server.address()).await;
    raw.send("POST /stub/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nonly this").await;
    drop(raw);
    let line = &requests().await[0];
    assert!(line["fields"]["status"].as_u64().is_some_and(|status| (400..500).contains(&status)), "{line:#}");
}
