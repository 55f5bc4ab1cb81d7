//! TLS.

use std::path::Path;
use std::time::Duration;

use http::{Method, Version};
use reqwest::tls::Certificate;
use wharf_testkit::{Client, Options, Raw, TestServer};
use wharf_web::Tls;

use super::stub::start;
use super::{SHORT, eventually};

/// Writes a new certificate and its key; the certificate.
fn write_pair(folder: &Path) -> Certificate {
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("key.pem"), pair.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), pair.cert.pem()).unwrap();
    Certificate::from_pem(pair.cert.pem().as_bytes()).unwrap()
}

async fn start_tls(folder: &Path) -> TestServer {
    start(options(folder)).await
}

fn options(folder: &Path) -> Options {
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let tls = Tls { reload_interval: Duration::from_millis(10), ..Tls::new(certificate, key) };
    Options::new().web(|web| web.tls = Some(tls))
}

/// A client that believes nobody but the holder of this certificate.
fn believing(certificate: &Certificate, server: &TestServer) -> Client {
    let http = reqwest::Client::builder().tls_certs_only([certificate.clone()]).no_proxy().build().unwrap();
    Client::over(http, format!("https://localhost:{}", server.address().port()))
}

#[tokio::test]
async fn a_new_certificate_is_taken_up_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let first = write_pair(folder.path());
    let server = start_tls(folder.path()).await;
    believing(&first, &server).get("/livez").await.assert_status(200);
    let second = write_pair(folder.path());
    eventually("the new certificate is in use", async || {
        believing(&second, &server).request(Method::GET, "/livez").try_send().await.is_ok()
    })
    .await;
    assert!(believing(&first, &server).request(Method::GET, "/livez").try_send().await.is_err());
}

#[tokio::test]
async fn http_2_is_spoken_over_tls_and_urls_say_https() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = write_pair(folder.path());
    let server = start_tls(folder.path()).await;
    let response = believing(&certificate, &server).request(Method::GET, "/stub/context").open().await;
    assert_eq!(response.version(), Version::HTTP_2);
    let context: serde_json::Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(context["base_url"], format!("https://localhost:{}", server.address().port()));
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    write_pair(folder.path());
    let server = start(options(folder.path()).web(|web| web.timeouts.handshake = SHORT)).await;
    let mut raw = Raw::connect(server.address()).await;
    raw.send([22, 3, 1]).await;
    assert!(raw.rest().await.is_empty());
}

#[tokio::test]
async fn plain_http_where_tls_is_spoken_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    write_pair(folder.path());
    let server = start_tls(folder.path()).await;
    let mut raw = Raw::connect(server.address()).await;
    raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let told = String::from_utf8(raw.rest().await).unwrap();
    assert!(told.starts_with("HTTP/1.1 400") && told.contains("https://"), "{told}");
}
