//! For `benches/`: what hyper and tokio reach on this machine when there is nothing to do. It answers every request that has an
//! `Authorization` header with the bytes of one file: `floor ADDRESS FILE`.

use std::convert::Infallible;
use std::error::Error;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

const MANIFEST: HeaderValue = HeaderValue::from_static("application/vnd.oci.image.manifest.v1+json");

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err("usage: floor ADDRESS FILE".into());
    };
    let content = Bytes::from(std::fs::read(file)?);
    let listener = TcpListener::bind(address).await?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let content = content.clone();
        tokio::spawn(async move {
            let service =
                service_fn(move |request| std::future::ready(Ok::<_, Infallible>(answer(&request, &content))));
            if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await {
                eprintln!("{error}");
            }
        });
    }
}

fn answer(request: &Request<Incoming>, content: &Bytes) -> Response<Full<Bytes>> {
    let ready = request.uri().path() == "/ready";
    let mut response = Response::new(Full::new(content.clone()));
    response.headers_mut().insert(CONTENT_TYPE, MANIFEST);
    if !ready && !request.headers().contains_key(AUTHORIZATION) {
        *response.status_mut() = StatusCode::UNAUTHORIZED;
    }
    response
}
