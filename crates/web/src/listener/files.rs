//! Files that the kernel sends by itself: the bytes of a large answer never pass through this process.
//!
//! hyper writes the answer, head and body, in its order. In place of a piece of a file the body gives it a stand-in, so many bytes of
//! a region that nothing else points into, and queues the piece here; the transport tells the region by its address, and has
//! sendfile(2) send what is queued. So nobody has to know where in hyper's buffers an answer begins or ends. Only for HTTP/1 without TLS:
//! elsewhere bytes are framed or encrypted.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use parking_lot::Mutex;
use rustix::io::Errno;
use rustix::net::sockopt::set_tcp_cork;
use tokio::io::{AsyncWrite, Interest};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use wharf_core::FilePart;

/// Bytes of one piece.
const PIECE: usize = 2 * 1024 * 1024;
/// Below this a copy costs less than another system call.
const LEAST: u64 = 64 * 1024;

/// Bytes that are copied at once where the kernel does not send them.
const COPIED: usize = 256 * 1024;
/// The kernel has refused to.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// The region. Nobody reads it, so it takes no memory.
static STAND_IN: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(vec![0; PIECE]));

fn stands_in(bytes: &[u8]) -> bool {
    STAND_IN.as_ptr_range().contains(&bytes.as_ptr())
}

/// The pieces that a connection has to send, in their order.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// Whether the connection can send any.
    taken: AtomicBool,
    waiting: AtomicUsize,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    pieces: VecDeque<Piece>,
    /// The socket keeps what does not fill a packet until more follows: less work for the kernel.
    corked: bool,
}

#[derive(Debug)]
struct Piece {
    part: FilePart,
    /// Of its body: nothing follows soon.
    last: bool,
}

impl Queue {
    /// Where the kernel refuses it, bytes go out all the same.
    fn cork(&mut self, socket: &TcpStream, corked: bool) {
        if self.corked != corked && set_tcp_cork(socket, corked).is_ok() {
            self.corked = corked;
        }
    }
}

impl Files {
    /// The connection can send files.
    pub(super) fn take(&self) {
        self.taken.store(true, Relaxed);
    }

    /// Whether it is worth while for this one, and possible.
    pub(crate) fn takes(&self, part: &FilePart) -> bool {
        self.taken.load(Relaxed) && part.length() >= LEAST && !REFUSED.load(Relaxed)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.load(Relaxed) == 0
    }

    fn push(&self, piece: Piece) -> Bytes {
        let stand_in = STAND_IN.slice(..usize::try_from(piece.part.length()).unwrap_or(PIECE));
        self.queue.lock().pieces.push_back(piece);
        self.waiting.fetch_add(1, Relaxed);
        stand_in
    }

    /// Writes what comes first in `slices`: bytes as they are, or a piece in place of its stand-in.
    pub(super) fn poll_send(
        &self,
        socket: &mut TcpStream,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let plain = slices.iter().take_while(|slice| slice.is_empty() || !stands_in(slice)).count();
        if slices[..plain].iter().any(|slice| !slice.is_empty()) {
            return Pin::new(socket).poll_write_vectored(cx, &slices[..plain]);
        }
        let Some(wanted) = slices.get(plain).map(|slice| slice.len()) else { return Poll::Ready(Ok(0)) };
        loop {
            ready!(socket.poll_write_ready(cx))?;
            match socket.try_io(Interest::WRITABLE, || self.send(socket, wanted)) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    fn send(&self, socket: &TcpStream, wanted: usize) -> io::Result<usize> {
        let mut queue = self.queue.lock();
        let lost = || io::Error::other("a piece of a file that is to be sent is not there");
        let last = queue.pieces.front().is_none_or(|piece| piece.last);
        if !last {
            queue.cork(socket, true);
        }
        let part = queue.pieces.front_mut().map(|piece| &mut piece.part).ok_or_else(lost)?;
        let (mut at, left) = (part.start(), usize::try_from(part.length()).unwrap_or(PIECE));
        // Each stand-in is one piece, or what is left of it.
        if left != wanted {
            return Err(lost());
        }
        let sent = match rustix::fs::sendfile(socket, part.file(), Some(&mut at), left) {
            // Not every file system lends its pages, and not every sandbox lets one ask.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {
                REFUSED.store(true, Relaxed);
                copy(socket, part)?
            }
            sent => sent?,
        };
        if sent == 0 {
            return Err(Errno::IO.into());
        }
        part.pass(sent);
        if sent == left {
            queue.pieces.pop_front();
            self.waiting.fetch_sub(1, Relaxed);
            if last {
                queue.cork(socket, false);
            }
        }
        Ok(sent)
    }
}

/// Sends the beginning of a piece by way of this process.
fn copy(socket: &TcpStream, piece: &FilePart) -> io::Result<usize> {
    let mut bytes = vec![0; usize::try_from(piece.length()).unwrap_or(COPIED).min(COPIED)];
    let read = piece.read(&mut bytes)?;
    Ok(rustix::io::write(socket, &bytes[..read])?)
}

/// A body whose bytes the kernel sends.
pub(crate) struct Sending {
    left: FilePart,
    /// The piece that the disk is asked for.
    bringing: Option<(Piece, JoinHandle<io::Result<()>>)>,
}

impl Sending {
    pub(crate) fn new(part: FilePart) -> Self {
        Self { left: part, bringing: None }
    }

    /// The next stand-in; its piece waits in `files`. None at the end.
    pub(crate) fn poll_next(&mut self, files: &Files, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            if let Some((_, bringing)) = &mut self.bringing {
                let brought = ready!(Pin::new(bringing).poll(cx));
                let Some((piece, _)) = self.bringing.take() else { continue };
                let brought = brought.unwrap_or_else(|died| Err(io::Error::other(died)));
                return Poll::Ready(Some(brought.map(|()| files.push(piece))));
            }
            if self.left.length() == 0 {
                return Poll::Ready(None);
            }
            let part = self.left.take(PIECE);
            let piece = Piece { part, last: self.left.length() == 0 };
            // The thread that sends serves others too, and must not wait for a disk.
            if piece.part.is_in_memory() {
                return Poll::Ready(Some(Ok(files.push(piece))));
            }
            let wanted = piece.part.clone();
            self.bringing = Some((piece, tokio::task::spawn_blocking(move || wanted.bring())));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::os::fd::AsFd as _;
    use std::sync::Arc;

    use bytes::Buf as _;
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    use rustix::net::sockopt::tcp_cork;
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;

    /// What the client gets of a file of this content, over a socket with these flags.
    async fn arrives(content: &[u8], flags: OFlags) -> (Vec<u8>, Files, FilePart) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let part = FilePart::new(Arc::new(file.reopen().unwrap()), 0..content.len() as u64);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        fcntl_setfl(server.as_fd(), fcntl_getfl(server.as_fd()).unwrap() | flags).unwrap();
        let (files, mut sending, mut got) = (Files::default(), Sending::new(part.clone()), Vec::new());
        files.take();
        let sends = async {
            while let Some(stand_in) = poll_fn(|cx| sending.poll_next(&files, cx)).await {
                let mut left = stand_in.unwrap();
                while !left.is_empty() {
                    let slices = [IoSlice::new(b""), IoSlice::new(&left)];
                    let sent = poll_fn(|cx| files.poll_send(&mut server, cx, &slices)).await.unwrap();
                    left.advance(sent);
                }
            }
            assert!(!tcp_cork(&server).unwrap(), "the end of a body waits for nothing");
            drop(server);
        };
        let (read, ()) = tokio::join!(client.read_to_end(&mut got), sends);
        read.unwrap();
        (got, files, part)
    }

    #[tokio::test]
    async fn what_the_kernel_refuses_to_send_is_copied_then_and_later() {
        let content: Vec<u8> = (0..PIECE + 3 * COPIED + 5).map(|at| (at ^ (at >> 8)).to_le_bytes()[0]).collect();
        let (got, files, _) = arrives(&content, OFlags::empty()).await;
        assert!(got == content && files.is_empty());
        // Sendfile refuses a descriptor that appends.
        let (got, files, part) = arrives(&content, OFlags::APPEND).await;
        assert!(got == content && files.is_empty());
        assert!(!files.takes(&part));
    }
}
