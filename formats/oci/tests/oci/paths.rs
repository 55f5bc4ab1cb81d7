//! Requests that no client would send: paths with tricks in them, written to the socket as they are.

use wharf_testkit::{Image, Raw, RawAnswer, TestServer};

use crate::backend::on_every_backend;
use crate::refusal::Refusal;
use crate::remains::assert_objects;

on_every_backend! {
    paths_with_tricks_lead_nowhere,
    paths_that_are_no_text_are_refused,
    a_server_that_was_sent_nonsense_goes_on,
}

async fn send(server: &TestServer, line: impl AsRef<[u8]>) -> RawAnswer {
    let admin = server.admin().authorization().unwrap();
    let mut raw = Raw::connect(server.address()).await;
    let rest = format!(" HTTP/1.1\r\nHost: a\r\nAuthorization: {admin}\r\nContent-Length: 0\r\n\r\n");
    raw.send([line.as_ref(), rest.as_bytes()].concat()).await;
    raw.answer().await
}

async fn paths_with_tricks_lead_nowhere(server: &TestServer) {
    let image = Image::new().push(&server.admin(), "team/app:v1").await;
    let table = [
        ("/v2/../../etc/passwd", 404, "UNSUPPORTED"),
        ("/v2/../../etc/passwd/tags/list", 400, "NAME_INVALID"),
        ("/v2/team/../team/app/tags/list", 400, "NAME_INVALID"),
        ("/v2/team/./app/tags/list", 400, "NAME_INVALID"),
        ("/v2/%2e%2e/%2e%2e/tags/list", 400, "NAME_INVALID"),
        ("/v2/team%2fapp/tags/list", 400, "NAME_INVALID"),
        ("/v2/team%2Fapp/manifests/v1", 400, "NAME_INVALID"),
        ("/v2/team%5capp/tags/list", 400, "NAME_INVALID"),
        ("/v2/team\\app/tags/list", 400, "NAME_INVALID"),
        ("/v2/team/app%00/tags/list", 400, "NAME_INVALID"),
        ("/v2/team%252fapp/tags/list", 400, "NAME_INVALID"),
        ("/v2//team/app/tags/list", 400, "NAME_INVALID"),
        ("/v2/team//app/tags/list", 400, "NAME_INVALID"),
        ("/v2/team/app//tags/list", 400, "NAME_INVALID"),
        ("/v2/team/app/tags//list", 404, "UNSUPPORTED"),
        ("/v2/team/app;x=y/tags/list", 400, "NAME_INVALID"),
        ("/v2/team/app/manifests/..", 400, "TAG_INVALID"),
        ("/v2/team/app/manifests/../manifests/v1", 400, "NAME_INVALID"),
        ("/v2/team/app/manifests/..%2fv1", 400, "NAME_INVALID"),
        ("/v2/team/app/manifests/v1%00", 400, "NAME_INVALID"),
        ("/v2/team/app/manifests/v1%0d%0aX-Evil:%20yes", 400, "DIGEST_INVALID"),
        ("/v2/team/app/blobs/sha256:../../../../etc/passwd", 404, "UNSUPPORTED"),
        ("/v2/team/app/blobs/sha256:..%2f..%2fetc%2fpasswd", 400, "NAME_INVALID"),
        ("/v2/team/app/blobs/uploads/..", 404, "BLOB_UPLOAD_UNKNOWN"),
        ("/v2/team/app/blobs/uploads/..%2f..%2fx", 400, "NAME_INVALID"),
        ("/v2/team/app/blobs/uploads/%2e%2e", 404, "BLOB_UPLOAD_UNKNOWN"),
        ("/v2/team/app/blobs/uploads/%27%20OR%201=1--", 404, "BLOB_UPLOAD_UNKNOWN"),
        ("/v2/team/app/tags/list%3Fn=1", 404, "UNSUPPORTED"),
        ("//v2/team/app/tags/list", 404, "NOT_FOUND"),
        ("/./v2/team/app/tags/list", 404, "NOT_FOUND"),
        ("/%76%32/team/app/tags/list", 404, "NOT_FOUND"),
    ];
    for (path, status, code) in table {
        let answer = send(server, format!("GET {path}")).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {answer:?}");
        answer.refused(status, code);
        assert!(answer.header("x-evil").is_none(), "{answer:?}");
    }
    let found = send(server, "GET /v2/team/%61pp/manifests/v1").await;
    assert_eq!(found.header("docker-content-digest"), Some(&*image), "an encoded letter is that letter");
    let absolute = send(server, "GET http://elsewhere.example/v2/team/app/manifests/v1").await;
    assert_eq!(absolute.header("docker-content-digest"), Some(&*image));
}

async fn paths_that_are_no_text_are_refused(server: &TestServer) {
    Image::new().push(&server.admin(), "team/app:v1").await;
    for path in [&b"/v2/\xff\xfe/tags/list"[..], b"/v2/team/app\xc3\x28/tags/list", b"/v2/team/app/manifests/\x80"] {
        assert_eq!(send(server, [b"GET ", path].concat()).await.status, 400, "{path:?}");
    }
    for path in [
        "/v2/%ff/tags/list",
        "/v2/team/app%c3%28/tags/list",
        "/v2/team/app/manifests/%80",
        "/v2/team/app/blobs/uploads/%ff",
    ] {
        send(server, format!("GET {path}")).await.refused(400, "NAME_INVALID");
    }
    for path in ["/v2/%/tags/list", "/v2/%zz/tags/list", "/v2/team/%e/tags/list"] {
        send(server, format!("GET {path}")).await.refused(400, "NAME_INVALID");
    }
    let odd_query = send(server, "GET /v2/team/app/tags/list?last=%ff&n=%zz").await;
    odd_query.refused(400, "PAGINATION_NUMBER_INVALID");
    assert_eq!(send(server, "GET /v2/team/app/tags/list?last=%ff%00%zz").await.status, 200);
    assert_eq!(send(server, format!("GET /v2/{}/tags/list", "a/".repeat(10_000))).await.status, 414);
}

async fn a_server_that_was_sent_nonsense_goes_on(server: &TestServer) {
    for nonsense in [
        &b"\x00\x01\x02\x03\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET /v2/ HTTP/9.9\r\n\r\n",
        b"GET /v2/ a b c HTTP/1.1\r\n\r\n",
    ] {
        let mut raw = Raw::connect(server.address()).await;
        raw.send(nonsense).await;
        raw.rest().await;
    }
    let both = "POST /v2/team/app/blobs/uploads/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut raw = Raw::connect(server.address()).await;
    raw.send(both).await;
    raw.try_send("0\r\n\r\nGET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let answer = raw.answer().await;
    assert!([400, 401].contains(&answer.status.as_u16()), "{answer:?}");
    Image::new().push(&server.admin(), "team/app:v1").await;
    assert_objects(server, 0).await;
}
