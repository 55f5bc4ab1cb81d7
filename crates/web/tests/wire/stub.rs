//! A format that does what tests want.

use std::io::Read;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Response, StatusCode};
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use wharf_core::{Arrival, ByteStream, Contents, Core, Format, IndexError, InspectError, Publication};
use wharf_testkit::{Options, TestServer};
use wharf_types::FormatName;
use wharf_wire::{Body, Context, Door, Handled, ReadError, bytes, chunks, empty, read_up_to};

/// What the server of a test answers below `/stub`:
/// `/echo` its body, `/limited` its body if that is short, `/context` what surrounds the request, `/download` what the test
/// sends, `/endless` more than anybody takes, `/panic` nothing.
#[derive(Clone, Default)]
pub(crate) struct Stub {
    download: Arc<Mutex<Option<mpsc::Receiver<Bytes>>>>,
    dropped: Arc<Mutex<Option<oneshot::Sender<()>>>>,
}

impl Stub {
    /// A server that has this format beside OCI.
    pub(crate) async fn start(&self, options: Options) -> TestServer {
        let stub = self.clone();
        TestServer::start(options.door(move || Box::new(stub.clone()))).await
    }

    /// What is sent here is the body of the next `/download`, which ends when this is dropped.
    pub(crate) fn next_download(&self) -> mpsc::Sender<Bytes> {
        let (sender, receiver) = mpsc::channel(1);
        *self.download.lock() = Some(receiver);
        sender
    }

    /// Completes when the server has given up the next `/endless`.
    pub(crate) fn next_given_up(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        *self.dropped.lock() = Some(sender);
        receiver
    }

    fn endless(&self) -> Body {
        /// Tells when it is dropped, by the end of its sender.
        struct Told(#[expect(dead_code, reason = "held for its drop")] Option<oneshot::Sender<()>>);
        let told = Told(self.dropped.lock().take());
        let chunk = Bytes::from(vec![0; 64 * 1024]);
        let endless: ByteStream = Box::pin(stream::repeat(chunk).map(move |chunk| {
            let _ = &told;
            Ok(chunk)
        }));
        wharf_wire::stream(endless)
    }

    fn download(&self) -> Body {
        let receiver = self.download.lock().take().expect("a download that the test has announced");
        let content: ByteStream = Box::pin(stream::unfold(receiver, async |mut receiver| {
            let chunk = receiver.recv().await?;
            Some((Ok(chunk), receiver))
        }));
        wharf_wire::stream(content)
    }
}

/// A server that has the stub beside OCI.
pub(crate) async fn start(options: Options) -> TestServer {
    Stub::default().start(options).await
}

#[async_trait]
impl Format for Stub {
    fn name(&self) -> FormatName {
        FormatName::new("stub")
    }

    fn inspect(&self, _: &mut dyn Read, _: &Arrival) -> Result<Contents, InspectError> {
        Ok(Contents::default())
    }

    async fn index(&self, _: &mut Publication) -> Result<(), IndexError> {
        Ok(())
    }
}

#[async_trait]
impl Door for Stub {
    fn format(&self) -> Arc<dyn Format> {
        Arc::new(self.clone())
    }

    fn name(&self) -> FormatName {
        Format::name(self)
    }

    fn mounts(&self) -> &'static [&'static str] {
        &["/stub"]
    }

    async fn handle(&self, _: &Core, request: Request<Body>, context: &Context) -> Handled {
        let path = request.uri().path().to_owned();
        let (operation, response) = match path.as_str() {
            "/stub/echo" => ("echo", echo(request.into_body()).await),
            "/stub/limited" => ("limited", limited(request.into_body()).await),
            "/stub/context" => ("context", Response::new(bytes(describe(context)))),
            "/stub/download" => ("download", Response::new(self.download())),
            "/stub/endless" => ("endless", Response::new(self.endless())),
            "/stub/panic" => panic!("as the test wanted"),
            _ => ("unknown", status(StatusCode::NOT_FOUND)),
        };
        Handled { response, operation, actor: "tester".into(), error: None }
    }
}

async fn echo(body: Body) -> Response<Body> {
    let mut content = Vec::new();
    let mut chunks = chunks(body);
    while let Some(chunk) = chunks.next().await {
        match chunk {
            Ok(chunk) => content.extend_from_slice(&chunk),
            Err(_) => return status(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
    Response::new(bytes(content))
}

async fn limited(body: Body) -> Response<Body> {
    match read_up_to(body, 1024).await {
        Ok(content) => Response::new(bytes(content)),
        Err(ReadError::TooLarge(_)) => status(StatusCode::PAYLOAD_TOO_LARGE),
        Err(ReadError::Broken(_)) => status(StatusCode::BAD_REQUEST),
    }
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = status;
    response
}

fn describe(context: &Context) -> String {
    let address = context.address.map(|address| address.to_string());
    json!({ "address": address, "base_url": context.base_url, "request_id": context.request_id }).to_string()
}
