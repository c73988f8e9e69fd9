//! Connections below HTTP: they can be cut at any moment, and they tell when a reply has really left.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::task::AtomicWaker;
use http::header::CONTENT_LENGTH;
use http::{Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// All open connections of a server.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    open: Arc<Mutex<Vec<Weak<Line>>>>,
    replies: watch::Sender<u64>,
}

/// One connection, as requests that came over it see it.
#[derive(Debug)]
pub(crate) struct Line {
    severed: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
    /// Replies whose last byte HTTP has taken, but which may still be in its buffer.
    unflushed: AtomicU64,
}

impl Lines {
    pub(crate) fn new() -> Self {
        Self { open: Arc::default(), replies: watch::Sender::new(0) }
    }

    /// Replies completely handed to the operating system so far.
    pub(crate) fn replies(&self) -> watch::Receiver<u64> {
        self.replies.subscribe()
    }

    /// Cuts every connection.
    pub(crate) fn sever(&self) {
        for line in self.lock().drain(..).filter_map(|line| line.upgrade()) {
            line.sever();
        }
    }

    fn add(&self) -> Arc<Line> {
        let line = Arc::new(Line {
            severed: AtomicBool::new(false),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            unflushed: AtomicU64::new(0),
        });
        let mut open = self.lock();
        open.retain(|line| line.strong_count() > 0);
        open.push(Arc::downgrade(&line));
        line
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Line>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Cuts the connection: nothing more is read or written.
    pub(crate) fn sever(&self) {
        self.severed.store(true, Ordering::Release);
        self.reader.wake();
        self.writer.wake();
    }

    /// Watches a reply's body, so that its end is counted once it has been flushed.
    pub(crate) fn watch(self: &Arc<Self>, response: Response<Body>) -> Response<Body> {
        let length =
            response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        let bodiless = matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if bodiless || length == Some(0) {
            // HTTP writes and flushes the head in one go after this returns.
            self.unflushed.fetch_add(1, Ordering::AcqRel);
            return response;
        }
        let line = Arc::clone(self);
        response.map(|body| {
            let rest = (body.into_data_stream(), length);
            Body::from_stream(futures::stream::unfold(rest, move |(mut body, length)| {
                let line = Arc::clone(&line);
                async move {
                    let chunk: Option<Result<Bytes, axum::Error>> = body.next().await;
                    let sent =
                        chunk.as_ref().and_then(|chunk| chunk.as_ref().ok()).map_or(0, |bytes| bytes.len() as u64);
                    let left = length.map(|length| length.saturating_sub(sent));
                    // Without a length the end is the end of the stream; with one, HTTP stops asking at the last byte.
                    let ended = chunk.is_none() && length.is_none();
                    if ended || (sent > 0 && left == Some(0)) {
                        line.unflushed.fetch_add(1, Ordering::AcqRel);
                    }
                    Some((chunk?, (body, left)))
                }
            }))
        })
    }
}

/// A listener whose connections can be cut.
pub(crate) struct Gate {
    pub(crate) listener: TcpListener,
    pub(crate) lines: Lines,
}

impl Listener for Gate {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        let (stream, from) = Listener::accept(&mut self.listener).await;
        // Small replies must not wait for the acknowledgement of earlier ones.
        let _ = stream.set_nodelay(true);
        (Wire { stream, line: self.lines.add(), replies: self.lines.replies.clone() }, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// One accepted connection.
pub(crate) struct Wire {
    stream: TcpStream,
    line: Arc<Line>,
    replies: watch::Sender<u64>,
}

/// What a request knows of its connection.
#[derive(Debug, Clone)]
pub(crate) struct Over(pub(crate) Arc<Line>);

impl Connected<IncomingStream<'_, Gate>> for Over {
    fn connect_info(stream: IncomingStream<'_, Gate>) -> Self {
        Self(Arc::clone(&stream.io().line))
    }
}

impl Wire {
    fn check(&self) -> io::Result<()> {
        if self.line.severed.load(Ordering::Acquire) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.line.reader.register(context.waker());
        self.check()?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.line.writer.register(context.waker());
        self.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if let Poll::Ready(Ok(())) = flushed {
            let done = self.line.unflushed.swap(0, Ordering::AcqRel);
            if done > 0 {
                self.replies.send_modify(|total| *total += done);
            }
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
