//! Stopping.

use bytes::Bytes;
use tokio::net::TcpStream;
use wharf_testkit::{Options, Raw};

use super::stub::Stub;
use super::{LONG, SHORT, eventually, soon};

#[tokio::test]
async fn a_running_download_is_finished_while_new_connections_are_refused() {
    let stub = Stub::default();
    let mut server = stub.start(Options::new().web(|web| web.timeouts.stop = LONG)).await;
    let download = stub.next_download();
    let client = server.anonymous();
    let mut idle = Raw::connect(server.address()).await;
    assert_eq!(idle.get("/livez").await.status, 200);
    let mut response = client.request(http::Method::GET, "/stub/download").open().await;
    download.send(Bytes::from("first, ")).await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "first, ");
    server.begin_stop();
    let address = server.address();
    eventually("connections are refused", async || TcpStream::connect(address).await.is_err()).await;
    assert!(idle.rest().await.is_empty());
    download.send(Bytes::from("then the rest")).await.unwrap();
    drop(download);
    assert_eq!(response.chunk().await.unwrap().unwrap(), "then the rest");
    assert!(response.chunk().await.unwrap().is_none());
    soon(server.stopped()).await;
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_cut() {
    let stub = Stub::default();
    let mut server = stub.start(Options::new().web(|web| web.timeouts.stop = SHORT)).await;
    let _download = stub.next_download();
    let mut raw = Raw::connect(server.address()).await;
    raw.send("GET /stub/download HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(raw.answer().await.status, 200);
    server.begin_stop();
    soon(server.stopped()).await;
    assert!(raw.rest().await.is_empty());
}

#[tokio::test]
async fn streams_of_http_2_finish_too() {
    let stub = Stub::default();
    let mut server = stub.start(Options::new().web(|web| web.timeouts.stop = LONG)).await;
    let download = stub.next_download();
    let client = super::connections::h2c(&server);
    let mut response = client.request(http::Method::GET, "/stub/download").open().await;
    server.begin_stop();
    let address = server.address();
    eventually("connections are refused", async || TcpStream::connect(address).await.is_err()).await;
    download.send(Bytes::from("all of it")).await.unwrap();
    drop(download);
    assert_eq!(response.chunk().await.unwrap().unwrap(), "all of it");
    soon(server.stopped()).await;
}

#[tokio::test]
async fn before_it_stops_it_says_that_it_is_not_ready() {
    let mut server = Stub::default().start(Options::new().web(|web| web.timeouts.stop_delay = LONG)).await;
    server.begin_stop();
    eventually("it says so", async || {
        let answer = server.anonymous().get("/readyz").await;
        answer.status == 503 && answer.json()["status"] == "stopping"
    })
    .await;
    server.anonymous().get("/stub/context").await.assert_status(200);
}
