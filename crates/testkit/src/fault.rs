//! A proxy in front of an object store that can be told to misbehave.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::CONTENT_LENGTH;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How a proxied object store misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Not at all.
    None,
    /// Every answer comes so late.
    Slow(Duration),
    /// Every so manieth request fails: in turn with status 500, and with a connection that breaks.
    Every(u32),
    /// Every other object breaks off in its middle.
    Short,
    /// Every other object has half of its bytes, and its answer says that this is all.
    Half,
    /// One byte of every object is another.
    Wrong,
    /// It cannot be reached.
    Away,
}

/// A request that an object store got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Its method.
    pub method: Method,
    /// Its path, with the query.
    pub path: String,
    /// Bytes of its body.
    pub size: u64,
    /// Whether the store was to copy another object.
    pub copies: bool,
}

/// A proxy between a server and an object store. Dropping it ends it.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    refusals: Arc<AtomicU32>,
    seen: Arc<Mutex<Vec<Asked>>>,
    accepting: JoinHandle<()>,
}

type Body = BoxBody<Bytes, io::Error>;

/// What a connection must know.
#[derive(Clone)]
struct Way {
    upstream: SocketAddr,
    fault: watch::Receiver<Fault>,
    asked: Arc<AtomicU32>,
    refusals: Arc<AtomicU32>,
    seen: Arc<Mutex<Vec<Asked>>>,
}

impl FaultProxy {
    /// Begins one that does not misbehave yet.
    pub async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (fault, told) = watch::channel(Fault::None);
        let (seen, refusals) = (Arc::default(), Arc::default());
        let way = Way {
            upstream,
            fault: told,
            asked: Arc::default(),
            refusals: Arc::clone(&refusals),
            seen: Arc::clone(&seen),
        };
        let accepting = tokio::spawn(async move {
            // The connections end with this task.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let Ok((client, _)) = listener.accept().await else { return };
                connections.spawn(serve(client, way.clone()));
            }
        });
        Self { address, fault, refusals, seen, accepting }
    }

    /// What came since this was asked for the last time.
    pub fn seen(&self) -> Vec<Asked> {
        std::mem::take(&mut self.seen.lock())
    }

    /// Misbehaves like this from now on.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// Tells the next so many requests that there are too many of them.
    pub fn refuse(&self, requests: u32) {
        self.refusals.store(requests, Relaxed);
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that takes the place of the object store's.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(client: TcpStream, way: Way) {
    let mut told = way.fault.clone();
    let service = service_fn(move |request| {
        let way = way.clone();
        async move { answer(request, &way).await }
    });
    let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(client), service);
    tokio::select! {
        _ = served => {}
        // Whoever is away hangs up, also in the middle of an answer.
        _ = told.wait_for(|fault| *fault == Fault::Away) => {}
    }
}

/// An error breaks the connection.
async fn answer(request: Request<Incoming>, way: &Way) -> io::Result<Response<Body>> {
    way.seen.lock().push(asked(&request));
    if way.refusals.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
        return failed(request, StatusCode::TOO_MANY_REQUESTS).await;
    }
    let fault = *way.fault.borrow();
    let number = way.asked.fetch_add(1, Relaxed) + 1;
    match fault {
        Fault::Slow(delay) => tokio::time::sleep(delay).await,
        Fault::Every(nth) if number.is_multiple_of(nth) => {
            if (number / nth).is_multiple_of(2) {
                return Err(io::Error::other("told to break"));
            }
            return failed(request, StatusCode::INTERNAL_SERVER_ERROR).await;
        }
        _ => {}
    }
    let is_object = request.method() == Method::GET && request.uri().path().contains("/objects/");
    let answer = forward(request, way.upstream).await.map_err(io::Error::other)?;
    if !is_object || !answer.status().is_success() {
        return Ok(answer.map(|body| body.map_err(io::Error::other).boxed()));
    }
    match fault {
        Fault::Short if number.is_multiple_of(2) => broken(answer).await,
        Fault::Half if number.is_multiple_of(2) => halved(answer).await,
        Fault::Wrong => wrong(answer).await,
        _ => Ok(answer.map(|body| body.map_err(io::Error::other).boxed())),
    }
}

/// Like a server that has read what it was sent.
async fn failed(request: Request<Incoming>, status: StatusCode) -> io::Result<Response<Body>> {
    request.into_body().collect().await.map_err(io::Error::other)?;
    let mut failed = Response::new(whole(Bytes::from_static(b"told to fail")));
    *failed.status_mut() = status;
    Ok(failed)
}

fn asked(request: &Request<Incoming>) -> Asked {
    let size = request.headers().get(CONTENT_LENGTH).and_then(|size| size.to_str().ok()?.parse().ok());
    Asked {
        method: request.method().clone(),
        path: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
        size: size.unwrap_or_default(),
        copies: request.headers().contains_key("x-amz-copy-source"),
    }
}

async fn forward(request: Request<Incoming>, upstream: SocketAddr) -> Result<Response<Incoming>, hyper::Error> {
    let stream = TcpStream::connect(upstream).await.expect("the object store");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    sender.send_request(request).await
}

async fn read(answer: Response<Incoming>) -> io::Result<(http::response::Parts, Bytes)> {
    let (head, body) = answer.into_parts();
    Ok((head, body.collect().await.map_err(io::Error::other)?.to_bytes()))
}

async fn broken(answer: Response<Incoming>) -> io::Result<Response<Body>> {
    let (head, content) = read(answer).await?;
    let frames = [Ok(Frame::data(content.slice(..content.len() / 2))), Err(io::Error::other("told to break off"))];
    Ok(Response::from_parts(head, BodyExt::boxed(StreamBody::new(stream::iter(frames)))))
}

async fn halved(answer: Response<Incoming>) -> io::Result<Response<Body>> {
    let (mut head, content) = read(answer).await?;
    let half = content.slice(..content.len() / 2);
    head.headers.insert(CONTENT_LENGTH, half.len().into());
    Ok(Response::from_parts(head, whole(half)))
}

async fn wrong(answer: Response<Incoming>) -> io::Result<Response<Body>> {
    let (head, content) = read(answer).await?;
    let mut content = content.to_vec();
    let middle = content.len() / 2;
    if let Some(byte) = content.get_mut(middle) {
        *byte ^= 1;
    }
    Ok(Response::from_parts(head, whole(content.into())))
}

fn whole(content: Bytes) -> Body {
    Full::new(content).map_err(|never: Infallible| match never {}).boxed()
}
