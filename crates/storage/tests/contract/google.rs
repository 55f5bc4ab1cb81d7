//! Google Cloud Storage's dialect in front of an S3 server.
//!
//! No server is to be had that speaks Google's XML interface with uploads in parts, which is what the client library uses. It is S3's
//! but for a few words, so a door says those as Google documents them and the rest is SeaweedFS: objects have generations, and a
//! write on a condition names one; who removes what is not there is told so; headers of one's own have another prefix. What is shown
//! here is that the client for Google and what is asked of it hold the contract, not how Google behaves; nor its credentials.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::header::{AUTHORIZATION, ETAG, HOST, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;
use wharf_storage::bucket::{Config, Kind, Secret};
use wharf_storage::testing::StoreServer;

const GENERATION: &str = "x-goog-generation";
const IF_GENERATION: &str = "x-goog-if-generation-match";

/// A part of the bucket that nothing else uses, as one of Google's.
pub(crate) async fn config() -> Config {
    static SHARED: OnceCell<(StoreServer, SocketAddr)> = OnceCell::const_new();
    let (server, door) = SHARED.get_or_init(start).await;
    let of_s3 = server.config();
    // The library asks Google itself for tokens, so there is none here.
    let key = r#"{"disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}"#;
    Config {
        prefix: of_s3.prefix,
        endpoint: Some(format!("http://{door}")),
        secret_key: Some(Secret(key.to_owned())),
        allow_http: true,
        ..Config::new(Kind::Gcs, of_s3.bucket)
    }
}

/// In a thread of its own: the runtime of the test that comes first ends before the others do.
async fn start() -> (StoreServer, SocketAddr) {
    let server = StoreServer::open_to_all().await;
    let (upstream, (tell, told)) = (server.address(), tokio::sync::oneshot::channel());
    std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(client), service_fn(move |request| answer(request, upstream))),
                );
            }
        });
    });
    (server, told.await.unwrap())
}

type Body = BoxBody<Bytes, hyper::Error>;

async fn answer(mut request: Request<Incoming>, upstream: SocketAddr) -> hyper::Result<Response<Body>> {
    // Of somebody without a token: the store takes that for nobody.
    request.headers_mut().remove(AUTHORIZATION);
    rename(request.headers_mut(), "x-goog-meta-", "x-amz-meta-");
    let condition = request.headers_mut().remove(IF_GENERATION);
    let of_object = request.uri().query().is_none();
    if request.method() == Method::DELETE && of_object && held(&request, upstream).await?.is_none() {
        return Ok(refused(StatusCode::NOT_FOUND, "NoSuchKey"));
    }
    match condition {
        None => {}
        Some(generation) if generation == "0" => {
            request.headers_mut().insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        }
        Some(generation) => match held(&request, upstream).await? {
            // Between the look and the write the store itself compares.
            Some(tag) if self::generation(&tag) == generation => {
                request.headers_mut().insert(IF_MATCH, tag);
            }
            _ => return Ok(refused(StatusCode::PRECONDITION_FAILED, "PreconditionFailed")),
        },
    }
    let mut answer = send(request, upstream).await?;
    rename(answer.headers_mut(), "x-amz-meta-", "x-goog-meta-");
    if let Some(tag) = answer.headers().get(ETAG).cloned() {
        answer.headers_mut().insert(GENERATION, generation(&tag));
    }
    Ok(answer.map(BodyExt::boxed))
}

/// A number, and another one for other content.
fn generation(tag: &HeaderValue) -> HeaderValue {
    let hex: String = tag.to_str().unwrap().chars().filter(char::is_ascii_hexdigit).take(15).collect();
    u64::from_str_radix(&hex, 16).unwrap().into()
}

/// What lies where the request goes to.
async fn held(request: &Request<Incoming>, upstream: SocketAddr) -> hyper::Result<Option<HeaderValue>> {
    let mut head = Request::new(Empty::<Bytes>::new());
    (*head.method_mut(), *head.uri_mut()) = (Method::HEAD, request.uri().clone());
    head.headers_mut().insert(HOST, request.headers()[HOST].clone());
    let answer = send(head, upstream).await?;
    Ok(answer.status().is_success().then(|| answer.headers()[ETAG].clone()))
}

async fn send<B>(request: Request<B>, upstream: SocketAddr) -> hyper::Result<Response<Incoming>>
where
    B: hyper::body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let stream = TcpStream::connect(upstream).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    sender.send_request(request).await
}

fn rename(headers: &mut HeaderMap, from: &str, to: &str) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| name.as_str().starts_with(from)).cloned().collect();
    for name in names {
        let renamed: HeaderName = name.as_str().replacen(from, to, 1).parse().unwrap();
        if let Some(value) = headers.remove(name) {
            headers.insert(renamed, value);
        }
    }
}

fn refused(status: StatusCode, code: &str) -> Response<Body> {
    let body = format!("<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code></Error>");
    let mut refused = Response::new(Full::from(body).map_err(|never| match never {}).boxed());
    *refused.status_mut() = status;
    refused
}
