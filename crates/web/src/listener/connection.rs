//! One connection, from its handshake to its end.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout};

use super::Server;
use super::activity::{Activity, Order, Verdict};
use super::preface::{Protocol, recognize};
use super::roster::Entry;
use super::seats::Seat;
use super::transport::{Stream, Transport};
use crate::config::Timeouts;
use crate::exchange::{Connection, answer};
use crate::metrics::Last;
use crate::vantage::Peer;

/// What a client gets that speaks plain HTTP where TLS is expected.
const WANTS_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n\
    This server speaks HTTPS here: use https:// in the URL.\n";
/// TLS begins with a handshake record, and no method of HTTP with this byte.
const HANDSHAKE_RECORD: u8 = 22;
/// A connection is looked at no more often than this.
const LEAST_WAIT: Duration = Duration::from_millis(5);

/// A connection's place in the books.
pub(super) struct Place {
    pub(super) remote: SocketAddr,
    pub(super) peer: Peer,
    pub(super) seat: Seat,
    pub(super) activity: Arc<Activity>,
    pub(super) _entry: Entry,
}

/// Why a connection ended.
enum End {
    Closed,
    Failed(String),
    Cut(&'static str),
}

/// Serves a connection until it ends.
pub(super) async fn run(server: Arc<Server>, socket: TcpStream, place: Place) {
    let _counted = server.app.metrics().connection_opened();
    // Answers are written whole, so waiting for more to send only costs time.
    let _ = socket.set_nodelay(true);
    let beginning = async {
        let Some(mut stream) = secured(&server, socket).await? else { return Ok(None) };
        let (protocol, read) = timeout(server.timeouts.head, recognize(&mut stream)).await??;
        Ok::<_, io::Error>(Some((protocol, Transport::new(stream, read, Arc::clone(&place.activity)))))
    };
    let end = tokio::select! {
        biased;
        () = told_to_end(&place.activity) => End::Closed,
        begun = beginning => match begun {
            Ok(Some((protocol, transport))) => talk(&server, protocol, transport, &place).await,
            Ok(None) => End::Closed,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => End::Cut("no request comes"),
            Err(error) => End::Failed(error.to_string()),
        },
    };
    match end {
        End::Closed => {}
        End::Failed(error) => tracing::debug!(remote = %place.remote, error, "connection failed"),
        End::Cut(reason) => {
            server.app.metrics().connection_cut();
            tracing::debug!(remote = %place.remote, reason, "connection cut");
        }
    }
}

async fn told_to_end(activity: &Activity) {
    poll_fn(|cx| if activity.orders(cx.waker()) == Order::GoOn { Poll::Pending } else { Poll::Ready(()) }).await;
}

/// The stream behind a handshake, where TLS is spoken; none if the client does not speak it.
async fn secured(server: &Server, mut socket: TcpStream) -> io::Result<Option<Stream>> {
    let Some(acceptor) = &server.tls else { return Ok(Some(Stream::Plain(socket))) };
    timeout(server.timeouts.handshake, async {
        let mut first = [0];
        if socket.peek(&mut first).await? == 1 && first[0] != HANDSHAKE_RECORD {
            socket.write_all(WANTS_TLS).await?;
            return Ok(None);
        }
        Ok(Some(Stream::Tls(Box::new(acceptor.accept(socket).await?))))
    })
    .await?
}

async fn talk(server: &Server, protocol: Protocol, transport: Transport, place: &Place) -> End {
    let connection = Arc::new(Connection {
        app: Arc::clone(&server.app),
        activity: Arc::clone(&place.activity),
        peer: place.peer.clone(),
        address: place.peer.address.to_string(),
        reserve: place.seat.reserve,
        timeouts: server.timeouts.clone(),
        last: Last::default(),
    });
    let service = service_fn(move |request| answer(Arc::clone(&connection), request));
    let transport = TokioIo::new(transport);
    match protocol {
        Protocol::Http1 => {
            if server.tls.is_none() {
                place.activity.files.take();
            }
            drive(server.http1.serve_connection(transport, service), place, &server.timeouts).await
        }
        Protocol::Http2 => {
            place.activity.speaks_http2();
            drive(server.http2.serve_connection(transport, service), place, &server.timeouts).await
        }
    }
}

async fn drive<H>(http: H, place: &Place, timeouts: &Timeouts) -> End
where
    H: GracefulConnection<Error = hyper::Error>,
{
    let (http, timer) = (pin!(http), pin!(sleep(Duration::ZERO)));
    Drive { http, activity: &place.activity, timeouts, timer, retiring: false }.await
}

/// Polls a connection and watches over it. Written by hand because this is polled for every read and write.
struct Drive<'a, H> {
    http: Pin<&'a mut H>,
    activity: &'a Activity,
    timeouts: &'a Timeouts,
    timer: Pin<&'a mut Sleep>,
    retiring: bool,
}

impl<H: GracefulConnection<Error = hyper::Error>> Future for Drive<'_, H> {
    type Output = End;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            match self.activity.orders(cx.waker()) {
                Order::Cut => return Poll::Ready(End::Cut("the server stops")),
                Order::Retire => self.retire(),
                Order::GoOn => {}
            }
            if let Poll::Ready(outcome) = self.http.as_mut().poll(cx) {
                return Poll::Ready(outcome.map_or_else(|error| End::Failed(error.to_string()), |()| End::Closed));
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let wait = match self.activity.verdict(self.timeouts) {
                Verdict::Wait(wait) => wait,
                Verdict::Retire if self.retiring => return Poll::Ready(End::Cut("the client does not close")),
                Verdict::Retire => {
                    self.retire();
                    self.timeouts.head
                }
                Verdict::Cut(reason) => return Poll::Ready(End::Cut(reason)),
            };
            let next = tokio::time::Instant::now() + wait.max(LEAST_WAIT);
            self.timer.as_mut().reset(next);
        }
    }
}

impl<H: GracefulConnection<Error = hyper::Error>> Drive<'_, H> {
    fn retire(&mut self) {
        if !self.retiring {
            self.retiring = true;
            self.http.as_mut().graceful_shutdown();
        }
    }
}
