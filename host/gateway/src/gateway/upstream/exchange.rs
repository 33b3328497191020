//! The exchange of heads by which a backend upgrades.
//!
//! A 101 has no body, and the bytes after it are not HTTP. One head is written and one is read without an HTTP
//! client, because a client's buffers, channels and allocations are a tenth of the cost of a connection. Any
//! other answer goes to `hyper`, which reads again the bytes that were read here.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use futures_util::future::{FusedFuture, FutureExt};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::Bytes;

use super::{BackendRefusal, UpstreamError};
use crate::connection::Transport;
use crate::tasks::Tasks;

/// Bytes of a backend's response head, with those of interim responses before it.
const HEAD_BYTES_MAX: usize = 16 * 1_024;
/// Headers of a backend's response.
const HEADERS_MAX: usize = 64;
/// Initial size of the buffer for either head, bytes. Most heads fit.
const HEAD_BYTES_USUAL: usize = 1_024;

/// A backend's connection after its 101.
pub(super) struct Switched {
    pub(super) transport: Transport,
    pub(super) headers: HeaderMap,
    /// The bytes that came with the head, behind it.
    pub(super) leftover: Bytes,
}

/// The first bytes of a backend's answer.
enum Parsed {
    /// The head of a 101, and the bytes that it and the interim responses before it take.
    Switched(HeaderMap, usize),
    /// An incomplete head.
    Partial,
    /// No 101 that an upgrade could be made of: an HTTP client reads it again from its first byte.
    Other,
}

/// Asks a backend for an upgrade.
///
/// # Errors
/// [`UpstreamError`] with its answer, or why there is none.
pub(super) async fn switch(
    mut transport: Transport,
    request: Request<Body>,
    tasks: &Tasks,
) -> Result<Switched, UpstreamError> {
    let mut head = Vec::with_capacity(HEAD_BYTES_USUAL);
    write_head(&mut head, &request);
    let mut request_head = Sending::new(head);
    let mut read = Vec::with_capacity(HEAD_BYTES_USUAL);
    // What ended the connection for reading, if anything did.
    let mut failed = None;
    while read.len() < HEAD_BYTES_MAX {
        // A backend that refuses may answer, and close, before it has read the request: both ways at once.
        let more = poll_fn(|cx| {
            request_head.poll(&mut transport, cx);
            poll_read(&mut transport, &mut read, cx)
        });
        match more.await {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
        match parse(&read) {
            Parsed::Partial => {}
            Parsed::Other => break,
            Parsed::Switched(headers, length) if request_head.is_sent() => {
                let leftover = read.get(length..).unwrap_or_default();
                return Ok(Switched {
                    transport,
                    headers,
                    leftover: Bytes::copy_from_slice(leftover),
                });
            }
            Parsed::Switched(..) => {
                return Err(UpstreamError::Handshake("it came before its request"));
            }
        }
    }
    let answer = Replay {
        is_requested: false,
        reader: None,
        read: read.into(),
        failed: request_head.failed.or(failed),
        transport,
    };
    Err(refusal(answer, request, tasks).await)
}

/// A head on its way to the backend.
struct Sending {
    head: Vec<u8>,
    sent: usize,
    is_flushed: bool,
    /// Why no more of it is sent.
    failed: Option<io::Error>,
}

impl Sending {
    const fn new(head: Vec<u8>) -> Self {
        Self {
            head,
            sent: 0,
            is_flushed: false,
            failed: None,
        }
    }

    const fn is_sent(&self) -> bool {
        self.is_flushed
    }

    /// Sends as much as is taken now.
    fn poll(&mut self, transport: &mut Transport, cx: &mut Context<'_>) {
        while !self.is_flushed && self.failed.is_none() {
            let rest = self.head.get(self.sent..).unwrap_or_default();
            let step = if rest.is_empty() {
                let flushed = Pin::new(&mut *transport).poll_flush(cx);
                flushed.map_ok(|()| self.is_flushed = true)
            } else {
                let written = Pin::new(&mut *transport).poll_write(cx, rest);
                written.map(|written| match written? {
                    0 => Err(io::ErrorKind::WriteZero.into()),
                    bytes => {
                        self.sent += bytes;
                        Ok(())
                    }
                })
            };
            match step {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => self.failed = Some(error),
                Poll::Pending => return,
            }
        }
    }
}

/// Reads more of an answer's head; 0 at the end.
fn poll_read(
    transport: &mut Transport,
    read: &mut Vec<u8>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut more = [MaybeUninit::uninit(); HEAD_BYTES_USUAL];
    let free = (HEAD_BYTES_MAX - read.len()).min(more.len());
    let mut more = ReadBuf::uninit(more.get_mut(..free).unwrap_or_default());
    ready!(Pin::new(transport).poll_read(cx, &mut more))?;
    read.extend_from_slice(more.filled());
    Poll::Ready(Ok(more.filled().len()))
}

/// Writes the head of a request, as RFC 9112 (section 3) has it.
fn write_head(to: &mut Vec<u8>, request: &Request<Body>) {
    let target = request.uri().path_and_query();
    let target = target.map_or("/", |target| target.as_str());
    for part in [request.method().as_str(), " ", target, " HTTP/1.1\r\n"] {
        to.extend_from_slice(part.as_bytes());
    }
    for (name, value) in request.headers() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            to.extend_from_slice(part);
        }
    }
    to.extend_from_slice(b"\r\n");
}

/// Parses a head. Interim responses before it are skipped, as a client may do (RFC 9110, section 15.2).
fn parse(bytes: &[u8]) -> Parsed {
    let mut read = 0;
    loop {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Response::new(&mut headers);
        let length = match head.parse(bytes.get(read..).unwrap_or_default()) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Parsed::Partial,
            Err(_) => return Parsed::Other,
        };
        read += length;
        match (head.code, head.version) {
            (Some(101), Some(1)) => {
                let headers = owned(head.headers);
                return headers.map_or(Parsed::Other, |headers| Parsed::Switched(headers, read));
            }
            (Some(100..=199), Some(1)) => {}
            _ => return Parsed::Other,
        }
    }
}

fn owned(read: &[httparse::Header<'_>]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(read.len());
    for header in read {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_bytes(header.value).ok()?);
    }
    Some(headers)
}

/// Reads an answer that is not a 101.
async fn refusal(answer: Replay, request: Request<Body>, tasks: &Tasks) -> UpstreamError {
    let opened = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .handshake::<_, Body>(TokioIo::new(answer))
        .await;
    let (mut sender, connection) = match opened {
        Ok(opened) => opened,
        Err(error) => return UpstreamError::Http(error),
    };
    let mut connection = Box::pin(connection.fuse());
    let response = {
        let mut response = std::pin::pin!(sender.send_request(request));
        tokio::select! {
            biased;
            response = &mut response => response,
            ended = &mut connection => {
                note(ended);
                response.await
            }
        }
    };
    let response = match response {
        Ok(response) => response,
        Err(error) => return UpstreamError::Http(error),
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        // Of HTTP/1.1 it would have been parsed above.
        return UpstreamError::Handshake("it is not of HTTP/1.1");
    }
    // The body streams while the client reads it.
    if !connection.is_terminated() {
        tasks.spawn("upstream-answer", async move { note(connection.await) });
    }
    let response = response.map(Body::new);
    UpstreamError::Refused(Box::new(BackendRefusal::new(response)))
}

fn note(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the upstream failed");
    }
}

/// A connection whose request was sent and whose answer was read in part. A second write of the request is
/// discarded; after it, reads return the bytes that were read before, then those of the connection.
struct Replay {
    /// `hyper` takes an answer before its request for an unsolicited one.
    is_requested: bool,
    reader: Option<Waker>,
    read: Bytes,
    /// The error at the end of the connection.
    failed: Option<io::Error>,
    transport: Transport,
}

impl AsyncRead for Replay {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.is_requested {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if !self.read.is_empty() {
            let length = self.read.len().min(buf.remaining());
            buf.put_slice(&self.read.split_to(length));
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.transport).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(self.failed.take().map_or(Ok(()), Err))
    }
}

impl AsyncWrite for Replay {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.is_requested = true;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
