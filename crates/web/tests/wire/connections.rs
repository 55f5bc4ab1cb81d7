//! Connections: how many, how long, and what is spoken on them.

use std::time::Duration;

use http::Version;
use wharf_testkit::{Client, Options, Raw, TestServer};

use super::stub::start;
use super::{LONG, SHORT, eventually};

/// A client that speaks HTTP/2 without being asked.
pub(crate) fn h2c(server: &TestServer) -> Client {
    let http = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    Client::over(http, server.url())
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut() {
    let server = start(Options::new().web(|web| web.timeouts.head = SHORT)).await;
    let mut endless = Raw::connect(server.address()).await;
    endless.send("GET /livez HTTP/1.1\r\nHost: a\r\nX-Never: ending").await;
    assert!(endless.rest().await.is_empty());
    let mut silent = Raw::connect(server.address()).await;
    assert!(silent.rest().await.is_empty());
}

#[tokio::test]
async fn the_head_of_a_later_request_must_end_too() {
    let options = Options::new().web(|web| {
        web.timeouts.head = Duration::from_millis(500);
        web.timeouts.keep_alive = LONG;
    });
    let server = start(options).await;
    let mut raw = Raw::connect(server.address()).await;
    assert_eq!(raw.get("/livez").await.status, 200);
    raw.send("GET /livez HT").await;
    assert!(raw.rest().await.is_empty());
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let server = start(Options::new().web(|web| web.timeouts.keep_alive = SHORT)).await;
    let mut raw = Raw::connect(server.address()).await;
    assert_eq!(raw.get("/livez").await.status, 200);
    assert!(raw.rest().await.is_empty());
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = start(Options::new().web(|web| web.limits.head_bytes = 4096)).await;
    let mut raw = Raw::connect(server.address()).await;
    raw.send(format!("GET /livez HTTP/1.1\r\nHost: a\r\nX-Large: {}\r\n\r\n", "x".repeat(8000))).await;
    assert_eq!(raw.answer().await.status, 431);
    let mut many = Raw::connect(server.address()).await;
    many.send(format!("GET /livez HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(200))).await;
    assert_eq!(many.answer().await.status, 431);
}

#[tokio::test]
async fn one_connection_too_many_gets_health_checks_only_until_there_is_room() {
    let options = Options::new().web(|web| (web.limits.connections, web.limits.reserve) = (2, 1));
    let server = start(options).await;
    let mut first = Raw::connect(server.address()).await;
    let mut second = Raw::connect(server.address()).await;
    assert_eq!(first.get("/stub/context").await.status, 200);
    assert_eq!(second.get("/stub/context").await.status, 200);
    let mut third = Raw::connect(server.address()).await;
    let refused = third.get("/stub/context").await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, Some("1")));
    assert!(third.rest().await.is_empty());
    eventually("the reserve is free again", async || {
        let mut fourth = Raw::connect(server.address()).await;
        fourth.try_send("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n").await;
        fourth.rest().await.starts_with(b"HTTP/1.1 200")
    })
    .await;
    drop((first, second));
    eventually("there is room again", async || {
        let mut fifth = Raw::connect(server.address()).await;
        fifth.try_send("GET /stub/context HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        fifth.rest().await.starts_with(b"HTTP/1.1 200")
    })
    .await;
}

#[tokio::test]
async fn an_address_may_have_so_many_connections_and_no_more() {
    let server = start(Options::new().web(|web| web.limits.connections_per_address = Some(1))).await;
    let mut first = Raw::connect(server.address()).await;
    assert_eq!(first.get("/livez").await.status, 200);
    let mut second = Raw::connect(server.address()).await;
    second.try_send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(second.rest().await.is_empty());
    assert_eq!(first.get("/livez").await.status, 200);
}

#[tokio::test]
async fn requests_may_be_pipelined() {
    let server = start(Options::new()).await;
    let mut raw = Raw::connect(server.address()).await;
    let one = "POST /stub/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none";
    raw.send([one, &one.replace("one", "two"), "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"].concat()).await;
    assert_eq!(raw.answer().await.body, b"one");
    assert_eq!(raw.answer().await.body, b"two");
    assert_eq!(raw.answer().await.status, 200);
}

#[tokio::test]
async fn http_2_needs_neither_tls_nor_an_upgrade() {
    let server = start(Options::new()).await;
    let response = h2c(&server).request(http::Method::GET, "/stub/context").open().await;
    assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
    let content: serde_json::Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(content["base_url"], server.url());
}

#[tokio::test]
async fn what_is_no_http_is_answered_400() {
    let server = start(Options::new()).await;
    let mut raw = Raw::connect(server.address()).await;
    raw.send("\x16\x03\x01 this is no HTTP\r\n\r\n").await;
    assert_eq!(raw.answer().await.status, 400);
}
