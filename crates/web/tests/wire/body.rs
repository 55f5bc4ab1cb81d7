//! Bodies: slow, too long, refused in the middle.

use wharf_testkit::{Options, Raw, TestServer};

use super::stub::{Stub, start};
use super::{LONG, SHORT, soon};

const TEN_GIGABYTES: &str = "10737418240";

fn impatient() -> Options {
    Options::new().web(|web| web.timeouts.body_idle = SHORT)
}

#[tokio::test]
async fn a_body_that_stops_is_answered_408_and_closed() {
    let server = start(impatient()).await;
    let mut raw = Raw::connect(server.address()).await;
    raw.send("POST /stub/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nonly this").await;
    let answer = raw.answer().await;
    assert_eq!(answer.status, 408);
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(raw.rest().await.is_empty());
}

#[tokio::test]
async fn a_body_below_the_least_rate_is_cut_although_it_is_never_silent_for_long() {
    let options = Options::new().web(|web| {
        web.timeouts.body_idle = LONG;
        web.timeouts.body_grace = SHORT;
        web.timeouts.body_bytes_per_second = 1000;
    });
    let server = start(options).await;
    let mut raw = Raw::connect(server.address()).await;
    raw.send("POST /stub/echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n").await;
    assert_eq!(raw.answer().await.status, 408);
}

#[tokio::test]
async fn a_slow_body_of_http_2_ends_its_stream_and_not_the_connection() {
    let server = start(impatient()).await;
    let client = super::connections::h2c(&server);
    let (sender, receiver) = tokio::sync::mpsc::channel::<std::io::Result<bytes::Bytes>>(1);
    let body = futures_util::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    let slow = client.request(http::Method::POST, "/stub/echo").body(reqwest::Body::wrap_stream(body)).send().await;
    slow.assert_status(408);
    drop(sender);
    client.get("/livez").await.assert_status(200);
}

#[tokio::test]
async fn ten_gigabytes_are_refused_before_a_byte_of_them_is_sent() {
    let server = start(Options::new()).await;
    for path in ["/stub/limited", "/token"] {
        let mut raw = Raw::connect(server.address()).await;
        raw.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {TEN_GIGABYTES}\r\n\r\n")).await;
        assert_eq!(raw.answer().await.status, 413, "{path}");
    }
}

#[tokio::test]
async fn a_client_that_is_still_sending_when_it_is_refused_is_not_reset() {
    let server = start(Options::new()).await;
    let mut raw = Raw::connect(server.address()).await;
    raw.send(format!("POST /stub/limited HTTP/1.1\r\nHost: a\r\nContent-Length: {TEN_GIGABYTES}\r\n\r\n")).await;
    let answer = raw.answer().await;
    assert_eq!((answer.status.as_u16(), answer.header("connection")), (413, Some("close")));
    // It may take a while to notice; a reset in the meantime could make it forget the answer.
    for _ in 0..32 {
        raw.send(vec![0; 1024 * 1024]).await;
    }
    assert!(raw.rest().await.is_empty());
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_is_told_to_go_on_or_not() {
    let server = start(Options::new()).await;
    let ask = |length: &str| {
        format!("POST /stub/limited HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n")
    };
    let mut raw = Raw::connect(server.address()).await;
    raw.send(ask("5")).await;
    assert_eq!(raw.answer().await.status, 100);
    raw.send("hello").await;
    assert_eq!(raw.answer().await.body, b"hello");
    let mut raw = Raw::connect(server.address()).await;
    raw.send(ask(TEN_GIGABYTES)).await;
    assert_eq!(raw.answer().await.status, 413);
}

#[tokio::test]
async fn an_answer_that_is_not_taken_is_cut() {
    let stub = Stub::default();
    let server = stub.start(Options::new().web(|web| web.timeouts.write_idle = SHORT)).await;
    let given_up = stub.next_given_up();
    let mut raw = Raw::connect(server.address()).await;
    raw.send("GET /stub/endless HTTP/1.1\r\nHost: a\r\n\r\n").await;
    // The sender is dropped with the body.
    assert!(soon(given_up).await.is_err());
}

#[tokio::test]
async fn a_stream_of_http_2_that_is_not_taken_is_reset_while_others_go_on() {
    let stub = Stub::default();
    let server = stub.start(Options::new().web(|web| web.timeouts.write_idle = SHORT)).await;
    let given_up = stub.next_given_up();
    let client = super::connections::h2c(&server);
    let untaken = client.request(http::Method::GET, "/stub/endless").open().await;
    assert!(soon(given_up).await.is_err());
    client.get("/livez").await.assert_status(200);
    drop(untaken);
}

#[tokio::test]
async fn a_large_answer_arrives_whole_over_http_1_and_2() {
    let server: TestServer = start(Options::new()).await;
    let content: Vec<u8> = (0..3_000_000_u32).map(|i| i.to_le_bytes()[1]).collect();
    for client in [server.anonymous(), super::connections::h2c(&server)] {
        let answer = client.post("/stub/echo", content.clone()).await;
        answer.assert_status(200).assert_body(&content).assert_header("content-length", "3000000");
    }
}
